//! Starting the programs that are looked at.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::util::example::built_with;
use crate::util::stdout;

/// In a process with this setting, a test plays a program.
const ROLE: &str = "TICKS_TEST_ROLE";

/// A program that runs; it is killed when this is dropped.
pub struct Program {
    pub child: Child,
    /// What it said until it waited.
    pub said: Vec<String>,
    _stdin: Option<ChildStdin>,
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts it, and waits until it has said a line with `word`.
    pub fn start(command: &mut Command, word: &str) -> Program {
        command.env_remove("ASYNC_IO_TRACE").env("MALLOC_ARENA_MAX", "1");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut said = Vec::new();
        loop {
            match lines.next() {
                Some(Ok(line)) => said.push(line),
                _ => panic!("it ended and never said {word}: {:?}, {said:?}", child.wait()),
            }
            if said.last().is_some_and(|line| line.contains(word)) {
                break;
            }
        }
        Program { _stdin: child.stdin.take(), _stdout: lines, child, said }
    }

    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// What `ticks who` says of it, as soon as that is as wanted.
    #[track_caller]
    fn shows(&self, is_so: impl Fn(&str) -> bool) -> String {
        let pid = self.pid();
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let shown = stdout(["who", &pid]);
            if is_so(&shown) {
                return shown;
            }
            assert!(Instant::now() < until, "it never came to that: {shown}");
            sleep(Duration::from_millis(20));
        }
    }
}

/// This test binary once more, for a test that plays a program.
pub fn own(test: &str) -> Command {
    let mut command = Command::new(own_path());
    command.args(["--exact", test, "--nocapture"]).env(ROLE, test);
    command
}

/// Where this test binary is.
pub fn own_path() -> PathBuf {
    std::env::current_exe().expect("a test binary has a path")
}

/// Whether this process is to play a program.
pub fn plays() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// The shop of `examples/`, when it hangs.
pub fn shop() -> Program {
    shop_of(&mut Command::new(shop_path())).0
}

/// The same of this build, and what `ticks who` says then. It opens before its customers come, and says so then.
#[track_caller]
pub fn shop_of(command: &mut Command) -> (Program, String) {
    let shop = Program::start(command, "has one item left");
    // With debug information their locks are named, each on a line of its own.
    let at_its_lock = |line: &&str| {
        line.contains("last_item::serve  ")
            && (line.contains("  no socket and no timer") || line.contains("  Mutex::lock"))
    };
    let shown = shop.shows(|shown| match shown.lines().find(at_its_lock) {
        Some(line) if line.starts_with("2 ×") => true,
        _ => shown.lines().filter(at_its_lock).count() == 2,
    });
    (shop, shown)
}

/// With all of its debug information: a release build, if this is one.
pub fn shop_path() -> &'static Path {
    static SHOP: OnceLock<PathBuf> = OnceLock::new();
    SHOP.get_or_init(|| examples().join("last_item"))
}

/// The examples, with all of their debug information.
pub fn examples() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built_with("full", &["hangs", "healthy", "last_item"]))
}
