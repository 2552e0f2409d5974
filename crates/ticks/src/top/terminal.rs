//! The terminal: taking it, and giving it back as it was.

use std::io::{self, stdout, IsTerminal, Stdout};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{bail, Context};
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    disable_raw_mode, enable_raw_mode, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen,
};
use ratatui::Terminal;

/// What draws, with nothing drawn yet.
fn blank() -> io::Result<Terminal<CrosstermBackend<Stdout>>> {
    Terminal::new(CrosstermBackend::new(stdout()))
}

/// Whether the terminal is ours, and must be given back. Whoever changes it from true to false gives it back; the
/// system calls that follow order everything else.
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// The terminal, for as long as this lives.
pub struct Screen {
    /// What draws.
    pub terminal: Terminal<CrosstermBackend<Stdout>>,
    has_mouse: bool,
}

/// Fails where there is nobody to look.
pub fn check(target: &str) -> anyhow::Result<()> {
    if stdout().is_terminal() {
        return Ok(());
    }
    bail!(
        "standard output: expected a terminal, found a file or a pipe; for text that is written again and again: \
         ticks who --every 1 {target}"
    )
}

impl Screen {
    /// Takes the terminal.
    pub fn take() -> anyhow::Result<Screen> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            // So that the message is to be read.
            give_back();
            before(panicked);
        }));
        let mut screen = Screen { terminal: blank().context("the terminal")?, has_mouse: true };
        screen.enter().context("the terminal")?;
        Ok(screen)
    }

    /// Whether nobody has given it back, as a thread that panics does.
    pub fn is_ours(&self) -> bool {
        IS_OURS.load(Ordering::Acquire)
    }

    /// Takes it again, after it was given back or somebody else had it.
    pub fn enter(&mut self) -> io::Result<()> {
        give_back();
        IS_OURS.store(true, Ordering::Release);
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, cursor::Hide)?;
        self.set_mouse(self.has_mouse)?;
        self.clear()
    }

    /// Has all be drawn anew.
    pub fn clear(&mut self) -> io::Result<()> {
        // Terminal::clear asks the terminal where its cursor is, and the answer goes to the thread that reads the keys.
        execute!(stdout(), Clear(ClearType::All))?;
        self.terminal = blank()?;
        Ok(())
    }

    /// Has clicks told to us, or leaves them to the terminal, which marks and copies with them.
    pub fn set_mouse(&mut self, has_mouse: bool) -> io::Result<()> {
        self.has_mouse = has_mouse;
        match has_mouse {
            true => execute!(stdout(), EnableMouseCapture),
            false => execute!(stdout(), DisableMouseCapture),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back as it was, if it is ours.
pub fn give_back() {
    if !IS_OURS.swap(false, Ordering::AcqRel) {
        return;
    }
    // If one fails, as where the terminal is gone, the others are tried.
    let _ = execute!(stdout(), DisableMouseCapture);
    let _ = execute!(stdout(), LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}
