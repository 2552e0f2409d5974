//! A terminal with a shell in it, by tmux: what a user types, and what is on the screen then.

use std::cell::Cell;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// As long as the slowest machine takes.
const LIMIT: Duration = Duration::from_secs(20);

/// What the shell says when it waits for a command.
const PROMPT: &str = "ready>";

/// A terminal of its own server, which ends when this is dropped.
pub struct Terminal {
    dir: TempDir,
    /// How many commands the shell was given.
    commands: Cell<u32>,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.try_tmux(&["kill-server"]);
    }
}

impl Terminal {
    /// One of this size. `None` on a machine without tmux; that of the gate has it.
    pub fn open(columns: u16, lines: u16) -> Option<Terminal> {
        if Command::new("tmux").arg("-V").output().is_err() {
            let message = "tmux is missing: what is shown on a terminal is not looked at";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
            eprintln!("{message}");
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let terminal = Terminal { dir, commands: Cell::new(0) };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        // Nobody's settings: keys, status line and history are tmux's own.
        let start = ["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines];
        let shell = format!("exec env -u NO_COLOR PS1='{PROMPT} ' bash --norc --noprofile -i");
        let options = [";", "set", "-g", "status", "off", ";", "set", "-g", "exit-empty", "on"];
        let all: Vec<&str> = start.into_iter().chain([shell.as_str()]).chain(options).collect();
        terminal.tmux(&all);
        // Without the status line there is one line more.
        terminal.resize(columns.parse().expect("it"), lines.parse().expect("it"));
        terminal.until(|screen| screen.contains(PROMPT));
        Some(terminal)
    }

    fn try_tmux(&self, args: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.dir.path().join("socket")).args(args);
        command.env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        command.output().expect("tmux runs")
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = self.try_tmux(args);
        assert!(output.status.success(), "tmux {args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Presses keys, by tmux's names for them.
    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a text, or sends what a terminal sends for a click.
    pub fn type_in(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Has the shell run a command.
    pub fn run(&self, command: &str) {
        let number = self.commands.get() + 1;
        self.commands.set(number);
        self.type_in(&format!("clear; {command}; echo of $? from {number}"));
        self.press(&["Enter"]);
    }

    /// The screen when the last command has ended with this code.
    pub fn until_code(&self, code: u8) -> String {
        self.until_it_has(&format!("of {code} from {}", self.commands.get()))
    }

    /// Clicks on this column and line, counted from 0.
    pub fn click(&self, column: usize, line: usize) {
        let at = format!("{};{}", column + 1, line + 1);
        self.type_in(&format!("\x1b[<0;{at}M\x1b[<0;{at}m"));
    }

    /// The screen's lines.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The same with the sequences that colour it.
    pub fn coloured(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// The screen when it shows that.
    pub fn until(&self, shows: impl Fn(&str) -> bool) -> String {
        let limit = Instant::now() + LIMIT;
        loop {
            let screen = self.screen();
            if shows(&screen) {
                return screen;
            }
            assert!(Instant::now() < limit, "the screen does not show it:\n{screen}");
            sleep(Duration::from_millis(20));
        }
    }

    /// The screen when it has this text.
    pub fn until_it_has(&self, text: &str) -> String {
        self.until_it_has_all(&[text])
    }

    /// The screen when it has these texts. One that is being drawn may have some of them.
    pub fn until_it_has_all(&self, texts: &[&str]) -> String {
        let limit = Instant::now() + LIMIT;
        loop {
            let screen = self.screen();
            let Some(missing) = texts.iter().find(|text| !screen.contains(**text)) else {
                return screen;
            };
            assert!(Instant::now() < limit, "the screen does not have {missing:?}:\n{screen}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Makes it larger or smaller.
    pub fn resize(&self, columns: u16, lines: u16) {
        let (columns, lines) = (columns.to_string(), lines.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &lines]);
    }

    /// The number of the program that the shell runs.
    pub fn program(&self) -> i32 {
        let limit = Instant::now() + LIMIT;
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        loop {
            let text = std::fs::read_to_string(&children).expect("the shell is there");
            if let Some(pid) = text.split_whitespace().next() {
                return pid.parse().expect("a number");
            }
            assert!(Instant::now() < limit, "the shell runs nothing");
            sleep(Duration::from_millis(20));
        }
    }

    /// Whether a program has the whole screen, whether the cursor is to be seen, and whether a program has the mouse.
    pub fn modes(&self) -> String {
        self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}"])
            .trim()
            .to_owned()
    }

    /// How the shell has the terminal set: speed, characters, flags.
    pub fn settings(&self) -> String {
        let file = self.dir.path().join("settings");
        // There may be earlier ones.
        let _ = std::fs::remove_file(&file);
        self.run(&format!("stty -a > {}", file.display()));
        self.until_code(0);
        std::fs::read_to_string(file).expect("stty has written")
    }

    /// Ends the terminal, as a lost connection does.
    pub fn hang_up(&self) {
        self.tmux(&["kill-server"]);
    }
}
