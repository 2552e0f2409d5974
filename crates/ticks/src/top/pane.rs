//! Draws what covers the table: details, what `ticks explain` says, the keys.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use ratatui::Frame;
use textwrap::core::display_width;
use textwrap::WordSplitter;

use super::keys::{Sketch, HELP};
use super::model::{Model, Pane};
use super::shown::Tone;
use super::theme::Theme;
use crate::units;

/// Draws what covers the table.
pub fn draw(
    frame: &mut Frame<'_>,
    model: &mut Model,
    theme: Theme,
    area: Rect,
    sketch: &mut Sketch,
) {
    let lines = lines_of(model, theme, area.width);
    sketch.body = area;
    let Some((_, top)) = &mut model.pane else { return };
    // Where not all is shown, the last line says so.
    let is_long = lines.len() > usize::from(area.height);
    let room = usize::from(area.height) - usize::from(is_long);
    *top = (*top).min(lines.len().saturating_sub(room));
    let mut shown: Vec<Line<'_>> = lines.iter().skip(*top).take(room).cloned().collect();
    if is_long {
        let [above, below] = [*top, lines.len() - *top - room].map(|it| units::count(it as u64));
        let text = format!(" {above} lines above, {below} below");
        shown.push(Line::styled(text, theme.dim()));
    }
    frame.render_widget(Paragraph::new(shown), area);
}

fn lines_of(model: &Model, theme: Theme, width: u16) -> Vec<Line<'static>> {
    match &model.pane {
        None => Vec::new(),
        Some((Pane::Details { lines, is_gone, .. }, _)) => {
            let gone = is_gone.then(|| {
                Line::styled(" It is not there any more; as it was:", theme.of(Tone::Doubtful))
            });
            gone.into_iter().chain(details(lines, theme, width)).collect()
        }
        Some((Pane::Explained(explained), _)) => match &explained.lines {
            None => vec![Line::styled(" reading all records …", theme.dim())],
            Some(lines) => {
                lines.iter().flat_map(|line| explained_line(line, theme, width)).collect()
            }
        },
        Some((Pane::Help, _)) => {
            let key_width = HELP.iter().map(|(key, _)| display_width(key)).max().unwrap_or(0);
            let of_key = |(key, what): &(&str, &str)| {
                let gap = " ".repeat(key_width - display_width(key));
                let text = format!(" {key}{gap}  {what}");
                wrap(&text, usize::from(width), key_width + 2)
                    .into_iter()
                    .map(Line::raw)
                    .collect::<Vec<_>>()
            };
            HELP.iter().flat_map(of_key).collect()
        }
    }
}

/// A line of what `ticks explain` says: how sure each finding is stands out.
fn explained_line(text: &str, theme: Theme, width: u16) -> Vec<Line<'static>> {
    let style = match text.split(' ').next() {
        Some("proven") => theme.of(Tone::Wrong),
        Some("likely") => theme.of(Tone::Doubtful),
        Some("possible" | "nothing") => theme.strong(),
        _ => Style::new(),
    };
    let wrapped = wrap(&format!(" {text}"), usize::from(width), 2);
    wrapped.into_iter().map(|line| Line::styled(line, style)).collect()
}

/// All that is known of a row.
pub fn details(known: &[String], theme: Theme, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (index, text) in known.iter().enumerate() {
        let style = match (index, text.starts_with("    ")) {
            (0, _) => theme.strong(),
            _ => Style::new(),
        };
        let wrapped = wrap(&format!(" {text}"), usize::from(width), 4);
        lines.extend(wrapped.into_iter().map(|line| Line::styled(line, style)));
    }
    lines
}

/// The lines broken to fit. What goes on is further in.
pub fn wrap(text: &str, width: usize, further: usize) -> Vec<String> {
    let edge = text.len() - text.trim_start().len();
    let further = " ".repeat(edge.min(width / 2) + further);
    let options = textwrap::Options::new(width.max(2))
        .subsequent_indent(&further)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(|line| line.into_owned()).collect()
}
