//! Reading what somebody may be changing.
//!
//! A live process goes on. So what is read is read again, and believed when it is the same twice, and when what
//! it hangs on is still the same.

use crate::memory::{Memory, Unreadable};

/// How often something is read anew before it counts as torn.
const TRIES: usize = 16;

/// The most elements of a vector that are believed.
const ELEMENTS_MAX: u64 = 1 << 24;

/// Something could not be read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn;

impl From<Unreadable> for Torn {
    fn from(_: Unreadable) -> Torn {
        Torn
    }
}

/// Does `read` until its result is the same twice in a row.
pub fn settled<T: PartialEq>(mut read: impl FnMut() -> Result<T, Torn>) -> Result<T, Torn> {
    let mut last = read();
    for _ in 1..TRIES {
        let now = read();
        if now.is_ok() && now == last {
            return now;
        }
        last = now;
        std::thread::yield_now();
    }
    Err(Torn)
}

/// A vector, as its table says where its words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector {
    /// Where its elements are.
    pub elements: u64,
    /// How many there are.
    pub len: u64,
}

impl Vector {
    /// Reads the vector at `address`. `places` are those of its words.
    pub fn read(memory: &dyn Memory, address: u64, places: [u64; 2]) -> Result<Vector, Torn> {
        let [elements, len] = places;
        let vector = Vector {
            elements: memory.u64(address.wrapping_add(elements))?,
            len: memory.u64(address.wrapping_add(len))?,
        };
        if vector.len > ELEMENTS_MAX {
            return Err(Torn);
        }
        Ok(vector)
    }

    /// All its elements, each of `bytes`.
    pub fn bytes(&self, memory: &dyn Memory, bytes: u64) -> Result<Vec<u8>, Torn> {
        let all = self.len.checked_mul(bytes).and_then(|all| usize::try_from(all).ok());
        let mut elements = vec![0; all.ok_or(Torn)?];
        if !elements.is_empty() {
            memory.read(self.elements, &mut elements)?;
        }
        Ok(elements)
    }
}

/// What is at a place among bytes.
pub fn u64_at(bytes: &[u8], at: u64) -> Result<u64, Torn> {
    let at = usize::try_from(at).map_err(|_| Torn)?;
    let found = bytes.get(at..at.checked_add(8).ok_or(Torn)?).ok_or(Torn)?;
    Ok(u64::from_le_bytes(found.try_into().map_err(|_| Torn)?))
}

/// What is at a place among bytes.
pub fn u32_at(bytes: &[u8], at: u64) -> Result<u32, Torn> {
    let at = usize::try_from(at).map_err(|_| Torn)?;
    let found = bytes.get(at..at.checked_add(4).ok_or(Torn)?).ok_or(Torn)?;
    Ok(u32::from_le_bytes(found.try_into().map_err(|_| Torn)?))
}

/// What is at a place among bytes.
pub fn u8_at(bytes: &[u8], at: u64) -> Result<u8, Torn> {
    let at = usize::try_from(at).map_err(|_| Torn)?;
    bytes.get(at).copied().ok_or(Torn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_read_until_it_rests() {
        let mut values = [Ok(1), Ok(2), Err(Torn), Ok(3), Ok(3)].into_iter();
        assert_eq!(settled(|| values.next().expect("no more is needed")), Ok(3));
        let mut count = 0;
        let restless = settled(|| {
            count += 1;
            Ok(count)
        });
        assert_eq!(restless, Err(Torn));
        assert_eq!(settled::<()>(|| Err(Torn)), Err(Torn));
    }

    #[test]
    fn places_outside_are_torn() {
        for at in [1, 8, u64::MAX] {
            assert_eq!(u64_at(&[0; 8], at), Err(Torn), "{at}");
        }
        assert_eq!(u32_at(&[1, 0, 0, 0], 0), Ok(1));
        assert_eq!(u8_at(&[], 0), Err(Torn));
    }
}
