//! Tables for people, and how they fit the terminal.

use std::io::{stdout, IsTerminal};
use std::sync::OnceLock;

use comfy_table::{
    presets, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table as Rows, Width,
};

use crate::plain::plain;

/// Between two columns.
const GAP: usize = 2;

/// How narrow a column that wraps becomes at least.
const WRAPPED_MIN: usize = 14;

/// A column, and what becomes of it where there is no room for all.
#[derive(Clone, Copy)]
pub struct Column {
    name: &'static str,
    is_number: bool,
    wraps: bool,
    /// The order in which columns are left out, lowest first.
    rank: Option<u32>,
}

impl Column {
    /// Of texts. It stays as it is.
    pub const fn new(name: &'static str) -> Column {
        Column { name, is_number: false, wraps: false, rank: None }
    }

    /// Of numbers, which stand on the right.
    pub const fn number(name: &'static str) -> Column {
        Column { is_number: true, ..Column::new(name) }
    }

    /// Its texts may take several lines.
    pub const fn wraps(self) -> Column {
        Column { wraps: true, ..self }
    }

    /// It is left out where there is no room for it and for all of higher rank.
    pub const fn rank(self, rank: u32) -> Column {
        Column { rank: Some(rank), ..self }
    }
}

/// A table.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row of texts, which may come out of a recording.
    pub fn add(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().map(|text| plain(&text).into_owned()).collect());
    }

    /// The table as lines without blanks at their ends, no longer than the terminal is wide.
    pub fn text(&self) -> String {
        self.text_within(width())
    }

    fn text_within(&self, width: Option<usize>) -> String {
        let natural: Vec<usize> = (0..self.columns.len()).map(|at| self.natural(at)).collect();
        let mut kept: Vec<usize> = (0..self.columns.len()).collect();
        let Some(width) = width else { return self.draw(&kept, &natural) };
        let mut left_out: Vec<&str> = Vec::new();
        loop {
            let widths = self.squeezed(&kept, &natural, width);
            let ranked =
                kept.iter().enumerate().filter(|(_, at)| self.columns[**at].rank.is_some());
            let lowest =
                ranked.min_by_key(|(_, at)| self.columns[**at].rank).map(|(place, _)| place);
            match lowest {
                Some(place) if needed(&kept, &widths) > width => {
                    left_out.push(self.columns[kept.remove(place)].name);
                }
                _ => {
                    let mut text = self.draw(&kept, &widths);
                    if !left_out.is_empty() {
                        let left_out = format!("no room for: {}", left_out.join(", "));
                        text += &paragraph_within(&left_out, Some(width));
                    }
                    return text;
                }
            }
        }
    }

    fn natural(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| columns_of(cell));
        cells.max().unwrap_or(0).max(columns_of(self.columns[at].name))
    }

    /// The widths with those columns made narrower that may wrap, the widest first, as far as need be.
    fn squeezed(&self, kept: &[usize], natural: &[usize], width: usize) -> Vec<usize> {
        let mut widths = natural.to_vec();
        while needed(kept, &widths) > width {
            let least = |at: usize| WRAPPED_MIN.max(columns_of(self.columns[at].name));
            let wraps = |at: &&usize| self.columns[**at].wraps && widths[**at] > least(**at);
            let Some(widest) = kept.iter().filter(wraps).max_by_key(|at| widths[**at]) else {
                break;
            };
            widths[*widest] -= 1;
        }
        widths
    }

    fn draw(&self, kept: &[usize], widths: &[usize]) -> String {
        let mut rows = Rows::new();
        rows.load_preset(presets::NOTHING);
        rows.set_content_arrangement(ContentArrangement::Dynamic);
        // The widths are settled.
        rows.set_width(u16::MAX);
        rows.set_header(kept.iter().map(|at| self.columns[*at].name));
        for row in &self.rows {
            let cells = kept.iter().map(|at| Cell::new(row.get(*at).map_or("", String::as_str)));
            rows.add_row(cells);
        }
        for (place, at) in kept.iter().enumerate() {
            let Some(column) = rows.column_mut(place) else { continue };
            column.set_padding((0, GAP as u16));
            let width = u16::try_from(widths[*at] + GAP).unwrap_or(u16::MAX);
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
            if self.columns[*at].is_number {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        rows.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

fn needed(kept: &[usize], widths: &[usize]) -> usize {
    kept.iter().map(|at| widths[*at] + GAP).sum::<usize>().saturating_sub(GAP)
}

/// How many columns of a terminal the text takes.
fn columns_of(text: &str) -> usize {
    textwrap::core::display_width(text)
}

/// A sentence or more, in lines that fit the terminal.
pub fn paragraph(text: &str) -> String {
    paragraph_within(text, width())
}

fn paragraph_within(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return format!("{text}\n") };
    // Dates have hyphens, and are one word.
    let options = textwrap::Options::new(width);
    textwrap::fill(text, options.word_splitter(textwrap::WordSplitter::NoHyphenation)) + "\n"
}

/// A line of two parts, or two lines where the terminal is too narrow. The first part is `indent` from the edge
/// and takes `width` columns, the second comes behind it or, further in, below.
pub fn pair(first: &str, second: &str, indent: usize, first_width: usize) -> String {
    pair_within(first, second, indent, first_width, width())
}

fn pair_within(
    first: &str,
    second: &str,
    indent: usize,
    first_width: usize,
    width: Option<usize>,
) -> String {
    let (first, second) = (plain(first), plain(second));
    let (edge, gap) = (" ".repeat(indent), first_width.saturating_sub(columns_of(&first)) + GAP);
    let one_line = match second.is_empty() {
        true => format!("{edge}{first}"),
        false => format!("{edge}{first}{:gap$}{second}", ""),
    };
    let Some(width) = width.filter(|width| columns_of(&one_line) > *width) else {
        return one_line + "\n";
    };
    let further = " ".repeat(indent + 4);
    let fill = |text: &str, edge: &str| {
        let options =
            textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::fill(text, options.initial_indent(edge).subsequent_indent(&further)) + "\n"
    };
    match second.is_empty() {
        true => fill(&first, &edge),
        false => fill(&first, &edge) + &fill(&second, &further),
    }
}

static WIDTH: OnceLock<Option<usize>> = OnceLock::new();

/// Has all texts come as wide as they are, for whoever breaks them into lines. It must be called before the first text
/// is made.
pub fn without_bound() {
    // Somebody has asked for the width before: the texts fit the terminal as it was then, which is no harm.
    let _ = WIDTH.set(None);
}

/// How wide tables may be: as `COLUMNS` says, else as the terminal is. Without bound in a file or a pipe.
fn width() -> Option<usize> {
    *WIDTH.get_or_init(|| {
        let columns = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
        let of_terminal = || {
            let (terminal_size::Width(width), _) = terminal_size::terminal_size_of(stdout())?;
            Some(usize::from(width))
        };
        let is_terminal = stdout().is_terminal();
        columns.or_else(|| is_terminal.then(of_terminal).flatten()).filter(|width| *width > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = [
            Column::new("FD"),
            Column::new("WHAT").wraps(),
            Column::number("TASK").rank(1),
            Column::number("EVENTS").rank(2),
        ];
        let mut table = Table::new(columns);
        let row = ["9", "127.0.0.1:4001 → 127.0.0.1:40000", "0x55bf232f6f70", "12"];
        table.add(row.map(String::from));
        table
    }

    #[test]
    fn a_table_fits_by_wrapping_then_by_leaving_out() {
        let whole = table().text_within(None);
        let expected = "FD  WHAT                                        TASK  EVENTS\n\
                        9   127.0.0.1:4001 → 127.0.0.1:40000  0x55bf232f6f70      12\n";
        assert_eq!(whole, expected);
        assert_eq!(table().text_within(Some(60)), whole);
        for width in 20..60 {
            let text = table().text_within(Some(width));
            assert!(text.lines().all(|line| columns_of(line) <= width), "{width}: {text}");
            assert!(text.contains("127.0.0.1:4001"), "{width}: {text}");
        }
        let narrow = table().text_within(Some(50));
        assert!(narrow.contains("TASK") && narrow.lines().count() == 3, "{narrow}");
        let expected = "FD  WHAT            EVENTS\n\
                        9   127.0.0.1:4001      12\n    \
                        → 127.0.0.1:40\n    \
                        000\n\
                        no room for: TASK\n";
        assert_eq!(table().text_within(Some(26)), expected);
    }
}
