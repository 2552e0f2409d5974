//! The walk through a future to what it waits for.

use super::{field, Futures, Typed};
use crate::debug_info::{Field, Shape, Variant};
use crate::symbols::{self, Call};

/// The deepest nesting that is followed.
const DEPTH_MAX: usize = 64;

/// The most values that are looked at for one task.
const STEPS_MAX: usize = 4_096;

/// The most futures that a task waits for at once of which each is told.
const LEAVES_MAX: usize = 16;

/// The most bytes of a leaf that are read.
const LEAF_BYTES_MAX: u64 = 512;

/// A future that is no async function's: of a socket, a timer, a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// From it outwards.
    pub calls: Vec<Waiting>,
    /// Its words.
    pub words: Vec<u64>,
}

/// An async function that waits, or the future that it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its name as debug information has it.
    pub path: String,
    /// Where it waits.
    pub place: Option<(String, u32)>,
}

impl Leaf {
    /// Whether it is a timer of ours, or what passes polls on to one.
    pub fn is_timer(&self) -> bool {
        self.calls.iter().any(|call| call.path.starts_with("async_io::timer::"))
    }
}

impl Waiting {
    /// As a call.
    pub fn named(&self, module: &str) -> Call {
        let (file, line) = self.place.clone().unzip();
        let function = Some(symbols::function_name(&self.path));
        Call { function, file, line, module: module.to_owned(), ..Call::default() }
    }
}

impl<'a> Futures<'a> {
    /// Walks from the future at `address` to what it waits for.
    pub fn walk(&self, of: Typed, address: u64) -> Vec<Leaf> {
        let mut walk = Walk { futures: self, leaves: Vec::new(), way: Vec::new(), steps: 0 };
        walk.value(of, address, 0);
        walk.leaves
    }
}

struct Walk<'w, 'a> {
    futures: &'w Futures<'a>,
    leaves: Vec<Leaf>,
    /// The way, from the outside inwards.
    way: Vec<Waiting>,
    steps: usize,
}

/// How a type's code is to be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The state of an async function or block.
    Async,
    /// It waits, and what it holds is its own affair.
    Leaf,
    /// It passes polls on to what it holds.
    Holder,
    /// The program's own: it may wait, and it may pass polls on.
    Own,
}

impl Kind {
    fn of(path: &str) -> Kind {
        const ASYNC: [&str; 3] = ["{async_fn_env#", "{async_block_env#", "{async_closure"];
        if ASYNC.iter().any(|begin| last_name(path).starts_with(begin)) {
            return Kind::Async;
        }
        let of_crate = path.split("::").next().unwrap_or_default();
        match symbols::holds_futures(of_crate) {
            Some(true) => Kind::Holder,
            Some(false) => Kind::Leaf,
            // A tuple has no crate.
            None if path.starts_with('(') || of_crate == path => Kind::Holder,
            None => Kind::Own,
        }
    }
}

impl Walk<'_, '_> {
    /// Looks at a value. Returns whether something in it waits.
    fn value(&mut self, of: Typed, address: u64, depth: usize) -> bool {
        self.steps += 1;
        if depth > DEPTH_MAX || self.steps > STEPS_MAX || self.leaves.len() >= LEAVES_MAX {
            return false;
        }
        let shape = self.futures.shape(of);
        match &*shape {
            Shape::Other => false,
            Shape::Pointer { name, to } => {
                // What is shared is somebody else's to poll.
                let is_own = name.starts_with("&mut ") || name.starts_with("alloc::boxed::Box<");
                let to = Typed { of: *to, ..of };
                is_own && self.follow(address).is_some_and(|at| self.value(to, at, depth + 1))
            }
            Shape::Variants { path, tag, variants, .. } => {
                let Some(variant) = self.variant(*tag, variants, address) else { return false };
                let inner = Typed { of: variant.of, ..of };
                match Kind::of(path) {
                    Kind::Async => self.state(path, variant, inner, address, depth),
                    _ => self.value(inner, address.wrapping_add(variant.offset), depth + 1),
                }
            }
            Shape::Struct { path, bytes, fields, .. } => match Kind::of(path) {
                _ if field(fields, "vtable").is_some() => self.wide(fields, address, depth),
                Kind::Async => false,
                Kind::Leaf => self.leaf(path, address, *bytes),
                Kind::Holder => self.fields(of, fields, address, depth),
                Kind::Own => {
                    self.way.push(Waiting { path: polled(path), place: None });
                    let waits = self.fields(of, fields, address, depth);
                    self.way.pop();
                    waits
                }
            },
        }
    }

    fn fields(&mut self, of: Typed, fields: &[Field], address: u64, depth: usize) -> bool {
        let mut waits = false;
        for field in fields {
            let inner = Typed { of: field.of, ..of };
            waits |= self.value(inner, address.wrapping_add(field.offset), depth + 1);
        }
        waits
    }

    /// An async function that waits: at which line, and for what.
    fn state(
        &mut self,
        path: &str,
        variant: &Variant,
        inner: Typed,
        address: u64,
        depth: usize,
    ) -> bool {
        let shape = self.futures.shape(inner);
        let Shape::Struct { path: name, fields, .. } = &*shape else { return false };
        if !last_name(name).starts_with("Suspend") {
            return false;
        }
        self.way.push(Waiting { path: path.replace("_env#", "#"), place: variant.place.clone() });
        let is_deeper = field(fields, "__awaitee").is_some_and(|awaitee| {
            let of = Typed { of: awaitee.of, ..inner };
            let at = address.wrapping_add(variant.offset).wrapping_add(awaitee.offset);
            self.value(of, at, depth + 1) || self.awaited(of, at)
        });
        if !is_deeper {
            self.found(&[]);
        }
        self.way.pop();
        true
    }

    /// What an async function waits for holds nothing that waits. So it waits itself.
    fn awaited(&mut self, of: Typed, address: u64) -> bool {
        let shape = self.futures.shape(of);
        !shape.path().is_empty() && self.leaf(shape.path(), address, shape.bytes())
    }

    fn leaf(&mut self, path: &str, address: u64, bytes: u64) -> bool {
        self.way.push(Waiting { path: polled(path), place: None });
        let words = self.futures.words(address, bytes.min(LEAF_BYTES_MAX));
        self.found(&words);
        self.way.pop();
        true
    }

    fn found(&mut self, words: &[u64]) {
        let calls = self.way.iter().rev().cloned().collect();
        self.leaves.push(Leaf { calls, words: words.to_vec() });
    }

    /// A pointer to a `dyn Future`: its type is told by its functions.
    fn wide(&mut self, fields: &[Field], address: u64, depth: usize) -> bool {
        let place = |name| field(fields, name).map(|field| address.wrapping_add(field.offset));
        let to = place("pointer").and_then(|at| self.follow(at));
        let functions = place("vtable").and_then(|at| self.follow(at));
        let Some((to, functions)) = to.zip(functions) else { return false };
        let behind = self.futures.behind_dyn(functions);
        behind.is_some_and(|behind| self.value(behind, to, depth + 1))
    }

    fn follow(&self, address: u64) -> Option<u64> {
        self.futures.memory.u64(address).ok().filter(|to| *to != 0)
    }

    /// Which of the variants the value is.
    fn variant<'v>(
        &self,
        tag: Option<(u64, u64)>,
        variants: &'v [Variant],
        address: u64,
    ) -> Option<&'v Variant> {
        let number = match tag {
            Some((at, bytes)) => {
                let mut word = [0; 8];
                let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= word.len())?;
                self.futures.memory.read(address.wrapping_add(at), &mut word[..bytes]).ok()?;
                Some(u64::from_le_bytes(word))
            }
            None => None,
        };
        let exact = variants.iter().find(|variant| number.is_some() && variant.number == number);
        exact.or_else(|| variants.iter().find(|variant| variant.number.is_none()))
    }
}

/// `a::b<c::D>::E<f::G>` is named `E`.
fn last_name(path: &str) -> &str {
    let (mut depth, mut begin, mut end) = (0, 0, path.len());
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'<' => {
                if depth == 0 {
                    end = at;
                }
                depth += 1;
            }
            // Not that of `->`.
            b'>' if !path[..at].ends_with('-') => depth -= 1,
            b':' if depth == 0 => (begin, end) = (at + 1, path.len()),
            _ => {}
        }
    }
    &path[begin..end.max(begin)]
}

/// The function that polls a type: `a::B<C>` has `a::B::poll`, a closure is its own.
fn polled(path: &str) -> String {
    let path = without_arguments(path);
    match path.contains("{closure") {
        true => path.replace("_env#", "#"),
        false => format!("{path}::poll"),
    }
}

/// `a::B<C>` is `a::B`; a closure's name has what it is in.
fn without_arguments(path: &str) -> &str {
    &path[..path.find('<').unwrap_or(path.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types() {
        for (path, last) in [
            ("last_item::serve::{async_fn_env#0}", "{async_fn_env#0}"),
            ("a::{impl#2}::run::{async_fn_env#0}<b::C<()>, d::E>::Suspend0", "Suspend0"),
            ("a::b<c::D>::E<fn(f::G) -> h::I>", "E"),
            ("(a::B, c::D)", "D)"),
            ("", ""),
        ] {
            assert_eq!(last_name(path), last, "{path}");
        }
        assert_eq!(
            polled("async_lock::mutex::Lock<alloc::vec::Vec<u8>>"),
            "async_lock::mutex::Lock::poll"
        );
        assert_eq!(polled("a::b::{closure_env#1}<c::D>"), "a::b::{closure#1}");
    }

    #[test]
    fn what_passes_polls_on_is_told_by_its_crate() {
        assert!(Kind::of("a::{impl#0}::b::{async_block_env#1}<c::D>") == Kind::Async);
        assert!(Kind::of("async_lock::mutex::Lock<u8>") == Kind::Leaf);
        assert!(Kind::of("async_io::timer::Timer") == Kind::Leaf);
        assert!(Kind::of("futures_lite::future::Or<a::B, c::D>") == Kind::Holder);
        assert!(Kind::of("shop::Till") == Kind::Own);
        assert!(Kind::of("(shop::Till, u8)") == Kind::Holder);
    }
}
