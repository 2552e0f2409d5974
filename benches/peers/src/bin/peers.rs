//! `cargo bench --bench peers`: times every row for every peer and prints the table.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    peers::bench_main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("peers: the raw peer is an epoll loop, which is Linux");
}
