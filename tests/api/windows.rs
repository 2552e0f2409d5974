//! `async_io::os::windows`: events, processes and other handles that can be waited for.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll};

use async_io::os::windows::{Ready, Waitable};

fn waitable<T: AsHandle>() {
    let _: fn(T) -> io::Result<Waitable<T>> = Waitable::<T>::new;
}

fn waited_for<'a, T: AsHandle + 'a>() {
    let _: fn(&Waitable<T>) -> &T = Waitable::<T>::get_ref;
    let _: unsafe fn(&mut Waitable<T>) -> &mut T = Waitable::<T>::get_mut;
    let _: fn(Waitable<T>) -> io::Result<T> = Waitable::<T>::into_inner;
    let _: fn(&Waitable<T>) -> Ready<'_, T> = Waitable::<T>::ready;
    let _: fn(&Waitable<T>, &mut Context<'_>) -> Poll<io::Result<()>> = Waitable::<T>::poll_ready;
    let _: fn(&Waitable<T>) -> &T = AsRef::as_ref;
    is!(Waitable<T>: AsHandle);
    is!(Ready<'a, T>: Future<Output = io::Result<()>>);
}

fn handles<T: AsHandle + AsRawHandle + From<OwnedHandle> + Into<OwnedHandle>>() {
    is!(Waitable<T>: AsRawHandle);
    is!(Waitable<T>: TryFrom<OwnedHandle, Error = io::Error>);
    let _: fn(Waitable<T>) -> io::Result<OwnedHandle> = OwnedHandle::try_from;
}

fn is_shown<'a, T: AsHandle + Debug + 'a>() {
    is!(Waitable<T>: Debug);
    is!(Ready<'a, T>: Debug);
}

#[test]
fn auto_traits() {
    is!(Waitable<OwnedHandle>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe);
    is!(Ready<'static, OwnedHandle>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe);
}

fn a_ready_must_be_used(waitable: &Waitable<OwnedHandle>) {
    #[expect(unused_must_use)]
    {
        waitable.ready();
    }
}

/// `unused_unsafe` refuses the block if it becomes safe.
fn mutable_access_is_unsafe(mut waitable: Waitable<OwnedHandle>) {
    // SAFETY: compiled and never run.
    let _ = unsafe { waitable.get_mut() };
}
