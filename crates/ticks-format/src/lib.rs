//! The tick/ticks trace records of the async-io reactor.
//!
//! A *record* says one thing that the reactor, a source, a timer, the poller or `block_on` did. The
//! records are declared once, in [`records`](mod@records); their text, their key-values and every
//! other form derive from that list.
//!
//! - [`Record`] holds one record of any kind, [`Kind`] names its kind.
//! - [`std::fmt::Display`] of a record is its text line, the form that the `log` sink prints.
//! - [`Record::visit`] hands out the fields one by one, as numbers where they are numbers.
//! - [`Record::from_text`] reads such a line again, of the kinds that [`Shadow`] goes by.
//! - [`Shadow`] tells what async-io 2.6.0 would have answered to the same polls. It is for readers: no
//!   process that records follows it.
//!
//! The file of the flight recorder (SPEC.md) is made of 64-bit words:
//!
//! - [`layout`], [`Header`], [`slot`], [`tables`], [`tasks`], [`stacks`] and [`marks`] turn what is to be written into
//!   words; storing them is the recorder's affair. [`image::Image`] does it in memory.
//! - [`Recording`] reads a file, live or left behind, damaged or not.
//!
//! Of a process that records nothing, [`published`] says where a reader of its memory finds what.

#![forbid(unsafe_code)]

mod clock;
mod direct;
mod error;
mod foreign;
mod from_text;
mod header;
pub mod image;
pub mod layout;
pub mod marks;
mod pack;
pub mod published;
mod read;
mod recording;
pub mod records;
mod ring;
mod schema;
mod shadow;
pub mod slot;
pub mod stacks;
pub mod tables;
pub mod tasks;
mod text;
mod values;
mod waiter;

pub use clock::{Anchor, Clock};
pub use direct::Direct;
pub use error::Error;
pub use foreign::{Foreign, Value};
pub use from_text::duration_from_text;
pub use header::{Counter, Header};
pub use marks::Thread;
pub use read::{ByteOrder, ReadAt};
pub use recording::{Entry, Recording};
pub use records::{Kind, Record};
pub use ring::{Loss, Records, Stamped, What};
pub use schema::{schema_text, spec_table, Schema};
pub use shadow::Shadow;
pub use stacks::{Frame, Module, Stack, StackEnd};
pub use tables::{Awaited, Ring, Source, Waiter};
pub use tasks::{Asked, LastWake, Task, TaskState};
pub use values::{
    flag_names, Address, Direction, FieldValue, Key, Op, Reason, SourceKind, TaskKind, Ticks,
    Verdict, WakeCause, WakerChange, WokenBy,
};
pub use waiter::WaiterId;
