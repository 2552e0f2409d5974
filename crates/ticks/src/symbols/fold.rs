//! Which calls only pass polls on: those in runtimes, combinators and the standard library. Whoever looks for
//! a hang looks for the program's own calls; these are left out unless asked for.

use std::collections::HashMap;

use super::Call;

/// The crates whose calls are left out, by what they are.
const CRATES: [(&str, &[&str]); 5] = [
    (
        "the standard library",
        &["alloc", "backtrace", "core", "panic_abort", "panic_unwind", "std", "test"],
    ),
    (
        "reactors and executors",
        &[
            "async_executor",
            "async_global_executor",
            "async_io",
            "async_std",
            "async_task",
            "blocking",
            "futures_executor",
            "parking",
            "polling",
            "smol",
            "ticks_recorder",
            "tokio",
        ],
    ),
    (
        "sources, locks and channels",
        &[
            "async_broadcast",
            "async_channel",
            "async_compat",
            "async_fs",
            "async_lock",
            "async_net",
            "async_process",
            "async_signal",
            "atomic_waker",
            "event_listener",
            "event_listener_strategy",
            "flume",
            "futures_channel",
            "futures_timer",
            "piper",
            "tokio_stream",
            "tokio_util",
        ],
    ),
    (
        "combinators",
        &[
            "async_stream",
            "async_trait",
            "either",
            "futures",
            "futures_concurrency",
            "futures_core",
            "futures_io",
            "futures_lite",
            "futures_util",
            "pin_project",
            "pin_project_lite",
            "pin_utils",
        ],
    ),
    (
        "what wraps futures",
        &["async_backtrace", "scoped_tls", "stacker", "tracing", "tracing_futures"],
    ),
];

/// Whether a crate's calls are left out.
pub fn is_folded_crate(name: &str) -> bool {
    CRATES.iter().any(|(_, crates)| crates.contains(&name))
}

/// Whether the futures of a crate hold others and pass polls on to them: `Some(false)` if they wait themselves,
/// `None` if the crate is not known.
pub fn holds_futures(name: &str) -> Option<bool> {
    const WAIT: [&str; 5] = ["async_io", "async_task", "blocking", "futures_channel", "tokio"];
    let (what, _) = CRATES.iter().find(|(_, crates)| crates.contains(&name))?;
    Some(!WAIT.contains(&name) && *what != "sources, locks and channels")
}

/// How a thread begins and how a program does, in C.
const FUNCTIONS: [&str; 11] = [
    "__libc_start_call_main",
    "__libc_start_main",
    "__libc_start_main_impl",
    "__rust_try",
    "_start",
    "clone",
    "clone3",
    "libc_start_main_stage2",
    "main",
    "start",
    "start_thread",
];

/// The system's libraries in which threads and programs begin.
const LIBRARIES: [&str; 4] = ["ld-linux", "ld-musl", "libc.", "libpthread."];

/// Where cargo and the compiler have the sources of what the program depends on.
const DEPENDENCIES: [&str; 3] = ["/registry/src/", "/git/checkouts/", "/rustc/"];

/// Where each crate's source is, as far as the names of its functions tell.
#[derive(Debug, Default)]
pub struct Roots(HashMap<String, String>);

impl Roots {
    /// Learns from a call whose crate is in its name.
    pub fn learn(&mut self, call: &Call) {
        if let (Some(root), Some(name)) = (root(call), crate_in_name(call)) {
            self.0.entry(root.to_owned()).or_insert_with(|| name.to_owned());
        }
    }

    /// The crate that the call's code is in.
    fn crate_of(&self, call: &Call) -> Option<String> {
        let of_file = call.file.as_deref().and_then(crate_in_path);
        let of_root = || root(call).and_then(|root| self.0.get(root)).map(String::as_str);
        of_file.or_else(|| crate_in_name(call)).or_else(of_root).map(|name| name.replace('-', "_"))
    }

    /// Says of the call which crate it is of, whether it is left out, and whether it is the program's own.
    pub fn judge(&self, call: &mut Call) {
        let of_crate = self.crate_of(call);
        call.is_folded = match &of_crate {
            Some(name) => is_folded_crate(name),
            None => {
                let library = call.module.rsplit('/').next().unwrap_or_default();
                let function = call.function.as_deref().unwrap_or_default();
                FUNCTIONS.contains(&function)
                    || LIBRARIES.iter().any(|begin| library.starts_with(begin))
            }
        };
        let is_dependency = |file: &str| DEPENDENCIES.iter().any(|place| file.contains(place));
        call.is_own = !call.is_folded && !call.file.as_deref().is_some_and(is_dependency);
        call.of_crate = of_crate;
    }
}

/// The directory of a crate's source, up to `src/`.
fn root(call: &Call) -> Option<&str> {
    let file = call.file.as_deref()?;
    let end =
        file.find("/src/").map(|at| at + 1).or_else(|| file.starts_with("src/").then_some(0))?;
    Some(&file[..end])
}

/// The crate that a function's name begins with.
fn crate_in_name(call: &Call) -> Option<&str> {
    let name = call.function.as_deref()?.trim_start_matches(['<', '&']);
    Some(name.split_once("::")?.0)
}

/// The crate of a path that cargo or the compiler has made.
fn crate_in_path(path: &str) -> Option<&str> {
    if let Some((_, rest)) = path.split_once("/registry/src/") {
        // `index.crates.io-1949cf8c6b5b557f/smol-2.0.2/src/lib.rs`.
        let package = rest.split('/').nth(1)?;
        return Some(package.rsplit_once('-').map_or(package, |(name, _)| name));
    }
    let (_, rest) = path.strip_prefix("/rustc/")?.split_once("/library/")?;
    rest.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(function: &str, file: &str) -> Call {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Call { function: text(function), file: text(file), ..Call::default() }
    }

    fn is_folded(roots: &Roots, call: &Call) -> bool {
        let mut call = call.clone();
        roots.judge(&mut call);
        assert!(!call.is_folded || !call.is_own);
        call.is_folded
    }

    #[test]
    fn crates_are_told_by_their_paths_and_names() {
        let roots = Roots::default();
        let registry = "/home/x/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        for (function, file, folded) in [
            ("poll", &*format!("{registry}/futures-lite-2.6.1/src/future.rs"), true),
            ("serve", &format!("{registry}/hyper-1.6.0/src/server.rs"), false),
            ("poll", "/rustc/0123/library/core/src/future/poll_fn.rs", true),
            ("async_lock::Mutex::lock", "", true),
            ("shop::buy", "/home/x/shop/src/main.rs", false),
            ("buy", "/home/x/shop/src/main.rs", false),
            ("main", "", true),
            ("", "", false),
        ] {
            assert_eq!(is_folded(&roots, &call(function, file)), folded, "{function} {file}");
        }
        let of_libc =
            Call { module: "/lib/x86_64-linux-gnu/libc.so.6".into(), ..call("qsort_r", "") };
        assert!(is_folded(&roots, &of_libc));
    }

    /// A patched crate is built where its checkout is, and an inlined function's name has no crate.
    #[test]
    fn a_checkout_is_known_by_its_other_functions() {
        let mut roots = Roots::default();
        let inlined = call("settle", "/home/x/async-io/src/reactor/source.rs");
        assert!(!is_folded(&roots, &inlined));
        roots.learn(&call("async_io::driver::block_on", "/home/x/async-io/src/driver.rs"));
        roots.learn(&call("shop::main", "src/main.rs"));
        assert!(is_folded(&roots, &inlined));
        assert!(!is_folded(&roots, &call("pay", "src/till.rs")));
    }

    #[test]
    fn the_table_is_in_order() {
        for (what, crates) in CRATES {
            assert!(crates.windows(2).all(|pair| pair[0] < pair[1]), "{what}");
        }
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
