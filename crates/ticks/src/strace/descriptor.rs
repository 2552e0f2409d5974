//! A descriptor with what strace says of it: `6<TCP:[127.0.0.1:56888->127.0.0.1:44037]>`.

use std::net::SocketAddr;

/// A descriptor in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub fd: i64,
    /// What it is, if the listing says (`-y`, `-yy`).
    pub described: Option<Described>,
}

/// What a descriptor is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// As strace has it.
    pub text: String,
    /// Its own address.
    pub local: Option<SocketAddr>,
    /// Its peer's.
    pub peer: Option<SocketAddr>,
    /// Its inode, where strace knows no more of a socket.
    pub inode: Option<u64>,
}

impl Descriptor {
    /// The descriptor that the text begins with, and what comes behind.
    pub fn parse(text: &str) -> Option<(Descriptor, &str)> {
        let sign = usize::from(text.starts_with('-'));
        let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = text.split_at(sign + digits);
        let fd = number.parse().ok()?;
        match annotation(rest) {
            Some((text, rest)) => {
                let described = Some(Described::parse(text));
                Some((Descriptor { fd, described }, rest))
            }
            // `0x7ffe`, `1700000000.5` and the like are none.
            None if rest.starts_with(|c: char| c.is_alphanumeric() || c == '.') => None,
            None => Some((Descriptor { fd, described: None }, rest)),
        }
    }

    /// Whether this is both its address and its peer's.
    pub fn connects(&self) -> Option<(SocketAddr, SocketAddr)> {
        let described = self.described.as_ref()?;
        described.local.zip(described.peer)
    }
}

/// What stands between `<` and `>` at the beginning of the text, and what comes behind. Strace writes the two
/// characters in another way where they are part of a path.
pub fn annotation(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('<')?;
    // An arrow between two addresses is no end.
    let close = match inner.split('>').next()?.contains(":[") {
        true => inner.find("]>").map(|end| end + 1)?,
        false => inner.find('>')?,
    };
    Some((&inner[..close], &inner[close + 1..]))
}

impl Described {
    fn parse(text: &str) -> Described {
        let mut described = Described { text: text.to_owned(), ..Described::default() };
        let Some((_, inner)) = text.split_once(":[") else {
            return described;
        };
        let inner = inner.strip_suffix(']').unwrap_or(inner);
        let (local, peer) = match inner.split_once("->") {
            Some((local, peer)) => (local, Some(peer)),
            None => (inner, None),
        };
        described.local = local.parse().ok();
        described.peer = peer.and_then(|peer| peer.parse().ok());
        described.inode = local.split(',').next().and_then(|inode| inode.parse().ok());
        described
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_strace_writes_them() {
        let of = |text| Descriptor::parse(text).map(|(it, rest)| (it, rest.to_owned()));
        let (it, rest) = of("6<TCP:[127.0.0.1:56888->127.0.0.1:44037]>, \"buy\"").expect("one");
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        assert_eq!(it.connects(), Some((address("127.0.0.1:56888"), address("127.0.0.1:44037"))));
        assert_eq!((it.fd, rest.as_str()), (6, ", \"buy\""));
        let (it, _) = of("7<TCPv6:[[::1]:56888->[::1]:80]>").expect("one");
        assert_eq!(it.connects(), Some((address("[::1]:56888"), address("[::1]:80"))));
        let described = |text| of(text).expect("one").0.described.expect("described");
        assert_eq!(described("3<TCP:[20927822]>").inode, Some(20_927_822));
        assert_eq!(described("3<socket:[88001]>").inode, Some(88_001));
        assert_eq!(described("3<UNIX-STREAM:[11->12, \"/run/x\"]>").inode, Some(11));
        assert_eq!(described("3<TCP:[0.0.0.0:80]>").local, Some(address("0.0.0.0:80")));
        assert_eq!(described("4</tmp/a(b, \"c>").text, "/tmp/a(b, \"c");
        assert_eq!(of("-1, 0x7f").map(|(it, _)| it.fd), Some(-1));
        assert_eq!(of("15)").map(|(it, _)| it.described), Some(None));
        for none in ["0x7ffe", "AT_FDCWD", "", "-", "<", "17.5"] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }
}
