//! A service hung at night, and whoever was called ran `ticks who` again and again to see what moves. Here a program's
//! tasks are forgotten, wait, and block a thread, and `ticks top` must show that on a terminal of 80×24: who is stuck,
//! for how long, on what and where. And however it ends, the terminal is as it was.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod util;

use std::future::poll_fn;
use std::net::{TcpListener, TcpStream};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use async_executor::{Executor, LocalExecutor};
use async_io::{block_on, Async, Timer};
use futures_lite::{future, AsyncReadExt};
use util::process::{role, wait, Process};
use util::tmux::Terminal;
use util::{stderr, ticks};

const FAR: Duration = Duration::from_secs(36_000);

async fn forget() {
    poll_fn(|cx| {
        drop(cx.waker().clone());
        Poll::<()>::Pending
    })
    .await;
}
const FORGET: u32 = line!() - 5;

async fn read(mut stream: Async<TcpStream>) {
    // Nothing comes, for as long as the test goes on.
    let _ = stream.read(&mut [0; 8]).await;
}

async fn pause() {
    Timer::after(FAR).await;
}

/// Blocks its thread, as a call of a library may that knows nothing of async.
async fn block() {
    loop {
        thread::park();
    }
}

async fn beat() {
    loop {
        Timer::after(Duration::from_millis(5)).await;
    }
}

/// The process's part: it hangs, but for one task on a thread of its own.
fn play() {
    // Recording begins with the first block_on.
    block_on(async {});
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let stream = block_on(Async::<TcpStream>::connect(address)).expect("connected");
    let executor = LocalExecutor::new();
    let mut tasks = vec![executor.spawn(forget()), executor.spawn(read(stream))];
    tasks.push(executor.spawn(pause()));
    // A name from outside, as of a request.
    tasks.push(executor.spawn(async_io::trace::task("GET /\x1b[2J\x1b]0;x\x07", pause())));
    block_on(executor.run(async {
        for _ in 0..100 {
            future::yield_now().await;
        }
    }));
    thread::spawn(|| block_on(beat()));
    let tills = || {
        let executor = Executor::new();
        executor.spawn(block()).detach();
        block_on(executor.run(future::pending::<()>()));
    };
    thread::Builder::new().name("tills".into()).spawn(tills).expect("a thread");
    wait();
    drop((tasks, listener));
}

/// The process that hangs, and a terminal of 80×24. `None` for that process itself, and where there is no tmux.
fn scene(test: &str, records: bool) -> Option<(Process, Terminal)> {
    if role().is_some() {
        play();
        return None;
    }
    let terminal = Terminal::open(80, 24)?;
    Some((Process::start(test, "hangs", records), terminal))
}

/// How the tool is run.
fn top(process: &Process) -> String {
    format!("{} top --every 100ms {}", env!("CARGO_BIN_EXE_ticks"), process.pid())
}

/// The last word of the first screen: all is drawn.
const DRAWN: &str = "? keys  q quit";

/// Nobody has the screen, the cursor is there, the mouse is the terminal's.
const AS_IT_WAS: &str = "0 1 0";

/// It ends with this code, and the terminal is as it was.
fn ended(terminal: &Terminal, code: u8, settings: &str) {
    let screen = terminal.until_code(code);
    assert!(!screen.contains(DRAWN), "{screen}");
    assert_eq!(terminal.modes(), AS_IT_WAS);
    assert_eq!(terminal.settings(), settings);
    // What is typed is to be seen.
    terminal.type_in("echo typed");
    terminal.until_it_has("echo typed");
    terminal.press(&["C-u"]);
}

/// The table's row with this in it.
fn row<'a>(screen: &'a str, text: &str) -> &'a str {
    let found = screen.lines().find(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("no row {text}:\n{screen}"))
}

/// The numbers that the table's rows begin with, below the names of the columns.
fn numbers(screen: &str, first_column: &str) -> Vec<u64> {
    let rows =
        screen.lines().skip_while(|line| !line.trim_start().starts_with(first_column)).skip(1);
    rows.map_while(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

/// Line and column of a text.
fn place(screen: &str, text: &str) -> (usize, usize) {
    let mut lines = screen.lines().enumerate();
    let found = lines.find_map(|(at, line)| Some((line.find(text)?, at, line)));
    let (byte, at, line) = found.unwrap_or_else(|| panic!("no {text}:\n{screen}"));
    (line[..byte].chars().count(), at)
}

/// Without debug information nobody knows what the compiler has put into others.
const HAS_LINES: bool = cfg!(debug_assertions);

#[test]
fn who_is_stuck_is_on_the_first_screen() {
    let Some((process, terminal)) = scene("who_is_stuck_is_on_the_first_screen", true) else {
        return;
    };
    terminal.run(&top(&process));
    terminal.until_it_has(DRAWN);
    let screen =
        terminal.until(|screen| screen.contains("polls/s") && !screen.contains(" 0 polls/s"));
    assert_eq!(screen.lines().count(), 24, "{screen}");
    assert!(screen.lines().next().expect("a line").contains(&process.pid()), "{screen}");
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("1 forgotten") && words.contains("nobody can wake it"), "{screen}");
    assert!(screen.contains("1 Tasks") && screen.contains("2 Sources 1"), "{screen}");
    let forgotten = row(&screen, " forgotten ");
    let says_how_long = [" s ", " ms "].iter().any(|unit| forgotten.contains(unit));
    assert!(forgotten.contains("top::forget") && says_how_long, "{forgotten}");
    if HAS_LINES {
        assert!(forgotten.contains(&format!("top.rs:{FORGET}")), "{forgotten}");
    }
    // Those that are worth a look come first: what nothing can wake, then what blocks its thread.
    let order = ["top::forget", "top::block"].map(|name| place(&screen, name).1);
    assert!(order[0] < order[1], "{screen}");
    // A name does nothing to the terminal.
    assert!(screen.contains("0;x\\u{7} "), "{screen}");
}

#[test]
fn the_tabs_say_what_is_known() {
    let Some((process, terminal)) = scene("the_tabs_say_what_is_known", true) else { return };
    terminal.run(&top(&process));
    terminal.until_it_has(DRAWN);
    terminal.press(&["2"]);
    let screen = terminal.until_it_has_all(&["read: task", "the kernel: established"]);
    let source = row(&screen, "read: task");
    assert!(source.contains("tcp") && source.contains("established"), "{screen}");
    terminal.press(&["Enter"]);
    let texts = ["neighbours", "127.0.0.1:", "read: 0 events", "top::read"];
    terminal.until_it_has_all(&texts);
    terminal.press(&["3"]);
    terminal.until_it_has_all(&["in 9h 59m", "top::pause"]);
    terminal.press(&["4"]);
    let screen = terminal.until_it_has_all(&["RECORD", "tills", "of a processor"]);
    let tills = row(&screen, "tills");
    assert!(tills.contains("sleeps") && tills.contains(" for "), "it polls a task: {tills}");
    // Back, and back to the first.
    terminal.press(&["Right"]);
    terminal.until_it_has("STATE");
    terminal.press(&["q"]);
    terminal.until_code(0);
}

#[test]
fn rows_are_sorted_found_and_opened() {
    let Some((process, terminal)) = scene("rows_are_sorted_found_and_opened", true) else { return };
    terminal.run(&top(&process));
    terminal.until_it_has(DRAWN);
    terminal.press(&[">"]);
    let up = numbers(&terminal.until_it_has("TASK▲"), "TASK");
    assert!(up.len() > 4 && up.is_sorted(), "{up:?}");
    terminal.press(&["r"]);
    let mut down = numbers(&terminal.until_it_has("TASK▼"), "TASK");
    down.reverse();
    assert_eq!(down, up);
    // By a click on the column's name, and another one.
    let (column, line) = place(&terminal.screen(), "STATE");
    terminal.click(column, line);
    let screen = terminal.until_it_has("STATE▼");
    assert!(screen.lines().nth(line + 1).expect("a row").contains("forgotten"), "{screen}");
    terminal.click(column, line);
    terminal.until_it_has("STATE▲");
    // Some of the rows, whatever their letters are.
    terminal.press(&["/"]);
    terminal.type_in("FORGET");
    terminal.until_it_has("filter: FORGET");
    terminal.press(&["Enter"]);
    let screen = terminal.until_it_has("1 of ");
    assert_eq!(numbers(&screen, "TASK").len(), 1, "{screen}");
    // A click on the selected row opens it.
    terminal.click(column, line + 1);
    let screen = terminal.until_it_has_all(&["neighbours", "1 poll in "]);
    if HAS_LINES {
        assert!(screen.contains(&format!("tests/top.rs:{FORGET}")), "{screen}");
    }
    terminal.press(&["e"]);
    terminal.until_it_has_all(&["proven (forgotten)", "$ ticks show"]);
    terminal.press(&["Escape"]);
    terminal.until_it_has("1 of ");
    terminal.press(&["Escape"]);
    terminal.until(|screen| numbers(screen, "TASK").len() == up.len());
    terminal.press(&["p"]);
    terminal.until_it_has("PAUSED");
    terminal.press(&["p"]);
    terminal.until(|screen| !screen.contains("PAUSED"));
    terminal.press(&["?"]);
    terminal.until_it_has("draw the screen anew");
    terminal.press(&["q"]);
    terminal.until_it_has(DRAWN);
    terminal.press(&["Escape"]);
    terminal.until_code(0);
}

#[test]
fn the_terminal_is_given_back() {
    let Some((process, terminal)) = scene("the_terminal_is_given_back", false) else { return };
    let settings = terminal.settings();
    for key in ["q", "Escape", "C-c"] {
        terminal.run(&top(&process));
        terminal.until_it_has(DRAWN);
        assert_eq!(terminal.modes(), "1 0 1");
        terminal.press(&[key]);
        ended(&terminal, 0, &settings);
    }
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1] {
        terminal.run(&top(&process));
        terminal.until_it_has(DRAWN);
        send(terminal.program(), signal);
        ended(&terminal, 128 + signal as u8, &settings);
    }
}

#[test]
fn it_stops_and_goes_on() {
    let Some((process, terminal)) = scene("it_stops_and_goes_on", true) else { return };
    let settings = terminal.settings();
    terminal.run(&top(&process));
    terminal.until_it_has(DRAWN);
    let program = terminal.program();
    for times in 0..2 {
        match times {
            0 => terminal.press(&["C-z"]),
            _ => send(program, libc::SIGTSTP),
        }
        terminal.until(|screen| !screen.contains(DRAWN) && screen.contains("Stopped"));
        assert_eq!(terminal.modes(), AS_IT_WAS);
        assert_eq!(terminal.settings(), settings);
        terminal.run("fg");
        terminal.until_it_has(DRAWN);
        assert_eq!(terminal.modes(), "1 0 1");
    }
    // Somebody stops it who asks nobody; the shell takes the terminal as it is.
    send(program, libc::SIGSTOP);
    terminal.until_it_has("Stopped");
    terminal.run("fg");
    terminal.until(|screen| screen.contains(DRAWN) && !screen.contains("Stopped"));
    terminal.press(&["q"]);
    ended(&terminal, 0, &settings);
}

#[test]
fn what_has_ended_stays_to_be_seen() {
    let Some((mut process, terminal)) = scene("what_has_ended_stays_to_be_seen", true) else {
        return;
    };
    terminal.run(&top(&process));
    terminal.until_it_has(DRAWN);
    process.child.kill().expect("it was there");
    process.child.wait().expect("it was there");
    let screen = terminal.until_it_has_all(&["AS IT WAS", "≥ "]);
    assert!(row(&screen, " forgotten ").contains("≥ "), "{screen}");
    terminal.press(&["Enter"]);
    terminal.until_it_has("neighbours");
    terminal.press(&["e"]);
    terminal.until_it_has("proven (forgotten)");
    terminal.press(&["q"]);
    terminal.until_it_has(DRAWN);
    terminal.press(&["q"]);
    terminal.until_code(0);
}

#[test]
fn a_process_that_was_never_recorded() {
    let Some((mut process, terminal)) = scene("a_process_that_was_never_recorded", false) else {
        return;
    };
    terminal.run(&top(&process));
    let screen = terminal.until_it_has(DRAWN);
    assert!(screen.contains("read from memory"), "{screen}");
    assert!(row(&screen, "top::read").contains("read fd"), "{screen}");
    process.child.kill().expect("it was there");
    process.child.wait().expect("it was there");
    terminal.until_it_has_all(&["AS IT WAS", "top::read"]);
    terminal.press(&["q"]);
    terminal.until_code(0);
}

#[test]
fn any_size_and_no_colours() {
    let Some((process, terminal)) = scene("any_size_and_no_colours", true) else { return };
    terminal.run(&top(&process));
    terminal.until_it_has(DRAWN);
    let is_coloured = |screen: &str| screen.contains("38;5;") || screen.contains("\x1b[31m");
    assert!(is_coloured(&terminal.coloured()));
    terminal.resize(36, 6);
    terminal.until_it_has("needs 50×10");
    terminal.resize(1, 1);
    terminal.resize(50, 10);
    let screen = terminal.until_it_has("forgotten ");
    assert!(screen.lines().all(|line| line.chars().count() <= 50), "{screen}");
    terminal.resize(200, 50);
    // There is room for the whole of what it waits for, and for the selected row's stack.
    let why = "nothing can wake it: its last waker was dropped";
    terminal.until_it_has_all(&["POLLS", why, "1 poll in "]);
    terminal.press(&["q"]);
    terminal.until_code(0);
    terminal.resize(80, 24);
    terminal.run(&format!("NO_COLOR=1 {}", top(&process)));
    terminal.until_it_has(DRAWN);
    let coloured = terminal.coloured();
    assert!(!is_coloured(&coloured) && coloured.contains("\x1b[1;7m"), "{coloured:?}");
    terminal.press(&["q"]);
    terminal.until_code(0);
}

#[test]
fn a_lost_connection_ends_it() {
    let Some((process, terminal)) = scene("a_lost_connection_ends_it", true) else { return };
    terminal.run(&top(&process));
    terminal.until_it_has(DRAWN);
    let program = terminal.program();
    terminal.hang_up();
    let limit = std::time::Instant::now() + Duration::from_secs(60);
    while std::path::Path::new(&format!("/proc/{program}/exe")).exists() {
        assert!(std::time::Instant::now() < limit, "it goes on without a terminal");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Where nobody can look, it says what to do instead; and of what cannot be looked at, why, on the usual screen.
#[test]
fn no_terminal_and_no_process() {
    let output = ticks(["top", "1"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("expected a terminal") && said.contains("ticks who --every"), "{said}");
    let Some(terminal) = Terminal::open(80, 24) else { return };
    terminal.run(&format!("{} top nobody", env!("CARGO_BIN_EXE_ticks")));
    let screen = terminal.until_code(2);
    assert!(screen.contains("nobody: neither a file nor the number of a process"), "{screen}");
    assert_eq!(terminal.modes(), AS_IT_WAS);
}

#[allow(unsafe_code)]
fn send(pid: i32, signal: i32) {
    // SAFETY: it takes two numbers; the caller has the process as its terminal's child.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}
