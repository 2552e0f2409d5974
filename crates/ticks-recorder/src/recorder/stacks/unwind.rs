//! From a function to the one that called it, up to where the thread began.

use ticks_format::stacks::FRAMES_MAX;
use ticks_format::{Frame, StackEnd};

use super::cfi::Tables;
use super::expression;
use super::modules::Modules;
use super::registers::{Registers, Seen, Used};
use super::rule::{Before, Begin, Program, Register, Rule};

/// How many rules a thread has at hand.
const RULES: usize = 256;

/// What unwinding found.
#[derive(Debug)]
pub(super) struct Walk {
    /// The frames' words, as a recording has them.
    pub(super) frames: Vec<u64>,
    /// The words that they were read from; fewer than there are frames if one was not read from the stack.
    pub(super) seen: Seen,
    pub(super) end: StackEnd,
}

/// A thread's own place for unwinding.
pub(super) struct Walker {
    rules: Rules,
    walk: Walk,
}

/// The caller of a function.
enum Caller {
    Found {
        registers: Registers,
        /// Where the word is that says so.
        place: Option<u64>,
    },
    /// The thread began here.
    Nobody,
    Unknown,
}

impl Walker {
    pub(super) fn new() -> Walker {
        let (frames, seen) = (Vec::with_capacity(FRAMES_MAX), Seen::with_capacity(FRAMES_MAX));
        let walk = Walk { frames, seen, end: StackEnd::Unknown };
        Walker { rules: Rules::new(), walk }
    }

    /// Forgets the rules of modules that may be gone.
    pub(super) fn forget(&mut self) {
        self.rules.forget();
    }

    /// The frames above the function with these registers.
    pub(super) fn walk(&mut self, modules: &Modules, registers: &Registers, used: Used) -> &Walk {
        let Walker { rules, walk } = self;
        walk.frames.clear();
        walk.seen.begin(used);
        let mut at = *registers;
        // Whether the address is of an instruction, and not of the one behind a call.
        let mut is_exact = true;
        let mut module = modules.of_code(at.pc);
        walk.end = loop {
            let Some(within) = module else { break StackEnd::Unknown };
            let Some(tables) = within.tables() else { break StackEnd::Unknown };
            let address = at.pc.wrapping_sub(u64::from(!is_exact));
            let Some(rule) = rules.of(address, &tables) else { break StackEnd::Unknown };
            let (caller, place) = match caller(&rule, &tables, &at, is_exact, used) {
                Caller::Found { registers, place } => (registers, place),
                Caller::Nobody => break StackEnd::Whole,
                Caller::Unknown => break StackEnd::Unknown,
            };
            at = Registers { pc: modules.strip(caller.pc), ..caller };
            is_exact = rule.is_signal;
            if walk.frames.len() == FRAMES_MAX {
                break StackEnd::TooDeep;
            }
            // Where a signal came in between nothing was called: as if the call were before that.
            let behind = at.pc.wrapping_add(u64::from(is_exact));
            let called_at = behind.wrapping_sub(1);
            // Most calls stay within their module.
            if !within.is_code(called_at) {
                module = modules.of_code(called_at);
            }
            let Some(module) = module else { break StackEnd::Unknown };
            let address =
                if module.number == 0 { behind } else { behind.wrapping_sub(module.bias) };
            walk.frames.push(Frame { module: module.number, address }.word());
            place.map(|address| walk.seen.see(address));
        };
        walk
    }
}

impl Walk {
    /// Whether the stack can be recognised: if all of its return addresses are words of the stack.
    pub(super) fn is_on_stack(&self) -> bool {
        self.seen.len() == self.frames.len()
    }
}

fn caller(rule: &Rule, tables: &Tables<'_>, at: &Registers, is_exact: bool, used: Used) -> Caller {
    let compute = |program: Program, first: Option<u64>| {
        let (from, len) = (program.at as usize, program.len as usize);
        let program = tables.frames.get(from..from.checked_add(len)?)?;
        expression::evaluate(program, first, at, used)
    };
    let begin = match rule.begin {
        Begin::From(Register::Sp, offset) => Some(at.sp.wrapping_add_signed(offset.into())),
        Begin::From(Register::Fp, offset) => Some(at.fp.wrapping_add_signed(offset.into())),
        Begin::From(Register::Return, _) | Begin::FromOther(_) => None,
        Begin::Computed(program) => compute(program, None),
    };
    let Some(begin) = begin else { return Caller::Unknown };
    let address_of = |before: Before| match before {
        Before::At(offset) => Some(begin.wrapping_add_signed(offset.into())),
        Before::AtComputed(program) => compute(program, Some(begin)),
        _ => None,
    };
    let value_of = |before: Before| match before {
        Before::Is(offset) => Some(begin.wrapping_add_signed(offset.into())),
        Before::Computed(program) => compute(program, Some(begin)),
        before => used.word(address_of(before)?),
    };
    let pc = match rule.to {
        Before::Nothing => return Caller::Nobody,
        // Only a function that has called nobody yet has it in the register still.
        Before::Same if is_exact => at.link(),
        before => value_of(before),
    };
    let Some(pc) = pc else { return Caller::Unknown };
    if pc == 0 {
        return Caller::Nobody;
    }
    // Each frame is above the one that it called; but one that has put nothing on the stack.
    let is_above = begin > at.sp || (begin == at.sp && is_exact && rule.to == Before::Same);
    if !is_above {
        return Caller::Unknown;
    }
    let fp = match rule.fp {
        Before::Same | Before::Nothing => Some(at.fp),
        before => value_of(before),
    };
    // Nothing is found from one that is not known.
    let fp = fp.unwrap_or(u64::MAX);
    Caller::Found { registers: at.caller(pc, begin, fp), place: address_of(rule.to) }
}

/// The rules that were made of the descriptions lately, by address: of those that have the same place, two.
struct Rules(Box<[[Option<Found>; 2]]>);

/// What was found for an address.
#[derive(Clone, Copy)]
struct Found {
    address: u64,
    rule: Option<Rule>,
}

impl Rules {
    fn new() -> Rules {
        Rules(vec![[None; 2]; RULES / 2].into())
    }

    fn forget(&mut self) {
        self.0.fill([None; 2]);
    }

    fn of(&mut self, address: u64, tables: &Tables<'_>) -> Option<Rule> {
        let home = (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % (RULES / 2);
        let both = &mut self.0[home];
        if let Some(found) = both.iter().flatten().find(|found| found.address == address) {
            return found.rule;
        }
        let rule = tables.rule(address);
        // The one that was found earlier goes.
        both[1] = both[0].replace(Found { address, rule });
        rule
    }
}
