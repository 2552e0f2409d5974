//! How the caller of a function is found from the middle of it, in a form that is at hand at once.

/// The registers that are followed. Others keep nothing that is needed to find a caller, in code that compilers
/// make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    /// The stack pointer.
    Sp,
    /// The frame pointer.
    Fp,
    /// What the function returns to: on x86-64 always in memory, on aarch64 in a register at first.
    Return,
}

impl Register {
    /// The register of this number of DWARF's, if it is one of these.
    pub(super) fn of_number(number: u64) -> Option<Register> {
        #[cfg(target_arch = "x86_64")]
        let (fp, sp, to) = (6, 7, 16);
        #[cfg(target_arch = "aarch64")]
        let (fp, sp, to) = (29, 31, 30);
        match number {
            number if number == sp => Some(Register::Sp),
            number if number == fp => Some(Register::Fp),
            number if number == to => Some(Register::Return),
            _ => None,
        }
    }
}

/// A program, by its place among the descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) at: u32,
    pub(super) len: u32,
}

/// Where the function's frame begins: the stack pointer before it was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// So far from a register.
    From(Register, i32),
    Computed(Program),
    /// So far from a register that is not followed.
    FromOther(i32),
}

/// What a register was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// What it is.
    Same,
    /// There is nothing to be known: of the return address that nobody has called this.
    Nothing,
    /// In memory, so far from where the frame begins.
    At(i32),
    /// So far from where the frame begins, the address itself.
    Is(i32),
    /// In memory, at an address that a program computes.
    AtComputed(Program),
    /// What a program computes.
    Computed(Program),
    /// In another register, for example.
    Unknown,
}

/// How the caller of a function is found, at one address of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) begin: Begin,
    pub(super) fp: Before,
    pub(super) to: Before,
    /// The caller did not call: a signal has interrupted it.
    pub(super) is_signal: bool,
}
