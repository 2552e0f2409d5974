//! "Where are my tasks?" was asked of a tool that knew sockets: two tasks that sat in each other's locks were "not
//! in the table". Here the tool is shown tables of tasks in each state, sound ones and damaged ones.

mod util;

use std::process::Command;

use serde_json::Value as Json;
use ticks_format::image::Image;
use ticks_format::layout::{Layout, SectionKind};
use ticks_format::records::*;
use ticks_format::*;
use util::{path, stderr, stdout, ticks, Sample};

const SECOND: u64 = 1_000_000_000;

/// A task that waits, of this number.
fn task(image: &mut Image, id: u64, name: &str) -> Task {
    Task {
        id,
        state: TaskState::Waiting,
        since: SECOND,
        waker: 0x1000 + id,
        name: image.place(name),
        begun: SECOND / 2,
        kind: TaskKind::Spawned,
        parent: 1,
        stack: 0,
        thread: 4711,
        polls: 3,
        polled: 30,
        longest: 20,
        longest_stack: 0,
        wakes: 2,
        last_wake: None,
        wakers: 0,
        asked_count: 0,
        asked: Vec::new(),
    }
}

fn waiter(task: &Task, awaited: Awaited) -> Waiter {
    Waiter {
        awaited,
        task: task.waker,
        since: 2 * SECOND,
        place: 0,
        tid: 4711,
        stack: 0,
        task_id: task.id,
    }
}

fn reads(fd: i64) -> Awaited {
    let key = Key(100 + fd as u64);
    Awaited::Source { key, fd, dir: Direction::Read, waiter: 0, ticks: None }
}

fn row<'a>(shown: &'a str, begin: &str) -> &'a str {
    let found = shown.lines().find(|line| line.starts_with(begin));
    found.unwrap_or_else(|| panic!("no row {begin}: {shown}"))
}

/// One in each state, the main thread's and a helper's.
fn each_state() -> Image {
    let mut image = util::accept();
    let states = [
        ("shop::waits::{{closure}}", TaskState::Waiting),
        ("shop::runs::{{closure}}", TaskState::Running { woken: false }),
        ("shop::is_due::{{closure}}", TaskState::Scheduled),
        ("shop::is_forgotten::{{closure}}", TaskState::Forgotten),
        ("shop::never_asked::{{closure}}", TaskState::Forgotten),
        ("shop::is_lost::{{closure}}", TaskState::Lost),
        ("shop::is_new::{{closure}}", TaskState::Scheduled),
    ];
    let stack = image.stack(&[Frame { module: 0, address: 0x1234 }], StackEnd::Whole);
    for (index, (name, state)) in (0..).zip(states) {
        let mut task = task(&mut image, index + 1, name);
        task.state = state;
        match task.id {
            1 => {
                task.wakers = 1;
                image.waiter(7, &waiter(&task, reads(9)));
            }
            3 => {
                task.last_wake = Some(LastWake { by: WokenBy::Task, from: 2, dir: None, stack: 0 });
            }
            4 => {
                task.asked_count = 1;
                task.asked = vec![Asked { stack, poll: 3 }];
            }
            7 => (task.wakes, task.polls) = (0, 0),
            _ => {}
        }
        image.task(index, &task);
    }
    image
}

#[test]
fn each_state_is_told() {
    let sample = Sample::new(&each_state());
    let shown = stdout(["who", path(&sample.path)]);
    assert!(shown.contains(": 7 tasks, 3 waits for sources and timers;"), "{shown}");
    for (begin, expected) in [
        ("1     shop::waits ", "read fd 9, source 109"),
        ("2     shop::runs ", "running    ≥ 1.00 s  on thread 4711 (main)"),
        ("3     shop::is_due ", "woken by task 2 (shop::runs)"),
        (
            "4     shop::is_forgotten ",
            "nothing can wake it: its last waker was dropped; it asked last for",
        ),
        (
            "5     shop::never_asked ",
            "nothing can wake it; it never asked to be woken (future::pending?)",
        ),
        (
            "6     shop::is_lost ",
            "nothing could wake it, and it was dropped; it had never asked to be woken",
        ),
        ("7     shop::is_new ", "to be polled the first time"),
    ] {
        assert!(row(&shown, begin).contains(expected), "{begin}: {shown}");
    }
    let long =
        "task 2 (shop::runs) has been polled for ≥ 1.00 s on thread 4711 (main): it computes, or";
    assert!(shown.contains(long), "{shown}");
    // Those that belong to no task are listed as ever.
    let (_, waits) =
        shown.split_once("waits in no recorded task, for sources and timers:\n").expect("a table");
    assert!(waits.contains("timer 8") && waits.contains("tcp-listener"), "{shown}");
    assert!(!waits.contains("source 109"), "{shown}");
    // All of them, if they are asked for.
    let shown = stdout(["who", "--waits", path(&sample.path)]);
    let (_, waits) = shown.split_once("all waits for sources and timers:\n").expect("a table");
    assert!(waits.contains("timer 8") && waits.contains("source 109"), "{shown}");
}

#[test]
fn for_scripts() {
    let sample = Sample::new(&each_state());
    let page = include_str!("../JSON.md");
    let shown = stdout(["who", "--json", "--stacks", path(&sample.path)]);
    let all: Vec<Json> =
        shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let tasks: Vec<&Json> = all.iter().filter(|object| object["kind"] == "task").collect();
    assert_eq!((all.len(), tasks.len()), (10, 7));
    let states = tasks.iter().map(|task| task["task_state"].as_str().expect("a text"));
    let expected =
        ["waiting", "running", "scheduled", "forgotten", "forgotten", "lost", "scheduled"];
    assert_eq!(states.collect::<Vec<_>>(), expected);
    let first = tasks[0];
    assert_eq!((&first["task_id"], &first["task"]), (&1.into(), &0x1001.into()));
    assert_eq!(first["full_name"], "shop::waits::{{closure}}");
    assert_eq!((&first["name"], &first["polls"]), (&"shop::waits".into(), &3.into()));
    assert_eq!(first["waits_for"][0]["what"], "read fd 9, source 109");
    assert_eq!(tasks[2]["last_wake"], serde_json::json!({ "by": "task", "task_id": 2 }));
    let wait = all.iter().find(|object| object["fd"] == 9).expect("its wait");
    assert_eq!((&wait["task_id"], &wait["task"]), (&1.into(), &0x1001.into()));
    for object in tasks {
        for name in object.as_object().expect("an object").keys() {
            assert!(page.contains(&format!("`{name}`")), "JSON.md does not say what {name} is");
        }
    }
}

/// Of a task's wakers the reactor has one for each source and two for each timer; the others belong to the calls
/// that asked last.
#[test]
fn what_others_than_the_reactor_have_is_counted() {
    for (wakers, expected) in [(3, vec![]), (4, vec!["0x10"]), (5, vec!["0x10", "0x20"])] {
        let mut image = util::empty(4711, u64::MAX);
        let mut task = task(&mut image, 1, "shop::buy::{{closure}}");
        let stacks = [0x20, 0x10]
            .map(|address| image.stack(&[Frame { module: 0, address }], StackEnd::Whole));
        task.asked = vec![Asked { stack: stacks[0], poll: 2 }, Asked { stack: stacks[1], poll: 3 }];
        task.wakers = wakers;
        image.task(0, &task);
        image.waiter(0, &waiter(&task, reads(9)));
        image.waiter(1, &waiter(&task, Awaited::Timer { id: 7, deadline_ns: 5 * SECOND }));
        // A combinator's own waker counts for nothing.
        let inner = Waiter { task: 0x99, ..waiter(&task, reads(10)) };
        image.waiter(2, &inner);
        let sample = Sample::new(&image);
        let shown = stdout(["who", "--all-frames", path(&sample.path)]);
        for fd in ["read fd 9,", "read fd 10,", "timer 7, due in 3.00 s"] {
            assert!(shown.contains(fd), "{wakers}: {shown}");
        }
        let found: Vec<_> =
            shown.lines().map(str::trim).filter(|it| it.starts_with("0x")).collect();
        assert_eq!(found, expected, "{wakers}: {shown}");
    }
}

/// Ten thousand that wait for the same are a row; with `--all` they are ten thousand.
#[test]
fn a_crowd_is_a_row() {
    let layout = Layout::new(64 << 20);
    let header = Header::new(&layout, 4711, u64::MAX);
    let mut image = Image::new(layout, &header, "program=/usr/bin/relay\n");
    image.anchor(&Anchor {
        counter: 0,
        utc_ns: util::BEGIN_NS,
        monotonic_ns: 0,
        reactor_ns: Some(0),
    });
    let name = image.place("relay::serve::{{closure}}");
    let place = image.place("src/relay.rs:12:5");
    for index in 0..10_000 {
        let task = Task { name, wakers: 1, ..task(&mut image, index + 1, "") };
        image.task(index, &task);
        image.waiter(index, &Waiter { place, ..waiter(&task, reads(10 + index as i64)) });
    }
    let sample = Sample::new(&image);
    let shown = stdout(["who", "--stacks", path(&sample.path)]);
    let crowd = row(&shown, "10,000 ×");
    assert!(crowd.contains("relay::serve") && crowd.contains("src/relay.rs:12:5"), "{crowd}");
    assert!(shown.lines().count() < 20, "it fits a screen: {shown}");
    let shown = stdout(["who", "--tree", path(&sample.path)]);
    assert!(shown.contains("10,000 × relay::serve\n"), "{shown}");
    let shown = stdout(["who", "--all", path(&sample.path)]);
    let rows = shown.lines().filter(|line| line.contains("relay::serve"));
    assert_eq!(rows.count(), 10_000);
}

/// What is damaged costs its own lines.
#[test]
fn damage_costs_its_own_lines() {
    let mut image = each_state();
    let section = image.layout().section(SectionKind::Tasks);
    let entry = |index: u64| ((section.offset + index * section.entry_bytes) / 8) as usize;
    let (torn, strange, wild) = (entry(1), entry(2), entry(3));
    let words = image.words_mut();
    // A writer never finished; a state that nobody knows; and nothing but ones behind the state.
    words[torn] = 1;
    words[strange + 1] = 99;
    for word in &mut words[wild + 2..wild + 32] {
        *word = u64::MAX;
    }
    words[wild + 6] = 0;
    let sample = Sample::new(&image);
    for more in [&[][..], &["--stacks"], &["--tree"], &["--json"], &["--all-frames", "--all"]] {
        let args = ["who", path(&sample.path)];
        let output = ticks(args.iter().chain(more));
        let shown = String::from_utf8(output.stdout.clone()).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "an entry is torn: {}", stderr(&output));
        for sound in ["shop::waits", "shop::never_asked", "shop::is_new"] {
            assert!(shown.contains(sound), "{more:?}: {shown}");
        }
        assert!(!shown.contains("shop::is_due"), "{more:?}: {shown}");
    }
}

#[test]
fn tables_of_tasks_fit() {
    let sample = Sample::new(&each_state());
    for columns in [60, 80, 120] {
        for more in [&[][..], &["--stacks"], &["--tree"], &["--waits"]] {
            let output = Command::new(env!("CARGO_BIN_EXE_ticks"))
                .args(["who", path(&sample.path)])
                .args(more)
                .env("COLUMNS", columns.to_string())
                .output()
                .expect("it runs");
            let shown = String::from_utf8(output.stdout).expect("UTF-8");
            let widest = shown.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(columns), "{columns} {more:?}: {shown}");
            assert!(shown.contains("forgotten"), "{shown}");
        }
    }
}

/// The records of a task's life in words, and no others.
#[test]
fn a_life_is_told_in_words() {
    let mut image = util::empty(4711, u64::MAX);
    let ring = image.claim(4711, "main", 0).expect("a ring");
    let name = image.place("shop::buy::{{closure}}");
    let kind = TaskKind::Spawned;
    let spawn = |task, parent, waker| TaskSpawn { task, kind, waker, parent, name, stack: 0 };
    let ms = |ms: u64| ms * 1_000_000;
    util::record(&mut image, ring, ms(1), spawn(1, 0, 0x10));
    util::record(&mut image, ring, ms(2), spawn(2, 1, 0x20));
    util::record(&mut image, ring, ms(3), TaskPollBegin { task: 2 });
    util::record(&mut image, ring, ms(4), TaskWait { task: 2, stack: 0 });
    let end = TaskPollEnd { task: 2, result: Verdict::Pending, duration_ns: ms(2), stack: 0 };
    util::record(&mut image, ring, ms(5), end);
    let wake = |by, from, first| TaskWake { task: 2, by, from, dir: None, first, stack: 0 };
    util::record(&mut image, ring, ms(6), wake(WokenBy::Task, 1, true));
    util::record(&mut image, ring, ms(7), wake(WokenBy::Timer, 8, false));
    util::record(&mut image, ring, ms(9), TaskPollBegin { task: 2 });
    util::record(&mut image, ring, ms(10), TaskForgotten { task: 2, stack: 0 });
    let by_source =
        Wake { task: 0x20, by: WakeCause::Timer, key: None, dir: None, tick: None, timer: Some(8) };
    util::record(&mut image, ring, ms(11), by_source.clone());
    util::record(&mut image, ring, ms(12), TaskCancelled { task: 2, polls: 2, age_ns: ms(10) });
    // Another one has the waker now.
    util::record(&mut image, ring, ms(13), by_source);
    let sample = Sample::new(&image);
    let shown = stdout(["show", "--task", "2", path(&sample.path)]);
    let texts: Vec<_> =
        shown.lines().map(|line| line.split_once("4711] ").expect("a head").1).collect();
    let expected = [
        "task 2 (shop::buy) begins, spawned by task 1 (shop::buy)",
        "task 2: a poll begins, 1.00 ms after it began",
        "task 2: it waits for something that is not known",
        "task 2: the poll ends after 2.00 ms, Pending",
        "task 2 (shop::buy) is woken by task 1 (shop::buy)",
        "task 2 (shop::buy) is woken by timer 8, which changes nothing: it was woken before",
        "task 2: a poll begins, 3.00 ms after it was woken",
        "task 2: it is forgotten: its last waker was dropped, and nothing can wake it; it never asked to be woken",
        "Waker::wake:+- task=0x20 by=timer timer=8",
        "task 2 is dropped before its end, after 10.0 ms and 2 polls",
    ];
    assert_eq!(texts, expected, "{shown}");
    // Whom it wakes belongs to its life.
    let shown = stdout(["show", "--task", "1", path(&sample.path)]);
    assert!(shown.contains("task 2 (shop::buy) is woken by task 1"), "{shown}");
    assert_eq!(shown.lines().count(), 2, "{shown}");
    // By its waker, as ever.
    let shown = stdout(["show", "--task", "0x20", path(&sample.path)]);
    assert_eq!(shown.lines().count(), 2, "{shown}");
}

#[test]
fn sums_of_tasks() {
    let mut image = util::empty(4711, u64::MAX);
    let ring = image.claim(4711, "main", 0).expect("a ring");
    let name = image.place("shop::buy::{{closure}}");
    let stack = image.stack(&[Frame { module: 0, address: 0x1234 }], StackEnd::Whole);
    let ms = |ms: u64| ms * 1_000_000;
    for task in 1..=3 {
        let at = ms(task * 100);
        let kind = TaskKind::Spawned;
        let spawn = TaskSpawn { task, kind, waker: 0, parent: 0, name, stack: 0 };
        util::record(&mut image, ring, at, spawn);
        for (index, by) in [WokenBy::Itself, WokenBy::Thread].into_iter().enumerate() {
            let at = at + ms(10 * index as u64 + 1);
            util::record(&mut image, ring, at, TaskPollBegin { task });
            let (result, duration_ns) = (Verdict::Pending, ms(task));
            util::record(&mut image, ring, at, TaskPollEnd { task, result, duration_ns, stack });
            let wake = TaskWake { task, by, from: 9, dir: None, first: true, stack: 0 };
            util::record(&mut image, ring, at + ms(7), wake);
        }
        util::record(&mut image, ring, at + ms(50), TaskDone { task, polls: 2, age_ns: ms(50) });
    }
    // Of this one the records of its beginning are gone, and its longest poll's.
    let mut old = task(&mut image, 9, "shop::old::{{closure}}");
    old.longest = ms(70);
    image.task(0, &old);
    let sample = Sample::new(&image);
    let stat: Json =
        serde_json::from_str(&stdout(["stat", "--json", path(&sample.path)])).expect("JSON");
    let tasks = stat["tasks"].as_array().expect("an array");
    assert_eq!(tasks.len(), 2);
    let buys = &tasks[0];
    assert_eq!((&buys["name"], &buys["tasks"]), (&"shop::buy".into(), &3.into()));
    assert_eq!((&buys["done"], &buys["cut_short"]), (&3.into(), &0.into()));
    assert_eq!((&buys["wakes"], &buys["self_wakes"]), (&6.into(), &3.into()));
    assert_eq!(buys["polls"]["count"], 6);
    assert_eq!((&buys["longest_ns"], &buys["longest_task_id"]), (&ms(3).into(), &3.into()));
    // From the spawn to the first poll, and from the first wake to the second.
    assert_eq!(buys["scheduled"]["count"], 6);
    assert_eq!(buys["scheduled"]["max_ns"], ms(3));
    assert_eq!((&tasks[1]["name"], &tasks[1]["longest_ns"]), (&"shop::old".into(), &ms(70).into()));
    let place = &stat["places"][0];
    assert_eq!((&place["polls"]["count"], &place["wakes"]), (&6.into(), &6.into()));
    assert_eq!(place["scheduled"]["count"], 3);
    let shown = stdout(["stat", path(&sample.path)]);
    let buys = row(&shown, "shop::buy ");
    assert!(buys.contains("  3      6  ") && buys.contains("3.00 ms"), "{shown}");
    assert!(row(&shown, "shop::old ").contains("70.0 ms"), "{shown}");
    // A file without tasks has no table of them.
    let sample = Sample::new(&util::accept());
    assert!(!stdout(["stat", path(&sample.path)]).contains("TASKS"));
}

/// A recording of the version before there were tasks is shown as it was then.
#[test]
fn before_there_were_tasks() {
    const WORDS: &str = include_str!("../../ticks-format/tests/data/before_tasks.words");
    let mut bytes = vec![0; 1 << 20];
    for line in WORDS.lines().filter(|line| !line.starts_with('#')) {
        let (place, words) = line.split_once(':').expect("a place");
        let place = usize::from_str_radix(place, 16).expect("a number") * 8;
        for (index, word) in words.split_whitespace().enumerate() {
            let word = u64::from_str_radix(word, 16).expect("a word");
            bytes[place + 8 * index..][..8].copy_from_slice(&word.to_le_bytes());
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("1.ticks");
    std::fs::write(&file, bytes).expect("written");
    let shown = stdout(["who", path(&file)]);
    assert!(shown.contains(": 3 waiting;") && shown.contains("FD  KIND "), "{shown}");
    assert!(!shown.contains("STATE"), "{shown}");
    let shown = stdout(["stat", path(&file)]);
    assert!(!shown.contains("TASKS") && shown.contains("THREAD "), "{shown}");
    let object: Json =
        serde_json::from_str(&stdout(["stat", "--json", path(&file)])).expect("JSON");
    assert_eq!(object["tasks"], serde_json::json!([]));
    let shown = stdout(["who", "--json", path(&file)]);
    assert_eq!(shown.lines().count(), 3, "{shown}");
    let out = dir.path().join("out.json");
    stdout(["export", "--chrome", path(&file), "-o", path(&out)]);
}
