//! What `ticks explain` says, by a process of its own: it may take its time, and says on stderr what is missing.

use std::env;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::shown;

/// An answer, or that it is still to come. When it is dropped, nobody waits for it any more.
pub struct Explained {
    /// Which it is of those that were asked for.
    pub number: u64,
    /// What it says, if it has.
    pub lines: Option<Vec<String>>,
    /// Holding it gives the right to ask for the process's end and to kill it.
    child: Arc<Mutex<Child>>,
}

impl Drop for Explained {
    fn drop(&mut self) {
        // It has ended if there is an answer.
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}

/// What is to be explained: a file or a process's number, and where its debug information is.
pub struct Question {
    /// The file or the number.
    pub target: PathBuf,
    /// The directories.
    pub symbols: Vec<PathBuf>,
}

impl Question {
    /// Asks, of a process that has ended about its file, if it has one. The answer goes to `tell`, with its number.
    pub fn ask(
        &self,
        file: Option<&Path>,
        number: u64,
        tell: impl FnOnce(u64, Vec<String>) + Send + 'static,
    ) -> io::Result<Explained> {
        let mut command = Command::new(own_path()?);
        command
            .arg("explain")
            .args(self.symbols.iter().map(|dir| flag(dir)))
            .arg(file.unwrap_or(&self.target));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let child = Arc::new(Mutex::new(child));
        let ended = Arc::clone(&child);
        let errors = thread::Builder::new().name("explain 2".into()).spawn(move || all(stderr))?;
        let listen = move || {
            let mut text = all(stdout);
            text.extend(errors.join().unwrap_or_default());
            // Both pipes are at their ends, so that it has ended or is about to.
            let _ = ended.lock().unwrap_or_else(PoisonError::into_inner).wait();
            tell(number, shown::lines(&text));
        };
        thread::Builder::new().name("explain".into()).spawn(listen)?;
        Ok(Explained { number, lines: None, child })
    }
}

fn flag(dir: &Path) -> std::ffi::OsString {
    let mut flag = std::ffi::OsString::from("--symbols=");
    flag.push(dir);
    flag
}

/// This program's file, also if another one has taken its place by now.
fn own_path() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && own.exists() {
        return Ok(own.to_owned());
    }
    env::current_exe()
}

/// All that comes, as far as it can be read.
fn all(from: Option<impl Read>) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(mut from) = from {
        // What came before an error is shown.
        let _ = from.read_to_end(&mut text);
    }
    text
}
