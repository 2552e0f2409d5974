//! The results as tables and as JSON.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};
use serde_json::{json, Value};

use crate::machine::{load, Machine};
use crate::row::{Figure, Peer, Target, Unit};
use crate::run::Measured;
use crate::stats::{median, median_ratio, spread};

/// The columns of a table and the ratios after them.
struct Columns {
    peers: &'static [Peer],
    ratios: &'static [(&'static str, Peer, &'static [Peer])],
}

const PEERS: Columns = Columns {
    peers: &[Peer::Raw, Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Tokio2w],
    ratios: &[
        ("ours/raw", Peer::Ours, &[Peer::Raw]),
        ("ours/upstream", Peer::Ours, &[Peer::Upstream]),
        ("ours/tokio", Peer::Ours, TOKIO),
    ],
};

const HOOKS: Columns = Columns {
    peers: &[Peer::NoHooks, Peer::Ours, Peer::OursLog],
    ratios: &[
        ("ours/no-hooks", Peer::Ours, &[Peer::NoHooks]),
        ("ours-log/no-hooks", Peer::OursLog, &[Peer::NoHooks]),
    ],
};

const LEGEND: &str = "Medians of the runs; ± half the distance between the quartiles. \
Ratios are medians of the ratios of each run. Less is better, but for what is counted a second. \
ours/tokio: the current-thread runtime, or two workers where that does not apply.";

/// The tokio of a row: the current-thread runtime, or the other one.
const TOKIO: &[Peer] = &[Peer::Tokio, Peer::Tokio2w];

/// A row belongs to the table of the hooks when it is compared with a build without them.
fn is_hooks(measured: &Measured<'_>) -> bool {
    let cases = &measured.row.cases;
    cases.iter().any(|(peer, _)| matches!(peer, Peer::NoHooks | Peer::OursLog))
}

/// The tables, with what one needs to read them.
pub(crate) fn tables(results: &[Measured<'_>]) -> String {
    let (hooks, peers): (Vec<_>, Vec<_>) = results.iter().partition(|m| is_hooks(m));
    let mut text = String::new();
    for (columns, rows) in [(PEERS, peers), (HOOKS, hooks)] {
        if !rows.is_empty() {
            text += &table(&columns, &rows).to_string();
            text += "\n";
        }
    }
    let runs = results.iter().flat_map(|m| m.samples.values().map(Vec::len));
    let (fewest, most) = runs.fold((usize::MAX, 0), |(a, b), n| (a.min(n), b.max(n)));
    text + &format!("{LEGEND} {fewest} to {most} runs; load {:.2} at the end.", load())
}

fn table(columns: &Columns, rows: &[&Measured<'_>]) -> Table {
    let peers: Vec<Peer> = columns
        .peers
        .iter()
        .copied()
        .filter(|peer| rows.iter().any(|m| m.samples.contains_key(peer)))
        .collect();
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    let mut header = vec!["row", "figure"];
    header.extend(peers.iter().map(|peer| peer.name()));
    header.extend(columns.ratios.iter().map(|ratio| ratio.0));
    header.push("target");
    table.set_header(header);
    for measured in rows {
        for index in 0..measured.row.figures.len() {
            table.add_row(line(measured, index, &peers, columns));
        }
    }
    let last = table.column_count() - 1;
    for (index, column) in table.column_iter_mut().enumerate() {
        if index > 1 && index < last {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn line(measured: &Measured<'_>, index: usize, peers: &[Peer], columns: &Columns) -> Vec<Cell> {
    let figure = &measured.row.figures[index];
    let values = |peer| measured.values(peer, index);
    let smallest = peers.iter().map(|peer| median(&values(*peer)));
    let scale = Scale::fitting(figure.unit, smallest.fold(f64::INFINITY, f64::min));
    let row = if index == 0 { measured.row.name } else { "" };
    let mut cells = vec![Cell::new(row), Cell::new(format!("{}, {}", figure.name, scale.name))];
    for peer in peers {
        let values = values(*peer);
        let middle = median(&values);
        cells.push(Cell::new(match middle.is_nan() {
            true => "–".into(),
            false if figure.unit == Unit::Bytes => scale.show(middle),
            false => format!("{} ±{:.0}%", scale.show(middle), spread(&values) * 100.0),
        }));
    }
    for (_, of, against) in columns.ratios {
        let ratio = ratio(measured, index, *of, against).map_or(f64::NAN, |(_, ratio)| ratio);
        cells.push(Cell::new(match ratio.is_nan() {
            true => "–".into(),
            false => format!("{ratio:.2}"),
        }));
    }
    cells.push(Cell::new(verdicts(measured, index, figure)));
    cells
}

/// A figure of one peer in relation to that of the first of `against` which has it.
fn ratio(measured: &Measured<'_>, index: usize, of: Peer, against: &[Peer]) -> Option<(Peer, f64)> {
    let values = measured.values(of, index);
    let ratios = against.iter().map(|peer| (*peer, measured.values(*peer, index)));
    ratios
        .map(|(peer, base)| (peer, median_ratio(&values, &base)))
        .find(|(_, ratio)| !ratio.is_nan())
}

/// Each target of the figure, with whether ours reaches it.
fn verdicts(measured: &Measured<'_>, index: usize, figure: &Figure) -> String {
    let verdicts = figure.targets.iter().map(|target| verdict(measured, index, figure, *target));
    verdicts.filter(|verdict| !verdict.is_empty()).collect::<Vec<_>>().join("\n")
}

/// One target. Nothing where the peer does not do the figure's work.
fn verdict(measured: &Measured<'_>, index: usize, figure: &Figure, target: Target) -> String {
    let more_is_better = figure.unit == Unit::PerSecond;
    let bound = if more_is_better { "≥" } else { "≤" };
    let marked = |value: f64, limit: f64, text: String| {
        let reached = if more_is_better { value >= limit } else { value <= limit };
        let mark = if reached { "✓" } else { "✗" };
        if value.is_nan() {
            String::new()
        } else {
            format!("{mark} {bound} {text}")
        }
    };
    match target {
        Target::Level => {
            let peers: [&[Peer]; 2] = [&[Peer::Upstream], TOKIO];
            let ratios = peers.iter().filter_map(|peer| ratio(measured, index, Peer::Ours, peer));
            let each = ratios.map(|(peer, ratio)| marked(ratio, 1.0, peer.name().to_owned()));
            each.collect::<Vec<_>>().join("  ")
        }
        Target::Of(peer, limit) => {
            let ratio =
                median_ratio(&measured.values(Peer::Ours, index), &measured.values(peer, index));
            marked(ratio, limit, format!("{limit} {}", peer.name()))
        }
        Target::OfFigure(base, limit) => {
            let values = |figure| measured.values(Peer::Ours, figure);
            let ratio = median_ratio(&values(index), &values(base));
            let base = measured.row.figures[base].name;
            marked(ratio, limit, format!("{limit} {base}: {ratio:.2}"))
        }
        Target::AtMost(limit) => {
            let scale = Scale::fitting(figure.unit, limit);
            let text = format!("{} {}", scale.show(limit), scale.name);
            marked(median(&measured.values(Peer::Ours, index)), limit, text)
        }
    }
}

/// A unit to print in.
struct Scale {
    name: &'static str,
    divisor: f64,
}

impl Scale {
    fn fitting(unit: Unit, smallest: f64) -> Scale {
        let (name, divisor) = match unit {
            Unit::Bytes => ("B", 1.0),
            Unit::PerSecond => ("a second", 1.0),
            Unit::Nanos if smallest < 1e3 => ("ns", 1.0),
            Unit::Nanos if smallest < 1e6 => ("µs", 1e3),
            Unit::Nanos => ("ms", 1e6),
        };
        Scale { name, divisor }
    }

    /// Three digits that count, and the unit's whole numbers.
    fn show(&self, value: f64) -> String {
        let value = value / self.divisor;
        match value.abs() {
            v if v >= 99.95 => format!("{value:.0}"),
            v if v >= 9.995 => format!("{value:.1}"),
            _ if self.divisor == 1.0 => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        }
    }
}

/// Every sample, with the machine.
pub(crate) fn json(machine: &Machine, results: &[Measured<'_>]) -> Value {
    let mut rows = Vec::new();
    for measured in results {
        for (index, figure) in measured.row.figures.iter().enumerate() {
            let samples: serde_json::Map<_, _> = measured
                .samples
                .keys()
                .map(|peer| (*peer, measured.values(*peer, index)))
                .filter(|(_, values)| !median(values).is_nan())
                .map(|(peer, values)| (peer.name().to_owned(), json!(values)))
                .collect();
            rows.push(json!({
                "row": measured.row.name,
                "figure": figure.name,
                "unit": match figure.unit {
                    Unit::Nanos => "ns",
                    Unit::Bytes => "bytes",
                    Unit::PerSecond => "per second",
                },
                "samples": samples,
            }));
        }
    }
    json!({ "machine": machine, "rows": rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;

    /// A row with one figure and one sample a peer.
    fn verdicts_of(figure: Figure, values: &[(Peer, f64)]) -> String {
        let row = Row {
            name: "",
            about: "",
            ops: 1,
            quick_ops: 1,
            counted_ops: 1,
            starts: None,
            figures: vec![figure],
            cases: Vec::new(),
        };
        let samples = values.iter().map(|(peer, value)| (*peer, vec![vec![*value]])).collect();
        verdicts(&Measured { row: &row, samples }, 0, &row.figures[0])
    }

    #[test]
    fn a_figure_is_level_with_upstream_and_one_tokio() {
        let values = [(Peer::Ours, 10.0), (Peer::Upstream, 20.0), (Peer::Tokio, 9.0)];
        let two_workers = [(Peer::Tokio2w, 1.0)];
        let both = [&values[..], &two_workers].concat();
        assert_eq!(verdicts_of(Figure::time(""), &both), "✓ ≤ upstream  ✗ ≤ tokio");
        let without = [&values[..2], &two_workers].concat();
        assert_eq!(verdicts_of(Figure::time(""), &without), "✓ ≤ upstream  ✗ ≤ tokio-2w");
        assert_eq!(verdicts_of(Figure::time(""), &values[..1]), "");
    }

    #[test]
    fn more_operations_a_second_are_better() {
        let values = [(Peer::Ours, 10.0), (Peer::Upstream, 9.0), (Peer::Tokio, 20.0)];
        assert_eq!(verdicts_of(Figure::per_second(""), &values), "✓ ≥ upstream  ✗ ≥ tokio");
    }

    #[test]
    fn an_only_target_takes_the_place_of_the_others() {
        let figure = Figure::time("").only(Target::Of(Peer::Upstream, 0.6));
        let values = [(Peer::Ours, 10.0), (Peer::Upstream, 20.0), (Peer::Tokio, 1.0)];
        assert_eq!(verdicts_of(figure, &values), "✓ ≤ 0.6 upstream");
    }

    #[test]
    fn a_value_has_three_digits_that_count() {
        let scale = Scale::fitting(Unit::Nanos, 5_000.0);
        assert_eq!(scale.show(5_123.0), "5.12");
        assert_eq!(scale.show(51_230.0), "51.2");
        assert_eq!(scale.show(512_300.0), "512");
    }

    #[test]
    fn the_unit_fits_the_smallest_value() {
        assert_eq!(Scale::fitting(Unit::Nanos, 999.0).name, "ns");
        assert_eq!(Scale::fitting(Unit::Nanos, 1_000.0).name, "µs");
        assert_eq!(Scale::fitting(Unit::Nanos, 2e6).name, "ms");
        assert_eq!(Scale::fitting(Unit::Bytes, 2e6).name, "B");
    }
}
