//! One reactor under several executors in one process: a TCP server on tokio's threads, its
//! clients on futures' thread pool, two UDP peers on futures' local pool, and this reactor's own
//! `block_on` in the main thread; with timers of both libraries in all of them.

mod pause;
mod tcp;
mod udp;

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::thread;

use async_io::Async;
use clap::Parser;
use futures::executor::{LocalPool, ThreadPool};
use futures::future::try_join_all;
use futures::task::SpawnExt;

#[derive(Parser)]
#[command(about = "One reactor under tokio's, futures' and its own executor")]
struct Options {
    /// TCP clients on futures' thread pool
    #[arg(long, default_value_t = 8)]
    clients: u64,
    /// Messages of each TCP client and datagrams of each UDP peer
    #[arg(long, default_value_t = 100)]
    messages: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    support::log_lines::init();
    let options = Options::parse();

    let tokio =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let pool = ThreadPool::builder().pool_size(2).create()?;

    let listener = Async::<std::net::TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.get_ref().local_addr()?;
    let server = tokio.spawn(tcp::serve(listener, options.clients));
    let clients = (0..options.clients)
        .map(|_| pool.spawn_with_handle(tcp::exchange(address, options.messages)))
        .collect::<Result<Vec<_>, _>>()?;
    let peers = thread::spawn(move || LocalPool::new().run_until(udp::exchange(options.messages)));

    let (answered, echoed) = async_io::block_on(async {
        let answered: u64 = try_join_all(clients).await?.iter().sum();
        Ok::<_, io::Error>((answered, server.await??))
    })?;
    let datagrams = peers.join().map_err(|_| "the UDP peers panicked")??;

    println!("tokio's threads echoed {echoed} messages");
    println!("futures' thread pool had {answered} answers");
    println!("futures' local pool exchanged {datagrams} datagrams");
    println!("{}", pause::summary());
    Ok(())
}
