//! What a source's key stands for: its descriptor and its peer.
//!
//! Many records name a source by its key alone, as a wake does. The file's table has the last source of
//! each index; the records that come before tell of the earlier ones.

use std::collections::HashMap;

use ticks_format::{Address, Key, Record, What};

use crate::input::Input;

/// The sources of one file, as far as they are known at the record that was last learnt from.
#[derive(Default)]
pub struct Sources {
    /// As the table has them: of each index the last.
    table: HashMap<Key, Known>,
    /// As the records have them: of each index the one at that time.
    seen: HashMap<u32, (Key, Known)>,
}

struct Known {
    fd: i64,
    peer: Address,
}

impl Sources {
    /// Those of the table.
    pub fn of(input: &Input) -> anyhow::Result<Sources> {
        let sources = input.sources()?.into_iter();
        let known = |source: ticks_format::Source| Known { fd: source.fd, peer: source.peer };
        let table = sources.map(|(key, source)| (key, known(source))).collect();
        Ok(Sources { table, seen: HashMap::new() })
    }

    /// Takes in the next record.
    pub fn learn(&mut self, what: &What) {
        let What::Record(record) = what else { return };
        match record {
            Record::SourceNew(new) => self.see(new.key, new.fd, &new.peer),
            Record::SourceDrop(gone) => self.see(gone.key, gone.fd, &gone.peer),
            Record::ReactEvent(event) => self.see(event.key, event.fd, &Address::None),
            Record::PollBegin(poll) => self.see(poll.key, poll.fd, &Address::None),
            _ => {}
        }
    }

    fn see(&mut self, key: Key, fd: i64, peer: &Address) {
        match self.seen.get_mut(&key.index()) {
            // What was known of the peer stays known: a poll does not tell.
            Some((seen, known)) if *seen == key => {
                if *peer != Address::None {
                    known.peer = peer.clone();
                }
            }
            _ => {
                let known = Known { fd, peer: peer.clone() };
                self.seen.insert(key.index(), (key, known));
            }
        }
    }

    /// Its descriptor.
    pub fn fd(&self, key: Key) -> Option<i64> {
        self.known(key).map(|known| known.fd).next()
    }

    /// Its peer's address. A socket that is being connected gets one later than its first record.
    pub fn peer(&self, key: Key) -> Option<&Address> {
        self.known(key).map(|known| &known.peer).find(|peer| **peer != Address::None)
    }

    fn known(&self, key: Key) -> impl Iterator<Item = &Known> {
        let seen = self.seen.get(&key.index()).filter(|(seen, _)| *seen == key);
        self.table.get(&key).into_iter().chain(seen.map(|(_, known)| known))
    }
}
