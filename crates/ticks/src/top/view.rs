//! Draws the model.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use ratatui::Frame;
use textwrap::core::display_width;

use super::columns::cut;
use super::keys::Sketch;
use super::model::{Model, Pane};
use super::pane::{self, wrap};
use super::rows;
use super::shown::Tone;
use super::tabs::Tab;
use super::theme::Theme;
use crate::units;

/// How large the terminal must be.
const WIDTH_MIN: u16 = 50;
const HEIGHT_MIN: u16 = 10;

/// From so many lines on the selected row's details have a part of the screen, however many rows there are.
const TALL: u16 = 34;

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
        Some(_) => pane::draw(frame, model, theme, body, &mut sketch),
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
        rows::draw(frame, model, theme, area, sketch);
        return;
    }
    let [table, rule, details] =
        Layout::vertical([Constraint::Length(table), Constraint::Length(1), Constraint::Fill(1)])
            .areas(area);
    rows::draw(frame, model, theme, table, sketch);
    let Some(row) = model.selected().and_then(|place| model.rows().nth(place)) else { return };
    let line = "─".repeat(usize::from(rule.width));
    frame.render_widget(Paragraph::new(Line::styled(line, theme.dim())), rule);
    let lines = pane::details(&row.details, theme, details.width);
    frame.render_widget(Paragraph::new(lines), details);
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

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;
    use ratatui::Terminal;

    use super::super::shown::{Cell, Rates, Row, Shown};
    use super::*;

    /// Rows as they come, with names that are long, wide or empty.
    fn shown() -> Shown {
        let names = ["shop::serve", "", "日本語の名前を持つタスクがここに", "x", "e\u{301}t\u{e9}"];
        let row = |tab: Tab, number: u64| {
            let text = |at: usize| names[(number as usize + at) % names.len()].repeat(1 + at * 3);
            let cells = (0..tab.columns().len()).map(|at| match at {
                0 => Cell::number(number, number.to_string()),
                _ if tab.columns()[at].least.is_none() => Cell::number(number, "12.3 ms"),
                _ => Cell::text(&text(at)),
            });
            let details = (0..number as usize).map(|line| format!("    {}", text(line % 9)));
            let tones = [Tone::Normal, Tone::Quiet, Tone::Busy, Tone::Doubtful, Tone::Wrong];
            let tone = tones[number as usize % tones.len()];
            Row { id: (0, number), cells: cells.collect(), tone, details: details.collect() }
        };
        Shown {
            process: "shop (4711)".into(),
            state: "runs".into(),
            is_live: true,
            note: "recorded".into(),
            states: vec![("forgotten", 3, Tone::Wrong), ("waiting", 1_234, Tone::Normal)],
            rates: Some(Rates { polls: 1e9, rounds: 0.4, wakes: 12.6, is_at_least: true }),
            verdict: Some((Tone::Wrong, "proven: ".to_owned() + &names[2].repeat(40))),
            tabs: Tab::ALL.map(|tab| (0..40).map(|number| row(tab, number)).collect()),
            ..Shown::default()
        }
    }

    fn screen(model: &mut Model, width: u16, height: u16) -> (Vec<String>, Sketch) {
        let backend = TestBackend::new(width, height);
        let mut terminal = Terminal::new(backend).expect("it takes all");
        let mut sketch = Sketch::default();
        let theme = Theme { has_colours: true };
        let draw = |frame: &mut Frame<'_>| sketch = draw(frame, model, theme);
        let drawn = terminal.draw(draw).expect("it takes all");
        let cells = drawn.buffer.content().chunks(usize::from(width.max(1)));
        let lines = cells.map(|line| line.iter().map(|cell| cell.symbol()).collect());
        (lines.collect(), sketch)
    }

    #[test]
    fn every_size_is_drawn() {
        let mut model = Model::new(shown());
        for size in (0..12).chain([49, 50, 51, 80, 131, 300]) {
            for (width, height) in [(size, 24), (80, size)] {
                for tab in Tab::ALL {
                    model.show(tab);
                    model.select(39);
                    screen(&mut model, width, height);
                    model.open();
                    model.scroll(isize::MAX);
                    screen(&mut model, width, height);
                }
                model.cover(Pane::Help);
                screen(&mut model, width, height);
            }
        }
    }

    #[test]
    fn what_is_clicked_on_is_where_it_was_drawn() {
        let mut model = Model::new(shown());
        let (lines, sketch) = screen(&mut model, 120, 30);
        for (area, tab) in &sketch.tabs {
            let line = &lines[usize::from(area.y)];
            let text: String = line.chars().skip(area.x.into()).take(area.width.into()).collect();
            assert!(text.contains(tab.name()), "{text:?}");
        }
        for (area, column) in &sketch.columns {
            let line = &lines[usize::from(area.y)];
            let text: String = line.chars().skip(area.x.into()).take(area.width.into()).collect();
            assert!(text.contains(Tab::Tasks.columns()[*column].name), "{text:?}");
        }
        let first = &lines[usize::from(sketch.body.y)];
        assert!(first.trim_start().starts_with('0'), "{first:?}");
    }

    #[test]
    fn a_small_terminal_is_told_what_is_needed() {
        let (lines, _) = screen(&mut Model::new(shown()), 40, 9);
        let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
        assert!(words.join(" ").contains("needs 50×10 characters, and has 40×9"), "{words:?}");
    }

    #[test]
    fn rates_are_rounded_and_what_is_partial_says_so() {
        let (lines, _) = screen(&mut Model::new(shown()), 140, 30);
        let expected = "≥ 1,000,000,000 polls/s, 0 rounds/s, 13 wakes/s";
        assert!(lines[1].contains(expected), "{:?}", lines[1]);
    }
}
