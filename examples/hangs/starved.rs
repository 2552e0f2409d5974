//! A batch job has taken the processor on which this program may run, and whoever deployed the program made it nice.
//! It answers, some seconds late each time. Nothing in it is wrong.

use std::hint::black_box;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Timer};
use rustix::process::setpriority_process;
use rustix::thread::{sched_getaffinity, sched_setaffinity, CpuSet};

use crate::story::{executor, hangs_now, limit};

/// As many that are not nice leave 0.5 % of a processor to one that is.
const JOBS: usize = 3;
const NICEST: i32 = 19;

fn spin(length: Duration) {
    let begun = Instant::now();
    let mut value = 1u32;
    while begun.elapsed() < length {
        value = black_box(value.wrapping_mul(31));
    }
}

/// Some 10 ms of a processor's time, however long it takes to get them.
fn answer() {
    (0..10_000_000u32).fold(1u32, |value, number| black_box(value.wrapping_mul(31) ^ number));
}

async fn work() {
    loop {
        Timer::after(Duration::from_millis(20)).await;
        answer();
    }
}

/// A part of the job: a process that computes until its standard input ends, which is when its parent has ended.
pub fn job(limit: Duration) {
    thread::spawn(|| {
        let ended = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(i32::from(ended.is_err()));
    });
    spin(limit);
}

/// From here on this thread, and those and the processes that it starts, have one processor.
fn keep_to_one() -> io::Result<()> {
    let all = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).ok_or(io::ErrorKind::NotFound)?;
    let mut one = CpuSet::new();
    one.set(first);
    Ok(sched_setaffinity(None, &one)?)
}

pub fn run() -> io::Result<()> {
    // Whoever records begins while there is time for it, and what says that it hangs is not nice.
    block_on(async {});
    let (hangs, will_hang) = channel();
    thread::spawn(move || will_hang.recv().map(|()| hangs_now()));
    keep_to_one()?;
    let mut jobs = Vec::new();
    for _ in 0..JOBS {
        let mut job = Command::new(std::env::current_exe()?);
        job.args(["--job", "--seconds", &limit().as_secs().to_string()]);
        // The pipe stays open as long as this process is there.
        job.stdin(Stdio::piped()).stdout(Stdio::null()).env_remove("ASYNC_IO_TRACE");
        jobs.push(job.spawn()?);
    }
    // Linux has it for a thread, and for those that it starts.
    setpriority_process(None, NICEST)?;
    hangs.send(()).expect("somebody listens");
    let executor = executor();
    block_on(executor.run(executor.spawn(work())));
    drop(jobs);
    Ok(())
}
