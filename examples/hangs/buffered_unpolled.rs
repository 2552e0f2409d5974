//! Pages are fetched four at a time with `buffered(4)`. A fetch looks into the cache, and holds its lock for reading
//! meanwhile. While a page is stored nobody polls the stream, so the fetches under way keep their locks. Storing
//! wants the lock for writing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_io::{block_on, Timer};
use async_lock::RwLock;
use futures_util::stream::{self, StreamExt};

use crate::story::{executor, hangs_now};

type Cache = RwLock<Vec<u64>>;

async fn fetch(cache: Arc<Cache>, page: u64) -> u64 {
    let cached = cache.read().await;
    Timer::after(Duration::from_millis(50 + 50 * page)).await; // holds the lock here
    page + cached.len() as u64
}

async fn store(cache: &Cache, page: u64) {
    hangs_now();
    cache.write().await.push(page); // hangs here
}

async fn mirror() {
    let cache = Arc::new(Cache::default());
    let fetches = stream::iter(0..20).map(|page| fetch(cache.clone(), page));
    let mut pages = std::pin::pin!(fetches.buffered(4));
    while let Some(page) = pages.next().await {
        store(&cache, page).await;
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(mirror())));
    Ok(())
}
