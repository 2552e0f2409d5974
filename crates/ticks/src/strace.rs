//! What `strace` wrote: the system calls of a process, with what came of each.
//!
//! The listing is read in a stream. At best it was made by `strace -f -ttt -T -yy`; one without times, threads or
//! addresses is read as far as it goes. A line that cannot be understood is counted and passed over.

#[cfg(test)]
mod any;
mod call;
mod descriptor;
mod join;
mod line;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::input::open_file;

pub use call::Call;
use join::Join;
use line::Line;

/// Something that a thread did or that happened to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced {
    /// The thread, if the listing says.
    pub tid: Option<u64>,
    /// When it began, UTC, nanoseconds since 1970; absent: the listing has no times that could be placed.
    pub utc_ns: Option<u64>,
    /// Which line of the listing it begins in, from 1.
    pub line: u64,
    /// What it was.
    pub what: What,
}

/// What a line of a listing tells.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A system call, from its beginning to its end.
    Call(Box<Call>),
    /// The beginning of a call whose end is a long way off or missing.
    Begins(Box<Call>),
    /// The end of a call whose beginning was told as [`What::Begins`], or is missing.
    Ends(Box<Call>),
    /// A signal, as strace words it.
    Signal(String),
    /// The thread's end, as strace words it.
    Exit(String),
}

impl What {
    /// The call, whole or a part of it.
    pub fn call(&self) -> Option<&Call> {
        match self {
            What::Call(call) | What::Begins(call) | What::Ends(call) => Some(call),
            What::Signal(_) | What::Exit(_) => None,
        }
    }
}

/// A longer line is cut: strings in it may be of any length.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A listing that is being read.
pub struct Listing {
    /// Where it is.
    pub path: PathBuf,
    file: BufReader<File>,
    bytes: u64,
    read_bytes: u64,
    /// The thread of all lines that name none: `strace -ff` makes a file a thread, named after it.
    tid: Option<u64>,
    join: Join,
    lines: u64,
    /// Those that are strace's.
    parsed: u64,
    bad: u64,
    first_bad: Option<(u64, String)>,
    buffer: Vec<u8>,
    ended: bool,
}

impl Listing {
    /// Opens a listing.
    pub fn open(path: &Path) -> anyhow::Result<Listing> {
        let open = || -> io::Result<(File, u64)> {
            let file = open_file(path)?;
            let bytes = file.metadata()?.len();
            Ok((file, bytes))
        };
        let (file, bytes) = open().with_context(|| path.display().to_string())?;
        let tid = path.extension().and_then(|end| end.to_str()?.parse().ok());
        Ok(Listing {
            path: path.to_owned(),
            file: BufReader::with_capacity(1 << 16, file),
            bytes,
            read_bytes: 0,
            tid,
            join: Join::default(),
            lines: 0,
            parsed: 0,
            bad: 0,
            first_bad: None,
            buffer: Vec::new(),
            ended: false,
        })
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of them were read.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// What was found wrong so far, if anything was.
    pub fn problem(&self) -> Option<String> {
        let (line, text) = self.first_bad.as_ref()?;
        let lines = crate::units::things(self.bad, "line");
        let place = self.path.display();
        Some(format!(
            "{place}: left out: {lines} that strace did not write; line {line} is {text:?}"
        ))
    }

    /// The next thing that happened, by the times at which they began.
    pub fn advance(&mut self) -> anyhow::Result<Option<Traced>> {
        loop {
            if let Some(next) = self.join.pop(self.ended) {
                return Ok(Some(next));
            }
            if self.ended {
                return Ok(None);
            }
            self.read_line().with_context(|| self.path.display().to_string())?;
        }
    }

    fn read_line(&mut self) -> io::Result<()> {
        self.buffer.clear();
        let mut got =
            (&mut self.file).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.buffer)? as u64;
        if got == 0 {
            self.ended = true;
            return match self.first_bad.as_ref().filter(|_| self.parsed == 0) {
                Some((line, text)) => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "no line is one that strace writes; expected what strace -f -ttt -T -yy -o \
                         FILE writes; line {line} is {text:?}"
                    ),
                )),
                None => Ok(()),
            };
        }
        if got == LINE_BYTES_MAX && self.buffer.last() != Some(&b'\n') {
            got += skip_line(&mut self.file)?;
        }
        self.read_bytes += got;
        self.lines += 1;
        let text = String::from_utf8_lossy(&self.buffer);
        let text = text.trim_end_matches(['\n', '\r']);
        let understood = match Line::parse(text) {
            Some(mut line) => {
                self.parsed += 1;
                line.tid = line.tid.or(self.tid);
                self.join.push(line, self.lines)
            }
            None => line::is_noise(text),
        };
        if !understood {
            self.bad += 1;
            if self.first_bad.is_none() {
                self.first_bad = Some((self.lines, text.chars().take(80).collect()));
            }
        }
        Ok(())
    }
}

/// Reads the rest of a line and forgets it. Returns how long it was.
fn skip_line(file: &mut BufReader<File>) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = file.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(buffer.len(), |end| end + 1);
        file.consume(count);
        skipped += count as u64;
        if count == 0 || end.is_some() {
            return Ok(skipped);
        }
    }
}
