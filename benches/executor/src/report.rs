//! The results as tables.

use std::collections::BTreeMap;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use crate::measure::Samples;
use crate::peer::Peer;
use crate::row::Row;
use crate::stats::{median, median_ratio, spread};

/// Ratios, each with the limit that ours shall keep.
const RATIOS: [(Peer, Peer); 3] = [
    (Peer::Ours, Peer::Upstream),
    (Peer::Ours, Peer::Tokio),
    (Peer::OursLocal, Peer::UpstreamLocal),
];

/// Nanoseconds an operation.
pub(crate) fn times(rows: &[Row], samples: &Samples) -> String {
    let cell = |values: &Vec<f64>| {
        let middle = median(values);
        let figure = if middle < 1e4 { format!("{middle:.1}") } else { format!("{middle:.0}") };
        format!("{figure} ±{:.0}%", spread(values) * 100.0)
    };
    let ratio = |of: &Vec<f64>, base: &Vec<f64>| median_ratio(of, base);
    format!(
        "{}\nNanoseconds an operation, medians of {} runs; ± half the distance between the quartiles. \
         Ratios are medians of the ratios of each run; less is better.",
        table(rows, samples, cell, ratio),
        samples.iter().flat_map(|row| row.values()).map(Vec::len).max().unwrap_or(0),
    )
}

/// Instructions an operation.
pub(crate) fn instructions(rows: &[Row], counts: &[BTreeMap<Peer, f64>]) -> String {
    let table = table(rows, counts, |count| format!("{count:.0}"), |of, base| of / base);
    format!("{table}\nInstructions an operation (callgrind).")
}

fn table<V>(
    rows: &[Row],
    values: &[BTreeMap<Peer, V>],
    cell: impl Fn(&V) -> String,
    ratio: impl Fn(&V, &V) -> f64,
) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    let mut header = vec!["row".to_owned()];
    header.extend(Peer::ALL.iter().map(|peer| peer.name().to_owned()));
    header.extend(RATIOS.iter().map(|(of, base)| format!("{}/{}", of.name(), base.name())));
    table.set_header(header);
    for (row, values) in rows.iter().zip(values) {
        if values.is_empty() {
            continue;
        }
        let mut line = vec![row.name.to_owned()];
        line.extend(Peer::ALL.iter().map(|peer| values.get(peer).map_or("–".into(), &cell)));
        line.extend(RATIOS.iter().map(|(of, base)| {
            let pair = values.get(of).zip(values.get(base));
            pair.map_or("–".into(), |(of, base)| {
                let ratio = ratio(of, base);
                format!("{ratio:.2} {}", if ratio <= 1.0 { "✓" } else { "✗" })
            })
        }));
        table.add_row(line);
    }
    table.column_iter_mut().skip(1).for_each(|c| c.set_cell_alignment(CellAlignment::Right));
    table
}
