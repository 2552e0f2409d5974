//! Why a process has nothing to show: what it has instead of this crate, as far as its files tell.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::tables::Tables;
use crate::memory::Memory;

/// The crate is there, and nothing of it.
pub const UNUSED: &str = "it has async-io with the clockwork visible, and has not used it yet: no socket and no timer was \
                          ever registered";

/// Says it in a sentence. `open` gives a module's file.
pub fn why(memory: &dyn Memory, tables: &Tables, open: impl Fn(&Path) -> Option<File>) -> String {
    if let Some(version) = tables.unknown.first() {
        return format!(
            "what its async-io publishes is of version {version}, and this build of ticks reads version {}; \
             take the ticks that is beside the async-io that the program was built with",
            ticks_format::published::VERSION
        );
    }
    if tables.has_unused || !tables.executors.is_empty() {
        return UNUSED.into();
    }
    let mut paths: Vec<PathBuf> = memory
        .mappings()
        .iter()
        .filter(|mapping| mapping.executable)
        .filter_map(|mapping| mapping.path.clone())
        .collect();
    paths.dedup();
    let found: Vec<Found> =
        paths.iter().filter_map(|path| open(path)).filter_map(Found::in_module).collect();
    match found.iter().find(|it| it.crate_name == "async-io").or(found.first()) {
        Some(Found { crate_name: "async-io", version: Some(version) }) => format!(
            "it has async-io {version} of crates.io, which tells nothing of itself; build it with the lines of \
             [patch.crates-io], as the README says, or look with gdb"
        ),
        Some(Found { crate_name: "async-io", version: None }) => {
            "it has another build of async-io, which tells nothing of itself; build it with the lines of \
             [patch.crates-io], as the README says"
                .into()
        }
        Some(Found { crate_name, version }) => format!(
            "it has no async-io in it, but {crate_name} {}, which brings a reactor of its own",
            version.as_deref().unwrap_or_default()
        ),
        None => "it has no async-io in it, as far as its files tell".into(),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    crate_name: &'static str,
    version: Option<String>,
}

impl Found {
    fn in_module(mut file: File) -> Option<Found> {
        let mut all = Vec::new();
        file.read_to_end(&mut all).ok()?;
        Found::in_file(&all)
    }

    /// Panics name the file that they come from, in stripped programs too; symbols name the crate.
    fn in_file(file: &[u8]) -> Option<Found> {
        for crate_name in ["async-io", "tokio"] {
            let begin = format!("/{crate_name}-");
            for at in places(file, begin.as_bytes()) {
                let rest = &file[at + begin.len()..];
                let version: String = rest
                    .iter()
                    .take(24)
                    .take_while(|byte| **byte != b'/')
                    .map(|byte| char::from(*byte))
                    .collect();
                let is_version = version.split('.').count() >= 3
                    && version.starts_with(|first: char| first.is_ascii_digit())
                    && rest.get(version.len()) == Some(&b'/');
                if is_version {
                    return Some(Found { crate_name, version: Some(version) });
                }
            }
        }
        let symbol = b"8async_io7reactor";
        let has_symbol = places(file, symbol).next().is_some();
        has_symbol.then_some(Found { crate_name: "async-io", version: None })
    }
}

fn places<'a>(file: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = wanted[0];
    (0..file.len().saturating_sub(wanted.len()))
        .filter(move |at| file[*at] == first && file[*at..].starts_with(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_told_by_the_paths_of_their_sources() {
        let of = |text: &str| Found::in_file(format!("\0\0{text}\0\0").as_bytes());
        let found = of("/registry/src/index-1/async-io-2.6.0/src/reactor.rs");
        assert_eq!(found, Some(Found { crate_name: "async-io", version: Some("2.6.0".into()) }));
        let tokio = of("/index/tokio-1.48.0/src/runtime/mod.rs").expect("tokio");
        assert_eq!((tokio.crate_name, tokio.version.as_deref()), ("tokio", Some("1.48.0")));
        assert_eq!(of("/async-io-with-clockwork/src/lib.rs"), None);
        assert_eq!(of("_ZN8async_io7reactor7Reactor3get17h").expect("a symbol").version, None);
        assert_eq!(of("nothing"), None);
    }
}
