//! Texts out of recordings as a terminal may show them.
//!
//! Threads and programs name themselves, whoever connects chooses the address that is seen, and anybody
//! can make a file. A terminal does what control characters say.

use std::borrow::Cow;
use std::fmt;

/// The text, with what does not print as itself written as Rust writes it: `\u{1b}`, `\n`.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_hidden(c) {
            true => shown.extend(c.escape_debug()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Whether a character controls the terminal, or the direction of the text around it.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Says something on stderr: one line.
pub fn say_plainly(what: fmt::Arguments<'_>) {
    anstream::eprintln!("ticks: {}", plain(&what.to_string()));
}

/// As `eprintln!`, for what may hold texts out of recordings.
macro_rules! say {
    ($($what:tt)*) => { $crate::plain::say_plainly(format_args!($($what)*)) };
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_print_is_changed() {
        assert!(matches!(plain("wörker-1 → \"x\" '\\'"), Cow::Borrowed(_)));
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{9b}d\u{202e}e"), "a\\u{1b}[2Jb\\nc\\u{9b}d\\u{202e}e");
    }
}
