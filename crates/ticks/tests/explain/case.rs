//! A program of `examples/hangs` with what is to be said of it.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{mpsc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::golden;
use crate::util::example::built;
use crate::util::{path, stderr, ticks};

/// As long as the slowest machine takes.
const LIMIT: Duration = Duration::from_secs(120);

/// What is to be said.
#[derive(Clone, Copy)]
pub struct Case {
    /// The program's name.
    pub name: &'static str,
    /// The kind of the finding.
    pub kind: &'static str,
    /// How sure it is while the process is there, and of what is left of it; `None`: that cannot be told, or only
    /// by another kind. With `|`: one of these, where that hangs on how fast the machine is.
    pub sure: [Option<&'static str>; 2],
    /// The lines that are named are those with these comments.
    pub marks: &'static [&'static str],
    /// What the sentence says.
    pub says: &'static str,
}

/// When it is looked at: while it hangs, or what a kill has left.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    Live,
    Killed,
}

/// The line that is to be found.
pub const HERE: &[&str] = &["hangs here"];

/// A program that runs, until this is dropped.
pub struct Program {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    dir: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn examples() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built(&["hangs", "healthy"]))
}

impl Program {
    /// Starts a case of an example, with the recorder on.
    pub fn start(example: &str, case: &str, seconds: u32) -> Program {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(examples().join(example));
        command.args(["--case", case, "--seconds", &seconds.to_string()]);
        command.env("ASYNC_IO_TRACE", dir.path()).env_remove("ASYNC_IO_TRACE_STACKS");
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Program { child, said, dir }
    }

    /// Waits until it says this.
    pub fn wait_until(&mut self, word: &str) -> Result<(), String> {
        for line in &mut self.said {
            if line.map_err(|error| error.to_string())? == word {
                return Ok(());
            }
        }
        Err(format!("it ended and never said {word}"))
    }

    /// Its number.
    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Its recording.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join(format!("{}.ticks", self.child.id()))
    }

    /// Ends it in the midst of what it does.
    pub fn kill(&mut self) {
        self.child.kill().expect("it was there");
        self.child.wait().expect("it was there");
    }

    /// Waits for its end, and returns whether that is a success.
    pub fn succeeds(&mut self) -> bool {
        // Whoever writes to a pipe that nobody reads would wait.
        (&mut self.said).for_each(drop);
        self.child.wait().expect("it was there").success()
    }
}

/// What the tool says, and the code with which it ended.
pub fn explained(of: &str) -> Result<(Json, Option<i32>), String> {
    let output = ticks(["explain", "--json", of]);
    let json = serde_json::from_slice(&output.stdout);
    let json = json.map_err(|error| format!("{error}: {}", stderr(&output)))?;
    Ok((json, output.status.code()))
}

/// The numbers of the lines that end in this comment. It hangs in one of them.
fn marked(case: &str, mark: &str) -> Vec<usize> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../examples/hangs/{case}.rs"));
    let source = fs::read_to_string(file).expect("the case has a source");
    let mark = format!("// {mark}");
    let lines = (1..).zip(source.lines()).filter(|(_, line)| line.ends_with(&mark));
    let numbers: Vec<usize> = lines.map(|(number, _)| number).collect();
    assert!(!numbers.is_empty(), "no line of {case} is marked: {mark}");
    numbers
}

/// Looks at a program that may be well, for all that can be seen from outside, until it is told with what it cannot be told:
/// the reason that names all lines with these comments.
pub fn cannot_tell(case: &str, marks: &[&str]) -> String {
    let mut program = Program::start("hangs", case, 100);
    program.wait_until("hung").expect("it hangs");
    let places: Vec<String> =
        marks.iter().map(|mark| format!("hangs/{case}.rs:{}", marked(case, mark)[0])).collect();
    let began = Instant::now();
    loop {
        let (told, code) = explained(&program.pid()).expect("an answer");
        assert_eq!((&told["findings"], code), (&Json::Array(Vec::new()), Some(0)), "{told:#}");
        let all = told["cannot_tell"].as_array().expect("an array");
        let mut whys = all.iter().filter_map(|it| it["why"].as_str());
        if let Some(why) = whys.find(|why| places.iter().all(|place| why.contains(place))) {
            return why.to_owned();
        }
        assert!(began.elapsed() < LIMIT, "{places:?}: {told:#}");
        thread::sleep(Duration::from_secs(1));
    }
}

fn text_of(finding: &Json) -> String {
    let evidence = finding["evidence"].as_array().expect("an array").iter();
    let all = [&finding["sentence"]].into_iter().chain(evidence);
    all.map(|text| text.as_str().expect("a text")).collect::<Vec<_>>().join("\n")
}

impl Case {
    /// The one finding of the kind says what it is to say.
    fn judge(&self, told: &Json, code: Option<i32>, at: Look) -> Result<(), String> {
        let sure = self.sure[at as usize];
        let findings = told["findings"].as_array().expect("an array").iter();
        let found: Vec<&Json> = findings.filter(|finding| finding["kind"] == self.kind).collect();
        let fails = |what: &str| Err(format!("{what}: {told:#}"));
        let Some(sure) = sure else {
            return if found.is_empty() {
                Ok(())
            } else {
                fails("nothing of the kind can be told")
            };
        };
        let place = |line| format!("examples/hangs/{}.rs:{line}", self.name);
        let marks = self.marks.iter().map(|mark| marked(self.name, mark));
        let places: Vec<Vec<String>> =
            marks.map(|lines| lines.into_iter().map(place).collect()).collect();
        let is_it = |finding: &&&Json| {
            let text = text_of(finding);
            let sentence = finding["sentence"].as_str().expect("a text");
            sure.split('|').any(|sure| finding["sure"] == sure)
                && sentence.contains(self.says)
                && places.iter().all(|some| some.iter().any(|place| names(&text, place)))
        };
        let Some(it) = found.iter().find(is_it) else {
            return fails(&format!("no {} that is {sure} and names {places:?}", self.kind));
        };
        if at == Look::Live {
            golden::is_as_kept(self.name, it)?;
        }
        let is_wrong = !sure.contains("possible");
        if is_wrong && (told["wrong"] != true || code != Some(1)) {
            return fails(&format!("something is wrong, and the exit code is {code:?}"));
        }
        for finding in &found {
            let commands = finding["proof"].as_array().expect("an array");
            let advice = finding["advice"].as_array().expect("an array");
            if commands.is_empty() || advice.is_empty() {
                return fails("a finding without a proof, or without advice");
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let mut program = Program::start("hangs", self.name, 100);
        program.wait_until("hung")?;
        let (told, code) = explained(&program.pid())?;
        self.judge(&told, code, Look::Live).map_err(|error| format!("live: {error}"))?;
        program.kill();
        let (told, code) = explained(path(&program.file()))?;
        self.judge(&told, code, Look::Killed).map_err(|error| format!("killed: {error}"))
    }
}

/// Whether the text has the place, and not one whose line begins with the same digits.
fn names(text: &str, place: &str) -> bool {
    let follows = |at: usize| text[at + place.len()..].chars().next();
    text.match_indices(place).any(|(at, _)| !follows(at).is_some_and(|next| next.is_ascii_digit()))
}

/// Runs them so many at a time. All are run, and all that fail are named.
#[track_caller]
pub fn side_by_side<T: Copy + Send + Sync>(
    cases: &[T],
    at_once: usize,
    name: fn(T) -> &'static str,
    check: fn(T) -> Result<(), String>,
) {
    // Built before the time runs.
    examples();
    let mut failed = Vec::new();
    for some in cases.chunks(at_once) {
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for case in some {
                let sender = sender.clone();
                scope.spawn(move || sender.send((name(*case), check(*case))));
            }
            for _ in some {
                let (name, result) = receiver.recv_timeout(LIMIT).expect("each case ends");
                failed.extend(result.err().map(|error| format!("{name}: {error}")));
            }
        });
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Runs cases of `examples/hangs`.
#[track_caller]
pub fn hang(cases: &[Case]) {
    side_by_side(cases, 8, |case| case.name, |case| case.check());
}
