//! The command line: the subcommands, shell completions and the man page.

use std::io::{self, Write};

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::outcome::Outcome;
use crate::{compare, explain, export, record, report, script, show, stat, top, who};

/// Records, shows and explains what the async-io reactor of a program does
#[derive(Debug, Parser)]
#[command(name = "ticks", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ticks record -o /tmp/t -- ./server      run a program with the recorder on
  ticks who 4711                          the tasks of process 4711, and what they wait for, now
  ticks top 4711                          the same on the whole screen, looked at again and again
  ticks explain 4711                      what it hangs in, in words, with the proof
  ticks show /tmp/t/4711.ticks --fd 9     what happened to descriptor 9
  ticks show /tmp/t/4711.ticks --task 17  the life of task 17, in words
  ticks stat /tmp/t/4711.ticks            polls of tasks, rounds, events, wakes and waits
  ticks compare debug.ticks rel.ticks     the first decision in which two runs differ
  ticks export --chrome /tmp/t/4711.ticks -o t.json
  ticks report 4711 -o hang.html          all of it as one page, to open or to mail

Exit codes: 0 done; 1 done, but part of a file could not be read; 2 not done.
`ticks record` passes on the program's, and has 2 if the program was not run.";

/// The subcommands. Those without a text here have it at their arguments, in full.
#[derive(Debug, Subcommand)]
pub enum Command {
    Record(record::Args),
    Show(Box<show::Args>),
    Stat(stat::Args),
    Who(who::Args),
    Top(top::Args),
    Explain(explain::Args),
    Compare(compare::Args),
    Export(export::Args),
    Report(report::Args),
    Script(script::Args),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Print the man page
    Man,
}

/// Which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the completions for a shell.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ticks", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Outcome::Done)
}

/// Prints the man page: the program's, then each subcommand's.
pub fn man() -> anyhow::Result<Outcome> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        clap_mangen::Man::new(sub.clone().disable_help_subcommand(true)).render(&mut page)?;
    }
    io::stdout().write_all(&page)?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
