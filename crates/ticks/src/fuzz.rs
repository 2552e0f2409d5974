//! What the fuzz targets call: a file of any bytes goes all the way that one goes which somebody names on the command
//! line. That it is refused is right; a panic, or to go on for ever, is not.

use std::io::Write;
use std::path::Path;

use crate::around::Around;
use crate::evidence;
use crate::explain::{judge, With};
use crate::hosts;
use crate::input::Input;
use crate::line;
use crate::merge::Merge;
use crate::symbols::Options;

/// A text log: each of its lines is shown, and it is explained.
pub fn log(bytes: &[u8]) {
    on_file(bytes, |path| {
        let inputs = vec![Input::open(path)?];
        let mut merge = Merge::new(&inputs)?;
        while let Some(moment) = merge.advance()? {
            assert!(!line::name(&moment.stamped.what).is_empty());
            let _ = line::text(&moment.stamped.what);
        }
        explained(inputs, &evidence::Args::default())
    });
}

/// A listing of strace, of a process of which there is no recording.
pub fn strace(bytes: &[u8]) {
    on_file(bytes, |path| {
        let strace = vec![path.to_owned()];
        explained(Vec::new(), &evidence::Args { strace, ..evidence::Args::default() })
    });
}

/// A capture, likewise.
pub fn pcap(bytes: &[u8]) {
    on_file(bytes, |path| {
        let pcap = vec![path.to_owned()];
        explained(Vec::new(), &evidence::Args { pcap, ..evidence::Args::default() })
    });
}

fn explained(mut inputs: Vec<Input>, evidence: &evidence::Args) -> anyhow::Result<()> {
    let clocks = hosts::align(&mut inputs, evidence)?;
    let options = Options::default();
    let around = Around::default();
    let with = With { options: &options, evidence, around: &around, clocks: &clocks };
    let (_, answer) = judge(&inputs, &with)?;
    assert!(answer.json().is_object());
    Ok(())
}

/// Refused bytes are refused with a sentence.
fn on_file(bytes: &[u8], read: impl FnOnce(&Path) -> anyhow::Result<()>) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("it is written");
    if let Err(error) = read(file.path()) {
        assert!(!format!("{error:#}").is_empty());
    }
}
