//! A program that is looked at: this test binary again, in a role.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use std::{io, thread};

use crate::util::{bounded, child};

const BEGIN: &str = "async-io: who waits";
const END: &str = "async-io: end of the table";

/// The program, its input, and what it has written. It is killed when this is dropped.
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// What it wrote to standard error outside of tables.
    pub said: Vec<String>,
}

impl Program {
    /// Starts the test called `test` in a role, with `settings`.
    #[track_caller]
    pub fn start(test: &str, settings: &[(&str, &str)]) -> Program {
        let mut command = child::command(test, "program", 0);
        set(&mut command, settings);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("a test binary can be run");
        Program {
            stdin: child.stdin.take(),
            stdout: lines(child.stdout.take().expect("it is piped")),
            stderr: lines(child.stderr.take().expect("it is piped")),
            said: Vec::new(),
            child,
        }
    }

    #[cfg(unix)]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What comes after `name=` on the next line of its output that begins so.
    #[track_caller]
    pub fn value(&mut self, name: &str) -> String {
        loop {
            let line = self.next(&self.stdout, name);
            // The harness writes the test's name without a line's end.
            if let Some((_, value)) = line.split_once(&format!("{name}=")) {
                return value.to_owned();
            }
        }
    }

    /// The next table that it prints.
    #[track_caller]
    pub fn table(&mut self) -> String {
        let mut table: Option<String> = None;
        loop {
            let line = self.next(&self.stderr, "a table");
            match &mut table {
                None if line.starts_with(BEGIN) => table = Some(line),
                None => self.said.push(line),
                Some(table) if line == END => return std::mem::take(table),
                Some(table) => *table = format!("{table}\n{line}"),
            }
        }
    }

    /// The next table that has all of `parts`, whatever comes before.
    #[track_caller]
    pub fn table_with(&mut self, parts: &[&str]) -> String {
        loop {
            let table = self.table();
            if parts.iter().all(|part| table.contains(part)) {
                return table;
            }
        }
    }

    /// The next line that has `part`, outside of tables.
    #[cfg(unix)]
    #[track_caller]
    pub fn says(&mut self, part: &str) -> String {
        loop {
            let line = self.next(&self.stderr, part);
            if line.contains(part) {
                return line;
            }
            self.said.push(line);
        }
    }

    /// Writes a line to its input.
    pub fn tell(&mut self, word: &str) {
        let stdin = self.stdin.as_mut().expect("it is open until `end`");
        writeln!(stdin, "{word}").expect("the program reads");
    }

    /// Ends its input, and waits for its end. Returns how it ended, and how many more tables it printed.
    #[track_caller]
    pub fn end(&mut self) -> (ExitStatus, usize) {
        self.stdin = None;
        let mut status = None;
        bounded::until("the program's end", || {
            status = self.child.try_wait().expect("it is a child");
            status.is_some()
        });
        let mut tables = 0;
        for line in self.stderr.iter() {
            tables += usize::from(line.starts_with(BEGIN));
            self.said.push(line);
        }
        (status.expect("it has ended"), tables)
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: libc::c_int) {
        send(self.pid(), signal);
    }

    #[track_caller]
    fn next(&self, lines: &Receiver<String>, what: &str) -> String {
        match lines.recv_timeout(Duration::from_secs(bounded::LOST_AFTER_S)) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                panic!("still waiting for {what}; said {:?}", self.said)
            }
            Err(RecvTimeoutError::Disconnected) => {
                panic!("the program ended without {what}; it said {:?}", self.said)
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Neither variable is set but as said.
pub fn set(command: &mut Command, settings: &[(&str, &str)]) {
    for name in ["ASYNC_IO_DUMP_SIGNAL", "ASYNC_IO_DUMP_EVERY", "ASYNC_IO_TRACE"] {
        command.env_remove(name);
    }
    command.envs(settings.iter().copied());
}

#[cfg(unix)]
pub fn send(pid: u32, signal: libc::c_int) {
    // SAFETY: it sends a signal to a child that has not been reaped, or to a child of that.
    let result = unsafe { libc::kill(pid as libc::pid_t, signal) };
    assert_eq!(result, 0, "kill: {}", io::Error::last_os_error());
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// In the program: says something to whoever looks.
pub fn report(name: &str, value: impl std::fmt::Display) {
    println!("{name}={value}");
}

/// In the program: waits for a line of its input. `false`: there is none any more.
pub fn is_told() -> bool {
    let mut line = String::new();
    io::stdin().read_line(&mut line).is_ok_and(|len| len > 0)
}

/// In the program: does `work`, which never ends, and ends when the input ends.
#[cfg(unix)]
pub fn hang(work: impl FnOnce()) {
    thread::spawn(|| {
        while is_told() {}
        std::process::exit(0);
    });
    work();
}
