//! Any text is read without a panic, and what strace writes is read as it was meant.

use proptest::prelude::*;

use super::join::Join;
use super::line::{Line, Said};

/// A string as strace writes it.
fn quoted() -> impl Strategy<Value = String> {
    "[ -~]{0,12}".prop_map(|text| {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"...")
    })
}

fn argument() -> impl Strategy<Value = String> {
    let fd = (0..99_i64, "[a-z/(),=\"]{0,8}").prop_map(|(fd, path)| {
        // Strace writes quotes and brackets of paths in another way.
        format!("{fd}</{}>", path.replace('"', "\\\""))
    });
    let socket = (0..99_i64, any::<u16>(), any::<u16>())
        .prop_map(|(fd, from, to)| format!("{fd}<TCP:[127.0.0.1:{from}->127.0.0.1:{to}]>"));
    let other = prop_oneof![
        Just("NULL".to_owned()),
        Just("{sa_family=AF_INET, sin_port=htons(80)}".to_owned()),
        Just("[{EPOLLIN, {u32=1, u64=1}}]".to_owned()),
        Just("0x7ffe3e4855b0".to_owned()),
    ];
    prop_oneof![quoted(), fd, socket, other]
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(lines in prop::collection::vec("\\PC{0,60}", 0..8)) {
        read(&lines);
    }

    #[test]
    fn nor_does_what_looks_like_a_listing(
        lines in prop::collection::vec("[0-9. \\[\\]a-z_<>(),=\"\\\\\\-+]{0,40}( resumed>| <unfinished ...>)?[)=<> 0-9.]{0,10}", 0..12)
    ) {
        read(&lines);
    }

    #[test]
    fn a_call_is_read_as_it_was_written(
        tid in 1..99_999_u64,
        ns in 200_000_000_000_000_000..4_000_000_000_000_000_000_u64,
        args in prop::collection::vec(argument(), 0..5),
        returned in -1..9_999_i64,
        duration_us in 0..9_999_999_u64,
    ) {
        let args = args.join(", ");
        let us = ns / 1_000;
        let result = if returned < 0 { "-1 EAGAIN (Resource temporarily unavailable)".into() } else { returned.to_string() };
        let text = format!(
            "{tid} {}.{:06} recvfrom({args}) = {result} <{}.{:06}>",
            us / 1_000_000, us % 1_000_000, duration_us / 1_000_000, duration_us % 1_000_000
        );
        let line = Line::parse(&text).expect("a line");
        prop_assert_eq!((line.tid, line.utc_ns), (Some(tid), Some(us * 1_000)));
        let Said::Whole(call) = line.said else { panic!("{text}") };
        prop_assert_eq!(&call.name, "recvfrom");
        prop_assert_eq!(&call.args, args.trim_end());
        prop_assert_eq!(call.duration_ns, Some(duration_us * 1_000));
        match returned {
            -1 => prop_assert_eq!(call.error(), Some("EAGAIN")),
            _ => prop_assert_eq!(call.returned(), Some(returned)),
        }
    }
}

/// Reads lines to the end. As much comes out as went in, but for those that were joined.
fn read(lines: &[String]) {
    let mut join = Join::default();
    let (mut given, mut told) = (0, 0);
    for (number, line) in (1..).zip(lines) {
        if let Some(line) = Line::parse(line) {
            given += usize::from(join.push(line, number));
        }
        told += std::iter::from_fn(|| join.pop(false)).count();
    }
    told += std::iter::from_fn(|| join.pop(true)).count();
    assert!(told <= given, "{told} of {given}");
}
