//! The stacks of one recording, each looked up once.

use std::collections::HashMap;
use std::rc::Rc;

use ticks_format::{Error, StackEnd};

use super::{Options, Place, Symbols};
use crate::input::Input;

/// A stack as it is told.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its calls, the innermost first.
    pub calls: Vec<super::Call>,
    /// Why there are no more.
    pub end: StackEnd,
}

/// The stacks of one recording, read and named as they are asked for.
pub struct Book {
    symbols: Symbols,
    stacks: HashMap<u64, Option<Rc<Told>>>,
    places: HashMap<u64, Option<Rc<Place>>>,
}

impl Book {
    /// Nothing is read yet.
    pub fn new(options: &Options) -> Book {
        Book { symbols: Symbols::new(options), stacks: HashMap::new(), places: HashMap::new() }
    }

    /// The stack of this number, if the recording has it. It must be the same recording each time.
    ///
    /// # Errors
    ///
    /// If the recording cannot be read.
    pub fn stack(&mut self, input: &Input, number: u64) -> Result<Option<Rc<Told>>, Error> {
        if !self.stacks.contains_key(&number) {
            let of_memory = input.snapshot.as_ref().map(|snapshot| snapshot.stack(number));
            if let Some(told) = of_memory {
                self.stacks.insert(number, told.map(Rc::new));
                return Ok(self.stacks[&number].clone());
            }
            let told = match input.recording.stack(number)? {
                Some(stack) => {
                    let calls = self.symbols.calls(input, &stack)?;
                    Some(Rc::new(Told { calls, end: stack.end }))
                }
                None => None,
            };
            self.stacks.insert(number, told);
        }
        Ok(self.stacks[&number].clone())
    }

    /// What the stack of this number says of the task in whose poll it was taken.
    ///
    /// # Errors
    ///
    /// If the recording cannot be read.
    pub fn place(&mut self, input: &Input, number: u64) -> Result<Option<Rc<Place>>, Error> {
        if !self.places.contains_key(&number) {
            let place = self.stack(input, number)?.map(|told| Rc::new(Place::of(&told)));
            self.places.insert(number, place);
        }
        Ok(self.places[&number].clone())
    }

    /// What was missing so far, a sentence each.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.symbols.notes()
    }
}
