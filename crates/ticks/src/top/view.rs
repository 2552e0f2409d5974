//! Draws the model.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use ratatui::Frame;
use textwrap::core::display_width;
use textwrap::WordSplitter;

use super::columns::{cell, cut, fit, GAP};
use super::keys::{Sketch, HELP};
use super::model::{Model, Pane};
use super::shown::{Row, Tone};
use super::tabs::Tab;
use crate::units;

/// How large the terminal must be.
const WIDTH_MIN: u16 = 50;
const HEIGHT_MIN: u16 = 10;

/// From so many lines on the selected row's details have a part of the screen, however many rows there are.
const TALL: u16 = 34;

/// How things look.
#[derive(Clone, Copy)]
pub struct Theme {
    /// Whether in colours.
    pub has_colours: bool,
}

impl Theme {
    fn of(self, tone: Tone) -> Style {
        let style = match tone {
            Tone::Normal | Tone::Busy => Style::new(),
            Tone::Quiet => Style::new().add_modifier(Modifier::DIM),
            Tone::Doubtful | Tone::Wrong => Style::new().add_modifier(Modifier::BOLD),
        };
        match tone {
            _ if !self.has_colours => style,
            Tone::Busy => style.fg(Color::Green),
            Tone::Doubtful => style.fg(Color::Yellow),
            Tone::Wrong => style.fg(Color::Red),
            Tone::Normal | Tone::Quiet => style,
        }
    }

    fn dim(self) -> Style {
        self.of(Tone::Quiet)
    }

    fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn sorted(self) -> Style {
        self.strong().add_modifier(Modifier::UNDERLINED)
    }

    fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// Draws all, and returns what is where.
pub fn draw(frame: &mut Frame<'_>, model: &mut Model, theme: Theme) -> Sketch {
    let area = frame.area();
    let mut sketch = Sketch::default();
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        let text = format!(
            "ticks top needs {WIDTH_MIN}×{HEIGHT_MIN} characters, and has {}×{}. q ends it.",
            area.width, area.height
        );
        let lines = textwrap::wrap(&text, usize::from(area.width.max(1)));
        let lines: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
        frame.render_widget(Paragraph::new(lines), area);
        return sketch;
    }
    let verdict = verdict(model, theme, area);
    let [title, counts, says, tabs, body, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(verdict.len() as u16),
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(
        Paragraph::new(title_line(model, theme, title.width)).style(theme.bar()),
        title,
    );
    frame.render_widget(Paragraph::new(counts_line(model, theme)), counts);
    frame.render_widget(Paragraph::new(verdict), says);
    draw_tabs(frame, model, theme, tabs, &mut sketch);
    match model.pane {
        Some(_) => draw_pane(frame, model, theme, body, &mut sketch),
        None => draw_body(frame, model, theme, body, &mut sketch),
    }
    draw_keys(frame, model, theme, keys);
    sketch
}

/// The process, and when it was looked at.
fn title_line(model: &Model, theme: Theme, width: u16) -> Line<'static> {
    let seen = &model.shown;
    let mark = match (seen.is_live, model.is_paused) {
        (false, _) => "AS IT WAS ",
        (true, true) => "PAUSED ",
        (true, false) => "",
    };
    let right = format!("{mark}{} UTC ", seen.time);
    let tone = if seen.is_live { Tone::Normal } else { Tone::Wrong };
    let mut begin = format!(" {} ", seen.process);
    let several = model.recordings();
    if several > 1 {
        begin += &format!("in {several} recordings ");
    }
    let room = usize::from(width).saturating_sub(display_width(&begin) + display_width(&right));
    let state = cut(&format!("{} · {}", seen.state, seen.note), room.saturating_sub(1), false);
    let gap = room.saturating_sub(display_width(&state));
    Line::from(vec![
        Span::styled(begin, theme.strong()),
        Span::styled(state, theme.of(tone)),
        Span::raw(" ".repeat(gap)),
        Span::raw(right),
    ])
}

/// The tasks by state, and what was done in a second.
fn counts_line(model: &Model, theme: Theme) -> Line<'static> {
    let seen = &model.shown;
    let mut spans = vec![Span::raw(" ")];
    if seen.states.is_empty() {
        spans.push(Span::raw("no recorded task"));
    }
    for (index, (name, count, tone)) in seen.states.iter().enumerate() {
        spans.push(Span::raw(if index == 0 { "" } else { ", " }));
        let text = format!("{} {name}", units::count(*count as u64));
        spans.push(Span::styled(text, theme.of(*tone)));
    }
    if let Some(rates) = seen.rates.filter(|_| seen.is_live) {
        let least = if rates.is_at_least { "≥ " } else { "" };
        let [polls, rounds, wakes] =
            [rates.polls, rates.rounds, rates.wakes].map(|rate| units::count(rate.round() as u64));
        let text = format!("    {least}{polls} polls/s, {rounds} rounds/s, {wakes} wakes/s");
        spans.push(Span::styled(text, theme.dim()));
    }
    Line::from(spans)
}

/// What is wrong as far as it is seen, or why there is nothing new.
fn verdict(model: &Model, theme: Theme, area: Rect) -> Vec<Line<'static>> {
    let (tone, text) = match (&model.problem, &model.shown.verdict) {
        (Some(problem), _) => (Tone::Wrong, format!("cannot look any more: {problem}")),
        (None, Some((tone, text))) => (*tone, text.clone()),
        (None, None) => (Tone::Quiet, "nothing wrong at first sight; e looks closer".into()),
    };
    let most = match area.height {
        // What covers the table is to have the room.
        ..TALL if model.pane.is_some() && model.problem.is_none() => return Vec::new(),
        ..16 => 1,
        16..TALL => 3,
        _ => 6,
    };
    let width = usize::from(area.width) - 1;
    let lines = wrap(&format!(" {}", crate::plain::plain(&text)), width, 1);
    let is_cut = lines.len() > most;
    let mut lines: Vec<String> = lines.into_iter().take(most).collect();
    if let Some(last) = lines.last_mut().filter(|_| is_cut) {
        *last = cut(&format!("{last} …"), width, false);
        if !last.ends_with('…') {
            last.push('…');
        }
    }
    lines.into_iter().map(|line| Line::styled(line, theme.of(tone))).collect()
}

fn draw_tabs(frame: &mut Frame<'_>, model: &Model, theme: Theme, area: Rect, sketch: &mut Sketch) {
    let mut x = area.x;
    for tab in Tab::ALL {
        let count = units::count(model.count_of(tab) as u64);
        let text = format!(" {} {} {count} ", tab.index() + 1, tab.name());
        let width = (display_width(&text) as u16).min(area.right().saturating_sub(x));
        let place = Rect { x, width, ..area };
        let style =
            if tab == model.tab { theme.bar().add_modifier(Modifier::BOLD) } else { theme.dim() };
        frame.render_widget(Paragraph::new(Line::styled(text, style)), place);
        sketch.tabs.push((place, tab));
        x += width + 1;
    }
}

fn draw_body(
    frame: &mut Frame<'_>,
    model: &mut Model,
    theme: Theme,
    area: Rect,
    sketch: &mut Sketch,
) {
    /// So few lines of details are not worth their room.
    const DETAILS_MIN: u16 = 6;
    let needed = u16::try_from(model.count().max(1)).unwrap_or(u16::MAX).saturating_add(1);
    let most = if frame.area().height < TALL { area.height } else { area.height * 3 / 5 };
    let table = needed.min(most);
    if area.height < table + 1 + DETAILS_MIN {
        draw_table(frame, model, theme, area, sketch);
        return;
    }
    let [table, rule, details] =
        Layout::vertical([Constraint::Length(table), Constraint::Length(1), Constraint::Fill(1)])
            .areas(area);
    draw_table(frame, model, theme, table, sketch);
    let Some(row) = model.selected().and_then(|place| model.rows().nth(place)) else { return };
    let line = "─".repeat(usize::from(rule.width));
    frame.render_widget(Paragraph::new(Line::styled(line, theme.dim())), rule);
    let lines = details_lines(&row.details, theme, details.width);
    frame.render_widget(Paragraph::new(lines), details);
}

fn draw_table(
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
        draw_nothing(frame, model, theme, body);
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

fn draw_nothing(frame: &mut Frame<'_>, model: &Model, theme: Theme, area: Rect) {
    let text = match model.count_of(model.tab) {
        0 => model.tab.nothing().to_owned(),
        _ => format!("No row has {:?} in it. Esc shows all.", model.filter),
    };
    let lines = wrap(&format!(" {text}"), usize::from(area.width), 1);
    let lines: Vec<Line<'_>> =
        lines.into_iter().map(|line| Line::styled(line, theme.dim())).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// The lines broken to fit. What goes on is further in.
fn wrap(text: &str, width: usize, further: usize) -> Vec<String> {
    let edge = text.len() - text.trim_start().len();
    let further = " ".repeat(edge.min(width / 2) + further);
    let options = textwrap::Options::new(width.max(2))
        .subsequent_indent(&further)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(|line| line.into_owned()).collect()
}

fn details_lines(details: &[String], theme: Theme, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (index, text) in details.iter().enumerate() {
        let style = match (index, text.starts_with("    ")) {
            (0, _) => theme.strong(),
            _ => Style::new(),
        };
        let wrapped = wrap(&format!(" {text}"), usize::from(width), 4);
        lines.extend(wrapped.into_iter().map(|line| Line::styled(line, style)));
    }
    lines
}

fn draw_pane(
    frame: &mut Frame<'_>,
    model: &mut Model,
    theme: Theme,
    area: Rect,
    sketch: &mut Sketch,
) {
    let lines = pane_lines(model, theme, area.width);
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

fn pane_lines(model: &Model, theme: Theme, width: u16) -> Vec<Line<'static>> {
    match &model.pane {
        None => Vec::new(),
        Some((Pane::Details { lines, is_gone, .. }, _)) => {
            let gone = is_gone.then(|| {
                Line::styled(" It is not there any more; as it was:", theme.of(Tone::Doubtful))
            });
            gone.into_iter().chain(details_lines(lines, theme, width)).collect()
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

fn draw_keys(frame: &mut Frame<'_>, model: &Model, theme: Theme, area: Rect) {
    let count = units::count(model.count() as u64);
    let of = units::count(model.count_of(model.tab) as u64);
    let (text, style) = match (&model.pane, model.is_typing) {
        (_, true) => (
            format!(" filter: {}▏ {count} of {of}; Enter keeps it, Esc shows all", model.filter),
            theme.strong(),
        ),
        (Some((Pane::Details { .. }, _)), _) => {
            (" Esc back  ↑↓ scroll  ←→ neighbours  e explain  ? help".into(), theme.dim())
        }
        (Some(_), _) => (" Esc back  ↑↓ scroll  1-4 tabs  ? help".into(), theme.dim()),
        (None, _) if !model.filter.is_empty() => (
            format!(" {count} of {of} with {:?}; / changes it, Esc shows all", model.filter),
            theme.strong(),
        ),
        (None, _) => (
            " Enter details  e explain  Tab tabs  / filter  < > sort  p pause  ? keys  q quit"
                .into(),
            theme.dim(),
        ),
    };
    let text = cut(&text, area.width.into(), false);
    frame.render_widget(Paragraph::new(Line::styled(text, style)), area);
}
