//! `--around TIME --window 20s`: what happened before something that is known from elsewhere, as a client's timeout.

use std::time::Duration;

use crate::filter;
use crate::input::Input;
use crate::units;

/// A time, and how much before it is looked at.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Around {
    /// What happened up to this time, as a client's timeout; in the forms of `ticks show --since`
    #[arg(long, value_name = "TIME")]
    around: Option<String>,
    /// With --around: how long before it
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = units::pause, requires = "around")]
    window: Duration,
}

/// From when until when, UTC in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from_ns: u64,
    pub to_ns: u64,
}

impl Around {
    /// What is meant, if anything is.
    pub fn window(&self, inputs: &[Input]) -> anyhow::Result<Option<Window>> {
        let Some(text) = &self.around else { return Ok(None) };
        let to_ns = filter::moment(text, inputs, "--around")?;
        let window_ns = u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX);
        Ok(Some(Window { from_ns: to_ns.saturating_sub(window_ns), to_ns }))
    }
}
