//! Core dumps as systemd-coredump keeps them: compressed with zstd, lz4 or xz.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::Context;
use ticks_format::ReadAt;

use crate::input::open_file;
use crate::progress::Progress;
use crate::temporary::Temporary;

/// What a file is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    Zstd,
    Lz4,
    Xz,
}

impl Packed {
    /// By a file's first bytes.
    pub fn of(begin: &[u8]) -> Option<Packed> {
        let magics: [(&[u8], Packed); 3] = [
            (&[0x28, 0xb5, 0x2f, 0xfd], Packed::Zstd),
            (&[0x04, 0x22, 0x4d, 0x18], Packed::Lz4),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Packed::Xz),
        ];
        magics.iter().find(|(magic, _)| begin.starts_with(magic)).map(|(_, packed)| *packed)
    }

    fn name(self) -> &'static str {
        match self {
            Packed::Zstd => "zstd",
            Packed::Lz4 => "lz4",
            Packed::Xz => "xz",
        }
    }
}

/// Opens the file, or what is in it.
pub fn open(path: &Path) -> anyhow::Result<File> {
    let file = open_file(path)?;
    let mut begin = [0; 6];
    let got = file.read_up_to(0, &mut begin)?;
    match Packed::of(&begin[..got]) {
        None => Ok(file),
        Some(packed) => unpack(file, packed).with_context(|| {
            format!("it is compressed with {}, and could not be unpacked", packed.name())
        }),
    }
}

/// Unpacks into a file that nobody else sees. What is all zero takes no room there.
fn unpack(mut file: File, packed: Packed) -> anyhow::Result<File> {
    file.rewind()?;
    let progress = Progress::new(file.len_bytes()?, "unpacking the core dump");
    let mut input = BufReader::new(Counted { file, read: 0, progress });
    let mut output = Sparse { file: Temporary::new()?, len: 0 };
    match packed {
        Packed::Zstd => {
            let mut frame = ruzstd::decoding::StreamingDecoder::new(&mut input)
                .map_err(|error| io::Error::other(error.to_string()))?;
            io::copy(&mut frame, &mut BufWriter::with_capacity(CHUNK, &mut output))?;
        }
        Packed::Lz4 => {
            let mut frame = lz4_flex::frame::FrameDecoder::new(&mut input);
            io::copy(&mut frame, &mut BufWriter::with_capacity(CHUNK, &mut output))?;
        }
        Packed::Xz => {
            let mut output = BufWriter::with_capacity(CHUNK, &mut output);
            lzma_rs::xz_decompress(&mut input, &mut output)
                .map_err(|error| io::Error::other(error.to_string()))?;
            output.flush()?;
        }
    }
    output.file.set_len(output.len)?;
    Ok(output.file.into_file())
}

const CHUNK: usize = 64 << 10;

struct Counted {
    file: File,
    read: u64,
    progress: Progress,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(into)?;
        self.read += got as u64;
        self.progress.set_beside(self.read);
        Ok(got)
    }
}

struct Sparse {
    file: Temporary,
    len: u64,
}

impl Write for Sparse {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match bytes.iter().all(|byte| *byte == 0) {
            true => {
                self.file.seek(SeekFrom::Current(bytes.len() as i64))?;
            }
            false => self.file.write_all(bytes)?,
        }
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
