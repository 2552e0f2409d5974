//! Internet addresses in texts.
//!
//! They stand alone, with a port, in a word of strace's or in the midst of a log's line, and are found there by
//! reading each word that may be one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longer is no address: eight groups, or six and four numbers, and a zone.
const LENGTH_MAX: usize = 64;

/// The text with each address as `name` has it. Brackets around one go with it.
pub fn replace(text: &str, mut name: impl FnMut(IpAddr) -> String) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let mut before: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        let found = match c {
            '[' => bracketed(rest),
            _ if before.is_some_and(|before| before.is_alphanumeric()) => None,
            _ => bare(rest),
        };
        let taken = match found {
            Some((address, length)) => {
                shown.push_str(&name(address));
                length
            }
            None => {
                shown.push(c);
                c.len_utf8()
            }
        };
        before = rest[..taken].chars().next_back();
        rest = &rest[taken..];
    }
    shown
}

/// `[::1]`, at the text's beginning.
fn bracketed(text: &str) -> Option<(IpAddr, usize)> {
    let end = text.bytes().take(LENGTH_MAX).position(|byte| byte == b']')?;
    let inner = &text[1..end];
    let address = inner.split('%').next()?;
    Some((address.parse::<Ipv6Addr>().ok()?.into(), end + 1))
}

/// `10.0.0.1`, also with a port of tcpdump's or of Rust's after it, or `fe80::1`, at the text's beginning.
fn bare(text: &str) -> Option<(IpAddr, usize)> {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
    let length = text.bytes().take(LENGTH_MAX).take_while(|byte| is_part(*byte)).count();
    let word = &text[..length];
    let four = || {
        let is_part = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        let numbers = word.bytes().take_while(|byte| is_part(*byte)).count();
        // The first four numbers.
        let dots = word[..numbers].match_indices('.').map(|(at, _)| at);
        let end = dots.chain([numbers]).nth(3)?;
        let next = text[end..].chars().next();
        let address: Ipv4Addr = word[..end].parse().ok()?;
        (!next.is_some_and(|next| next.is_alphanumeric())).then_some((address.into(), end))
    };
    four().or_else(|| six(text, word))
}

/// An IPv6 address without brackets. Paths of Rust look like some: `a::b`. So one without a digit is none.
fn six(text: &str, word: &str) -> Option<(IpAddr, usize)> {
    let next = text[word.len()..].chars().next();
    if next.is_some_and(|next| next.is_alphanumeric() || next == '_') {
        return None;
    }
    // A colon or a full stop of the sentence.
    let candidates = [word, word.trim_end_matches(['.', ':'])];
    candidates.into_iter().find_map(|word| {
        let address: Ipv6Addr = word.parse().ok()?;
        let zone = text[word.len()..].strip_prefix('%').map_or(0, |zone| {
            1 + zone.bytes().take_while(|byte| byte.is_ascii_alphanumeric()).count()
        });
        word.contains(|c: char| c.is_ascii_digit()).then_some((address.into(), word.len() + zone))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_found_and_nothing_else_is() {
        let hidden = |text: &str| replace(text, |_| "H".into());
        let texts = [
            ("tcp 127.0.0.1:80 → 10.0.0.7:9", "tcp H:80 → H:9"),
            ("[::1]:443 and [fe80::1%eth0]:8", "H:443 and H:8"),
            ("TCP:[127.0.0.1:42->10.1.2.3:80]", "TCP:[H:42->H:80]"),
            ("TCPv6:[[::1]:42->[2001:db8::7]:80]", "TCPv6:[H:42->H:80]"),
            ("IP 10.0.0.1.42 > 10.0.0.2.80: Flags", "IP H.42 > H.80: Flags"),
            ("inet_addr(\"192.168.7.9\"), \"fe80::1:2\")", "inet_addr(\"H\"), \"H\")"),
            ("peer 192.168.7.9.", "peer H."),
            ("from ::ffff:10.0.0.1: reset", "from H: reset"),
            ("at fe80::1%eth0, x_10.0.0.1_y /10.0.0.1/24", "at H, x_H_y /H/24"),
            ("hangs::two_locks dead::beef a::b ::core", "hangs::two_locks dead::beef a::b ::core"),
            (
                "version 2.6.0 of 1.85, 12:34:56.789, v1.2.3.4",
                "version 2.6.0 of 1.85, 12:34:56.789, v1.2.3.4",
            ),
            ("src/main.rs:76:9 key 3.1 4.5.6.789", "src/main.rs:76:9 key 3.1 4.5.6.789"),
            ("", ""),
        ];
        for (text, expected) in texts {
            assert_eq!(hidden(text), expected);
        }
    }
}
