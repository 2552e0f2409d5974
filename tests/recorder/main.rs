//! The flight recorder, by the files that it leaves. A process is recorded or it is not, from its first use
//! of the reactor on, so the tests look at recordings of child processes.

#[path = "../util/mod.rs"]
mod util;

mod end;
mod files;
mod full_disk;
mod own_waits;
mod records;
mod rings;
mod stacks;
mod who;
