//! What a stack that was taken in a task's poll says: what the task waits for, and where in the program.

use super::{causes, Call, Told};

/// What a stack says of the task in whose poll it was taken.
#[derive(Clone, Debug)]
pub struct Place {
    /// The calls of the task, innermost first: those of whoever polls it are left out.
    pub calls: Vec<Call>,
    /// What is waited for, by the code that asked.
    pub what: Option<String>,
    /// Whether that only holds futures, which wait in their turn.
    pub is_holder: bool,
    /// Whether that is an executor, which waits for any of its tasks.
    pub is_executor: bool,
    /// Which of the calls is the innermost that is the program's own.
    own: Option<usize>,
}

impl Place {
    /// Looks through the calls.
    pub fn of(told: &Told) -> Place {
        let end = told.calls.iter().position(begins_task).unwrap_or(told.calls.len());
        let calls = told.calls[..end].to_vec();
        let find = |of: fn(&Call) -> bool| calls.iter().position(of);
        let own = find(|call| call.is_own && call.function.is_some())
            .or_else(|| find(|call| !call.is_folded && call.function.is_some()));
        let leading = &calls[..own.unwrap_or(calls.len())];
        let specific = causes::specific(leading);
        let holder = causes::holder(leading).filter(|_| specific.is_none());
        let what = specific.or(holder).map(str::to_owned);
        let what = what.or_else(|| asker(&calls, leading));
        let is_executor = what.as_deref() == Some(causes::EXECUTOR);
        Place { what, is_holder: holder.is_some(), is_executor, own, calls }
    }

    /// The innermost call that is the program's own, or else one that only it can have made.
    pub fn own(&self) -> Option<&Call> {
        self.own.map(|at| &self.calls[at])
    }

    /// Function, file and line of the program's own call.
    pub fn own_text(&self) -> Option<String> {
        self.own().map(Call::text)
    }
}

/// Who asked, where the table does not know it: the outermost call of the innermost crate, or the program itself.
fn asker(calls: &[Call], leading: &[Call]) -> Option<String> {
    const NOBODY: [&str; 5] = ["alloc", "async_io", "core", "std", "ticks_recorder"];
    let asks = |call: &&Call| {
        let of_crate = call.of_crate.as_deref();
        call.function.is_some() && of_crate.is_some_and(|name| !NOBODY.contains(&name))
    };
    let call = leading.iter().find(asks).or_else(|| calls.iter().find(asks))?;
    call.function.clone()
}

/// Whether this polls the future of a task: what comes next is not the task's any more.
fn begins_task(call: &Call) -> bool {
    let function = call.function.as_deref().unwrap_or_default();
    match call.of_crate.as_deref() {
        Some("ticks_recorder") => function.contains("Life") && function.contains("poll"),
        Some("async_task") => function.contains("RawTask") && function.contains("run"),
        _ => false,
    }
}
