//! Ready at once, for ever: a task asks a source, is told Ready each time, and never waits. As after the peer has
//! closed a connection: each read gives 0 bytes, at once.

use ticks_format::{Direction, Source, SourceKind};

use super::{busy_loop, Rule, Verdict};
use crate::explain::facts::tasks::Facts as TaskFacts;
use crate::explain::facts::{Facts, Process, Told};
use crate::explain::finding::{Finding, Sure};
use crate::input::addresses;
use crate::sockets;
use crate::units;

pub struct AlwaysReady;

/// As many answers in a row say so.
const ANSWERS_MIN: u64 = 1_000;

impl Rule for AlwaysReady {
    fn kind(&self) -> &'static str {
        "always_ready"
    }

    fn looks_for(&self) -> &'static str {
        "sources that are always ready, and tasks that never wait"
    }

    fn judge(&self, facts: &Facts<'_>) -> anyhow::Result<Verdict> {
        let mut findings = Vec::new();
        for process in &facts.processes {
            for (task, facts, closed) in found(process) {
                findings.push(self.of(process, task, facts, &closed)?);
            }
        }
        Ok(Verdict::of(findings))
    }
}

/// The tasks of which this rule speaks.
pub fn tasks<'p>(process: &'p Process<'_>) -> impl Iterator<Item = u64> + 'p {
    found(process).into_iter().map(|(task, ..)| task.id)
}

/// Tasks, and the closed connections that they may read from.
fn found<'p>(process: &'p Process<'_>) -> Vec<(&'p Told, &'p TaskFacts, Vec<&'p Source>)> {
    let loops: Vec<_> = busy_loop::loops(process).collect();
    // The kernel is asked only if there is something to be asked.
    let closed = if loops.is_empty() { Vec::new() } else { closed(process) };
    let all = loops.into_iter().map(|(task, facts)| {
        let of_another = |source: &Source| {
            let direction = process.walk.directions.all.get(&(source.key, Direction::Read));
            let (_, _, asker) = direction.and_then(|it| it.last_poll)?;
            Some(asker? != task.id)
        };
        let of_task = closed.iter().copied().filter(|it| of_another(it) != Some(true));
        (task, facts, of_task.collect::<Vec<_>>())
    });
    all.filter(|(_, facts, closed)| is_it(facts) || !closed.is_empty()).collect()
}

fn is_it(facts: &TaskFacts) -> bool {
    facts.ready >= ANSWERS_MIN && facts.ready == facts.asked
}

/// The connections that the peer has closed, of which all is read, and for which nobody waits. Only the kernel knows
/// them.
fn closed<'p>(process: &'p Process<'_>) -> Vec<&'p Source> {
    if !process.is_live() {
        return Vec::new();
    }
    let kernel = sockets::of_process(process.input.pid());
    let is_closed = |source: &&Source| {
        let socket = kernel.get(&source.inode);
        socket.is_some_and(|socket| socket.is_closed_by_peer() && socket.unread() == 0)
    };
    let is_waited_for = |source: &Source| {
        process
            .view
            .waits
            .iter()
            .any(|wait| wait.waiter.waiter_id().is_some_and(|id| id.key == source.key))
    };
    let sources = process.view.sources.values();
    let all = sources.filter(|source| source.registered && source.kind == SourceKind::Tcp);
    let mut all: Vec<_> = all.filter(is_closed).filter(|source| !is_waited_for(source)).collect();
    all.sort_by_key(|source| source.key);
    all
}

impl AlwaysReady {
    fn of(
        &self,
        process: &Process<'_>,
        task: &Told,
        facts: &TaskFacts,
        closed: &[&Source],
    ) -> anyhow::Result<Finding> {
        let place = match process.place_of(task)? {
            Some(place) => Some(place),
            None => process.own_text(busy_loop::self_wake_stack(process, task, facts))?,
        };
        let place = place.map(|place| format!(" in {place}")).unwrap_or_default();
        let title = task.title();
        let why = match closed {
            [] => "its source says Ready each time".to_owned(),
            [source] => format!("the peer of fd {} has closed the connection", source.fd),
            several => format!("the peers of {} connections have closed them", several.len()),
        };
        let sentence = format!("{title} goes on and on{place} and never waits: {why}");
        let mut finding = Finding::new(self.kind(), Sure::Likely, sentence);
        if facts.asked > 0 {
            finding = finding.shows(format!(
                "{} of {} answers of sources were Ready",
                units::count(facts.ready),
                units::count(facts.asked)
            ));
        }
        for source in closed.iter().take(3) {
            let addresses = addresses(&source.local, &source.peer);
            finding = finding.shows(format!(
                "fd {} ({} {addresses}): all is read, and each further read gives 0 bytes at once",
                source.fd, source.kind
            ));
            finding = finding.proof(process.show(&format!("--fd {}", source.fd)));
        }
        Ok(busy_loop::shows(process, task, facts, finding)
            .proof(process.show_task(task.id))
            .advice("0 bytes from a read are the end of the stream: leave the loop there")
            .advice("after Ready, read until WouldBlock before you ask again"))
    }
}
