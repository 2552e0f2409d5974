//! `ticks script`: the commands for debuggers.

use std::io::{self, Write};

use crate::outcome::Outcome;

/// It is embedded in programs with debug information too.
const SCRIPT: &str = include_str!("../../../src/debugger.py");

/// Print the script that gives gdb and lldb the commands `info async`, `async bt N` and `async source FD`
///
/// A program with debug information has it in itself, and gdb loads it from there if it is allowed to:
/// `add-auto-load-safe-path PROGRAM` in ~/.config/gdb/gdbinit. Of a program without, of a core dump of somebody else's,
/// and for lldb, this prints it.
///
/// The commands ask this tool, which must be in PATH, or be named by TICKS in the environment of the debugger.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Which debugger
    debugger: Debugger,
}

const EXAMPLES: &str = "\
Examples:
  ticks script gdb > ticks.py
  gdb -x ticks.py -p 4711
  gdb -x ticks.py ./server core.4711
  ticks script lldb > ticks.py
  lldb -p 4711 -o 'command script import ticks.py' -o 'async info'";

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Debugger {
    Gdb,
    Lldb,
}

/// Prints it. Both debuggers take the same.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match args.debugger {
        Debugger::Gdb | Debugger::Lldb => io::stdout().write_all(SCRIPT.as_bytes())?,
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use ticks_format::published::{executor, reactor, HEAD_WORDS, MAGIC, VERSION};

    use super::SCRIPT;

    /// What stands in the script between these two.
    fn between(begin: &str, end: &str) -> &'static str {
        let (_, rest) = SCRIPT.split_once(begin).unwrap_or_else(|| panic!("no {begin}"));
        rest.split_once(end).unwrap_or_else(|| panic!("no {end}")).0
    }

    #[test]
    fn the_script_has_the_words_of_the_tables_in_their_order() {
        for (kind, names) in [("REACTOR", reactor::NAMES), ("EXECUTOR", executor::NAMES)] {
            let words = between(&format!("    {kind}: \"\"\""), "\"\"\"");
            let words: Vec<&str> = words.split_whitespace().collect();
            // It needs no more than it lists.
            assert_eq!(words, names[..words.len()], "{kind}");
            assert!(words.len() > 20);
        }
    }

    #[test]
    fn the_script_knows_the_head_of_a_table() {
        assert_eq!(between("\nVERSION = ", "\n"), VERSION.to_string());
        let text = between("\nMAGIC = b\"", "\"").replace("\\x00", "\0").replace("\\x1a", "\x1a");
        let (text, last) = text.split_once("\\x").expect("its last byte is no text");
        let mut magic = text.as_bytes().to_vec();
        magic.push(u8::from_str_radix(last, 16).expect("a number"));
        assert_eq!(magic, MAGIC[0].to_le_bytes());
        assert_eq!(between("\"<Q\", 0x", ")"), format!("{:X}", MAGIC[1]));
        assert_eq!(HEAD_WORDS, 2 + 5);
    }
}
