//! Where tasks wait, without a recording: an async function's state says at which line it waits and holds the future
//! that it waits for, which may be an async function's again.
//!
//! What is where in a state is in the program's debug information. The memory is read, and nothing runs.

use std::collections::HashMap;

use ticks_format::published::executor as word;

use super::executor::Executors;
use super::reactor::Thread;
use super::tables::Table;
use crate::debug_info::{DebugInfo, Field, Id, Sections, Shape};
use crate::memory::{Mapping, Memory};
use crate::symbols::{self, Call, Told};

mod walk;

pub use walk::Leaf;

/// A module of the process, with its debug information.
struct Module<'a> {
    mappings: Vec<Mapping>,
    sections: &'a Sections<'a>,
    info: DebugInfo<'a>,
}

/// The debug information of the process's modules.
pub struct Futures<'a> {
    memory: &'a dyn Memory,
    modules: Vec<Module<'a>>,
}

/// A type of a module.
#[derive(Clone, Copy, Debug)]
pub struct Typed {
    module: usize,
    of: Id,
}

impl<'a> Futures<'a> {
    /// With these modules' sections, by the path that the memory's mappings have.
    pub fn new(
        memory: &'a dyn Memory,
        modules: &'a [(std::path::PathBuf, Sections<'a>)],
    ) -> Futures<'a> {
        let modules = modules.iter().map(|(path, sections)| Module {
            mappings: memory
                .mappings()
                .iter()
                .filter(|mapping| mapping.path.as_ref() == Some(path))
                .cloned()
                .collect(),
            sections,
            info: DebugInfo::new(sections),
        });
        Futures { memory, modules: modules.collect() }
    }

    /// Where a spawned task waits.
    pub fn of_task(&self, executors: &Executors, task: u64, name: &str) -> Option<Vec<Leaf>> {
        let table = executors.table();
        let (of, end) = self.task_type(table, task, name)?;
        let shape = self.modules[of.module].info.shape(of.of);
        let future = task + end.next_multiple_of(shape.alignment().max(8));
        Some(self.walk(of, future))
    }

    /// Where the future of a `block_on` waits.
    pub fn of_thread(&self, thread: &Thread) -> Option<Vec<Leaf>> {
        let (module, function) = self.function(thread.drops)?;
        let info = &self.modules[module].info;
        let (_, of) = info.type_arguments(function).into_iter().next()?;
        Some(self.walk(Typed { module, of }, thread.future))
    }

    /// The type of a task's future, and where what comes before it ends.
    ///
    /// A task begins with the address of async-task's table of functions, which are compiled for the future's type,
    /// and its state.
    fn task_type(&self, table: &Table, task: u64, name: &str) -> Option<(Typed, u64)> {
        const FUNCTIONS_MAX: u64 = 12;
        let state = table.get(word::TASK_STATE);
        let functions = self.memory.u64(task + (8 ^ state)).ok()?;
        let candidates = (0..FUNCTIONS_MAX).filter_map(|index| {
            let (module, function) = self.function(self.memory.u64(functions + index * 8).ok()?)?;
            let arguments: HashMap<String, Id> =
                self.modules[module].info.type_arguments(function).into_iter().collect();
            // `RawTask<F, T, S, M>`: the future, its output, the schedule function, metadata.
            let is_of_task = ["F", "T", "S", "M"].iter().all(|name| arguments.contains_key(*name));
            let of = *arguments.get("F").filter(|_| is_of_task)?;
            Some(Typed { module, of })
        });
        // The compiler may have made one function of several that do the same for different types. The task knows
        // its own.
        let mut own = candidates.filter(|typed| is_named(self.shape(*typed).path(), name));
        own.next().map(|typed| (typed, table.get(word::TASK_END)))
    }

    /// The function at an address of the memory.
    fn function(&self, address: u64) -> Option<(usize, Id)> {
        self.modules.iter().enumerate().find_map(|(number, module)| {
            let mapping = module.mappings.iter().find(|mapping| mapping.contains(address))?;
            let in_file = module.sections.address_of(mapping.offset + (address - mapping.begin))?;
            Some((number, module.info.function_at(in_file)?))
        })
    }

    /// So many bytes, in words; as many as can be read.
    fn words(&self, address: u64, bytes: u64) -> Vec<u64> {
        let mut all = vec![0; bytes as usize / 8 * 8];
        match self.memory.read(address, &mut all) {
            Ok(()) => all.chunks_exact(8).map(word_of).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// What the pointers among these words point to, some words of each.
    pub fn behind(&self, words: &[u64]) -> Vec<u64> {
        const BYTES: u64 = 128;
        let mut all = Vec::new();
        for word in words.iter().filter(|word| **word % 8 == 0) {
            let there = self.memory.mapping(*word).filter(|mapping| mapping.writable);
            all.extend(
                there
                    .map(|there| self.words(*word, BYTES.min(there.end - *word)))
                    .unwrap_or_default(),
            );
        }
        all
    }

    fn shape(&self, typed: Typed) -> std::rc::Rc<Shape> {
        self.modules[typed.module].info.shape(typed.of)
    }

    /// The type of what a `dyn Future` is, by the table of its functions.
    fn behind_dyn(&self, functions: u64) -> Option<Typed> {
        // The first is what drops it, null if there is nothing to drop; then its size, its alignment, and `poll`.
        const DROPS: u64 = 0;
        const POLL: u64 = 24;
        let drops = self.memory.u64(functions + DROPS).ok().filter(|drops| *drops != 0);
        if let Some((module, function)) = drops.and_then(|drops| self.function(drops)) {
            let arguments = self.modules[module].info.type_arguments(function);
            if let Some((_, of)) = arguments.into_iter().next() {
                return Some(Typed { module, of });
            }
        }
        let (module, function) = self.function(self.memory.u64(functions + POLL).ok()?)?;
        let pinned = self.modules[module].info.first_parameter(function)?;
        // `Pin<&mut Self>`.
        let Shape::Struct { fields, .. } = &*self.modules[module].info.shape(pinned) else {
            return None;
        };
        let pointer = self.modules[module].info.shape(fields.first()?.of);
        match *pointer {
            Shape::Pointer { to, .. } => Some(Typed { module, of: to }),
            _ => None,
        }
    }
}

/// Whether a type of the debug information is, or holds, the one that the compiler names so:
/// `shop::Shop::buy<u8>::{{closure}}` is `shop::{impl#0}::buy::{async_fn_env#0}<u8>` there.
fn is_named(path: &str, name: &str) -> bool {
    let end = ["<", "::{{"].iter().filter_map(|end| name.find(end)).min();
    let base = &name[..end.unwrap_or(name.len())];
    let (Some(of_crate), Some(last)) = (base.split("::").next(), base.rsplit("::").next()) else {
        return false;
    };
    let is_method =
        || path.contains(&format!("{of_crate}::")) && path.contains(&format!("::{last}::{{"));
    path.contains(base) || is_method()
}

fn word_of(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

/// The way to what is waited for, as a reader of stacks expects it.
pub fn told(leaf: &Leaf, program: &str) -> Told {
    let mut calls: Vec<Call> = leaf.calls.iter().map(|call| call.named(program)).collect();
    symbols::judge(&mut calls);
    Told { calls, end: ticks_format::StackEnd::Whole }
}

/// A field by its name.
fn field<'s>(fields: &'s [Field], name: &str) -> Option<&'s Field> {
    fields.iter().find(|field| field.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_by_its_other_name() {
        let live =
            |of: &str| format!("async_executor::live::Live<async_executor::state::State, {of}>");
        for (path, name, expected) in [
            ("shop::buy::{async_fn_env#0}", "shop::buy::{{closure}}", true),
            ("shop::buy::{async_fn_env#0}<u8>", "shop::buy<u8>::{{closure}}", true),
            ("shop::{impl#3}::buy::{async_fn_env#0}", "shop::Shop::buy::{{closure}}", true),
            (
                "shop::buy::{closure#1}::{async_block_env#0}",
                "shop::buy::{{closure}}::{{closure}}",
                true,
            ),
            ("shop::Download", "shop::Download", true),
            ("shop::sell::{async_fn_env#0}", "shop::buy::{{closure}}", false),
            ("bank::buy::{async_fn_env#0}", "shop::Shop::buy::{{closure}}", false),
        ] {
            assert_eq!(is_named(&live(path), name), expected, "{path} {name}");
        }
    }
}
