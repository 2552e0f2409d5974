//! Processes: a handle that is signalled when its process has ended.

use std::io::{self, Write};
use std::process::{Child, Stdio};
use std::time::Duration;

use async_io::os::windows::Waitable;
use async_io::{block_on, Timer};
use futures_lite::future;

use crate::util::{child, watchdog};

/// A child that ends with `code` when its standard input does.
fn child_that_ends_with(test: &str, code: usize) -> io::Result<Child> {
    let mut command = child::command(test, "ends when told", code);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
}

fn play_child() -> ! {
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    std::process::exit(child::count() as i32)
}

#[test]
fn a_wait_for_a_process_ends_with_the_process() -> io::Result<()> {
    let test = "a_wait_for_a_process_ends_with_the_process";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        play_child();
    }
    let mut process = Waitable::new(child_that_ends_with(test, 7)?)?;
    // SAFETY: what is taken is the pipe; the handle stays.
    let mut pipe = unsafe { process.get_mut() }.stdin.take().expect("it is piped");
    let early = block_on(future::or(async { Some(process.ready().await) }, async {
        Timer::after(Duration::from_millis(50)).await;
        None
    }));
    assert!(early.is_none(), "it waits for its standard input");
    pipe.write_all(b"the end comes with the end of the pipe")?;
    drop(pipe);
    block_on(process.ready())?;
    // It stays so.
    block_on(process.ready())?;
    let status = process.into_inner()?.try_wait()?.expect("it has ended");
    assert_eq!(status.code(), Some(7));
    Ok(())
}

#[test]
fn a_process_that_is_killed_ends_the_wait_too() -> io::Result<()> {
    let test = "a_process_that_is_killed_ends_the_wait_too";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        play_child();
    }
    let mut process = Waitable::new(child_that_ends_with(test, 0)?)?;
    block_on(Timer::after(Duration::from_millis(10)));
    // SAFETY: killing the process keeps its handle.
    unsafe { process.get_mut() }.kill()?;
    block_on(process.ready())?;
    assert!(!process.into_inner()?.wait()?.success());
    Ok(())
}

/// Each of several waits ends with its own process.
#[test]
fn several_processes_are_told_apart() -> io::Result<()> {
    let test = "several_processes_are_told_apart";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        play_child();
    }
    let mut children = Vec::new();
    for code in 0..3 {
        children.push(Waitable::new(child_that_ends_with(test, code)?)?);
    }
    for code in [1, 0, 2] {
        // SAFETY: what is dropped is the pipe; the handle stays.
        drop(unsafe { children[code].get_mut() }.stdin.take());
        block_on(children[code].ready())?;
        // SAFETY: as above.
        let ended = unsafe { children[code].get_mut() }.try_wait()?;
        assert_eq!(ended.and_then(|status| status.code()), Some(code as i32));
    }
    Ok(())
}
