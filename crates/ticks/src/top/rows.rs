//! Draws the rows of a tab, in columns.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use ratatui::Frame;
use textwrap::core::display_width;

use super::columns::{cell, cut, fit, GAP};
use super::keys::Sketch;
use super::model::Model;
use super::pane::wrap;
use super::shown::Row;
use super::tabs::Tab;
use super::theme::Theme;

/// Draws the rows, as far as there is room.
pub fn draw(
    frame: &mut Frame<'_>,
    model: &mut Model,
    theme: Theme,
    area: Rect,
    sketch: &mut Sketch,
) {
    let columns = model.tab.columns();
    let mut natural: Vec<u16> = columns.iter().map(|it| display_width(it.name) as u16).collect();
    for row in model.rows() {
        for (width, cell) in natural.iter_mut().zip(&row.cells) {
            *width = (*width).max(display_width(&cell.text).min(1_000) as u16);
        }
    }
    // Of what is not known of any row there is no column.
    let is_empty = |at: usize| {
        let mut texts = model.rows().filter_map(|row| row.cells.get(at)).map(|cell| &cell.text);
        texts.all(String::is_empty) && !columns[at].stays
    };
    let wanted = (0..columns.len()).filter(|at| model.count() == 0 || !is_empty(*at));
    let wanted: Vec<(usize, u16)> = wanted.map(|at| (at, natural[at])).collect();
    let kept = fit(columns, &wanted, area.width.saturating_sub(1));
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let mut x = area.x + 1;
    for (at, width) in &kept {
        // The arrow stands in the gap, so that nothing moves when another column gets it.
        let (arrow, style) = match model.sort().filter(|sort| sort.column == *at) {
            Some(sort) if sort.high_first => ("▼", theme.sorted()),
            Some(_) => ("▲", theme.sorted()),
            None => ("", theme.strong()),
        };
        let text = match columns[*at].is_number {
            true => cell(columns[*at].name, &columns[*at], *width) + arrow,
            false => format!("{}{arrow}", cut(columns[*at].name, (*width).into(), false)),
        };
        let place = Rect { x, width: (width + 1).min(area.right().saturating_sub(x)), ..head };
        frame.render_widget(Paragraph::new(Line::styled(text, style)), place);
        sketch.columns.push((place, *at));
        x += width + GAP;
    }
    (sketch.body, sketch.top) = (body, model.top(body.height.into()));
    if model.count() == 0 {
        nothing(frame, model, theme, body);
        return;
    }
    let selected = model.selected();
    let rows = model.rows().enumerate().skip(sketch.top).take(body.height.into());
    let lines = rows.map(|(place, row)| {
        let style = match selected == Some(place) {
            true => theme.of(row.tone).add_modifier(Modifier::REVERSED),
            false => theme.of(row.tone),
        };
        Line::styled(row_text(row, &kept, model.tab, body.width), style)
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), body);
}

fn row_text(row: &Row, kept: &[(usize, u16)], tab: Tab, room: u16) -> String {
    let cells = kept.iter().map(|(at, width)| {
        let text = row.cells.get(*at).map_or("", |cell| cell.text.as_str());
        cell(text, &tab.columns()[*at], *width)
    });
    let gap = " ".repeat(GAP.into());
    let text = format!(" {}", cells.collect::<Vec<_>>().join(&gap));
    let fill = usize::from(room).saturating_sub(display_width(&text));
    text + &" ".repeat(fill)
}

fn nothing(frame: &mut Frame<'_>, model: &Model, theme: Theme, area: Rect) {
    let text = match model.count_of(model.tab) {
        0 => model.tab.nothing().to_owned(),
        _ => format!("No row has {:?} in it. Esc shows all.", model.filter),
    };
    let lines = wrap(&format!(" {text}"), usize::from(area.width), 1);
    let lines: Vec<Line<'_>> =
        lines.into_iter().map(|line| Line::styled(line, theme.dim())).collect();
    frame.render_widget(Paragraph::new(lines), area);
}
