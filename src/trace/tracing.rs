//! Records as `tracing` events: one call site a kind, made from the list of records.

use ticks_format::{
    Address, Direction, Key, Op, Reason, Record, SourceKind, TaskKind, Verdict, WakeCause,
    WakerChange, WokenBy,
};
use tracing::field::{display, DisplayValue};
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::Level;

/// Whether a subscriber wants the level of records at all.
pub(super) fn listens() -> bool {
    STATIC_MAX_LEVEL >= LevelFilter::TRACE && LevelFilter::current() >= LevelFilter::TRACE
}

/// How a field type becomes a value of an event: a number where it is one, none where it is absent.
trait Traced<'a> {
    type Value: tracing::Value;
    fn traced(&'a self) -> Self::Value;
}

macro_rules! traced {
    ($( $type:ty => $value:ty: |$it:ident| $form:expr; )*) => {
        $(impl<'a> Traced<'a> for $type {
            type Value = $value;
            fn traced(&'a self) -> $value {
                let $it = self;
                $form
            }
        })*
    };
}

traced! {
    u64 => u64: |v| *v;
    u32 => u64: |v| u64::from(*v);
    i64 => i64: |v| *v;
    bool => bool: |v| *v;
    Key => u64: |v| v.0;
    Direction => u64: |v| u64::from(v.code());
    Verdict => &'static str: |v| v.name();
    Reason => &'static str: |v| v.name();
    WakerChange => &'static str: |v| v.name();
    WakeCause => &'static str: |v| v.name();
    WokenBy => &'static str: |v| v.name();
    TaskKind => &'static str: |v| v.name();
    Op => &'static str: |v| v.name();
    SourceKind => &'static str: |v| v.name();
    Address => Option<DisplayValue<&'a Address>>: |v| (*v != Address::None).then(|| display(v));
}

impl<'a, T: Traced<'a>> Traced<'a> for Option<T> {
    type Value = Option<T::Value>;
    fn traced(&'a self) -> Option<T::Value> {
        self.as_ref().map(T::traced)
    }
}

/// The call site of one kind. As for a logger, the ticks are two numbers.
macro_rules! event {
    ($record:ident $r:ident $target:literal [$( $done:tt )*] ticks $( $rest:ident )*) => {
        event!($record $r $target [
            $( $done )*
            ticks_a = $r.ticks.map(|ticks| ticks.a),
            ticks_b = $r.ticks.map(|ticks| ticks.b),
        ] $( $rest )*)
    };
    ($record:ident $r:ident $target:literal [$( $done:tt )*] $field:ident $( $rest:ident )*) => {
        event!($record $r $target [$( $done )* $field = Traced::traced(&$r.$field),] $( $rest )*)
    };
    ($record:ident $r:ident $target:literal [$( $done:tt )*]) => {
        tracing::event!(target: $target, Level::TRACE, { $( $done )* }, "{}", $record)
    };
}

macro_rules! emit_each {
    ($( $kind:ident $name:literal $target:literal { $( $field:ident, )* } )*) => {
        /// Makes the record an event, with its text as the message.
        pub(super) fn emit(record: &Record) {
                    match record {
                $( Record::$kind(r) => event!(record r $target [] $( $field )*), )*
            }
        }
    };
}

ticks_format::for_each_record!(emit_each);
