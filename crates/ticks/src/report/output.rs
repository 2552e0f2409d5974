//! Where the page goes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context};

use super::html;
use crate::export::is_recording;

/// Where the page goes.
#[derive(Debug)]
pub enum Output {
    /// To standard output.
    Stdout,
    /// Into the place of a file, or of none, at once: whoever opens it sees a whole page.
    File(PathBuf),
    /// Into what is there and no file, as a pipe.
    Other(PathBuf),
}

impl Output {
    /// Whether the page may be written there.
    pub fn check(path: &Path, force: bool) -> anyhow::Result<Output> {
        if path == Path::new("-") {
            return Ok(Output::Stdout);
        }
        let place = path.display();
        if is_recording(path) {
            bail!("{place}: is a recording, which is not written over; name another file");
        }
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
                match dir {
                    Some(dir) if !dir.is_dir() => bail!("{place}: there is no such directory"),
                    _ => Ok(Output::File(path.to_owned())),
                }
            }
            Err(error) => Err(error).with_context(|| place.to_string()),
            Ok(found) if found.is_dir() => {
                bail!("{place}: expected a file, found a directory; name a file in it")
            }
            Ok(found) if !found.is_file() => Ok(Output::Other(path.to_owned())),
            Ok(found) if found.len() > 0 && !force && !is_report(path) => bail!(
                "{place}: is there, and is no page of ticks report; name another file, or write over it with --force"
            ),
            // What a link points to is written over, not the link.
            Ok(_) => Ok(Output::File(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))),
        }
    }

    /// Whether that is standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self, Output::Stdout)
    }

    /// Writes it.
    pub fn write(&self, page: &[u8]) -> anyhow::Result<()> {
        match self {
            Output::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(page)?;
                Ok(out.flush()?)
            }
            Output::File(path) => replace(path, page).with_context(|| path.display().to_string()),
            Output::Other(path) => {
                let write = || File::create(path)?.write_all(page);
                write().with_context(|| path.display().to_string())
            }
        }
    }
}

/// Puts the page into the file's place.
fn replace(path: &Path, page: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut new = tempfile::Builder::new();
    new.prefix(".ticks-report");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any new file has them, less what the umask takes; those of the one that was there stay.
        let there = fs::metadata(path).map(|found| found.permissions());
        new.permissions(there.unwrap_or_else(|_| fs::Permissions::from_mode(0o666)));
    }
    let mut file = new.tempfile_in(dir.unwrap_or(Path::new(".")))?;
    file.write_all(page)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Whether the file is a page of ours.
fn is_report(path: &Path) -> bool {
    let mut begin = vec![0; html::BEGIN.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == html::BEGIN.as_bytes()
}
