//! What can be wrong with a file.

use std::{fmt, io};

/// Why a file, or a part of it, cannot be read.
#[derive(Debug)]
pub struct Error(Inner);

#[derive(Debug)]
enum Inner {
    Io(io::Error),
    Damaged { offset: u64, expected: String, found: String },
}

impl Error {
    pub(crate) fn damaged(
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        Error(Inner::Damaged { offset, expected: expected.into(), found: found.into() })
    }

    /// The byte of the file where the trouble is, if it is in the file.
    pub fn offset(&self) -> Option<u64> {
        match &self.0 {
            Inner::Io(_) => None,
            Inner::Damaged { offset, .. } => Some(*offset),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error(Inner::Io(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Io(error) => error.fmt(f),
            Inner::Damaged { offset, expected, found } => {
                write!(f, "at byte {offset}: expected {expected}, found {found}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Inner::Io(error) => Some(error),
            Inner::Damaged { .. } => None,
        }
    }
}
