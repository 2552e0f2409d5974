//! A service answers calls, and audits its books now and then. The audit takes for ever once a book is damaged, and
//! there is one thread. The calls arrive, the reactor wakes the task that accepts them, and nobody polls it.

use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::AsyncWriteExt;

use crate::story::{executor, hangs_now};

/// The sum of a book whose last page names itself as the next one.
fn sum(pages: &[usize]) -> usize {
    let (mut page, mut sum) = (0, 0_usize);
    while page < pages.len() {
        sum = sum.wrapping_add(black_box(page));
        page = pages[page];
    }
    sum
}

async fn audit() {
    Timer::after(Duration::from_millis(200)).await; // hangs here
    let mut pages: Vec<usize> = (1..=1_000).collect();
    pages[999] = 999;
    println!("the sum is {}", sum(&pages));
}

async fn answer(listener: Async<TcpListener>) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?; // waits meanwhile
        stream.write_all(b"at your service\n").await?;
    }
}

pub fn run() -> io::Result<()> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.get_ref().local_addr()?;
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        let call = TcpStream::connect(address);
        hangs_now();
        thread::sleep(Duration::from_secs(3_600));
        drop(call);
    });
    let executor = executor();
    executor.spawn(audit()).detach();
    block_on(executor.run(answer(listener)))
}
