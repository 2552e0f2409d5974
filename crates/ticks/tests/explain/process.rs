//! The process itself does not run.

use crate::case::{explained, hang, Case, Program};
use crate::cgroup::Cgroup;

const PROVEN: Option<&str> = Some("proven");
const LIKELY: Option<&str> = Some("likely");

/// Once it has ended, nobody can tell whether it ran.
const fn case(name: &'static str, sure: Option<&'static str>, says: &'static str) -> Case {
    Case { name, kind: "not_running", sure: [sure, None], marks: &[], says }
}

#[test]
fn somebody_holds_it() {
    hang(&[
        case("stopped", PROVEN, "is stopped by a signal"),
        case("traced", PROVEN, "is stopped by a debugger: process"),
    ]);
}

#[test]
fn a_thread_is_stuck_in_the_kernel() {
    hang(&[case("stuck_in_kernel", PROVEN, "is stuck in the kernel")]);
}

#[test]
fn others_have_the_processor() {
    hang(&[case("starved", LIKELY, "gets no processor")]);
}

/// What is said of the process, which is well but for what is done to it.
#[track_caller]
fn said_of(program: &Program, sentence: &str) {
    let (told, code) = explained(&program.pid()).expect("it is explained");
    let findings = told["findings"].as_array().expect("an array");
    let is_it = |finding: &&serde_json::Value| finding["kind"] == "not_running";
    let it = findings.iter().find(is_it).unwrap_or_else(|| panic!("{told:#}"));
    assert!(it["sentence"].as_str().is_some_and(|text| text.contains(sentence)), "{told:#}");
    assert_eq!((&it["sure"], code), (&"proven".into(), Some(1)), "{told:#}");
    // Nothing else is at fault.
    assert!(!findings.iter().any(|finding| finding["kind"] == "never_polled"), "{told:#}");
}

/// Of both versions of cgroups, as far as this system lets one have a cgroup.
#[test]
fn its_cgroup_is_frozen() {
    let kinds = [("cgroup2", "", "cgroup.freeze", "1", "0")];
    for (system, controller, file, on, off) in
        kinds.into_iter().chain([("cgroup", "freezer", "freezer.state", "FROZEN", "THAWED")])
    {
        let mut program = Program::start("hangs", "silent_peer", 100);
        program.wait_until("hung").expect("it hangs");
        let Some(cgroup) = Cgroup::with(&program.pid(), (system, controller)) else { continue };
        cgroup.set(file, on, off).expect("a cgroup can be frozen");
        said_of(&program, "is frozen by its cgroup");
    }
}

/// A limit of 1 % of a processor, for a program that computes.
#[test]
fn its_cgroup_keeps_it_from_running() {
    let mut program = Program::start("hangs", "computes", 100);
    program.wait_until("hung").expect("it hangs");
    let version_1 = ("cgroup", "cpu", "cpu.cfs_quota_us", "1000", "-1");
    let version_2 = ("cgroup2", "cpu", "cpu.max", "1000 100000", "max 100000");
    for (system, controller, file, limit, none) in [version_1, version_2] {
        let Some(cgroup) = Cgroup::with(&program.pid(), (system, controller)) else { continue };
        if let Err(error) = cgroup.set(file, limit, none) {
            eprintln!("skipped with {system}: {file}: {error}");
            continue;
        }
        let (told, code) = explained(&program.pid()).expect("it is explained");
        let findings = told["findings"].as_array().expect("an array").iter();
        let said: Vec<&str> = findings.filter_map(|finding| finding["sentence"].as_str()).collect();
        let it = "is kept from running by the limit of its cgroup";
        assert!(said.iter().any(|sentence| sentence.contains(it)), "{told:#}");
        assert_eq!(code, Some(1), "{told:#}");
    }
}
