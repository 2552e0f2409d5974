//! `ticks top`: a process on the whole screen, looked at again and again.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{bail, Context};
use ratatui::crossterm::event::{self, Event};

use crate::outcome::Outcome;
use crate::symbols::Options;
use crate::{table, units};

mod columns;
mod explained;
mod kernel;
mod keys;
mod model;
mod pane;
mod rings;
mod rows;
mod shown;
mod signals;

mod sources;
mod tabs;
mod tasks;
mod terminal;
mod theme;
mod threads;
mod timers;
mod view;
mod watch;

use explained::Question;
use keys::{Effect, Sketch};
use model::{Model, Pane};
use shown::Shown;
use signals::Told;
use terminal::Screen;
use theme::Theme;
use watch::Ask;

/// Watch a process on the whole screen: its tasks, sources, timers and threads
///
/// Nothing runs in the program: its recording is read, and what the kernel tells of its threads and sockets.
///
/// The tasks that are worth a look come first: those that nothing can wake, then those that are polled or wait to be
/// polled for long, then those that wait, the longest before others. The line above the tabs says what is wrong, as
/// far as it is seen at once; e says what `ticks explain` finds in all records. Enter shows all that is known of a
/// row, with its stack. ? shows the keys.
///
/// When the process has ended, what was seen last stays until q. NO_COLOR has it do without colours.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The number of a process that records, or a recording
    #[arg(value_name = "PID|FILE")]
    target: PathBuf,
    /// Look again each time this long has passed: `10s`, `500ms`, or a number of seconds
    #[arg(long, value_name = "TIME", value_parser = units::pause, default_value = "1s")]
    every: Duration,
    /// Where the program and its libraries are, with their debug information, if not where they ran
    #[arg(long, value_name = "DIR")]
    symbols: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  ticks top 4711
  ticks top --every 5s 4711
  ticks top --symbols ./from-the-build-server 4711
  ticks top /tmp/t/4711.ticks

Exit codes: 0 you ended it; 2 not done; of a signal, 128 and its number.";

/// What the thread that draws is told.
enum Message {
    Looked(anyhow::Result<Box<Shown>>),
    Input(Event),
    /// No key comes any more.
    InputEnded(io::Error),
    Signal(Told),
    Explained(u64, Vec<String>),
}

/// Shows the process until somebody has seen enough.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    terminal::check(&args.target.display().to_string())?;
    table::without_bound();
    let (sender, messages) = mpsc::channel();
    let looked = sender.clone();
    let options = Options { dirs: args.symbols.clone(), full_names: false };
    let tell = move |shown: anyhow::Result<Shown>| {
        looked.send(Message::Looked(shown.map(Box::new))).is_ok()
    };
    let asks = watch::start(args.target.clone(), options, args.every, tell)?;
    // Before the terminal is taken, so that whoever named the wrong process is told so as everywhere.
    let shown = match messages.recv() {
        Ok(Message::Looked(looked)) => looked?,
        _ => bail!("the process could not be looked at"),
    };
    let told = sender.clone();
    signals::listen(move |signal| {
        // Nobody wants it where all is about to end.
        let _ = told.send(Message::Signal(signal));
    })
    .context("signals")?;
    let mut screen = Screen::take()?;
    read_input(sender.clone())?;
    let question = Question { target: args.target.clone(), symbols: args.symbols.clone() };
    let mut top = Top {
        model: Model::new(*shown),
        sketch: Sketch::default(),
        theme: Theme {
            has_colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        },
        asks,
        question,
        asked: 0,
        sender,
    };
    top.run(&mut screen, &messages)
}

/// Has the keys and clicks sent.
fn read_input(sender: Sender<Message>) -> io::Result<()> {
    let read = move || loop {
        let (message, is_end) = match event::read() {
            Ok(event) => (Message::Input(event), false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => (Message::InputEnded(error), true),
        };
        if sender.send(message).is_err() || is_end {
            return;
        }
    };
    thread::Builder::new().name("input".into()).spawn(read)?;
    Ok(())
}

struct Top {
    model: Model,
    /// Where things are on the screen.
    sketch: Sketch,
    theme: Theme,
    /// To whoever looks.
    asks: Sender<Ask>,
    question: Question,
    /// How often was asked for an explanation.
    asked: u64,
    sender: Sender<Message>,
}

impl Top {
    fn run(
        &mut self,
        screen: &mut Screen,
        messages: &Receiver<Message>,
    ) -> anyhow::Result<Outcome> {
        /// How often it is seen whether the terminal is still ours.
        const PAUSE: Duration = Duration::from_secs(1);
        loop {
            if !screen.is_ours() {
                bail!("a thread of this program has panicked");
            }
            screen.terminal.draw(|frame| {
                self.sketch = view::draw(frame, &mut self.model, self.theme);
            })?;
            let mut next = messages.recv_timeout(PAUSE);
            // What has come by now is drawn at once.
            loop {
                match next {
                    Ok(message) => {
                        if let Some(outcome) = self.take(screen, message)? {
                            return Ok(outcome);
                        }
                    }
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
                next = messages.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
        }
    }

    /// Takes a message in. Returns how all ends, if it does.
    fn take(&mut self, screen: &mut Screen, message: Message) -> anyhow::Result<Option<Outcome>> {
        match message {
            Message::Looked(looked) => self.model.take(looked.map(|shown| *shown)),
            Message::Input(event) => {
                let effect = keys::act(&mut self.model, &self.sketch, &event);
                return self.do_effect(screen, effect);
            }
            Message::InputEnded(error) => return Err(error).context("the terminal's keys"),
            Message::Signal(Told::End(code)) => return Ok(Some(Outcome::Status(code))),
            Message::Signal(Told::Stop) => return self.do_effect(screen, Effect::Stop),
            Message::Signal(Told::GoOn) => screen.enter()?,
            Message::Explained(number, lines) => {
                if let Some((Pane::Explained(explained), _)) = &mut self.model.pane {
                    // It may be the answer to a question that was given up.
                    if explained.number == number {
                        explained.lines = Some(lines);
                    }
                }
            }
        }
        Ok(None)
    }

    fn do_effect(
        &mut self,
        screen: &mut Screen,
        effect: Effect,
    ) -> anyhow::Result<Option<Outcome>> {
        match effect {
            Effect::None => {}
            Effect::Quit => return Ok(Some(Outcome::Done)),
            Effect::Redraw => screen.clear()?,
            Effect::Mouse => screen.set_mouse(self.model.has_mouse)?,
            Effect::Explain => {
                self.asked += 1;
                let sender = self.sender.clone();
                let shown = &self.model.shown;
                let file = shown.file.as_deref().filter(|_| !shown.is_live);
                let explained = self.question.ask(file, self.asked, move |number, lines| {
                    // Nobody wants it where all is about to end.
                    let _ = sender.send(Message::Explained(number, lines));
                })?;
                self.model.cover(Pane::Explained(explained));
            }
            Effect::Pause => {
                let ask = if self.model.is_paused { Ask::Pause } else { Ask::Look };
                // Nobody looks any more at what has ended.
                let _ = self.asks.send(ask);
            }
            Effect::Stop => {
                terminal::give_back();
                signals::stop()?;
                screen.enter()?;
            }
        }
        Ok(None)
    }
}
