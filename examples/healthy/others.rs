//! A service watches what is no socket: a process that it has started, an event, a directory, and a timer of the kernel's.
//! A link of `/proc` shows no inode of these.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer};
use futures_lite::future::try_zip;
use rustix::event::{eventfd, EventfdFlags};
use rustix::fs::inotify;
use rustix::process::{pidfd_open, Pid, PidfdFlags};
use rustix::time::{
    timerfd_create, timerfd_settime, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags,
    Timespec,
};

async fn comes(descriptor: OwnedFd) -> io::Result<()> {
    Async::new(descriptor)?.readable().await
}

/// Each 20 ms.
async fn ticks() -> io::Result<()> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
    let period = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    let setting = Itimerspec { it_interval: period, it_value: period };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &setting)?;
    let timer = Async::new(timer)?;
    loop {
        timer.read_with(|timer| Ok(rustix::io::read(timer, &mut [0; 8])?)).await?;
    }
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    // It ends when its standard input does.
    let cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let process = pidfd_open(Pid::from_child(&cat), PidfdFlags::NONBLOCK)?;
    let directory = inotify::init(inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&directory, "/", inotify::WatchFlags::DELETE_SELF)?;
    let waits = [process, eventfd(0, EventfdFlags::NONBLOCK)?, directory];
    for descriptor in waits {
        executor.spawn(comes(descriptor)).detach();
    }
    let heartbeat = async {
        loop {
            Timer::after(Duration::from_millis(50)).await;
        }
    };
    try_zip(ticks(), heartbeat).await.map(|((), ())| drop(cat))
}
