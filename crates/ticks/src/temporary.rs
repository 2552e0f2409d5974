//! Files that nobody else sees, and that go with us: what is read in another form than it came in.
//!
//! They are in the system's folder for such files, which may be small. That it is full is then said of that folder, and
//! not of what is read.

use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// The variable that names another folder.
const VARIABLE: &str = if cfg!(windows) { "TMP" } else { "TMPDIR" };

/// Such a file. Its errors name its folder.
#[derive(Debug)]
pub struct Temporary(File);

impl Temporary {
    /// Makes one.
    pub fn new() -> io::Result<Temporary> {
        tempfile::tempfile().map(Temporary).map_err(explained)
    }

    /// Keeps all that is read from `from`, and gives the file.
    pub fn of(mut from: impl Read) -> io::Result<File> {
        let mut file = Temporary::new()?;
        io::copy(&mut from, &mut file)?;
        file.rewind()?;
        Ok(file.0)
    }

    /// Makes it that long; what has not been written is zero.
    pub fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes).map_err(explained)
    }

    /// The file itself, once all is written.
    pub fn into_file(self) -> File {
        self.0
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(explained)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(explained)
    }
}

impl Seek for Temporary {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to).map_err(explained)
    }
}

fn explained(error: io::Error) -> io::Error {
    let dir = env::temp_dir();
    let text = format!(
        "{error}, for a temporary file in {}; {VARIABLE}=DIR names another folder",
        dir.display()
    );
    io::Error::new(error.kind(), text)
}
