//! A D-Bus service and its client: `bus demo`, or `bus serve` and `bus greet` in two processes.

use std::error::Error;
use std::future::pending;

use bus::Daemon;
use clap::{Args, Parser};

#[derive(Parser)]
#[command(about = "A D-Bus service that greets, and its client")]
enum Command {
    /// Serve on the bus at this address
    Serve {
        /// Such as unix:path=/run/user/1000/bus
        #[arg(long)]
        address: String,
    },
    /// Call the service
    Greet {
        #[command(flatten)]
        call: Call,
        /// Such as unix:path=/run/user/1000/bus
        #[arg(long)]
        address: String,
    },
    /// Start a private bus, serve on it and call the service, all in one process
    Demo(Call),
}

#[derive(Args)]
struct Call {
    /// Whom to greet
    #[arg(default_value = "Ferris")]
    name: String,
    /// How often
    #[arg(long, default_value_t = 1)]
    count: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    support::log_lines::init();
    zbus::block_on(run(Command::parse()))
}

async fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Serve { address } => {
            let _connection = bus::serve(&address).await?;
            println!("Serving {}", bus::BUS_NAME);
            pending::<()>().await;
        }
        Command::Greet { call, address } => greet(&address, &call).await?,
        Command::Demo(call) => {
            let daemon = Daemon::start()?;
            let _service = bus::serve(daemon.address()).await?;
            greet(daemon.address(), &call).await?;
        }
    }
    Ok(())
}

async fn greet(address: &str, call: &Call) -> Result<(), Box<dyn Error>> {
    let found = bus::greet(address, &call.name, call.count).await?;
    println!("{} calls, {} signals", call.count, found.signals);
    println!("{}", found.last);
    Ok(())
}
