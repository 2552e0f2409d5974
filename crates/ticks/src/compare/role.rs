//! Who is compared: a source by what it is for, a task by its name, each by its place in the order of appearance.

use std::collections::HashSet;
use std::fmt;

use ticks_format::{Address, Direction, SourceKind};

/// Ports below this are chosen by people. The system gives out those above, and others in each run.
const CHOSEN_PORTS: u16 = 32_768;

/// What a source is for, by its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Connections come in.
    Listens,
    /// A listener of the same process took it.
    Accepted,
    /// It was connected to a peer.
    Connected,
    /// None of these, or it is not known.
    Plain,
}

/// Those that are told apart by nothing but their order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// All wakers of the process.
    Wakers,
    /// Tasks of one name.
    Tasks(String),
    /// The timers that tasks of this name arm in their polls; `None`: those that are armed outside of any.
    Timers(Option<String>),
    /// Sources of one kind and role.
    Sources {
        /// What they are.
        kind: &'static str,
        /// What they are for.
        role: Role,
        /// The port that was chosen, where there is one.
        port: Option<u16>,
    },
}

/// One of a class, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Who {
    /// The class.
    pub class: Class,
    /// Which of them, in the order in which they appeared; from 1. Of a timer: which task armed it; 0: none did.
    pub number: u64,
    /// Which part.
    pub part: Part,
}

/// Which part of one is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// All of a task.
    Whole,
    /// One direction of a source.
    Half(Direction),
    /// A timer: which of its task's, in the order in which they were armed; from 1.
    Timer(u64),
}

/// The addresses on which a process listens: what is accepted has one of them as its own.
#[derive(Default)]
pub struct Listeners {
    ports: HashSet<u16>,
    paths: HashSet<Box<str>>,
}

impl Listeners {
    /// The class of a source, which is a listener from now on if it is one.
    pub fn class(&mut self, kind: SourceKind, local: &Address, peer: &Address) -> Class {
        let role = self.role(kind, local, peer);
        let named = if role == Role::Connected { peer } else { local };
        let port = match named {
            Address::Ip(address) => Some(address.port()).filter(|port| *port < CHOSEN_PORTS),
            _ => None,
        };
        Class::Sources { kind: kind.name(), role, port }
    }

    fn role(&mut self, kind: SourceKind, local: &Address, peer: &Address) -> Role {
        if matches!(kind, SourceKind::TcpListener | SourceKind::UnixListener) {
            match local {
                Address::Ip(address) => drop(self.ports.insert(address.port())),
                Address::Unix(path) => drop(self.paths.insert(path.clone())),
                Address::None => {}
            }
            return Role::Listens;
        }
        let is_accepted = match local {
            Address::Ip(address) => kind == SourceKind::Tcp && self.ports.contains(&address.port()),
            Address::Unix(path) => self.paths.contains(path),
            Address::None => false,
        };
        match (is_accepted, peer, kind) {
            (true, ..) => Role::Accepted,
            // While it connects, its peer may not be known.
            (false, _, SourceKind::Tcp) => Role::Connected,
            (false, Address::None, _) => Role::Plain,
            (false, ..) => Role::Connected,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Class::Wakers => f.write_str("all wakers"),
            Class::Tasks(name) => write!(f, "task {name}"),
            Class::Timers(Some(name)) => write!(f, "timers of task {name}"),
            Class::Timers(None) => f.write_str("timers of no task"),
            Class::Sources { kind, role, port } => {
                f.write_str(kind)?;
                match role {
                    Role::Accepted => f.write_str(", accepted")?,
                    Role::Connected => f.write_str(", connected")?,
                    Role::Listens | Role::Plain => {}
                }
                match port {
                    Some(port) => write!(f, ", port {port}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.part, &self.class) {
            (Part::Timer(timer), Class::Timers(Some(name))) => {
                return write!(f, "timer {timer} of task {name} (no. {})", self.number);
            }
            (Part::Timer(timer), _) => return write!(f, "timer {timer} of no task"),
            (Part::Half(dir), _) => write!(f, "{dir} of ")?,
            (Part::Whole, _) => {}
        }
        write!(f, "{} (no. {})", self.class, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Address {
        Address::Ip(text.parse().expect("an address"))
    }

    #[test]
    fn what_a_listener_took_is_told_from_what_was_connected() {
        let mut listeners = Listeners::default();
        let listens = listeners.class(SourceKind::TcpListener, &ip("0.0.0.0:4001"), &Address::None);
        assert_eq!(listens.to_string(), "tcp-listener, port 4001");
        let server = listeners.class(SourceKind::Tcp, &ip("10.0.0.1:4001"), &ip("10.0.0.2:40000"));
        assert_eq!(server.to_string(), "tcp, accepted, port 4001");
        let client = listeners.class(SourceKind::Tcp, &ip("10.0.0.2:40000"), &ip("10.0.0.1:4001"));
        assert_eq!(client.to_string(), "tcp, connected, port 4001");
        // Ports that the system chose say nothing.
        let chosen = listeners.class(SourceKind::Udp, &ip("10.0.0.2:50000"), &Address::None);
        assert_eq!(chosen.to_string(), "udp");
        let path = Address::Unix("/run/x".into());
        listeners.class(SourceKind::UnixListener, &path, &Address::None);
        let served = listeners.class(SourceKind::Unix, &path, &Address::None);
        assert_eq!(served.to_string(), "unix, accepted");
    }
}
