//! `cargo run --release -p peers --bin syscalls`: system calls per operation, by row and peer.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    peers::syscalls_main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("peers: the raw peer is an epoll loop, which is Linux");
}
