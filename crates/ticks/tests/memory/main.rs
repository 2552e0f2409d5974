//! Nobody had recorded it. A service hangs, or has left a core dump, and its memory is all that there is: what `ticks who`,
//! gdb and lldb say of it must be what is there, whatever build it is, and whatever it does meanwhile.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod builds;
mod cores;
mod debuggers;
mod found;
mod hangs;
mod several;
mod start;
mod strangers;
mod subject;
#[path = "../util/mod.rs"]
mod util;
