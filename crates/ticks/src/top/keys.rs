//! What each key and click does.

use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::{Position, Rect};

use super::model::{Model, Pane};
use super::tabs::Tab;

/// What is to be done beside what changed in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// To end.
    Quit,
    /// To stop, as Ctrl-Z has it.
    Stop,
    /// To draw all anew: something else has written to the terminal.
    Redraw,
    /// To ask what `ticks explain` says.
    Explain,
    /// To look no more, or again.
    Pause,
    /// To have clicks told to us, or to the terminal.
    Mouse,
}

/// Where things were drawn, to tell what a click means.
#[derive(Default)]
pub struct Sketch {
    /// The names of the tabs.
    pub tabs: Vec<(Rect, Tab)>,
    /// The columns' names, with their places among the tab's columns.
    pub columns: Vec<(Rect, usize)>,
    /// The rows, or what covers them.
    pub body: Rect,
    /// The first row that is shown.
    pub top: usize,
}

/// How many lines a turn of the wheel is.
const WHEEL: isize = 3;

/// The keys, as the help has them.
pub const HELP: &[(&str, &str)] = &[
    ("↑ ↓  PgUp PgDn  Home End", "select a row, or scroll; also j k"),
    ("Tab  ← →  1 2 3 4", "another tab"),
    ("Enter", "all that is known of the row, with its stack; ← → or n N: of its neighbours"),
    ("e", "what `ticks explain` says: what the program hangs in, with the proof"),
    ("< >", "sort by the column on the left or right, or in the tab's own order"),
    ("r", "turn the order round"),
    ("/", "show only rows with this text; Esc shows all again"),
    ("p  Space", "let all stay as it is, or go on"),
    ("m", "leave the mouse to the terminal, to mark and copy with it, or take it back"),
    ("Ctrl-L", "draw the screen anew"),
    ("Ctrl-Z", "back to the shell; fg comes here again"),
    ("q  Esc  Ctrl-C", "back, and at last out of here"),
    ("mouse", "click on a tab, a column to sort by it, a row, and again for its details"),
];

/// Does what the event asks for.
pub fn act(model: &mut Model, sketch: &Sketch, event: &Event) -> Effect {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => on_key(model, sketch, *key),
        Event::Mouse(mouse) => {
            on_mouse(model, sketch, *mouse);
            Effect::None
        }
        _ => Effect::None,
    }
}

fn on_key(model: &mut Model, sketch: &Sketch, key: KeyEvent) -> Effect {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return on_control(model, key.code);
    }
    if model.is_typing {
        type_filter(model, sketch, key.code);
        return Effect::None;
    }
    if model.pane.is_some() {
        return in_pane(model, sketch, key.code);
    }
    match key.code {
        KeyCode::Char('q') => return Effect::Quit,
        KeyCode::Esc if model.filter.is_empty() => return Effect::Quit,
        KeyCode::Esc => model.set_filter(String::new()),
        KeyCode::Enter => model.open(),
        KeyCode::Char('/') => model.is_typing = true,
        KeyCode::Left => model.show(model.tab.beside(false)),
        KeyCode::Right => model.show(model.tab.beside(true)),
        KeyCode::Char('<' | ',') => model.sort_beside(false, &shown(sketch)),
        KeyCode::Char('>' | '.') => model.sort_beside(true, &shown(sketch)),
        KeyCode::Char('r') => model.reverse(),
        code => match way(code, page(sketch)) {
            Some(Way::By(by)) => model.step(by),
            Some(Way::First) => model.select(0),
            Some(Way::Last) => model.select(usize::MAX),
            None => return anywhere(model, code),
        },
    }
    Effect::None
}

/// The keys that do the same in the table and in what covers it.
fn anywhere(model: &mut Model, code: KeyCode) -> Effect {
    match code {
        KeyCode::Tab => model.show(model.tab.beside(true)),
        KeyCode::BackTab => model.show(model.tab.beside(false)),
        KeyCode::Char(digit @ '1'..='4') => {
            model.show(Tab::ALL[usize::from(digit as u8 - b'1')]);
        }
        KeyCode::Char('e') => return Effect::Explain,
        KeyCode::Char('p' | ' ') => {
            model.is_paused = !model.is_paused;
            return Effect::Pause;
        }
        KeyCode::Char('m') => {
            model.has_mouse = !model.has_mouse;
            return Effect::Mouse;
        }
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => model.cover(Pane::Help),
        _ => {}
    }
    Effect::None
}

fn on_control(model: &mut Model, code: KeyCode) -> Effect {
    match code {
        // Ctrl-\ is told as 4 by most terminals.
        KeyCode::Char('c' | '\\' | '4') => Effect::Quit,
        KeyCode::Char('z') => Effect::Stop,
        KeyCode::Char('l') => Effect::Redraw,
        KeyCode::Char('u') if model.is_typing => {
            model.set_filter(String::new());
            Effect::None
        }
        _ => Effect::None,
    }
}

fn type_filter(model: &mut Model, sketch: &Sketch, code: KeyCode) {
    let mut filter = std::mem::take(&mut model.filter);
    match code {
        KeyCode::Char(c) => filter.push(c),
        KeyCode::Backspace => drop(filter.pop()),
        KeyCode::Enter => model.is_typing = false,
        KeyCode::Esc => {
            model.is_typing = false;
            filter.clear();
        }
        _ => {}
    }
    model.set_filter(filter);
    if let Some(Way::By(by)) = way(code, page(sketch)).filter(|_| !matches!(code, KeyCode::Char(_)))
    {
        model.step(by);
    }
}

fn in_pane(model: &mut Model, sketch: &Sketch, code: KeyCode) -> Effect {
    match code {
        KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => model.pane = None,
        KeyCode::Left | KeyCode::Char('N') => model.open_beside(false),
        KeyCode::Right | KeyCode::Char('n') => model.open_beside(true),
        // The same key again closes what it has opened.
        KeyCode::Char('e') if matches!(model.pane, Some((Pane::Explained(_), _))) => {
            model.pane = None
        }
        KeyCode::Char('?' | 'h') | KeyCode::F(1) if matches!(model.pane, Some((Pane::Help, _))) => {
            model.pane = None;
        }
        code => match way(code, page(sketch)) {
            Some(Way::By(by)) => model.scroll(by),
            Some(Way::First) => model.scroll(isize::MIN),
            Some(Way::Last) => model.scroll(isize::MAX),
            None => return anywhere(model, code),
        },
    }
    Effect::None
}

/// Where a key goes.
enum Way {
    By(isize),
    First,
    Last,
}

fn way(code: KeyCode, page: isize) -> Option<Way> {
    Some(match code {
        KeyCode::Up | KeyCode::Char('k') => Way::By(-1),
        KeyCode::Down | KeyCode::Char('j') => Way::By(1),
        KeyCode::PageUp => Way::By(-page),
        KeyCode::PageDown => Way::By(page),
        KeyCode::Home | KeyCode::Char('g') => Way::First,
        KeyCode::End | KeyCode::Char('G') => Way::Last,
        _ => return None,
    })
}

/// One line less than there is room for.
fn page(sketch: &Sketch) -> isize {
    isize::from(u8::try_from(sketch.body.height).unwrap_or(u8::MAX)).saturating_sub(1).max(1)
}

/// The columns for which there is room.
fn shown(sketch: &Sketch) -> Vec<usize> {
    sketch.columns.iter().map(|(_, column)| *column).collect()
}

fn on_mouse(model: &mut Model, sketch: &Sketch, mouse: MouseEvent) {
    let by = match mouse.kind {
        MouseEventKind::ScrollDown => WHEEL,
        MouseEventKind::ScrollUp => -WHEEL,
        MouseEventKind::Down(MouseButton::Left) => {
            click(model, sketch, Position::new(mouse.column, mouse.row));
            return;
        }
        _ => return,
    };
    match model.pane {
        Some(_) => model.scroll(by),
        None => model.step(by),
    }
}

fn click(model: &mut Model, sketch: &Sketch, at: Position) {
    if let Some((_, tab)) = sketch.tabs.iter().find(|(area, _)| area.contains(at)) {
        model.show(*tab);
    } else if model.pane.is_some() {
        // What is to be read there, a click does not change.
    } else if let Some((_, column)) = sketch.columns.iter().find(|(area, _)| area.contains(at)) {
        model.sort_by(*column);
    } else if sketch.body.contains(at) {
        let place = sketch.top + usize::from(at.y - sketch.body.y);
        match model.selected() {
            Some(selected) if selected == place => model.open(),
            _ if place < model.count() => model.select(place),
            _ => {}
        }
    }
}
