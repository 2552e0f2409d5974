//! Round trips of TCP echo, with a pause before and a time limit on each, on smol. It needs no other program, so it
//! runs on every system that smol runs on. It fails if a byte is wrong, a pause too short or a round trip too long.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use clap::Parser;
use smol::future::or;
use smol::io::{self, AsyncReadExt, AsyncWriteExt, Error, ErrorKind};
use smol::net::{TcpListener, TcpStream};
use smol::stream::StreamExt;
use smol::Timer;

/// Of a round trip on one machine. It is reached only if something hangs.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Parser)]
#[command(about = "Round trips of TCP echo with pauses and time limits, on smol")]
struct Options {
    /// Round trips
    #[arg(long, default_value_t = 100)]
    count: u32,
    /// Pause before each, in milliseconds
    #[arg(long, default_value_t = 2)]
    pause_ms: u64,
}

fn main() -> io::Result<()> {
    support::log_lines::init();
    let options = Options::parse();
    let pause = Duration::from_millis(options.pause_ms);
    smol::block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = smol::spawn(serve_one(listener));
        let clock = smol::spawn(tick());

        let mut stream = TcpStream::connect(address).await?;
        for number in 0..options.count {
            pause_for(pause).await?;
            or(round_trip(&mut stream, number), too_long(number)).await?;
        }
        stream.close().await?;
        let served = server.await?;
        clock.cancel().await;

        let count = options.count;
        if served != u64::from(count) * 4 {
            return Err(Error::other(format!("expected {} bytes, served {served}", count * 4)));
        }
        println!("{count} round trips, each after a pause of {pause:?}");
        Ok(())
    })
}

async fn serve_one(listener: TcpListener) -> io::Result<u64> {
    let (stream, _) = listener.accept().await?;
    let (mut reading, mut writing) = (stream.clone(), stream);
    let served = io::copy(&mut reading, &mut writing).await?;
    writing.close().await?;
    Ok(served)
}

/// A clock beside the round trips, on a thread of smol's, so that there are always timers to look after.
async fn tick() {
    let mut interval = Timer::interval(Duration::from_millis(5));
    while interval.next().await.is_some() {}
}

async fn pause_for(pause: Duration) -> io::Result<()> {
    let begun = Instant::now();
    Timer::after(pause).await;
    match begun.elapsed() {
        passed if passed < pause => {
            Err(Error::other(format!("a pause of {pause:?} ended after {passed:?}")))
        }
        _ => Ok(()),
    }
}

async fn round_trip(stream: &mut TcpStream, number: u32) -> io::Result<()> {
    stream.write_all(&number.to_be_bytes()).await?;
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await?;
    match u32::from_be_bytes(echo) {
        same if same == number => Ok(()),
        other => Err(Error::other(format!("round trip {number} returned {other}"))),
    }
}

async fn too_long(number: u32) -> io::Result<()> {
    Timer::after(LIMIT).await;
    Err(Error::new(ErrorKind::TimedOut, format!("round trip {number}: no answer in {LIMIT:?}")))
}
