//! A shop that hangs when two people buy its last item at once.
//!
//! ```console
//! $ ASYNC_IO_TRACE=/tmp/t cargo run --example last_item
//! ```
//!
//! It is a server and two customers in one process, over TCP. A sale locks the stock, then the till; a
//! voucher locks the till, then the stock. Each holds its first lock while the bank is asked. When both come at
//! once, each waits for the other's lock, for ever. `ticks who` names both tasks and the locks they wait for.
//!
//! It hangs until it is killed. With a number of seconds as its argument it gives up after that.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use std::{env, io, process};

use async_executor::Executor;
use async_io::{block_on, Async, Timer};
use async_lock::Mutex;
use futures_lite::{future, io::BufReader, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

/// What the shop has.
#[derive(Default)]
struct Shop {
    /// How many items are left.
    stock: Mutex<u32>,
    /// What was paid so far.
    till: Mutex<u32>,
}

const PRICE: u32 = 12;

/// The bank takes its time.
async fn ask_the_bank() {
    Timer::after(Duration::from_millis(20)).await;
}

/// Somebody pays with money: an item is set aside, then paid.
async fn sell(shop: &Shop) -> bool {
    let mut stock = shop.stock.lock().await;
    if *stock == 0 {
        return false;
    }
    ask_the_bank().await;
    let mut till = shop.till.lock().await;
    *stock -= 1;
    *till += PRICE;
    true
}

/// Somebody pays with a voucher: it is booked, then an item is fetched.
async fn redeem(shop: &Shop) -> bool {
    let mut till = shop.till.lock().await;
    ask_the_bank().await;
    let mut stock = shop.stock.lock().await;
    if *stock == 0 {
        return false;
    }
    *stock -= 1;
    *till += PRICE;
    true
}

/// One customer: a line each way.
async fn serve(stream: Async<TcpStream>, shop: Arc<Shop>) -> io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line).await?;
    let sold = match line.trim() {
        "buy" => sell(&shop).await,
        "voucher" => redeem(&shop).await,
        _ => false,
    };
    let answer: &[u8] = if sold { b"here you are\n" } else { b"sold out\n" };
    lines.into_inner().write_all(answer).await
}

async fn customer(shop: SocketAddr, word: &str) -> io::Result<String> {
    let mut stream = Async::<TcpStream>::connect(shop).await?;
    stream.write_all(word.as_bytes()).await?;
    stream.write_all(b"\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn accept(executor: &Executor<'static>, listener: Async<TcpListener>) -> io::Result<()> {
    let shop = Arc::new(Shop { stock: Mutex::new(1), ..Shop::default() });
    loop {
        let (stream, _) = listener.accept().await?;
        executor.spawn(serve(stream, shop.clone())).detach();
    }
}

/// Opens the shop, and sends two customers.
pub fn main() -> io::Result<()> {
    let patience = env::args().nth(1).and_then(|seconds| seconds.parse().ok());
    if let Some(seconds) = patience {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(seconds));
            println!("still no answer: giving up");
            process::exit(1);
        });
    }
    let executor: &'static Executor<'static> = Box::leak(Box::new(Executor::new()));
    block_on(executor.run(async {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let address = listener.get_ref().local_addr()?;
        println!("process {}: the shop on {address} has one item left", process::id());
        let accepting = executor.spawn(accept(executor, listener));
        let (one, other) =
            future::zip(customer(address, "buy"), customer(address, "voucher")).await;
        println!("one was told {:?}, the other {:?}", one?, other?);
        drop(accepting);
        Ok(())
    }))
}
