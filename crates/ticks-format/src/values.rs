//! The types of fields: what their numbers mean, how they print, how they are handed out.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A source's key: its index in the reactor's table, and how often that index was given out before.
///
/// Prints as `3`, or `3#2` when the index is in use for the third time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(
    /// The index in the low 32 bits, the generation above.
    pub u64,
);

impl Key {
    /// The key of `index` in its `generation`.
    pub fn new(index: u32, generation: u32) -> Key {
        Key(u64::from(generation) << 32 | u64::from(index))
    }

    /// The index in the reactor's table.
    pub fn index(self) -> u32 {
        self.0 as u32
    }

    /// How often the index was given out before.
    pub fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.index(), self.generation()) {
            (index, 0) => write!(f, "{index}"),
            (u32::MAX, u32::MAX) => f.write_str("notify"),
            (index, generation) => write!(f, "{index}#{generation}"),
        }
    }
}

/// What a waiter remembers of the moment it began to wait; prints as `(a, b)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    /// The reactor's tick then.
    pub a: u64,
    /// The direction's tick then.
    pub b: u64,
}

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.a, self.b)
    }
}

/// Defines an enum whose variants have a number in files and a name in text.
macro_rules! named {
    (
        $(#[$doc:meta])*
        $enum:ident { $( $(#[$variant_doc:meta])* $code:literal $variant:ident $name:literal, )* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $enum {
            $( $(#[$variant_doc])* $variant = $code, )*
        }

        impl $enum {
            /// Every value, in the order of their numbers.
            pub const ALL: &'static [$enum] = &[$( $enum::$variant, )*];

            /// The number in files.
            pub fn code(self) -> u8 {
                self as u8
            }

            /// The value with this number, if there is one.
            pub fn from_code(code: u8) -> Option<$enum> {
                match code {
                    $( $code => Some($enum::$variant), )*
                    _ => None,
                }
            }

            /// The name in text.
            pub fn name(self) -> &'static str {
                match self {
                    $( $enum::$variant => $name, )*
                }
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

named! {
    /// The two ways a source can be waited for. In text and key-values it is its number.
    Direction {
        /// There is something to read.
        0 Read "read",
        /// There is room to write.
        1 Write "write",
    }
}

named! {
    /// An answer to a poll.
    Verdict {
        /// `Poll::Pending`.
        0 Pending "Pending",
        /// `Poll::Ready(Ok(()))`.
        1 Ready "Ready",
        /// `Poll::Ready(Err(…))`.
        2 Failed "Failed",
    }
}

named! {
    /// Why a poll was answered as it was.
    Reason {
        /// No event was delivered to the direction since the wait began.
        0 NoEvent "no event",
        /// An event was delivered that was harvested after the wait began.
        1 LaterTick "later tick",
        /// The last event delivered was harvested before the wait began.
        2 SameTick "same tick: harvested before the wait",
        /// The wait begins, and the kernel says that the direction is ready.
        3 ReadyWhenAsked "ready when asked",
        /// An event was delivered while nobody waited, and nothing has shown it consumed.
        4 Unclaimed "event before the wait, not consumed",
        /// The peer is gone or an error is pending, so that the operation must look.
        5 HungUp "hung up",
        /// The source cannot be waited for.
        6 Error "error",
    }
}

named! {
    /// What happened to a stored waker.
    WakerChange {
        /// Stored where there was none of this task.
        0 Stored "stored",
        /// Replaced by another task's.
        1 Replaced "replaced",
        /// Dropped unwoken: its waiter stopped waiting.
        2 Dropped "dropped",
    }
}

named! {
    /// What woke a waker.
    WakeCause {
        /// An event of a source.
        0 Source "source",
        /// A timer that fired.
        1 Timer "timer",
        /// The driver.
        2 BlockOn "block_on",
        /// Something else: an eviction, a failed registration, a lost poller.
        3 Notify "notify",
    }
}

named! {
    /// Who woke a task.
    WokenBy {
        /// A thread outside of any task, or in one that is not recorded.
        0 Thread "thread",
        /// An event of a source.
        1 Source "source",
        /// A timer that fired.
        2 Timer "timer",
        /// Another task.
        3 Task "task",
        /// The task itself, in its poll.
        4 Itself "itself",
        /// The reactor, for another reason: its place was taken away, its source can no longer be waited for.
        5 Reactor "reactor",
    }
}

named! {
    /// Who polls a task.
    TaskKind {
        /// An executor.
        0 Spawned "spawned",
        /// `block_on`, whose future it is.
        1 BlockOn "block_on",
        /// Whoever polls what `async_io::trace::task` made.
        2 Named "named",
        /// An executor's `run`, whose main future it is.
        3 Run "run",
    }
}

named! {
    /// An operation on the set of watched file descriptors.
    Op {
        /// Begin to watch.
        1 Add "ADD",
        /// Stop watching.
        2 Del "DEL",
        /// Change what is watched for.
        3 Mod "MOD",
    }
}

named! {
    /// What a source is.
    SourceKind {
        /// None of the others.
        0 Other "other",
        /// A TCP socket that listens.
        1 TcpListener "tcp-listener",
        /// A TCP socket.
        2 Tcp "tcp",
        /// A UDP socket.
        3 Udp "udp",
        /// A Unix domain socket of any type.
        4 Unix "unix",
        /// A pipe or FIFO.
        5 Pipe "pipe",
        /// A Unix domain socket that listens.
        6 UnixListener "unix-listener",
    }
}

/// A socket's address, as far as it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Address {
    /// It has none, or it could not be read.
    #[default]
    None,
    /// An internet address with its port.
    Ip(SocketAddr),
    /// The path of a Unix socket; an abstract name begins with `@`. Whoever binds the socket chooses
    /// it: control characters in it print as `\u{1b}`, so that none ends a line of the log.
    Unix(Box<str>),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::None => f.pad("-"),
            Address::Ip(address) => address.fmt(f),
            Address::Unix(path) if path.contains(char::is_control) => {
                let shown = path.chars().map(|c| match c.is_control() {
                    true => c.escape_debug().to_string(),
                    false => c.to_string(),
                });
                f.pad(&shown.collect::<String>())
            }
            Address::Unix(path) => f.pad(path),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Ip(address)
    }
}

impl Address {
    /// The IP address, if it has one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Address::Ip(address) => Some(address.ip()),
            _ => None,
        }
    }
}

/// The names of the bits of an epoll event, in the order they are printed.
const FLAG_NAMES: [(u32, &str); 16] = [
    (0x001, "IN"),
    (0x002, "PRI"),
    (0x004, "OUT"),
    (0x008, "ERR"),
    (0x010, "HUP"),
    (0x020, "NVAL"),
    (0x040, "RDNORM"),
    (0x080, "RDBAND"),
    (0x100, "WRNORM"),
    (0x200, "WRBAND"),
    (0x400, "MSG"),
    (0x2000, "RDHUP"),
    (1 << 28, "EXCLUSIVE"),
    (1 << 29, "WAKEUP"),
    (1 << 30, "ONESHOT"),
    (1 << 31, "ET"),
];

/// Prints an epoll event's bits as their names, `IN|PRI|ERR`; bits without a name as hex.
///
/// The numbers are those of `epoll_ctl(2)`.
pub fn flag_names(flags: u32) -> impl fmt::Display {
    struct Names(u32);
    impl fmt::Display for Names {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut rest = self.0;
            let mut separator = "";
            for (bit, name) in FLAG_NAMES {
                if rest & bit != 0 {
                    write!(f, "{separator}{name}")?;
                    separator = "|";
                    rest &= !bit;
                }
            }
            if rest != 0 {
                write!(f, "{separator}{rest:#x}")?;
            }
            Ok(())
        }
    }
    Names(flags)
}

/// The value of one field, as [`Record::visit`](crate::Record::visit) hands it out.
#[derive(Clone, Copy)]
pub enum FieldValue<'a> {
    /// A number without sign; durations and deadlines are in nanoseconds.
    Unsigned(u64),
    /// A number with sign: file descriptors, results.
    Signed(i64),
    /// Yes or no.
    Bool(bool),
    /// A name from a fixed set.
    Name(&'static str),
    /// A text, such as an address.
    Text(&'a dyn fmt::Display),
}

/// How a field type hands out its value.
pub(crate) trait Visit {
    fn visit<'a>(&'a self, name: &'static str, each: &mut dyn FnMut(&'static str, FieldValue<'a>));
}

macro_rules! visit {
    ($( $type:ty: |$value:ident| $form:expr; )*) => {
        $(impl Visit for $type {
            fn visit<'a>(&'a self, name: &'static str, each: &mut dyn FnMut(&'static str, FieldValue<'a>)) {
                let $value = self;
                each(name, $form);
            }
        })*
    };
}

visit! {
    u64: |v| FieldValue::Unsigned(*v);
    u32: |v| FieldValue::Unsigned(u64::from(*v));
    i64: |v| FieldValue::Signed(*v);
    bool: |v| FieldValue::Bool(*v);
    Key: |v| FieldValue::Unsigned(v.0);
    Direction: |v| FieldValue::Unsigned(u64::from(v.code()));
    Verdict: |v| FieldValue::Name(v.name());
    Reason: |v| FieldValue::Name(v.name());
    WakerChange: |v| FieldValue::Name(v.name());
    WakeCause: |v| FieldValue::Name(v.name());
    WokenBy: |v| FieldValue::Name(v.name());
    TaskKind: |v| FieldValue::Name(v.name());
    Op: |v| FieldValue::Name(v.name());
    SourceKind: |v| FieldValue::Name(v.name());
}

impl Visit for Ticks {
    fn visit<'a>(
        &'a self,
        _name: &'static str,
        each: &mut dyn FnMut(&'static str, FieldValue<'a>),
    ) {
        each("ticks_a", FieldValue::Unsigned(self.a));
        each("ticks_b", FieldValue::Unsigned(self.b));
    }
}

impl Visit for Address {
    fn visit<'a>(&'a self, name: &'static str, each: &mut dyn FnMut(&'static str, FieldValue<'a>)) {
        if *self != Address::None {
            each(name, FieldValue::Text(self));
        }
    }
}

impl<T: Visit> Visit for Option<T> {
    fn visit<'a>(&'a self, name: &'static str, each: &mut dyn FnMut(&'static str, FieldValue<'a>)) {
        if let Some(value) = self {
            value.visit(name, each);
        }
    }
}
