//! The memory of a process that is looked at from outside: a live one's, or a core dump's.
//!
//! # Contract
//!
//! A `Memory` reads bytes by their addresses in that process, and says what is mapped where. Reading changes
//! nothing there. A live process goes on meanwhile, so that two reads are of two moments.

use std::fmt;
use std::path::PathBuf;

mod core;
mod live;

pub use core::Core;
pub use live::Live;

/// A part of the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its first address.
    pub begin: u64,
    /// The first address after it.
    pub end: u64,
    /// Whether the process may change it.
    pub writable: bool,
    /// Whether it is code.
    pub executable: bool,
    /// The file that is mapped there, as the process names it.
    pub path: Option<PathBuf>,
    /// Where in that file.
    pub offset: u64,
}

impl Mapping {
    /// How long it is.
    pub fn len(&self) -> u64 {
        self.end.saturating_sub(self.begin)
    }

    /// Whether the address is in it.
    pub fn contains(&self, address: u64) -> bool {
        (self.begin..self.end).contains(&address)
    }
}

/// Nothing can be read there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub u64);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing can be read at address {:#x}", self.0)
    }
}

impl std::error::Error for Unreadable {}

/// See the [module](self).
pub trait Memory {
    /// Reads what is at `address`.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable>;

    /// What is mapped, in the order of addresses.
    fn mappings(&self) -> &[Mapping];

    /// The mapping that has this address.
    fn mapping(&self, address: u64) -> Option<&Mapping> {
        let all = self.mappings();
        let after = all.partition_point(|mapping| mapping.begin <= address);
        all[..after].last().filter(|mapping| mapping.contains(address))
    }

    /// A byte.
    fn u8(&self, address: u64) -> Result<u8, Unreadable> {
        let mut bytes = [0];
        self.read(address, &mut bytes)?;
        Ok(bytes[0])
    }

    /// 32 bits.
    fn u32(&self, address: u64) -> Result<u32, Unreadable> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// 64 bits.
    fn u64(&self, address: u64) -> Result<u64, Unreadable> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}
