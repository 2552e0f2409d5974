//! Names of functions as people write them: without hashes, without the compiler's own words, and with types
//! by their last name. A closure or an async block is named like the function that it is in; its line tells
//! which it is.

/// The whole name, as the compiler means it.
pub fn full(raw: &str) -> String {
    match rustc_demangle::try_demangle(raw) {
        Ok(name) => name.to_string(),
        Err(_) => raw.to_owned(),
    }
}

/// The name as people write it.
pub fn readable(raw: &str) -> String {
    match rustc_demangle::try_demangle(raw) {
        Ok(name) => shortened(&format!("{name:#}")),
        // In debug information a name may be there as it is.
        Err(_) => shortened(raw),
    }
}

fn shortened(name: &str) -> String {
    let (head, rest) = match name.strip_prefix('<') {
        Some(inside) => match split_at_closing(inside) {
            Some((inside, rest)) => (of_type(inside), rest),
            None => (String::new(), name),
        },
        None => (String::new(), name),
    };
    let path = without_arguments(&format!("{head}{rest}"));
    let segments: Vec<&str> = path
        .split("::")
        .map(|segment| segment.split('{').next().unwrap_or_default())
        .filter(|segment| !segment.is_empty())
        .collect();
    if segments.is_empty() {
        return of_the_compiler(name).to_owned();
    }
    segments.join("::")
}

/// Names that are all the compiler's own, and what is meant by them.
const UNNAMED: [(&str, &str); 4] = [
    ("async_fn", "async fn"),
    ("async_block", "async block"),
    ("async_closure", "async closure"),
    ("closure", "closure"),
];

/// Whether a readable name does not say which function it is.
pub fn is_unnamed(readable: &str) -> bool {
    UNNAMED.iter().any(|(_, meaning)| *meaning == readable)
}

/// What is meant by a name that is all the compiler's own.
fn of_the_compiler(name: &str) -> &str {
    for (word, meaning) in UNNAMED {
        if name.trim_start_matches('{').starts_with(word) {
            return meaning;
        }
    }
    name
}

/// What is up to the bracket that closes this, and what comes after that.
fn split_at_closing(inside: &str) -> Option<(&str, &str)> {
    let end = brackets(inside).find(|(_, depth)| *depth < 0)?.0;
    Some((&inside[..end], &inside[end + 1..]))
}

/// The places of `<` and `>`, with the depth behind each.
fn brackets(text: &str) -> impl Iterator<Item = (usize, i32)> + '_ {
    let bytes = text.as_bytes();
    let mut depth = 0;
    bytes.iter().enumerate().filter_map(move |(at, byte)| {
        match byte {
            b'<' => depth += 1,
            // Not that of `->`.
            b'>' if at == 0 || bytes[at - 1] != b'-' => depth -= 1,
            _ => return None,
        }
        Some((at, depth))
    })
}

/// The name without what stands in angle brackets.
fn without_arguments(name: &str) -> String {
    let mut short = String::new();
    let (mut from, mut outer) = (0, 0);
    for (at, depth) in brackets(name) {
        if outer == 0 && depth > 0 {
            short += &name[from..at];
        }
        (from, outer) = (at + 1, depth.max(0));
    }
    if outer == 0 {
        short += &name[from..];
    }
    short
}

/// `Type as Trait`: the type by its crate and its own name, or the trait where the type has no name.
fn of_type(inside: &str) -> String {
    let depths: Vec<_> = brackets(inside).collect();
    let depth_at =
        |at: usize| depths.iter().take_while(|(place, _)| *place < at).last().map_or(0, |it| it.1);
    let split = inside.match_indices(" as ").find(|(at, _)| depth_at(*at) == 0);
    let (own, of_trait) = match split {
        Some((at, _)) => (&inside[..at], Some(&inside[at + 4..])),
        None => (inside, None),
    };
    let candidates = [Some(own), of_trait];
    let mut named = candidates.into_iter().flatten().filter_map(crate_and_name);
    named.next().unwrap_or_else(|| without_arguments(own))
}

/// `the_crate::Name` of a type's path; `None` if it is no path, as a parameter, a reference or a tuple.
fn crate_and_name(path: &str) -> Option<String> {
    let path = path.trim_start_matches('&').trim_start_matches("mut ").trim_start_matches("dyn ");
    let path = without_arguments(path);
    let is_path =
        |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '#' || c == '{' || c == '}';
    if !path.chars().all(is_path) {
        return None;
    }
    let mut segments = path.split("::").filter(|segment| !segment.starts_with('{'));
    let (first, last) = (segments.next()?, segments.last()?);
    Some(format!("{first}::{last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_people_write_them() {
        for (name, expected) in [
            ("shop::buy::{{closure}}", "shop::buy"),
            ("shop::main::{closure#0}::{closure#1}", "shop::main"),
            ("shop::Shop::open::{async_fn#0}", "shop::Shop::open"),
            ("async_executor::{impl#5}::run::{async_fn#0}", "async_executor::run"),
            ("{async_fn#0}", "async fn"),
            ("{async_block#2}", "async block"),
            ("{closure#1}<(), async_executor::{impl#5}::run::{async_fn_env#0}<()>>", "closure"),
            (
                "<async_io::async_io::Async<T> as futures_io::if_std::AsyncRead>::poll_read",
                "async_io::Async::poll_read",
            ),
            (
                "<&mut T as futures_io::if_std::AsyncRead>::poll_read",
                "futures_io::AsyncRead::poll_read",
            ),
            ("<alloc::boxed::Box<F,A> as core::future::future::Future>::poll", "alloc::Box::poll"),
            ("<(A, B) as a::Tuple>::go", "a::Tuple::go"),
            ("<shop::Shop>::open", "shop::Shop::open"),
            ("<dyn shop::Till as core::fmt::Debug>::fmt", "shop::Till::fmt"),
            ("<shop::Shop<fn() -> u8> as shop::Open<u8>>::open::<u32>", "shop::Shop::open"),
            (
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                "core::ops::function::FnOnce::call_once",
            ),
            (
                "core::ops::function::FnOnce::call_once::<shop::f, ()>",
                "core::ops::function::FnOnce::call_once",
            ),
            (
                "async_io::driver::block_on::<(), shop::main::{closure#0}>",
                "async_io::driver::block_on",
            ),
            ("poll_with_strategy<u32, &async_lock::mutex::Mutex<u32>>", "poll_with_strategy"),
            ("main", "main"),
            ("__libc_start_main_impl", "__libc_start_main_impl"),
            // What makes no sense is shown as far as it goes, and ends nothing.
            ("<", "<"),
            ("a<b", "a"),
            ("", ""),
        ] {
            assert_eq!(shortened(name), expected, "{name}");
        }
    }

    #[test]
    fn mangled_names_are_read() {
        let legacy = "_ZN4shop3buy28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE";
        assert_eq!(readable(legacy), "shop::buy");
        assert_eq!(full(legacy), "shop::buy::{{closure}}::h0123456789abcdef");
        let of_today = "_RNCNvCs4fqI2P2rA04_4shop3buy0";
        assert_eq!(readable(of_today), "shop::buy");
        assert!(full(of_today).contains("{closure#0}"));
        assert_eq!(readable("qsort_r"), "qsort_r");
        assert_eq!(readable("_ZN3foo3barEv"), "_ZN3foo3barEv");
    }
}
