//! Looks relays up again and again, each after a pause, and prints which lookups came back, and
//! how fast: `relay-table --lookup PROGRAM --keep DIR NAME=RELAY…`.

mod accept;
mod experiment;
mod table;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use experiment::Experiment;

#[derive(Parser)]
#[command(about = "Looks relays up again and again, and prints a table")]
struct Options {
    /// The lookup program; one and the same for all relays, so that they alone differ
    #[arg(long)]
    lookup: PathBuf,
    /// Directory for what the relays logged and recorded during the first lookup, and all latencies
    #[arg(long)]
    keep: PathBuf,
    /// Lookups of each relay
    #[arg(long, default_value_t = 20)]
    lookups: usize,
    /// Milliseconds before each lookup, for the relay to come to rest
    #[arg(long, default_value_t = 1000)]
    pause_ms: u64,
    /// What the relays log (RUST_LOG)
    #[arg(long, default_value = "trace")]
    log: String,
    /// Keep the relays to one processor, as on the machine where the hang was met
    #[arg(long)]
    one_cpu: bool,
    /// Start the relay anew for each lookup: every lookup is a first one
    #[arg(long)]
    fresh_relay: bool,
    /// The relays, each with a name: debug=target/debug/relay
    #[arg(required = true, value_parser = named_relay)]
    relays: Vec<(String, PathBuf)>,
}

fn named_relay(argument: &str) -> Result<(String, PathBuf), String> {
    match argument.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), path.into()))
        }
        _ => Err("expected NAME=PROGRAM".to_owned()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut rows = Vec::new();
    for (name, relay) in &options.relays {
        let experiment = Experiment {
            relay,
            lookup: &options.lookup,
            log: &options.log,
            one_cpu: options.one_cpu,
            fresh_relay: options.fresh_relay,
            lookups: options.lookups,
            pause: Duration::from_millis(options.pause_ms),
        };
        let directory = options.keep.join(name);
        std::fs::create_dir_all(&directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        let outcomes = experiment.run(&directory)?;
        std::fs::write(directory.join("latencies"), table::every_lookup(&outcomes))?;
        rows.push(table::Row::new(name, &outcomes));
    }
    print!("{}", table::print(&rows));
    Ok(())
}
