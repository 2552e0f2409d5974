//! A bar on the terminal while something takes longer than a second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work of so many steps. Nothing is shown unless stderr is a terminal.
pub struct Progress {
    began: Instant,
    done: u64,
    /// What is done of the rest, which is not counted in steps.
    beside: u64,
    looks: u64,
    bar: ProgressBar,
    shown: bool,
}

/// How many steps pass between looks at the clock.
const STEPS: u64 = 1 << 14;

impl Progress {
    /// Begins the work.
    pub fn new(steps: u64, what: &'static str) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent}%, {eta} to go");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what);
        let began = Instant::now();
        Progress { began, done: 0, beside: 0, looks: 0, bar, shown: false }
    }

    /// One step is done.
    pub fn step(&mut self) {
        self.done += 1;
        self.look();
    }

    /// So much is done of what is not counted in steps.
    pub fn set_beside(&mut self, beside: u64) {
        self.beside = beside;
        self.look();
    }

    fn look(&mut self) {
        self.looks += 1;
        if !self.looks.is_multiple_of(STEPS) {
            return;
        }
        if !self.shown && self.began.elapsed() > Duration::from_secs(1) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
        }
        self.bar.set_position(self.done + self.beside);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
