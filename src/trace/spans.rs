//! How long a round, a park or a `block_on` took: each thread keeps when it began those under way.

use std::cell::Cell;

use ticks_format::Kind;

use ticks_recorder::{self as recorder, Rate};

/// How deep this thread may be in them. Deeper ones have no duration.
const DEPTH_MAX: usize = 16;

/// Something that this thread has begun.
#[derive(Clone, Copy)]
struct Begun {
    kind: Kind,
    at: u64,
    by: Rate,
}

const NOTHING: Begun = Begun { kind: Kind::Ticker, at: 0, by: Rate::INITIAL };

/// A stack that needs neither memory nor a destructor, so that it is there while the thread ends.
struct Spans {
    depth: Cell<usize>,
    begun: [Cell<Begun>; DEPTH_MAX],
}

thread_local! {
    /// The innermost last.
    static SPANS: Spans = const {
        #[allow(clippy::declare_interior_mutable_const)] // Each use makes another cell.
        const EMPTY: Cell<Begun> = Cell::new(NOTHING);
        Spans { depth: Cell::new(0), begun: [EMPTY; DEPTH_MAX] }
    };
}

/// Remembers that `kind` begins, `at` by the counter.
#[inline]
pub(super) fn begun(kind: Kind, at: u64) {
    SPANS.with(|spans| {
        let depth = spans.depth.get();
        if let Some(place) = spans.begun.get(depth) {
            place.set(Begun { kind, at, by: Rate::current() });
            spans.depth.set(depth + 1);
        }
    });
}

/// How long ago `kind` began, nanoseconds; 0 if nobody listened then.
#[inline]
pub(super) fn since(kind: Kind, now: u64) -> u64 {
    SPANS.with(|spans| {
        let open = &spans.begun[..spans.depth.get().min(DEPTH_MAX)];
        let Some(place) = open.iter().rposition(|begun| begun.get().kind == kind) else { return 0 };
        spans.depth.set(place);
        let Begun { at, by, .. } = open[place].get();
        match recorder::is_steady_with(by) {
            true => recorder::elapsed_ns(at, now),
            false => 0,
        }
    })
}
