//! Names every public item of async-executor 1.14.1, feature `static` included, with its exact type.
//!
//! A drop-in that lacks an item, or has it with another type, bound or auto trait, does not compile here:
//! the assertions are function pointer coercions, trait bounds, and ambiguous trait paths for what must
//! *not* hold. The tests have nothing left to do when they run.

#![deny(unused_unsafe, unexpected_cfgs)]
// The generic assertions are checked where they stand; nobody calls them, and no future in them is polled.
#![allow(dead_code, clippy::let_underscore_future, clippy::extra_unused_lifetimes)]

use std::fmt::Debug;
use std::future::{ready, Future, Ready};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use async_executor::{
    Executor, FallibleTask, LocalExecutor, StaticExecutor, StaticLocalExecutor, Task,
};

/// The type implements the traits.
macro_rules! is {
    ($type:ty: $($bound:tt)+) => {{
        fn is<T: ?Sized + $($bound)+>() {}
        is::<$type>();
    }};
}

/// The type does not implement the trait: both impls apply to one that does, so that the path is ambiguous.
macro_rules! is_not {
    ($type:ty: $($bound:tt)+) => {{
        trait AmbiguousIfImplemented<A> {
            fn item() {}
        }
        struct Implemented;
        impl<T: ?Sized> AmbiguousIfImplemented<()> for T {}
        impl<T: ?Sized + $($bound)+> AmbiguousIfImplemented<Implemented> for T {}
        <$type as AmbiguousIfImplemented<_>>::item();
    }};
}

/// What the futures of `run` and `tick` are.
fn future<O>(future: impl Future<Output = O> + RefUnwindSafe) -> impl Future<Output = O> {
    future
}

/// What those of an executor for several threads are besides.
fn threads<O>(future: impl Future<Output = O> + Send + Sync) -> impl Future<Output = O> {
    future
}

/// Whether a value is `Send`, told by which of two methods of the same name is found first.
mod probe {
    use std::marker::PhantomData;

    pub struct Probe<T>(PhantomData<T>);

    pub fn of<T>(_: &T) -> Probe<T> {
        Probe(PhantomData)
    }

    impl<T: Send> Probe<T> {
        pub fn is_send(&self) -> bool {
            true
        }
    }

    pub trait Otherwise {
        fn is_send(&self) -> bool {
            false
        }
    }

    impl<T> Otherwise for Probe<T> {}
}

/// Neither `Send` nor `'static`: borrowed, on its own thread.
type NotSend<'a> = (Rc<u8>, &'a u8);

fn executor<'a>() {
    const _: Executor<'static> = Executor::new();
    static _IN_A_STATIC: Executor<'static> = Executor::new();
    let _: fn() -> Executor<'a> = Executor::new;
    let _: fn() -> Executor<'a> = <Executor<'a> as Default>::default;
    let _: fn(&Executor<'a>) -> bool = Executor::is_empty;
    let _: fn(&Executor<'a>) -> bool = Executor::try_tick;
    let _: fn(&Executor<'a>, Ready<&'a u8>) -> Task<&'a u8> = Executor::spawn;
    let _: fn(Executor<'static>) -> &'static StaticExecutor = Executor::leak;

    is!(Executor<'a>: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Debug + Default);
    is_not!(Executor<'a>: Clone);
}

fn executor_generics<'a, T: Send + 'a, F: Future<Output = T> + Send + 'a>(
    ex: &Executor<'a>,
    f: F,
    many: Vec<F>,
) {
    let _: Task<T> = ex.spawn(f);
    let mut handles: Vec<Task<T>> = Vec::new();
    let _: () = ex.spawn_many(many, &mut handles);
    let _: () = ex.spawn_many::<T, F>(None, &mut handles);
}

fn executor_futures<'a>(ex: &Executor<'a>, not_send: NotSend<'_>) {
    let _ = threads::<()>(future(ex.tick()));
    let _ = threads::<u8>(future(ex.run(ready(1))));
    let _ = future::<NotSend<'_>>(ex.run(ready(not_send)));
}

fn local_executor<'a>() {
    const _: LocalExecutor<'static> = LocalExecutor::new();
    let _: fn() -> LocalExecutor<'a> = LocalExecutor::new;
    let _: fn() -> LocalExecutor<'a> = <LocalExecutor<'a> as Default>::default;
    let _: fn(&LocalExecutor<'a>) -> bool = LocalExecutor::is_empty;
    let _: fn(&LocalExecutor<'a>) -> bool = LocalExecutor::try_tick;
    let _: fn(&LocalExecutor<'a>, Ready<NotSend<'a>>) -> Task<NotSend<'a>> = LocalExecutor::spawn;
    let _: fn(LocalExecutor<'static>) -> &'static StaticLocalExecutor = LocalExecutor::leak;

    is!(LocalExecutor<'a>: Unpin + UnwindSafe + RefUnwindSafe + Debug + Default);
    is_not!(LocalExecutor<'a>: Send);
    is_not!(LocalExecutor<'a>: Sync);
    is_not!(LocalExecutor<'a>: Clone);
}

fn local_executor_generics<'a, T: 'a, F: Future<Output = T> + 'a>(
    ex: &LocalExecutor<'a>,
    f: F,
    many: Vec<F>,
) {
    let _: Task<T> = ex.spawn(f);
    let mut handles: Vec<Task<T>> = Vec::new();
    let _: () = ex.spawn_many(many, &mut handles);
    let _: () = ex.spawn_many::<T, F>(None, &mut handles);
    let _ = future::<()>(ex.tick());
    let _ = future::<u8>(ex.run(ready(1)));
}

fn static_executor<T: Send + 'static, F: Future<Output = T> + Send + 'static>(f: F) {
    const _: StaticExecutor = StaticExecutor::new();
    static EX: StaticExecutor = StaticExecutor::new();
    let _: fn() -> StaticExecutor = StaticExecutor::new;
    let _: fn() -> StaticExecutor = <StaticExecutor as Default>::default;
    let _: fn(&StaticExecutor) -> bool = StaticExecutor::try_tick;
    let _: fn(&'static StaticExecutor, Ready<u8>) -> Task<u8> = StaticExecutor::spawn;
    let _: Task<T> = EX.spawn(f);
    let _ = threads::<()>(future(EX.tick()));
    let _ = threads::<u8>(future(EX.run(ready(1))));

    is!(StaticExecutor: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Debug + Default);
    is_not!(StaticExecutor: Clone);
}

fn static_executor_scoped<'a, T: Send + 'a>(
    ex: &'static StaticExecutor,
    f: impl Future<Output = T> + Send + 'a,
) {
    // SAFETY: nobody calls this.
    let _: Task<T> = unsafe { ex.spawn_scoped(f) };
}

fn static_local_executor<T: 'static>(
    ex: &'static StaticLocalExecutor,
    f: impl Future<Output = T> + 'static,
) {
    const _: StaticLocalExecutor = StaticLocalExecutor::new();
    let _: fn() -> StaticLocalExecutor = StaticLocalExecutor::new;
    let _: fn() -> StaticLocalExecutor = <StaticLocalExecutor as Default>::default;
    let _: fn(&StaticLocalExecutor) -> bool = StaticLocalExecutor::try_tick;
    let _: Task<T> = ex.spawn(f);
    let _ = future::<()>(ex.tick());
    let _ = future::<u8>(ex.run(ready(1)));

    is!(StaticLocalExecutor: Send + Unpin + UnwindSafe + RefUnwindSafe + Debug + Default);
    is_not!(StaticLocalExecutor: Sync);
    is_not!(StaticLocalExecutor: Clone);
}

fn static_local_executor_scoped<'a, T: 'a>(
    ex: &'static StaticLocalExecutor,
    f: impl Future<Output = T> + 'a,
) {
    // SAFETY: nobody calls this.
    let _: Task<T> = unsafe { ex.spawn_scoped(f) };
}

/// Tasks are those of async-task, so that what takes or returns its tasks fits.
fn tasks<T>(task: async_task::Task<T>, fallible: async_task::FallibleTask<T>) {
    let task: Task<T> = task;
    let _: FallibleTask<T> = task.fallible();
    let _: FallibleTask<T> = fallible;
}

#[test]
fn futures_of_local_executors_stay_on_their_thread() {
    #[allow(unused_imports)]
    use probe::Otherwise;

    let (ex, local) = (Executor::new(), LocalExecutor::new());
    static EX: StaticExecutor = StaticExecutor::new();
    let static_local = StaticLocalExecutor::new();
    assert!(probe::of(&ex.tick()).is_send());
    assert!(probe::of(&ex.run(ready(1))).is_send());
    assert!(!probe::of(&ex.run(ready(Rc::new(1)))).is_send());
    assert!(probe::of(&EX.run(ready(1))).is_send());
    assert!(!probe::of(&local.tick()).is_send());
    assert!(!probe::of(&local.run(ready(1))).is_send());
    assert!(!probe::of(&static_local.tick()).is_send());
    assert!(!probe::of(&static_local.run(ready(1))).is_send());
}

#[test]
fn executors_show_themselves() {
    let (ex, local) = (Executor::new(), LocalExecutor::new());
    assert!(format!("{ex:?}").contains("Executor"));
    ex.spawn(async {}).detach();
    local.spawn(async {}).detach();
    for text in [format!("{ex:?}"), format!("{local:?}")] {
        assert!(text.contains("tasks: 1"), "{text}");
    }
    static EX: StaticExecutor = StaticExecutor::new();
    let static_local = StaticLocalExecutor::new();
    assert!(format!("{EX:?}").contains("StaticExecutor"));
    assert!(format!("{static_local:?}").contains("StaticLocalExecutor"));
}
