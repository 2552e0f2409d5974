//! How things look.

use ratatui::style::{Color, Modifier, Style};

use super::shown::Tone;

/// How things look.
#[derive(Clone, Copy)]
pub struct Theme {
    /// Whether in colours.
    pub has_colours: bool,
}

impl Theme {
    /// Of something with this tone.
    pub fn of(self, tone: Tone) -> Style {
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

    /// Of what is of less interest.
    pub fn dim(self) -> Style {
        self.of(Tone::Quiet)
    }

    /// Of headings.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Of the column by which is sorted.
    pub fn sorted(self) -> Style {
        self.strong().add_modifier(Modifier::UNDERLINED)
    }

    /// Of what is selected.
    pub fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
