//! Who waits: the one place where a waiter's identity is taken out of a record.

use std::fmt;

use crate::records::{PollBegin, PollEnd, Record, SourceWaker};
use crate::tables::{Awaited, Waiter};
use crate::values::{Direction, Key};

/// A waiter of a direction of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaiterId {
    /// The source.
    pub key: Key,
    /// Its direction.
    pub dir: Direction,
    /// The waiter's number.
    pub number: u64,
}

impl WaiterId {
    /// The number of the waiter that all callers of the poll functions share.
    pub const SHARED: u64 = 0;

    /// The number of a future that asks for the first time. It gets one of its own when it begins to
    /// wait, and never this one as long as fewer than 65,535 wait for the same direction.
    pub const NEW: u64 = 0xffff;

    /// The waiter of this number, of the same direction.
    pub fn with_number(self, number: u64) -> WaiterId {
        WaiterId { number, ..self }
    }

    /// The direction that is waited for.
    pub fn direction(self) -> (Key, Direction) {
        (self.key, self.dir)
    }
}

macro_rules! of_a_waiter {
    ($( $kind:ident )*) => {
        $(impl $kind {
            /// The waiter that the record is about.
            pub fn waiter_id(&self) -> WaiterId {
                WaiterId { key: self.key, dir: self.dir, number: self.waiter }
            }
        })*

        impl Record {
            /// The waiter that the record is about, if it is about one.
            pub fn waiter_id(&self) -> Option<WaiterId> {
                match self {
                    $( Record::$kind(record) => Some(record.waiter_id()), )*
                    _ => None,
                }
            }
        }
    };
}

of_a_waiter! { PollBegin PollEnd SourceWaker }

impl Waiter {
    /// Who it is, if it waits for a source.
    pub fn waiter_id(&self) -> Option<WaiterId> {
        match self.awaited {
            Awaited::Source { key, dir, waiter, .. } => Some(WaiterId { key, dir, number: waiter }),
            Awaited::Timer { .. } => None,
        }
    }
}

/// A waiter's number as text: `new` where it has none yet.
pub(crate) fn number(number: u64) -> impl fmt::Display {
    struct Number(u64);
    impl fmt::Display for Number {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                WaiterId::NEW => f.write_str("new"),
                number => number.fmt(f),
            }
        }
    }
    Number(number)
}
