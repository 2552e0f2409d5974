//! Held against another reader, gimli, on everything that this process has loaded; and against nonsense.

use gimli::{BaseAddresses, EhFrame, LittleEndian, RegisterRule, UnwindContext, UnwindSection};

use super::super::described::Described;
use super::super::loaded;
use super::super::registers;
use super::*;

fn all() -> Vec<Described> {
    let snapshot = loaded::snapshot().expect("nobody loads anything");
    let described = snapshot.modules.iter().filter_map(|module| module.frames.as_ref());
    described.map(|frames| Described::of(&snapshot, frames)).collect()
}

#[cfg(target_arch = "x86_64")]
const FP_SP_TO: [gimli::Register; 3] = [gimli::X86_64::RBP, gimli::X86_64::RSP, gimli::X86_64::RA];
#[cfg(target_arch = "aarch64")]
const FP_SP_TO: [gimli::Register; 3] =
    [gimli::AArch64::X29, gimli::AArch64::SP, gimli::AArch64::X30];

type Section<'a> = EhFrame<gimli::EndianSlice<'a, LittleEndian>>;

fn is_begin(ours: Begin, theirs: &gimli::CfaRule<usize>) -> bool {
    match (ours, theirs) {
        (Begin::From(ours, at), gimli::CfaRule::RegisterAndOffset { register, offset }) => {
            let register = Register::of_number(register.0.into());
            register == Some(ours) && *offset == i64::from(at)
        }
        (Begin::FromOther(_), gimli::CfaRule::RegisterAndOffset { register, .. }) => {
            !FP_SP_TO[..2].contains(register)
        }
        (Begin::Computed(program), gimli::CfaRule::Expression(theirs)) => {
            is_program(program, theirs)
        }
        _ => false,
    }
}

fn is_program(ours: Program, theirs: &gimli::UnwindExpression<usize>) -> bool {
    (ours.at as usize, ours.len as usize) == (theirs.offset, theirs.length)
}

fn is_before(ours: Before, theirs: Option<RegisterRule<usize>>) -> bool {
    let Some(theirs) = theirs else { return ours == Before::Same };
    match (ours, &theirs) {
        (Before::Nothing, RegisterRule::Undefined) => true,
        (Before::Same, RegisterRule::SameValue) => true,
        (Before::At(ours), RegisterRule::Offset(theirs))
        | (Before::Is(ours), RegisterRule::ValOffset(theirs)) => i64::from(ours) == *theirs,
        (Before::AtComputed(ours), RegisterRule::Expression(theirs))
        | (Before::Computed(ours), RegisterRule::ValExpression(theirs)) => is_program(ours, theirs),
        (Before::Unknown, RegisterRule::Register(_)) => true,
        _ => false,
    }
}

/// How many rows of the module's functions were compared.
fn compare(tables: &Tables<'_>) -> usize {
    let mut section: Section<'_> = EhFrame::new(tables.frames, LittleEndian);
    section.set_address_size(8);
    let bases =
        BaseAddresses::default().set_eh_frame(tables.frames_at).set_eh_frame_hdr(tables.index_at);
    let (mut entries, mut context) = (section.entries(&bases), UnwindContext::new());
    let mut compared = 0;
    while let Ok(Some(entry)) = entries.next() {
        let gimli::CieOrFde::Fde(partial) = entry else { continue };
        let function = partial.parse(Section::cie_from_offset).expect("a function");
        // One of aarch64's C library returns to where another register says, and is no description here.
        let is_odd = function.cie().return_address_register() != FP_SP_TO[2];
        if function.len() == 0 || is_odd {
            continue;
        }
        let Ok(mut rows) = function.rows(&section, &bases, &mut context) else { continue };
        while let Ok(Some(row)) = rows.next_row() {
            if row.start_address() >= row.end_address() {
                continue;
            }
            for address in [row.start_address(), row.end_address() - 1] {
                let rule = tables.rule(address);
                // Others describe the same address where functions of one content were made one.
                let Some(rule) = rule else { panic!("no rule at {address:x}: {row:?}") };
                let to = row.register(FP_SP_TO[2]);
                let is_same = is_begin(rule.begin, row.cfa())
                    && is_before(rule.fp, row.register(FP_SP_TO[0]))
                    && is_before(rule.to, to)
                    && rule.is_signal == function.is_signal_trampoline();
                assert!(is_same, "{address:x}: {rule:?} is not {row:?}");
                compared += 1;
            }
        }
    }
    compared
}

#[test]
fn every_rule_is_as_another_reader_has_it() {
    let compared: usize = all().iter().map(|described| compare(&described.tables())).sum();
    // Of the test program and its libraries.
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn what_is_no_code_has_no_rule() {
    for described in all() {
        let tables = described.tables();
        for address in [0, 1, tables.index_at, tables.frames_at, u64::MAX] {
            assert_eq!(tables.rule(address), None, "{address:x}");
        }
    }
}

/// Neither a panic nor a read beyond: of descriptions with bytes changed, cut off at any place, and of noise.
#[test]
fn nonsense_is_no_description() {
    let own = all().swap_remove(0);
    let sound = own.tables();
    let mut state = 0x5eed_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    // Some of the functions are enough, and a smaller index is damaged sooner.
    let count = 200.min(sound.index.len().saturating_sub(12) / 8);
    let mut index = sound.index[..12 + 8 * count].to_vec();
    index[8..12].copy_from_slice(&(count as u32).to_le_bytes());
    let mut found = 0;
    for round in 0..20_000 {
        let (mut index, mut frames) = (index.clone(), sound.frames.to_vec());
        if frames.len() > 64 << 10 {
            frames.truncate(64 << 10);
        }
        for _ in 0..next(12) {
            let bytes = if next(3) == 0 { &mut index } else { &mut frames };
            let at = next(bytes.len());
            bytes[at] = if next(2) == 0 { next(256) as u8 } else { [0, 0x7f, 0x80, 0xff][next(4)] };
        }
        if round % 7 == 0 {
            index.truncate(next(index.len() + 1));
            frames.truncate(next(frames.len() + 1));
        }
        let tables = Tables { index: &index, frames: &frames, ..sound };
        for _ in 0..8 {
            let entry = 12 + 8 * next(count);
            let word = index
                .get(entry..entry + 4)
                .map_or(0, |bytes| i32::from_le_bytes(bytes.try_into().expect("four bytes")));
            let address =
                sound.index_at.wrapping_add_signed(word.into()).wrapping_add(next(64) as u64);
            found += usize::from(tables.rule(address).is_some());
        }
    }
    assert!(found > 1_000, "most are sound still: {found}");
}

/// Programs of noise end, and compute nothing that would not be on the stack.
#[test]
fn nonsense_is_no_program() {
    let mut state = 0x5eed_u64;
    let registers = registers::here();
    let nothing = registers::Used::nothing();
    let mut computed = 0;
    for _ in 0..200_000 {
        let mut program = [0; 12];
        for byte in &mut program {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state >> 11) as u8;
        }
        let program = &program[..1 + state as usize % 12];
        computed += u32::from(
            crate::recorder::stacks::expression::evaluate(program, Some(8), &registers, nothing)
                .is_some(),
        );
    }
    assert!(computed > 0);
}
