//! A service hung, and `ticks who` showed its sockets and not the tasks that sat in each other's locks. Here a
//! program's tasks wait for all kinds of things, one blocks its thread, two are forgotten, and the tool must say so:
//! while it runs, and from the file after it was killed.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod util;

use std::fs;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_io::{block_on, Timer};
use async_lock::Mutex;
use futures_lite::future;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::Value as Json;
use util::chrome;
use util::process::{role, wait, Process};
use util::{path, stdout};

const FAR: Duration = Duration::from_secs(3_600);

#[derive(Default)]
struct Shop {
    stock: Mutex<()>,
    till: Mutex<()>,
    sales: AtomicU32,
}

/// Waits until both have come this far.
async fn meet(shop: &Shop) {
    shop.sales.fetch_add(1, Ordering::Relaxed);
    while shop.sales.load(Ordering::Relaxed) < 2 {
        future::yield_now().await;
    }
}

async fn sell(shop: &Shop) {
    let _stock = shop.stock.lock().await;
    meet(shop).await;
    let _till = shop.till.lock().await;
}
const SELL: u32 = line!() - 2;

async fn redeem(shop: &Shop) {
    let _till = shop.till.lock().await;
    meet(shop).await;
    let _stock = shop.stock.lock().await;
}
const REDEEM: u32 = line!() - 2;

async fn fill(sender: async_channel::Sender<u8>) {
    for number in 0..2 {
        let _ = sender.send(number).await;
    }
}

async fn listen(receiver: async_channel::Receiver<u8>) {
    while receiver.recv().await.is_ok() {}
}

async fn forget() {
    poll_fn(|cx| {
        drop(cx.waker().clone());
        Poll::<()>::Pending
    })
    .await;
}

async fn never_ask() {
    future::pending::<()>().await;
}

async fn gather() {
    let mut all: FuturesUnordered<_> = (0..2).map(|_| Timer::after(FAR)).collect();
    while all.next().await.is_some() {}
}

async fn both(shop: &Shop) {
    let timer = async {
        Timer::after(FAR).await;
    };
    let lock = async {
        shop.stock.lock().await;
    };
    future::zip(lock, timer).await;
}

async fn pause() {
    Timer::after(FAR).await;
}

/// Blocks its thread, when all others have come as far as they can.
async fn block() {
    for _ in 0..1_000 {
        future::yield_now().await;
    }
    wait();
}

fn spawn_block(executor: &LocalExecutor<'_>) -> async_executor::Task<()> {
    executor.spawn(async { pause().await })
}
const BLOCK: u32 = line!() - 2;

/// The process's part.
fn play() {
    // Recording begins with the first block_on.
    block_on(async {});
    let shop = Shop::default();
    let (sender, never_received) = async_channel::bounded(1);
    let (never_sent, receiver) = async_channel::bounded(1);
    let executor = LocalExecutor::new();
    let sale = executor.spawn(sell(&shop));
    let mut tasks = vec![executor.spawn(redeem(&shop)), executor.spawn(sale)];
    tasks.extend([
        executor.spawn(fill(sender)),
        executor.spawn(listen(receiver)),
        executor.spawn(forget()),
        executor.spawn(never_ask()),
        executor.spawn(gather()),
        executor.spawn(both(&shop)),
    ]);
    tasks.push(spawn_block(&executor));
    tasks.extend((0..30).map(|_| executor.spawn(pause())));
    block_on(executor.run(block()));
    drop((tasks, never_received, never_sent));
}

fn started(test: &str) -> Option<Process> {
    match role() {
        Some(_) => {
            play();
            None
        }
        None => Some(Process::start(test, "shop", true)),
    }
}

fn kill(process: &mut Process) {
    process.child.kill().expect("it was there");
    process.child.wait().expect("it was there");
}

/// Whether this build has debug information. Without it nobody knows what the compiler has put into others, which is
/// all of a small task.
const HAS_LINES: bool = cfg!(debug_assertions);

/// Where the line of this file is said to be, if this build has debug information.
fn line(number: u32) -> String {
    match HAS_LINES {
        true => format!("tests/tasks_live.rs:{number}"),
        false => String::new(),
    }
}

/// What `ticks who` shows when it shows that.
fn until(target: &str, shows: impl Fn(&str) -> bool) -> String {
    let limit = Instant::now() + Duration::from_secs(300);
    loop {
        let shown = stdout(["who", target]);
        if shows(&shown) {
            return shown;
        }
        assert!(Instant::now() < limit, "{shown}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where a task of this name waits, as far as this build knows.
fn within(name: &str) -> String {
    if HAS_LINES {
        format!(" in tasks_live::{name}")
    } else {
        String::new()
    }
}

fn row<'a>(shown: &'a str, name: &str) -> &'a str {
    let found = shown.lines().find(|line| line.contains(name));
    found.unwrap_or_else(|| panic!("no row {name}: {shown}"))
}

fn id(shown: &str, name: &str) -> String {
    row(shown, name).split(' ').next().expect("a number").to_owned()
}

/// What is told of the task with this name.
fn story<'a>(shown: &'a str, name: &str) -> &'a str {
    let mut stories = shown.split("\n\n");
    let is_it = |story: &&str| story.lines().next().is_some_and(|line| line.contains(name));
    stories.find(is_it).unwrap_or_else(|| panic!("no story of {name}: {shown}"))
}

#[test]
fn who_waits_for_what() {
    let Some(mut process) = started("who_waits_for_what") else { return };
    for live in [true, false] {
        if !live {
            kill(&mut process);
        }
        let target = if live { process.pid() } else { path(&process.file()).to_owned() };
        // Only then it is worth a line.
        let blocks = "it computes, or it blocks its thread";
        let shown = until(&target, |shown| !live || shown.contains(blocks));
        for (name, what) in [
            ("tasks_live::redeem ", "Mutex::lock (async-lock)"),
            ("tasks_live::sell ", "Mutex::lock (async-lock)"),
            ("tasks_live::fill ", "Sender::send (async-channel)"),
            ("tasks_live::listen ", "Receiver::recv (async-channel)"),
            ("tasks_live::forget ", "nothing can wake it: its last waker was dropped"),
            ("tasks_live::never_ask ", "nothing can wake it; it never asked to be woken"),
            ("tasks_live::gather ", "2 × timer, the next due in "),
            ("tasks_live::both ", "Mutex::lock (async-lock)"),
            ("join handle of a task", "waiting "),
        ] {
            assert!(row(&shown, name).contains(what), "{name} {what}: {shown}");
        }
        assert!(row(&shown, "30 ×").contains("tasks_live::pause"), "{shown}");
        assert!(row(&shown, "tasks_live::sell ").contains(&line(SELL)), "{shown}");
        assert!(row(&shown, "tasks_live::redeem ").contains(&line(REDEEM)), "{shown}");
        let block = row(&shown, "LocalExecutor::run<tasks_live::block> ");
        assert!(block.contains("running") && block.contains("on thread "), "{shown}");
        // An async block is named like the function that it is in, which may have several.
        let title = format!("tasks_live::spawn_block:{BLOCK} ");
        assert!(shown.contains(&title) || !HAS_LINES, "{shown}");
        // Each wait belongs to a task.
        assert!(!shown.contains("waits in no recorded task"), "{shown}");
    }
}

#[test]
fn by_which_calls() {
    let Some(process) = started("by_which_calls") else { return };
    let shown = stdout(["who", "--stacks", &process.pid()]);
    let sells = story(&shown, "(tasks_live::sell)");
    assert!(sells.contains("  Mutex::lock (async-lock)\n    "), "{sells}");
    assert!(sells.contains("\n    tasks_live::sell ") || !HAS_LINES, "{sells}");
    assert!(sells.contains(&line(SELL)) && sells.contains("spawned in\n"), "{sells}");
    let both = story(&shown, "(tasks_live::both)");
    assert!(both.contains("\n  Mutex::lock") && both.contains("\n  timer "), "{both}");
    if HAS_LINES {
        let (_, common) = both.split_once("  both in\n").expect("what they have in common");
        assert!(common.contains("tasks_live::both"), "{both}");
    }
    let crowd = story(&shown, "30 × tasks_live::pause: tasks ");
    assert!(crowd.contains(" and 27 more"), "{crowd}");
    // Neither the runtime's nor the compiler's.
    for absent in ["async_io::", "async_executor::", "core::", "std::", "{{closure}}", "ticks_rec"]
    {
        assert!(!shown.contains(absent), "{absent}: {shown}");
    }
    let shown = stdout(["who", "--all-frames", &process.pid()]);
    assert!(story(&shown, "(tasks_live::sell)").contains("async_lock::"), "{shown}");
    let shown = stdout(["who", "--full-names", &process.pid()]);
    assert!(shown.contains("tasks_live::sell::{{closure}}"), "{shown}");
    let shown = stdout(["who", "--tree", &process.pid()]);
    // Where the block's own call is not known, its wait is one of those in `pause`.
    let counts = if HAS_LINES { ["30"; 2] } else { ["30", "31"] };
    let begins = counts.map(|count| format!("{count} × tasks_live::pause"));
    let is_it = |line: &str| begins.iter().any(|begin| line.starts_with(begin));
    assert!(shown.lines().any(is_it), "{shown}");
}

#[test]
fn the_life_of_one() {
    let Some(mut process) = started("the_life_of_one") else { return };
    // Before anything else: on a slow machine a look takes so long that the first records are overwritten.
    kill(&mut process);
    let file = path(&process.file()).to_owned();
    let shown = stdout(["who", &file]);
    let [sells, redeems, forgets] =
        ["sell ", "redeem ", "forget "].map(|name| id(&shown, &format!("tasks_live::{name}")));
    let shown = stdout(["show", "--task", &sells, &file]);
    for expected in [
        format!("task {sells} (tasks_live::sell) begins, spawned in "),
        format!("task {sells}: a poll begins, "),
        format!("task {sells} (tasks_live::sell) is woken by itself"),
        format!("task {sells}: it waits for Mutex::lock (async-lock){}", within("sell")),
        format!("task {sells}: the poll ends after "),
    ] {
        assert!(shown.contains(&expected), "{expected}: {shown}");
    }
    assert!(!shown.contains(&format!("task {redeems}: ")), "{shown}");
    let shown = stdout(["show", "--task", &forgets, &file]);
    assert!(shown.contains("it is forgotten: its last waker was dropped, and nothing can wake it"));
    let shown = stdout(["stat", "--json", &file]);
    let stat: Json = serde_json::from_str(&shown).expect("JSON");
    let tasks = stat["tasks"].as_array().expect("an array");
    let pauses = tasks.iter().find(|task| task["name"] == "tasks_live::pause").expect("a name");
    assert_eq!((&pauses["tasks"], &pauses["polls"]["count"]), (&30.into(), &30.into()));
    let sells = tasks.iter().find(|task| task["name"] == "tasks_live::sell").expect("a name");
    assert!(sells["self_wakes"].as_u64() >= Some(1), "{sells}");
}

/// Each task has a track of its own with its polls, and each wake an arrow to the poll that it caused.
#[test]
fn the_picture() {
    let Some(mut process) = started("the_picture") else { return };
    kill(&mut process);
    let out = process.dir.path().join("out.json");
    stdout(["export", "--chrome", path(&process.file()), "-o", path(&out)]);
    let events: Json =
        serde_json::from_str(&fs::read_to_string(&out).expect("a file")).expect("JSON");
    let events = events["traceEvents"].as_array().or(events.as_array()).expect("events");
    chrome::check(events);
    let place = |event: &Json| (event["pid"].as_u64(), event["tid"].as_u64());
    let is_pause = |event: &&Json| {
        let name = event["args"]["name"].as_str().unwrap_or_default();
        event["name"] == "thread_name" && name.contains("tasks_live::pause")
    };
    let pauses: Vec<_> = events.iter().filter(is_pause).map(place).collect();
    assert_eq!(pauses.len(), 30, "each of one name is a track");
    for track in pauses {
        let of_track = || events.iter().filter(|event| place(event) == track);
        let names: Vec<_> = of_track()
            .filter(|event| event["ph"] == "B")
            .map(|event| event["name"].as_str().expect("a name"))
            .collect();
        let [scheduled, polled, waits] = names[..] else { panic!("{names:?}") };
        assert_eq!(scheduled, "scheduled");
        assert!(polled.starts_with("poll ") && polled.ends_with(" tasks_live::pause"), "{polled}");
        assert!(waits.starts_with("waits for timer "), "{waits}");
        assert!(waits.contains(&within("pause")), "{waits}");
        let arrows = of_track().filter(|event| event["ph"] == "f").count();
        assert_eq!(arrows, 1, "from its spawn");
    }
}
