//! Who a page is about, hidden: the same has the same name everywhere in it.
//!
//! What is hidden is found by what the recordings say (addresses of sources, hosts), and by its form in any text:
//! internet addresses, and home directories with the users' names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::net::{IpAddr, SocketAddr};

use serde_json::Value as Json;

use super::addresses;
use crate::input::Input;

/// After which a path has the name of a user.
const HOMES: [&str; 4] = ["/home/", "/Users/", "\\Users\\", "\\\\Users\\\\"];

/// What the recording says of itself and of nobody. All else that it may say of its process is left out.
const HARMLESS: [&str; 17] = [
    "recording",
    "text log",
    "read from the memory of",
    "process",
    "program",
    "host",
    "os",
    "arch",
    "version",
    "stacks",
    "snapshot",
    "first record",
    "last record",
    "records",
    "rings in use",
    "slots overwritten",
    "records without a ring",
];

/// Gives names.
#[derive(Default)]
pub struct Redactor {
    hosts: HashMap<IpAddr, String>,
    /// Paths of Unix sockets, and directories: wherever they stand.
    paths: HashMap<String, String>,
    /// How long these are.
    lengths: BTreeSet<usize>,
    /// Users and hosts: where they are a word.
    words: BTreeMap<String, String>,
    sockets: usize,
    machines: usize,
    users: usize,
}

impl Redactor {
    /// Knows whom the recordings name. `addresses` are those of their sources.
    pub fn of(inputs: &[Input], addresses: &BTreeSet<String>) -> Redactor {
        let mut redactor = Redactor::default();
        addresses.iter().for_each(|address| redactor.learn(address));
        for host in inputs.iter().filter_map(|input| input.about("host")) {
            redactor.host(host);
        }
        // Whoever looks at a recording is often the one who made it.
        for name in ["HOME", "USERPROFILE"] {
            if let Some(home) = env::var(name).ok().filter(|home| home.len() > 3) {
                redactor.home(&home);
            }
        }
        redactor
    }

    /// An address as it is written: of the internet, or a path.
    fn learn(&mut self, address: &str) {
        if let Ok(address) = address.parse::<SocketAddr>() {
            self.host_of(address.ip());
            return;
        }
        // `-` is none, and `@` alone a socket without a name.
        if address.trim_start_matches(['-', '@']).is_empty() {
            return;
        }
        if !self.paths.contains_key(address) {
            self.sockets += 1;
            self.path(address, format!("socket-{}", self.sockets));
        }
    }

    fn path(&mut self, path: &str, name: String) {
        self.lengths.insert(path.len());
        self.paths.insert(path.to_owned(), name);
    }

    fn host(&mut self, host: &str) {
        self.machines += usize::from(!self.words.contains_key(host));
        for part in [Some(host), host.split_once('.').map(|(short, _)| short)] {
            if let Some(part) = part.filter(|part| !part.is_empty() && *part != "localhost") {
                let name = || format!("machine-{}", self.machines);
                self.words.entry(part.to_owned()).or_insert_with(name);
            }
        }
    }

    /// A home directory elsewhere than where they usually are: all of its path is hidden.
    fn home(&mut self, home: &str) {
        let is_usual = HOMES.iter().any(|begin| home.contains(begin));
        if is_usual {
            self.learn_users(home);
        } else if home != "/root" && home != "/nonexistent" {
            self.users += 1;
            self.path(home, format!("/home/user-{}", self.users));
        }
    }

    /// The name of an address: the same for its two forms where a socket is for both versions.
    fn host_of(&mut self, address: IpAddr) -> String {
        let address = address.to_canonical();
        if address.is_unspecified() {
            return match address {
                IpAddr::V4(_) => address.to_string(),
                IpAddr::V6(_) => format!("[{address}]"),
            };
        }
        let next = self.hosts.len() + 1;
        self.hosts.entry(address).or_insert_with(|| format!("host-{next}")).clone()
    }

    /// Hides them in all texts of the value.
    pub fn redact(&mut self, value: &mut Json) {
        if let Some(processes) = value["tables"]["processes"].as_array_mut() {
            processes.iter_mut().for_each(leave_out);
        }
        // First all users, whose names may stand before their directories.
        each_text(value, &mut |text| self.learn_users(text.as_str()));
        each_text(value, &mut |text| *text = self.hide(text));
    }

    /// Hides them in a text.
    pub fn text(&mut self, text: &str) -> String {
        self.learn_users(text);
        self.hide(text)
    }

    fn learn_users(&mut self, text: &str) {
        for begin in HOMES {
            for (at, _) in text.match_indices(begin) {
                let name = text[at + begin.len()..].split(['/', '\\']).next().unwrap_or_default();
                let end = name.find(|c: char| !is_of_name(c)).unwrap_or(name.len());
                let name = &name[..end];
                // What was given a name before, as in a page that is made of pages.
                if name.is_empty() || name.starts_with("user-") || self.words.contains_key(name) {
                    continue;
                }
                let path = format!("{begin}{name}");
                if self.paths.contains_key(&path) {
                    continue;
                }
                self.users += 1;
                let user = format!("user-{}", self.users);
                match name.chars().count() {
                    // Too short to be told from words that mean something else.
                    0..3 => self.path(&path, format!("{begin}{user}")),
                    _ => drop(self.words.insert(name.to_owned(), user)),
                }
            }
        }
    }

    fn hide(&mut self, text: &str) -> String {
        let mut text = self.hide_paths(text);
        let mut words: Vec<_> = self.words.iter().collect();
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        for (word, name) in words {
            text = replace_word(&text, word, name);
        }
        addresses::replace(&text, |address| self.host_of(address))
    }

    /// Hides the paths that begin at a word or a separator, the longest that there is, and end there.
    fn hide_paths(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        let mut before: Option<char> = None;
        while let Some(c) = rest.chars().next() {
            let begins = !is_part(before) || !is_part(Some(c));
            let path = if begins { self.path_at(rest) } else { None };
            let length = match path {
                Some((length, name)) => {
                    shown.push_str(name);
                    length
                }
                None => {
                    shown.push(c);
                    c.len_utf8()
                }
            };
            before = rest[..length].chars().next_back();
            rest = &rest[length..];
        }
        shown
    }

    /// The longest path at the text's beginning, and its name.
    fn path_at(&self, text: &str) -> Option<(usize, &str)> {
        self.lengths.iter().rev().find_map(|length| {
            let name = self.paths.get(text.get(..*length)?)?;
            let ends = !is_part(text[*length..].chars().next());
            ends.then_some((*length, name.as_str()))
        })
    }
}

/// Whether a word goes on with it.
fn is_part(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Leaves out what a recording says of its process and is not known to be harmless.
fn leave_out(process: &mut Json) {
    let Some(about) = process["about"].as_array_mut() else { return };
    for pair in about {
        let name = pair[0].as_str().unwrap_or_default();
        let is_count = name.ends_with("of the table") || name.starts_with("stacks");
        if !HARMLESS.contains(&name) && !is_count {
            pair[1] = "(hidden)".into();
        }
    }
}

fn each_text(value: &mut Json, work: &mut dyn FnMut(&mut String)) {
    match value {
        Json::String(text) => work(text),
        Json::Array(values) => values.iter_mut().for_each(|value| each_text(value, work)),
        Json::Object(fields) => fields.values_mut().for_each(|value| each_text(value, work)),
        _ => {}
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Replaces it where it is a word, and no part of a path of Rust: a module may be called like a host.
fn replace_word(text: &str, word: &str, name: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(word) {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        let is_word = !is_part(before.chars().next_back()) && !is_part(after.chars().next());
        let is_of_rust = before.ends_with("::") || after.starts_with("::");
        if is_word && !is_of_rust && at >= from {
            shown.push_str(&text[from..at]);
            shown.push_str(name);
            from = at + word.len();
        }
    }
    shown.push_str(&text[from..]);
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_has_the_same_name_everywhere() {
        let mut redactor = Redactor::default();
        redactor.host("build7.example.org");
        for path in ["/run/user/1000/bus", "/run/user/1000/bus.2", "x.sock"] {
            redactor.learn(path);
        }
        let mut value = json!({
            "tables": { "processes": [{ "about": [
                ["program", "/home/ada/shop/target/debug/shop"],
                ["args", "--password hunter2"],
                ["waits left out of the table", "7"],
            ] }] },
            "names": ["ada's worker", "read 10.0.0.7:80", "canada build7::run"],
            "text": "ada@build7: [::ffff:10.0.0.7]:443 and 0.0.0.0:80, unix /run/user/1000/bus",
            "paths": ["/run/user/1000/bus.2 → x.sock", "/run/user/1000/busy ax.sock", "unix:x.sock"],
            "short": "/home/b/a.rs, and b is a letter; /home/bb/a.rs",
        });
        redactor.redact(&mut value);
        let about = &value["tables"]["processes"][0]["about"];
        assert_eq!(about[0][1], "/home/user-1/shop/target/debug/shop");
        assert_eq!(about[1][1], "(hidden)");
        assert_eq!(about[2][1], "7");
        let expected = json!(["user-1's worker", "read host-1:80", "canada build7::run"]);
        assert_eq!(value["names"], expected);
        let expected = "user-1@machine-1: host-1:443 and 0.0.0.0:80, unix socket-1";
        assert_eq!(value["text"], expected);
        let expected = ["socket-2 → socket-3", "/run/user/1000/busy ax.sock", "unix:socket-3"];
        assert_eq!(value["paths"], json!(expected));
        let expected = "/home/user-2/a.rs, and b is a letter; /home/user-3/a.rs";
        assert_eq!(value["short"], expected);
    }
}
