//! The one list of records: kind number, name, target and fields with their units.
//!
//! A field is declared as `name: type = bits`. The bits are those of its *narrow* form: a record all
//! of whose values fit takes one slot of 32 bytes in a recording, any other several. A unit is the
//! end of the name (`duration_ns`).
//!
//! A kind's number, fields and bits never change once released; a new meaning gets a new number.

use crate::pack::{Field, Packer, Unpacker, WideReader, WideWriter};
use crate::schema::FieldInfo;
use crate::values::*;

macro_rules! records {
    ($(
        $(#[$doc:meta])*
        $code:literal $kind:ident $name:literal in $target:literal {
            $( $(#[$field_doc:meta])* $field:ident: $type:ty = $bits:literal, )*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $kind {
                $( $(#[$field_doc])* pub $field: $type, )*
            }

            impl From<$kind> for Record {
                fn from(record: $kind) -> Record {
                    Record::$kind(record)
                }
            }

            impl crate::direct::Direct for $kind {
                #[inline(always)]
                fn narrow(&self, time: u64) -> Option<crate::slot::Slot> {
                    let mut packer = Packer::default();
                    $( self.$field.pack($bits, &mut packer); )*
                    packer.slot($code, time)
                }
            }
        )*

        /// What kind of record this is. The discriminant is the number in files.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Kind {
            $( $(#[$doc])* $kind = $code, )*
        }

        impl Kind {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Kind] = &[$( Kind::$kind, )*];

            /// The number of the kind in files.
            pub fn code(self) -> u8 {
                self as u8
            }

            /// The kind with this number, if there is one.
            pub fn from_code(code: u8) -> Option<Kind> {
                match code {
                    $( $code => Some(Kind::$kind), )*
                    _ => None,
                }
            }

            /// The name that begins the record's text, such as `Source::poll_ready:+`.
            pub fn name(self) -> &'static str {
                match self {
                    $( Kind::$kind => $name, )*
                }
            }

            /// The module the record speaks for, which is the target of its log line.
            pub fn target(self) -> &'static str {
                match self {
                    $( Kind::$kind => $target, )*
                }
            }

            /// The declared fields with their form in files.
            pub(crate) fn layout(self) -> &'static [FieldInfo] {
                match self {
                    $( Kind::$kind => &[$( FieldInfo {
                        name: stringify!($field),
                        type_name: <$type as Field>::TYPE,
                        optional: <$type as Field>::OPTIONAL,
                        bits: $bits,
                    }, )*], )*
                }
            }

            /// The declared fields: name and type as written in the list.
            pub fn fields(self) -> &'static [(&'static str, &'static str)] {
                match self {
                    $( Kind::$kind => &[$( (stringify!($field), stringify!($type)), )*], )*
                }
            }
        }

        /// One record of any kind.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Record {
            $( $(#[$doc])* $kind($kind), )*
        }

        impl Record {
            /// The kind of this record.
            pub fn kind(&self) -> Kind {
                match self {
                    $( Record::$kind(_) => Kind::$kind, )*
                }
            }

            /// Packs the fields into the three words of a narrow slot; what does not fit is noted.
            #[inline(always)]
            pub(crate) fn pack(&self, into: &mut Packer) {
                match self {
                    $( Record::$kind(record) => { $( record.$field.pack($bits, into); )* } )*
                }
            }

            /// The record of this kind in a narrow slot; `None` where a value has no meaning.
            #[inline(always)]
            pub(crate) fn unpack(kind: Kind, from: &mut Unpacker) -> Option<Record> {
                Some(match kind {
                    $( Kind::$kind => Record::$kind($kind {
                        $( $field: Field::unpack($bits, from)?, )*
                    }), )*
                })
            }

            /// Writes the fields one after the other, each in full.
            pub(crate) fn write_wide(&self, into: &mut WideWriter) {
                match self {
                    $( Record::$kind(record) => { $( record.$field.write(into); )* } )*
                }
            }

            /// The record of this kind from its wide form; `None` where a value has no meaning.
            pub(crate) fn read_wide(kind: Kind, from: &mut WideReader<'_>) -> Option<Record> {
                Some(match kind {
                    $( Kind::$kind => Record::$kind($kind { $( $field: Field::read(from)?, )* }), )*
                })
            }

            /// Calls `each` with the name and the value of every field, in declared order.
            ///
            /// A field that is absent (no timeout, no ticks) is left out; [`Ticks`] are two numbers,
            /// `ticks_a` and `ticks_b`.
            pub fn visit<'a>(&'a self, each: &mut dyn FnMut(&'static str, FieldValue<'a>)) {
                match self {
                    $( Record::$kind(_record) => {
                        $( _record.$field.visit(stringify!($field), each); )*
                    } )*
                }
            }
        }

        /// Hands the whole list to the macro `$callback`, as `kind name target { field: type, … }`
        /// entries, for code that must be written once a kind, such as a `tracing` call site.
        #[macro_export]
        macro_rules! for_each_record {
            ($callback:ident) => {
                $callback! { $( $kind $name $target { $( $field, )* } )* }
            };
        }
    };
}

records! {
    /// The reactor's ticker went up: a wait of the poller returned.
    1 Ticker "Reactor::ticker:+-" in "async_io::reactor" {
        /// The number of the round that begins.
        tick: u64 = 64,
    }

    /// A reactor round begins.
    2 ReactBegin "ReactorLock::react:+" in "async_io::reactor" {
        /// The reactor's tick before the wait.
        tick: u64 = 60,
        /// How long the caller lets the round wait, nanoseconds; absent: without bound.
        timeout_ns: Option<u64> = 63,
        /// How far away the earliest timer is, nanoseconds; absent: no timer.
        next_timer_ns: Option<u64> = 63,
    }

    /// The round's harvest is about to be delivered.
    3 ReactEvents "ReactorLock::react:" in "async_io::reactor" {
        /// The tick that all events of this harvest carry.
        tick: u64 = 64,
        /// How many events.
        events: u64 = 64,
    }

    /// One event was delivered to its source.
    4 ReactEvent "ReactorLock::react: ev" in "async_io::reactor" {
        /// The tick of the harvest.
        tick: u64 = 40,
        /// The source.
        key: Key = 47,
        /// Whether the event counts for the read direction.
        readable: bool = 1,
        /// Whether the event counts for the write direction.
        writable: bool = 1,
        /// The source's file descriptor.
        fd: i64 = 20,
        /// The poller's flags.
        flags: u32 = 32,
        /// How many wakers were taken.
        wakers: u64 = 16,
    }

    /// One event was dropped, because its source is gone.
    5 ReactStale "ReactorLock::react: ev" in "async_io::reactor" {
        /// The tick of the harvest.
        tick: u64 = 40,
        /// The key that the event carries.
        key: Key = 47,
        /// Whether the event would have counted for the read direction.
        readable: bool = 1,
        /// Whether the event would have counted for the write direction.
        writable: bool = 1,
        /// The poller's flags.
        flags: u32 = 32,
    }

    /// A reactor round ends; its wakers are about to be woken.
    6 ReactEnd "ReactorLock::react:-" in "async_io::reactor" {
        /// The tick of the round.
        tick: u64 = 56,
        /// How many events were harvested.
        events: u64 = 32,
        /// How many wakers were taken, timers' included.
        wakers: u64 = 32,
        /// How long the round took, the wait included, nanoseconds.
        duration_ns: u64 = 56,
    }

    /// A source was registered.
    7 SourceNew "Source::new:+-" in "async_io::reactor" {
        /// The source.
        key: Key = 47,
        /// Its file descriptor (on Windows: its socket).
        fd: i64 = 20,
        /// What it is.
        kind: SourceKind = 8,
        /// Its own address.
        local: Address = 0,
        /// Its peer's address.
        peer: Address = 0,
        /// The inode of its file, by which other tools name a socket.
        inode: u64 = 64,
    }

    /// A source was deregistered.
    8 SourceDrop "Source::drop:+-" in "async_io::reactor" {
        /// The source.
        key: Key = 47,
        /// Its file descriptor (on Windows: its socket).
        fd: i64 = 20,
        /// What it was.
        kind: SourceKind = 8,
        /// Its own address.
        local: Address = 0,
        /// Its peer's address.
        peer: Address = 0,
        /// The inode of its file.
        inode: u64 = 64,
    }

    /// A task asks whether a direction of a source is ready.
    9 PollBegin "Source::poll_ready:+" in "async_io::reactor" {
        /// Read or write.
        dir: Direction = 1,
        /// The tick of the last event delivered to the direction.
        tick: u64 = 40,
        /// The waiter's ticks so far; absent: it does not wait yet.
        ticks: Option<Ticks> = 29,
        /// The source.
        key: Key = 47,
        /// Its file descriptor.
        fd: i64 = 20,
        /// The waiter: 0 is the one that all callers of the poll functions share, 65535 a future that
        /// has no number yet.
        waiter: u64 = 16,
    }

    /// The answer to [`PollBegin`].
    10 PollEnd "Source::poll_ready:-" in "async_io::reactor" {
        /// Read or write.
        dir: Direction = 1,
        /// The tick of the last event delivered to the direction.
        tick: u64 = 40,
        /// The waiter's ticks as now remembered; absent: it waits no longer.
        ticks: Option<Ticks> = 29,
        /// Ready or Pending.
        result: Verdict = 2,
        /// The source.
        key: Key = 47,
        /// Its file descriptor.
        fd: i64 = 20,
        /// The waiter.
        waiter: u64 = 16,
        /// Why.
        reason: Reason = 4,
        /// What async-io 2.6.0 would have answered, where that differs. Those who record leave it out;
        /// readers fill it in, as [`Shadow`](crate::Shadow) says.
        upstream: Option<Verdict> = 2,
    }

    /// A waker was put into, or taken out of, a direction of a source.
    11 SourceWaker "Source::waker:" in "async_io::reactor" {
        /// What happened to it.
        change: WakerChange = 4,
        /// Read or write.
        dir: Direction = 1,
        /// The source.
        key: Key = 47,
        /// Its file descriptor.
        fd: i64 = 20,
        /// The waiter.
        waiter: u64 = 16,
        /// The task: the waker's data pointer. Dropped, 0: it had been woken, and the waiter goes without
        /// having asked again.
        task: u64 = 64,
    }

    /// A waker is about to be woken.
    12 Wake "Waker::wake:+-" in "async_io::reactor" {
        /// The task: the waker's data pointer.
        task: u64 = 56,
        /// By what.
        by: WakeCause = 4,
        /// The source, where it was one.
        key: Option<Key> = 47,
        /// Its direction.
        dir: Option<Direction> = 1,
        /// The tick of the event, where it was one.
        tick: Option<u64> = 40,
        /// The timer, where it was one.
        timer: Option<u64> = 40,
    }

    /// A timer was armed.
    13 TimerInsert "Timer::insert:+-" in "async_io::reactor" {
        /// The timer's number, never used again in this process.
        id: u64 = 64,
        /// When it is due, nanoseconds of the reactor's clock.
        deadline_ns: u64 = 64,
        /// How far away that is, nanoseconds; 0: already due.
        in_ns: u64 = 64,
    }

    /// A timer was disarmed before it fired.
    14 TimerRemove "Timer::remove:+-" in "async_io::reactor" {
        /// The timer.
        id: u64 = 64,
        /// When it was due, nanoseconds of the reactor's clock.
        deadline_ns: u64 = 64,
    }

    /// A timer fired.
    15 TimerFire "Timer::fire:+-" in "async_io::reactor" {
        /// The timer.
        id: u64 = 64,
        /// When it was due, nanoseconds of the reactor's clock.
        deadline_ns: u64 = 64,
        /// How long ago that is, nanoseconds.
        late_ns: u64 = 64,
    }

    /// The poller begins to wait.
    16 WaitBegin "wait:+" in "async_io::poller::epoll" {
        /// The poller's file descriptor.
        epoll_fd: i64 = 64,
        /// How long it may wait, nanoseconds; absent: without bound.
        timeout_ns: Option<u64> = 63,
    }

    /// The poller's wait has returned.
    17 WaitReturn "wait: running" in "async_io::poller::epoll" {
        /// The poller's file descriptor.
        epoll_fd: i64 = 64,
        /// How many entries the kernel handed over.
        count: u64 = 64,
    }

    /// One entry of the harvest, as the kernel wrote it.
    18 WaitEntry "wait: list" in "async_io::poller::epoll" {
        /// Its place in the list.
        index: u64 = 64,
        /// The flags.
        flags: u32 = 32,
        /// The user data: a source's key, or all ones for the notification.
        data: u64 = 64,
    }

    /// The poller's wait is over.
    19 WaitEnd "wait:-" in "async_io::poller::epoll" {
        /// The poller's file descriptor.
        epoll_fd: i64 = 64,
        /// How many entries, or the negated error number.
        res: i64 = 64,
    }

    /// The poller is asked to change what it watches.
    20 CtlBegin "ctl:+" in "async_io::poller::epoll" {
        /// The operation.
        op: Op = 8,
        /// The poller's file descriptor.
        epoll_fd: i64 = 24,
        /// The watched file descriptor.
        fd: i64 = 24,
        /// The notification's file descriptor.
        event_fd: i64 = 24,
        /// The flags.
        flags: u32 = 32,
        /// The user data.
        data: u64 = 64,
    }

    /// The answer to [`CtlBegin`].
    21 CtlEnd "ctl:-" in "async_io::poller::epoll" {
        /// The operation.
        op: Op = 8,
        /// The poller's file descriptor.
        epoll_fd: i64 = 24,
        /// The watched file descriptor.
        fd: i64 = 24,
        /// The notification's file descriptor.
        event_fd: i64 = 24,
        /// 0, or the negated error number.
        res: i64 = 64,
    }

    /// A thread wakes the one that waits in the poller.
    22 Notify "notify:+-" in "async_io::poller::epoll" {
        /// The poller's file descriptor.
        epoll_fd: i64 = 32,
        /// The notification's file descriptor.
        event_fd: i64 = 32,
        /// The thread that does it, by the system's number.
        thread: u64 = 64,
    }

    /// `block_on` begins.
    23 BlockOnBegin "block_on:+" in "async_io::driver" {
        /// The thread, by the system's number.
        thread: u64 = 64,
    }

    /// `block_on` returns.
    24 BlockOnEnd "block_on:-" in "async_io::driver" {
        /// The thread, by the system's number.
        thread: u64 = 64,
        /// How long it took, nanoseconds.
        duration_ns: u64 = 64,
    }

    /// A thread parks, because another one drives the reactor.
    25 ParkBegin "park:+" in "async_io::driver" {
        /// The thread, by the system's number.
        thread: u64 = 64,
    }

    /// A thread is running again.
    26 ParkEnd "park:-" in "async_io::driver" {
        /// The thread, by the system's number.
        thread: u64 = 64,
        /// How long it was parked, nanoseconds.
        duration_ns: u64 = 64,
    }

    /// A parked thread is told to run.
    27 Unpark "unpark:+-" in "async_io::driver" {
        /// The thread that does it, by the system's number.
        thread: u64 = 64,
        /// The thread that was parked.
        target: u64 = 64,
    }

    /// A thread begins to drive the reactor.
    28 DriveBegin "drive:+" in "async_io::driver" {
        /// The thread, by the system's number.
        thread: u64 = 64,
    }

    /// A thread stops driving the reactor.
    29 DriveEnd "drive:-" in "async_io::driver" {
        /// The thread, by the system's number.
        thread: u64 = 64,
        /// For how long it drove, nanoseconds.
        duration_ns: u64 = 64,
    }

    /// A thread offers the driving to a parked one.
    30 Handover "handover:+-" in "async_io::driver" {
        /// The thread that gives, by the system's number.
        thread: u64 = 64,
        /// The thread that is to take over.
        target: u64 = 64,
    }

    /// A task begins: its executor has it, or `block_on` was called with it.
    31 TaskSpawn "Task::spawn:+-" in "async_executor" {
        /// The task's number, never used again in this process.
        task: u64 = 40,
        /// Who polls it.
        kind: TaskKind = 4,
        /// The data pointer of its waker, by which wakes and waits name it.
        waker: u64 = 48,
        /// The task that began it; 0: none did.
        parent: u64 = 40,
        /// Its name: a place in the recording's strings; 0 if there was no room.
        name: u64 = 24,
        /// By which calls it was begun: the number of a stack; 0 if it is not known.
        stack: u64 = 32,
    }

    /// A poll of a task begins.
    32 TaskPollBegin "Task::poll:+" in "async_executor" {
        /// The task.
        task: u64 = 64,
    }

    /// A poll of a task ends.
    33 TaskPollEnd "Task::poll:-" in "async_executor" {
        /// The task.
        task: u64 = 64,
        /// Ready or Pending; Failed: it panicked.
        result: Verdict = 2,
        /// How long the poll took, nanoseconds.
        duration_ns: u64 = 63,
        /// By which calls what it waits for was asked last in this poll; 0: by none that are known.
        stack: u64 = 32,
    }

    /// In its poll a task asks somebody other than the reactor to wake it: a lock, a channel, another task.
    34 TaskWait "Task::wait:+-" in "async_executor" {
        /// The task.
        task: u64 = 64,
        /// By which calls: the number of a stack; 0 if it is not known.
        stack: u64 = 32,
    }

    /// A task is woken.
    35 TaskWake "Task::wake:+-" in "async_executor" {
        /// The task.
        task: u64 = 40,
        /// By whom.
        by: WokenBy = 4,
        /// Which: the source's key, the timer's number, the task's number, or the thread's.
        from: u64 = 64,
        /// The source's direction.
        dir: Option<Direction> = 1,
        /// Whether it was this that had it polled: it was neither woken before, nor is it done.
        first: bool = 1,
        /// By which calls; 0 if it was the reactor, or is not known.
        stack: u64 = 32,
    }

    /// The last waker of a task was dropped, and nobody has woken it: nobody can any more.
    36 TaskForgotten "Task::forgotten:+-" in "async_executor" {
        /// The task.
        task: u64 = 64,
        /// By which calls it asked last to be woken; 0 if it never did.
        stack: u64 = 32,
    }

    /// A task has come to its end.
    37 TaskDone "Task::done:+-" in "async_executor" {
        /// The task.
        task: u64 = 64,
        /// How often it was polled.
        polls: u64 = 48,
        /// How long it was there, nanoseconds.
        age_ns: u64 = 64,
    }

    /// A task was dropped before its end.
    38 TaskCancelled "Task::cancelled:+-" in "async_executor" {
        /// The task.
        task: u64 = 64,
        /// How often it was polled.
        polls: u64 = 48,
        /// How long it was there, nanoseconds.
        age_ns: u64 = 64,
    }

    /// A task has panicked.
    39 TaskPanicked "Task::panicked:+-" in "async_executor" {
        /// The task.
        task: u64 = 64,
        /// How often it was polled.
        polls: u64 = 48,
        /// How long it was there, nanoseconds.
        age_ns: u64 = 64,
    }
}
