//! `async_io::os::kqueue`: signals and child processes, where the OS has kqueue.

use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::io;
use std::num::NonZeroI32;
use std::os::unix::io::{AsFd, AsRawFd, OwnedFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::process::Child;
use std::task::{Context, Poll};

use async_io::os::kqueue::{Exit, Filter, Queueable, Ready, Signal};

fn filter<T: Queueable>() {
    let _: fn(T) -> io::Result<Filter<T>> = Filter::<T>::new;
    let _: fn(&Filter<T>) -> &T = Filter::<T>::get_ref;
    let _: fn(&mut Filter<T>) -> &mut T = Filter::<T>::get_mut;
    let _: fn(Filter<T>) -> io::Result<T> = Filter::<T>::into_inner;
    let _: fn(&Filter<T>) -> Ready<'_, T> = Filter::<T>::ready;
    let _: fn(&Filter<T>, &mut Context<'_>) -> Poll<io::Result<()>> = Filter::<T>::poll_ready;
    let _: fn(&Filter<T>) -> &T = AsRef::as_ref;
    let _: fn(&mut Filter<T>) -> &mut T = AsMut::as_mut;
    is!(Ready<'static, Signal>: Future<Output = io::Result<()>>);
}

fn filter_of_a_file_descriptor<T: AsFd + AsRawFd + From<OwnedFd> + Into<OwnedFd> + Queueable>() {
    is!(Filter<T>: AsFd + AsRawFd);
    is!(Filter<T>: TryFrom<OwnedFd, Error = io::Error>);
    let _: fn(Filter<T>) -> io::Result<OwnedFd> = OwnedFd::try_from;
}

fn is_shown<T: Debug>() {
    is!(Filter<T>: Debug);
    is!(Ready<'static, Signal>: Debug);
}

#[test]
fn auto_traits() {
    is!(Filter<Signal>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe);
    is!(Filter<Exit>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe);
    is!(Ready<'static, Signal>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe);
    is!(Ready<'static, Exit>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe);
}

fn a_ready_must_be_used(filter: &Filter<Signal>) {
    #[expect(unused_must_use)]
    {
        filter.ready();
    }
}

#[test]
fn what_can_be_queued() {
    is!(Signal: Queueable);
    is!(Exit: Queueable + Debug);
    is!(Signal: Debug + Clone + Copy + PartialEq + Eq + PartialOrd + Ord + Hash);
    let _: fn(i32) -> Signal = Signal;
    let Signal(_number) = Signal(2);
    let _: fn(Child) -> Exit = Exit::new;
    let _: unsafe fn(NonZeroI32) -> Exit = Exit::from_pid;
}

/// `unused_unsafe` refuses the block if it becomes safe.
fn a_process_by_number_is_unsafe(pid: NonZeroI32) -> Exit {
    // SAFETY: compiled and never run.
    unsafe { Exit::from_pid(pid) }
}
