//! What was found, for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSplitter};

use super::{Answer, Unclear};
use crate::explain::finding::{Finding, Sure};
use crate::plain::plain;

const WIDTH: usize = 80;
const DIM: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

fn style(sure: Sure) -> Style {
    let colour = match sure {
        Sure::Proven => AnsiColor::Red,
        Sure::Likely => AnsiColor::Yellow,
        Sure::Possible => AnsiColor::Cyan,
    };
    colour.on_default().bold()
}

/// The whole answer.
pub fn write(out: &mut dyn Write, answer: &Answer) -> io::Result<()> {
    for finding in &answer.findings {
        write_finding(out, finding)?;
    }
    if answer.findings.is_empty() {
        writeln!(out, "{STRONG}nothing wrong found{STRONG:#}")?;
        writeln!(out, "looked for:")?;
        for what in &answer.looked_for {
            item(out, "- ", what)?;
        }
        for what in &answer.not_given {
            item(out, "", &format!("not looked at: {what}"))?;
        }
    }
    if !answer.unclear.is_empty() {
        writeln!(out, "cannot tell:")?;
        for Unclear { looks_for, why } in &answer.unclear {
            item(out, "- ", &format!("{looks_for}: {why}"))?;
        }
    }
    Ok(())
}

fn write_finding(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    let style = style(finding.sure);
    writeln!(out, "{style}{}{style:#} ({})", finding.sure.name(), finding.kind)?;
    let sentence = plain(&finding.sentence);
    for line in textwrap::wrap(&sentence, lines(WIDTH - 2)) {
        writeln!(out, "  {STRONG}{line}{STRONG:#}")?;
    }
    for evidence in &finding.evidence {
        item(out, "  - ", evidence)?;
    }
    for command in &finding.proof {
        writeln!(out, "  {DIM}${DIM:#} {}", plain(command))?;
    }
    for advice in &finding.advice {
        item(out, "  → ", advice)?;
    }
    writeln!(out)
}

fn item(out: &mut dyn Write, bullet: &str, text: &str) -> io::Result<()> {
    let rest = " ".repeat(bullet.chars().count());
    let options = lines(WIDTH).initial_indent(bullet).subsequent_indent(&rest);
    writeln!(out, "{}", textwrap::fill(&plain(text), options))
}

/// Dates, names and paths have hyphens, and are one word.
fn lines<'a>(width: usize) -> Options<'a> {
    Options::new(width).word_splitter(WordSplitter::NoHyphenation).break_words(false)
}
