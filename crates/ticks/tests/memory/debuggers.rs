//! Whoever has the hung shop open in gdb or in lldb asks there: the commands that the program brings, and the same of the
//! script that the tool prints.
//!
//! A debugger that is missing is a reason to leave its tests out, but not in the gate.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::cores::Dump;
use crate::start::{shop, shop_path, Program};
use crate::util::stdout;

/// Whether there is such a program; in the gate there is.
fn has(debugger: &str) -> bool {
    let has = Command::new(debugger).arg("--version").output().is_ok();
    if !has {
        assert!(std::env::var_os("CI").is_none(), "the gate has {debugger}");
        eprintln!("left out: there is no {debugger}");
    }
    has
}

fn said(output: Output) -> String {
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// What gdb says, without what whoever runs this has told it always to do.
pub fn gdb(args: &[&str]) -> Option<String> {
    gdb_with(args, Some(env!("CARGO_BIN_EXE_ticks").as_ref()))
}

/// With this tool, or with none.
fn gdb_with(args: &[&str], tool: Option<&Path>) -> Option<String> {
    if !has("gdb") {
        return None;
    }
    let mut command = Command::new("gdb");
    // It may neither ask others for debug information nor wrap its lines.
    command.args(["-nx", "-batch", "-iex", "set debuginfod enabled off"]).args(args);
    command.env("COLUMNS", "300");
    match tool {
        Some(tool) => command.env("TICKS", tool),
        None => command.env("TICKS", "/nowhere/ticks"),
    };
    Some(said(command.output().expect("gdb runs")))
}

/// The script, in a file.
fn script(dir: &Path, debugger: &str) -> PathBuf {
    let path = dir.join("ticks.py");
    std::fs::write(&path, stdout(["script", debugger])).expect("there is room");
    path
}

/// The number of a task by its function, as the listing has it.
fn number_of(listing: &str, function: &str) -> String {
    let is_it = |line: &&str| {
        let mut words = line.split_whitespace();
        let number = words.next().is_some_and(|word| word.parse::<u64>().is_ok());
        number && words.next().is_some_and(|word| word.ends_with(function))
    };
    let line = listing.lines().find(is_it);
    let line = line.unwrap_or_else(|| panic!("no task of {function}: {listing}"));
    line.split_whitespace().next().expect("a number").to_owned()
}

/// What the commands say of the shop, in whatever it is open: a number of arguments for gdb. `with_stacks`: there is its
/// debug information.
#[track_caller]
fn gdb_knows(open: &[&str], with_stacks: bool) {
    let ask = |asked: &[&str]| {
        let asked = asked.iter().flat_map(|asked| ["-ex", asked]).collect::<Vec<_>>();
        gdb(&[open, &asked].concat()).expect("it is there")
    };
    let listing = ask(&["info async --all"]);
    for function in ["last_item::accept", "last_item::serve"] {
        assert!(listing.contains(function), "{listing}");
    }
    let numbers = ["::accept", "::serve"].map(|function| number_of(&listing, function));
    let answer = ask(&[
        &format!("async bt {}", numbers[0]),
        &format!("async bt {}", numbers[1]),
        "async source 3",
        // What is not there, or not understood, is said, and no more.
        "async bt 7777777",
        "async bt",
        "async source 999",
        "async source x",
    ]);
    for said in [
        &format!("\ntask {} (last_item::accept), waiting\n", numbers[0]),
        "\n  read fd 3",
        &format!("\ntask {} (last_item::serve), waiting\n", numbers[1]),
        "\nfd 3 ",
        "for it waits task ",
        "there is no task 7777777",
        "N is the number of a task",
        "no source of async-io has descriptor 999",
        "FD is a descriptor",
    ] {
        assert!(answer.contains(said), "{said}: {answer}");
    }
    assert!(!answer.contains("Traceback"), "{answer}");
    if with_stacks {
        let is_lock = |line: &str| {
            line.contains("    #0 last_item::sell, ") || line.contains("    #0 last_item::redeem, ")
        };
        assert!(answer.lines().any(is_lock), "{answer}");
        assert!(answer.contains("\n    #1 last_item::serve, "), "{answer}");
        assert!(answer.contains("examples/last_item.rs:"), "{answer}");
    }
}

#[test]
fn gdb_in_a_live_process_and_in_a_core_dump() {
    if !has("gdb") {
        return;
    }
    let shop = shop();
    let allow = format!("add-auto-load-safe-path {}", shop_path().display());
    let program = shop_path().to_str().expect("UTF-8");
    gdb_knows(&["-iex", &allow, "-p", &shop.pid()], true);
    let dump = Dump::of_gdb(&shop).expect("gdb is there");
    let core = dump.path.to_str().expect("UTF-8");
    gdb_knows(&["-iex", &allow, program, core], true);
    // Of somebody else's build, by the script of the tool.
    let dir = tempfile::tempdir().expect("a directory");
    let script = script(dir.path(), "gdb");
    let script = script.to_str().expect("UTF-8");
    let refuse = "set auto-load python-scripts off";
    gdb_knows(&["-iex", refuse, "-x", script, "-c", core], false);
}

#[test]
fn gdb_says_how_to_allow_it() {
    let Some(answer) = gdb(&[shop_path().to_str().expect("UTF-8"), "-ex", "info async"]) else {
        return;
    };
    assert!(answer.contains("add-auto-load-safe-path"), "{answer}");
    let allow = format!("add-auto-load-safe-path {}", shop_path().display());
    let program = shop_path().to_str().expect("UTF-8");
    let answer = gdb(&["-iex", &allow, program, "-ex", "info async"]).expect("it is there");
    assert!(answer.contains("no program runs here, and no core dump is open"), "{answer}");
}

#[test]
fn rust_gdb_too() {
    if !has("gdb") {
        return;
    }
    let shop = shop();
    let mut command = Command::new("rust-gdb");
    command.args(["-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex"]);
    command.arg(format!("add-auto-load-safe-path {}", shop_path().display()));
    command.args(["-p", &shop.pid(), "-ex", "info async"]);
    command.env("TICKS", env!("CARGO_BIN_EXE_ticks")).env("COLUMNS", "300");
    match command.output() {
        Ok(output) => {
            let answer = said(output);
            assert!(answer.contains("last_item::accept"), "{answer}");
        }
        Err(error) => eprintln!("left out: rust-gdb comes with rustup: {error}"),
    }
}

/// Without the tool, the debugger reads the tables itself.
#[test]
fn gdb_without_the_tool() {
    let shop = shop();
    let dir = tempfile::tempdir().expect("a directory");
    let script = script(dir.path(), "gdb");
    let script = script.to_str().expect("UTF-8");
    let refuse = "set auto-load python-scripts off";
    let Some(dump) = Dump::of_gdb(&shop) else { return };
    let core = dump.path.to_str().expect("UTF-8");
    let program = shop_path().to_str().expect("UTF-8");
    for open in [vec!["-p", &shop.pid()], vec![program, core]] {
        let args = [vec!["-iex", refuse, "-x", script], open, vec!["-ex", "info async"]].concat();
        let answer = gdb_with(&args, None).expect("it is there");
        assert!(answer.contains("/nowhere/ticks"), "{answer}");
        assert!(answer.contains("without it: no stacks"), "{answer}");
        assert_eq!(
            answer.matches("(last_item::serve::{{closure}}), waiting").count(),
            2,
            "{answer}"
        );
        let accepts = answer.split("\ntask ").any(|task| {
            task.contains("(last_item::accept::{{closure}}), waiting") && task.contains("read fd 3")
        });
        assert!(accepts, "{answer}");
        for fd in [3, 6, 7, 8, 9] {
            assert!(answer.contains(&format!("\nfd {fd}\n")), "{fd}: {answer}");
        }
    }
}

#[test]
fn lldb_in_a_live_process_and_in_a_core_dump() {
    if !has("lldb") {
        return;
    }
    let shop = shop();
    let dir = tempfile::tempdir().expect("a directory");
    let import = format!("command script import {}", script(dir.path(), "lldb").display());
    let lldb = |open: &[&str], before: &str, asked: &[&str]| {
        let mut command = Command::new("lldb");
        command.args(["-x", "--batch"]).args(open);
        command.args(["-o", &import, "-o", before]);
        command.args(asked.iter().flat_map(|asked| ["-o", asked]));
        command.env("TICKS", env!("CARGO_BIN_EXE_ticks")).env("COLUMNS", "300");
        // Debian's build of it does not find its own Python modules.
        if let Some(modules) = debian_modules() {
            command.env("PYTHONPATH", modules);
        }
        said(command.output().expect("lldb runs"))
    };
    let program: &Program = &shop;
    let pid = program.pid();
    let dump = Dump::of_gdb(program).expect("gdb is there where lldb is");
    let core = dump.path.to_str().expect("UTF-8");
    let names = format!("async core {core}");
    let path = shop_path().to_str().expect("UTF-8");
    for (open, before) in [(vec!["-p", &pid], "version"), (vec!["-c", core, path], &names)] {
        let listing = lldb(&open, before, &["async info --all"]);
        assert!(listing.contains("last_item::accept"), "{listing}");
        let asked = format!("async bt {}", number_of(&listing, "::accept"));
        let answer = lldb(&open, before, &[&asked, "async source 3"]);
        assert!(answer.contains("(last_item::accept), waiting\n"), "{answer}");
        assert!(answer.contains("\n  read fd 3"), "{answer}");
        assert!(answer.contains("\nfd 3 ") && answer.contains("for it waits task "), "{answer}");
        let answer = lldb(&open, before, &["async bt 7777777"]);
        assert!(answer.contains("there is no task 7777777"), "{answer}");
    }
    // Which dump is open, older ones do not tell; then the memory is read through the debugger.
    let answer = lldb(&["-c", core, path], "version", &["async info --all"]);
    assert!(answer.contains("last_item::accept"), "{answer}");
}

fn debian_modules() -> Option<PathBuf> {
    let all = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let of_llvm = all.filter(|it| it.file_name().to_string_lossy().starts_with("llvm-"));
    let python = of_llvm.filter_map(|it| std::fs::read_dir(it.path().join("lib")).ok());
    let mut places = python.flatten().flatten().map(|it| it.path().join("dist-packages"));
    places.find(|place| place.join("lldb/embedded_interpreter.py").exists())
}
