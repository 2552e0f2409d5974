//! Signals, told to the thread that draws.

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Elsewhere nothing stops a program from outside.
#[cfg_attr(not(unix), allow(dead_code))]
pub enum Told {
    /// To end, and with which code: as a shell has it of a program that the signal ended.
    End(u8),
    /// To stop until we are told to go on.
    Stop,
    /// We go on, and somebody else may have had the terminal.
    GoOn,
}

#[cfg(unix)]
mod system {
    use std::{io, thread};

    use signal_hook::consts::{
        SIGABRT, SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1,
        SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
    };
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    use super::Told;

    /// Those that end a program which does not handle them, and are not its own fault.
    const ENDS: [i32; 12] = [
        SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ,
        SIGVTALRM, SIGPROF,
    ];

    /// Has them told.
    pub fn listen(tell: impl Fn(Told) + Send + 'static) -> io::Result<()> {
        let mut signals = Signals::new(ENDS.iter().chain(&[SIGTSTP, SIGCONT]))?;
        let listen = move || {
            for signal in signals.forever() {
                tell(match signal {
                    SIGTSTP => Told::Stop,
                    SIGCONT => Told::GoOn,
                    _ => Told::End(128 | signal as u8),
                });
            }
        };
        thread::Builder::new().name("signals".into()).spawn(listen)?;
        Ok(())
    }

    /// Stops this process until it is told to go on, as Ctrl-Z does where nobody handles it.
    pub fn stop() -> io::Result<()> {
        emulate_default_handler(SIGTSTP)
    }
}

#[cfg(not(unix))]
mod system {
    use std::io;

    use super::Told;

    /// Has them told.
    pub fn listen(tell: impl Fn(Told) + Send + 'static) -> io::Result<()> {
        /// As a shell has it of Ctrl-C.
        const INTERRUPTED: u8 = 130;
        ctrlc::set_handler(move || tell(Told::End(INTERRUPTED))).map_err(io::Error::other)
    }

    /// There is no such thing here.
    pub fn stop() -> io::Result<()> {
        Ok(())
    }
}

pub use system::{listen, stop};
