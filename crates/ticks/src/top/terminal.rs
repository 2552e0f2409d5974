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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    //! A thread that panicked left a terminal without echo and its message on a screen that was gone at once.

    use std::fs::{File, OpenOptions};
    use std::io::Read;
    use std::process::{Command, Stdio};
    use std::{env, io, thread};

    use rustix::pty::{grantpt, openpt, ptsname, unlockpt, OpenptFlags};
    use rustix::termios::{tcgetattr, tcsetwinsize, Winsize};

    use super::*;

    /// What has this test be the one that panics.
    const ROLE: &str = "TICKS_TEST_PANICS";

    const NAME: &str = "top::terminal::tests::a_panic_gives_the_terminal_back_and_is_read";

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_read() -> io::Result<()> {
        if env::var_os(ROLE).is_some() {
            let screen = Screen::take().expect("a terminal");
            // Not the thread that draws, as when it looks.
            let panics = thread::spawn(|| panic!("for once"));
            assert!(panics.join().is_err() && !screen.is_ours());
            return Ok(());
        }
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })?;
        let name = ptsname(&master, Vec::new())?;
        let open =
            || OpenOptions::new().read(true).write(true).open(name.to_str().expect("a path"));
        // Held, so that the terminal is there when the child has ended.
        let slave = open()?;
        let modes =
            || tcgetattr(&slave).map(|it| (it.input_modes, it.output_modes, it.local_modes));
        let before = modes()?;
        let mut child = Command::new(env::current_exe()?)
            .args(["--exact", NAME, "--nocapture"])
            .env(ROLE, "1")
            .stdin(Stdio::from(open()?))
            .stdout(Stdio::from(open()?))
            .stderr(Stdio::from(open()?))
            .spawn()?;
        assert!(child.wait()?.success());
        assert_eq!(modes()?, before);
        // All that it has written is less than what a terminal keeps for whoever reads it.
        let mut said = vec![0; 65_536];
        let mut master = File::from(master);
        let mut length = 0;
        while !String::from_utf8_lossy(&said[..length]).contains("for once") {
            length += master.read(&mut said[length..])?;
        }
        let said = String::from_utf8_lossy(&said[..length]).into_owned();
        let place = |text: &str| said.find(text).unwrap_or_else(|| panic!("no {text:?}: {said:?}"));
        let (screen, message) = (place("\u{1b}[?1049h"), place("for once"));
        for sequence in ["\u{1b}[?1049l", "\u{1b}[?25h", "\u{1b}[?1000l"] {
            assert!((screen..message).contains(&place(sequence)), "{sequence:?}: {said:?}");
        }
        Ok(())
    }
}
