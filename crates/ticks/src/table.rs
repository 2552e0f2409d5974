//! Tables for people.

use comfy_table::{presets, Cell, CellAlignment, ContentArrangement, Table};

use crate::plain::plain;

/// A table with these columns; those whose name begins with `#` hold numbers.
pub fn new(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|name| name.trim_start_matches('#')));
    for (index, name) in columns.iter().enumerate() {
        let Some(column) = table.column_mut(index) else {
            continue;
        };
        column.set_padding((0, 2));
        if name.starts_with('#') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Adds a row of texts, which may come out of a recording.
pub fn add(table: &mut Table, row: impl IntoIterator<Item = String>) {
    table.add_row(row.into_iter().map(|text| Cell::new(plain(&text))));
}

/// The table's lines without blanks at their ends.
pub fn text(table: &Table) -> String {
    let lines = table.lines();
    lines.map(|line| line.trim_end().to_owned() + "\n").collect()
}
