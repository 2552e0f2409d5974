//! A service hung on the machine of a customer, and whoever knew its code was elsewhere. A recording of 64 MiB, the
//! program and the tool had to go there too, and addresses that were nobody's business went with them. `ticks report`
//! makes one page of it all, that a browser shows anywhere, and `--redact` keeps the addresses out.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

#[path = "../util/mod.rs"]
mod util;

mod crowd;
mod files;
mod hidden;
mod memory;
mod page;
mod seen;
