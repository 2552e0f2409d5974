//! Records whose kind is known when the program is compiled, for the recorder's hooks: nothing is
//! asked about a record but whether its values fit.

use crate::pack::Packer;
use crate::records::Record;
use crate::slot::{head, Slot};

/// A record of one kind.
pub trait Direct: Clone + Into<Record> {
    /// As [`slot::narrow`](crate::slot::narrow).
    fn narrow(&self, time: u64) -> Option<Slot>;
}

impl Packer {
    /// The slot of what was packed, unless a value did not fit.
    #[inline(always)]
    pub(crate) fn slot(&self, code: u8, time: u64) -> Option<Slot> {
        let [first, second, third] = self.words;
        (self.lost == 0).then_some([head(code, time), first, second, third])
    }
}
