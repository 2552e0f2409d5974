//! Names of tasks, which are types of futures, as people write them.

use super::fold::is_folded_crate;
use super::names;

/// How deep types are looked into.
const DEPTH_MAX: usize = 4;

/// The crates whose types are told with what they wrap: the standard library.
const WRAPPERS: [&str; 3] = ["alloc", "core", "std"];

/// The name of a type as people write it.
pub fn readable(raw: &str) -> String {
    of_type(raw, 0)
}

fn of_type(raw: &str, depth: usize) -> String {
    let raw = raw.trim().trim_start_matches('&').trim_start_matches("mut ");
    if let Some(of_trait) = raw.strip_prefix("dyn ") {
        let path = of_trait.split(['<', '+']).next().unwrap_or_default().trim();
        return format!("dyn {}", last(path));
    }
    let own_crate = raw.split("::").next().unwrap_or_default();
    let Some((head, inside)) = wrapped(raw) else {
        return match is_folded_crate(own_crate) && depth < DEPTH_MAX {
            true => of_function(raw, depth),
            false => names::readable(raw),
        };
    };
    let is_holder = WRAPPERS.contains(&own_crate) || !head.contains("::");
    match depth < DEPTH_MAX && (is_holder || inside.contains("{{closure}}")) {
        true => format!("{}<{}>", last(head), of_type(arguments(inside).0[0], depth + 1)),
        false => names::readable(raw),
    }
}

/// An async function of a runtime's or a combinator's: with the future that it was given, if it was.
fn of_function(raw: &str, depth: usize) -> String {
    let name = names::readable(raw);
    let mut rest = raw;
    let mut given = None;
    while let Some((_, inside)) = rest.split_once('<') {
        let (arguments, after) = arguments(inside);
        given = arguments.into_iter().rfind(|it| it.contains("{{closure}}")).or(given);
        rest = after;
    }
    let short: Vec<_> = name.rsplitn(3, "::").take(2).collect();
    match given {
        Some(given) => {
            let short: Vec<_> = short.into_iter().rev().collect();
            format!("{}<{}>", short.join("::"), of_type(given, depth + 1))
        }
        None => name,
    }
}

/// The arguments up to the bracket that closes, and what comes after it.
fn arguments(inside: &str) -> (Vec<&str>, &str) {
    let (mut all, mut from, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, byte) in inside.bytes().enumerate() {
        depth += i32::from(matches!(byte, b'<' | b'(' | b'['));
        depth -= i32::from(matches!(byte, b'>' | b')' | b']'));
        if depth < 0 || depth == 0 && byte == b',' {
            all.push(inside[from..at].trim());
            from = at + 1;
        }
        if depth < 0 {
            return (all, &inside[at + 1..]);
        }
    }
    all.push(inside[from..].trim());
    (all, "")
}

/// What is before the brackets that the name ends with, and what is in them.
fn wrapped(raw: &str) -> Option<(&str, &str)> {
    let inside = raw.strip_suffix('>')?;
    let (head, inside) = inside.split_once('<')?;
    // Otherwise the brackets that open are not those that close.
    let mut depth = 0_i32;
    let is_one = inside.bytes().all(|byte| {
        depth += i32::from(byte == b'<') - i32::from(byte == b'>');
        depth >= 0
    });
    (is_one && !head.is_empty()).then_some((head, inside))
}

fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tasks_are_as_people_write_them() {
        for (raw, expected) in [
            ("shop::serve::{{closure}}", "shop::serve"),
            ("shop::main::{{closure}}::{{closure}}", "shop::main"),
            ("shop::serve<alloc::string::String>::{{closure}}", "shop::serve"),
            ("shop::{impl#5}::serve::{async_fn_env#0}", "shop::serve"),
            ("core::pin::Pin<alloc::boxed::Box<dyn core::future::future::Future<Output = ()> + core::marker::Send>>", "Pin<Box<dyn Future>>"),
            ("tracing::instrument::Instrumented<shop::serve::{{closure}}>", "Instrumented<shop::serve>"),
            ("alloc::boxed::Box<shop::Serve<u8, u16>>", "Box<shop::Serve>"),
            ("shop::Serve<alloc::vec::Vec<u8>>", "shop::Serve"),
            (
                "async_executor::executor::Executor<'_>::run<core::result::Result<(), u8>, \
                 shop::main::{{closure}}>::{{closure}}",
                "Executor::run<shop::main>",
            ),
            ("async_io::driver::run<u8>::{{closure}}", "async_io::driver::run"),
            ("<", "<"),
            (">", ">"),
            ("a<b>>", "a"),
            ("", ""),
        ] {
            assert_eq!(readable(raw), expected, "{raw}");
        }
        let deep = "Box<".repeat(1000) + "x" + &">".repeat(1000);
        assert!(readable(&deep).starts_with("Box<Box<Box<Box<"));
    }
}
