//! A service has ten thousand tasks. A page with an element for each cell would take seconds to open and more to
//! scroll. Here a program has as many, and what the page holds, and how long its file is, are bounded.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use async_executor::LocalExecutor;
use async_io::block_on;
use async_lock::Mutex;
use futures_lite::future;

use crate::seen::{data, report, rows};
use crate::util::process::{role, wait, Process};

/// How many wait for one lock.
pub const COUNT: usize = 10_000;

/// How many have come there.
static CAME: AtomicUsize = AtomicUsize::new(0);

async fn turn(gate: &Mutex<()>) {
    CAME.fetch_add(1, Ordering::Relaxed);
    gate.lock().await;
}

/// One holds the lock, and nobody can wake it.
async fn hoard(gate: &Mutex<()>) {
    let _held = gate.lock().await;
    future::poll_fn(|cx| {
        drop(cx.waker().clone());
        std::task::Poll::<()>::Pending
    })
    .await;
}

fn play() {
    let gate = Mutex::new(());
    let executor = LocalExecutor::new();
    executor.spawn(hoard(&gate)).detach();
    (0..COUNT).for_each(|_| executor.spawn(turn(&gate)).detach());
    thread::spawn(|| {
        while CAME.load(Ordering::Relaxed) < COUNT {
            thread::sleep(Duration::from_millis(1));
        }
        wait();
        std::process::exit(0);
    });
    block_on(executor.run(future::pending::<()>()));
}

/// The program, until this is dropped. Its recording has room for all of them.
pub fn crowd() -> Process {
    let room = ["/usr/bin/env", "ASYNC_IO_TRACE_MIB=64"];
    Process::start_under(&room, "crowd::ten_thousand_tasks_are_bounded", "crowd", true)
}

#[test]
fn ten_thousand_tasks_are_bounded() {
    if role().is_some() {
        return play();
    }
    let process = crowd();
    let dir = tempfile::tempdir().expect("a directory");
    let page = report(dir.path(), &process.pid(), &[]);
    let bytes = fs::metadata(&page).expect("the page is there").len();
    assert!(bytes < 12 << 20, "{bytes} bytes");
    let data = data(&page);
    assert!(rows(&data, "tasks").len() > COUNT, "each task has a row");
    // All that wait for the lock are told once.
    let groups = data["tables"]["groups"].as_array().expect("groups");
    let crowd = groups.iter().find(|group| group["count"] == COUNT).expect("one group of all");
    assert!(crowd["heading"].as_str().is_some_and(|text| text.starts_with("10,000 × ")), "{crowd}");
    assert!(groups.len() < 10, "{}", groups.len());
    // The timeline is bounded too, and the page says what is not in it.
    let tracks = data["picture"]["tracks"].as_array().expect("tracks");
    assert!(tracks.len() <= 2_000, "{}", tracks.len());
    let left_out = data["picture"]["left_out"].as_array().expect("texts");
    assert!(left_out.iter().any(|text| text.as_str().is_some_and(|it| it.contains("tracks"))));
    // Who holds the lock is found, and is in the timeline.
    let found = data["verdict"]["findings"].as_array().expect("findings");
    assert!(
        found.iter().any(|it| it["kind"] == "forgotten" && it["sure"] == "proven"),
        "{found:?}"
    );
    let has_it = |track: &serde_json::Value| {
        track["name"].as_str().is_some_and(|name| name.contains("hoard"))
    };
    assert!(tracks.iter().any(has_it));
}
