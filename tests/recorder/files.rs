//! The recorder's switch is set in an environment, which every program below it inherits, with whatever
//! directory somebody thought of. So each thing that can be wrong with a directory, a file of that name, a
//! disk or a limit comes to pass in some program that nobody thought of, and none of them may be worse
//! for the program than a line on stderr that says what to do. And each program makes its own file,
//! forked children, programs that `exec` and two copies of the crate in one process included.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use async_io::block_on;
use tempfile::TempDir;
use ticks_format::Header;

use crate::util;
use crate::util::alive::reactor_is_alive;
use crate::util::{child, fork, recording, watchdog};

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The names of what is in the directory.
fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Runs this test in a child, as `role`, with the switch set to `dir`; it must succeed.
#[track_caller]
fn run(test: &str, role: &str, dir: &Path, adjust: impl FnOnce(&mut Command)) -> (u32, Output) {
    let mut command = child::command(test, role, 0);
    recording::into(&mut command, dir);
    adjust(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", child::shown(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let pid = child::value(&stdout, "pid").map_or(0, |pid| pid.parse().unwrap());
    (pid, output)
}

/// What the crate said on stderr.
fn said(output: &Output) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    stderr.lines().filter(|line| line.starts_with("async-io:")).map(str::to_owned).collect()
}

/// The child's part of most tests.
fn work() {
    println!("\npid={}", std::process::id());
    reactor_is_alive();
}

/// The program has nothing to say about its recorder but this one line, and works all the same.
#[track_caller]
fn says(test: &str, dir: &Path, adjust: impl FnOnce(&mut Command), wanted: &[&str]) {
    let (_, output) = run(test, "work", dir, adjust);
    let said = said(&output);
    assert_eq!(said.len(), 1, "{}", child::shown(&output));
    for part in wanted {
        assert!(said[0].contains(part), "{:?} is not in {:?}", part, said[0]);
    }
}

#[test]
fn a_file_is_private_and_says_whose_it_is() {
    let test = "a_file_is_private_and_says_whose_it_is";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return work();
    }
    let dir = dir();
    let (pid, output) = run(test, "work", dir.path(), |command| {
        // SAFETY: `umask` is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                libc::umask(0o777);
                Ok(())
            })
        };
    });
    assert_eq!(said(&output), [""; 0]);
    assert_eq!(names(dir.path()), [format!("{pid}.ticks")].into());
    let path = recording::path(dir.path(), pid);
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
    assert_eq!(metadata.len(), 64 << 20);
    assert!(metadata.blocks() * 512 < 8 << 20, "{} blocks: not sparse", metadata.blocks());
    let recording = recording::open(&path);
    assert_eq!(recording.header().pid, u64::from(pid));
    let about = |name| recording.about().iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let exe = std::env::current_exe().unwrap();
    assert_eq!(about("program"), exe.to_str());
    assert_eq!(about("version"), Some("async-io 2.6.0"));
    assert!(about("boot_id").is_some() && about("host").is_some());
}

/// A variable in a script that was never set, and a size without a place: nothing was recorded, and nothing said.
#[test]
fn a_switch_that_asks_for_nothing_is_reported() {
    let test = "a_switch_that_asks_for_nothing_is_reported";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return work();
    }
    let wanted = ["ASYNC_IO_TRACE is empty", "expected a directory", "nothing is recorded"];
    says(test, Path::new(""), |_| {}, &wanted);
    let both = |command: &mut Command| {
        command.env("ASYNC_IO_TRACE_MIB", "16");
    };
    says(test, Path::new(""), both, &wanted);
    let alone = |command: &mut Command| {
        command.env("ASYNC_IO_TRACE_MIB", "16").env_remove("ASYNC_IO_TRACE");
    };
    let wanted = ["ASYNC_IO_TRACE_MIB is set and ASYNC_IO_TRACE is not", "nothing is recorded"];
    says(test, Path::new(""), alone, &wanted);
    // Nobody has asked for anything.
    let (_, output) = run(test, "work", Path::new(""), |command| {
        command.env("ASYNC_IO_TRACE_MIB", "").env_remove("ASYNC_IO_TRACE");
    });
    assert_eq!(said(&output), [""; 0]);
}

/// Whoever names a directory that is to hold the recordings has rarely made it, and a service's is gone after a
/// restart of the machine: nothing was recorded of the hang that it was meant for.
#[test]
fn a_missing_directory_is_made() {
    let test = "a_missing_directory_is_made";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return work();
    }
    let dir = dir();
    // With a slash at its end too, as a shell completes it.
    for missing in [dir.path().join("missing"), dir.path().join("other/")] {
        for _ in 0..2 {
            let (pid, output) = run(test, "work", &missing, |command| {
                // SAFETY: `umask` is async-signal-safe.
                unsafe {
                    command.pre_exec(|| {
                        libc::umask(0);
                        Ok(())
                    })
                };
            });
            assert_eq!(said(&output), [""; 0]);
            recording::open(&recording::path(&missing, pid));
        }
        assert_eq!(names(&missing).len(), 2);
        let mode = fs::metadata(&missing).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700, "for its owner only");
    }
    // A link that leads nowhere is not followed: somebody else may have planted it.
    let link = dir.path().join("link");
    symlink(dir.path().join("nowhere"), &link).unwrap();
    says(test, &link, |_| {}, &["there is no directory", "link", "mkdir -p"]);
    assert!(!dir.path().join("nowhere").exists());
}

#[test]
fn the_size_is_what_was_asked_for() {
    let test = "the_size_is_what_was_asked_for";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return work();
    }
    for (mib, len) in [("1", 1), ("3", 3), (" 128 ", 128), ("", 64)] {
        let dir = dir();
        let (pid, output) = run(test, "work", dir.path(), |command| {
            command.env("ASYNC_IO_TRACE_MIB", mib);
        });
        assert_eq!(said(&output), [""; 0]);
        let path = recording::path(dir.path(), pid);
        assert_eq!(fs::metadata(&path).unwrap().len(), len << 20);
        assert!(recording::lines(&recording::open(&path)).len() > 10);
    }
}

#[test]
fn a_size_that_is_none_is_reported() {
    let test = "a_size_that_is_none_is_reported";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return work();
    }
    for mib in ["0", "-1", "lots", "64MiB", "1.5", "99999999999999999999", "1048577"] {
        let dir = dir();
        let wanted = ["ASYNC_IO_TRACE_MIB", mib, "1 to 1048576", "going on with 64"];
        let ask = |command: &mut Command| {
            command.env("ASYNC_IO_TRACE_MIB", mib);
        };
        says(test, dir.path(), ask, &wanted);
        assert_eq!(names(dir.path()).len(), 1, "it records all the same");
    }
}

#[test]
fn a_directory_that_is_none_is_reported() {
    let test = "a_directory_that_is_none_is_reported";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return work();
    }
    let dir = dir();
    let missing = dir.path().join("missing/recordings");
    says(test, &missing, |_| {}, &["there is no directory", "missing/recordings", "mkdir -p"]);
    assert!(names(dir.path()).is_empty(), "none is made");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    says(test, &file, |_| {}, &["is not a directory"]);
    assert_eq!(fs::metadata(&file).unwrap().len(), 0);
    says(test, &file.join("in"), |_| {}, &["file/in is not a directory"]);
    says(test, Path::new("/proc"), |_| {}, &["cannot make a file in /proc", "name another"]);
}

/// Root may write anywhere.
#[test]
fn a_directory_without_permission_is_reported() {
    let test = "a_directory_without_permission_is_reported";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return work();
    }
    let dir = dir();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let nobody = |command: &mut Command| {
        // SAFETY: the calls are async-signal-safe, and what they fail to do the test notices.
        unsafe {
            command.pre_exec(|| {
                // Without the right to pass over permissions, root is a user like any other.
                const CAP_DAC_OVERRIDE: libc::c_ulong = 1;
                libc::prctl(libc::PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0);
                Ok(())
            })
        };
    };
    says(test, dir.path(), nobody, &["no permission to make a file in", "that is yours"]);
    let missing = dir.path().join("missing");
    says(test, &missing, nobody, &["there is no directory", "cannot be made (Permission denied"]);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(names(dir.path()).is_empty());
}

const NOBODY: u32 = 65_534;

/// This test binary, copied to `dir` with this mode, as another user, who records into `dir/target`, where
/// everybody keeps what is theirs.
fn as_nobody(test: &str, dir: &Path, mode: u32) -> Command {
    let (program, target) = (dir.join("program"), dir.join("target"));
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::create_dir(&target).unwrap();
    for (path, mode) in [(dir, 0o755), (&program, mode), (&target, 0o1777)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let like = child::command(test, "nobody", 0);
    let mut command = Command::new(&program);
    command.args(like.get_args()).current_dir("/").uid(NOBODY);
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    recording::into(&mut command, &target);
    command
}

/// Whoever runs a setuid program chooses its environment, and so would choose where it makes and replaces
/// files. One that takes its rights over wholly, as most do that run other programs, has the same numbers
/// as a program that root has started, and was taken for one.
#[test]
fn a_setuid_program_makes_no_file() {
    let test = "a_setuid_program_makes_no_file";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        // SAFETY: plain calls without pointers.
        let is_setuid = unsafe { libc::getuid() == NOBODY && libc::geteuid() == 0 };
        println!("\nsetuid={is_setuid}");
        // SAFETY: as above.
        assert!(!is_setuid || unsafe { libc::setuid(0) } == 0);
        return work();
    }
    // SAFETY: as above.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: this user may not make a program of another user's");
        return;
    }
    let dir = dir();
    let mut command = as_nobody(test, dir.path(), 0o4755);
    let target = dir.path().join("target");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", child::shown(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    if child::value(&stdout, "setuid") != Some("true") {
        println!("skipped: this file system has no setuid programs");
        return;
    }
    assert_eq!(names(&target), BTreeSet::new(), "{}", child::shown(&output));
    let said = said(&output);
    assert!(said.len() == 1 && said[0].contains("ASYNC_IO_TRACE is ignored"), "{said:?}");
}

/// Somebody else who may write to the directory puts a link where the file is going to be.
#[test]
fn a_planted_link_is_not_followed() {
    let test = "a_planted_link_is_not_followed";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        let dir = std::env::var_os("ASYNC_IO_TRACE").unwrap();
        let dir = Path::new(&dir);
        symlink(dir.join("precious"), recording::path(dir, std::process::id())).unwrap();
        return work();
    }
    let dir = dir();
    let precious = dir.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let (pid, output) = run(test, "work", dir.path(), |_| {});
    assert_eq!(said(&output), [""; 0]);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    let path = recording::path(dir.path(), pid);
    assert!(fs::symlink_metadata(&path).unwrap().is_file(), "the link is replaced");
    recording::open(&path);
}

/// A process gets the number of one that left a recording.
#[test]
fn an_old_recording_of_the_same_number_is_replaced() {
    let test = "an_old_recording_of_the_same_number_is_replaced";
    let _watchdog = watchdog(test);
    let old = |dir: &Path| dir.join("old");
    if let Some(role) = child::role() {
        let dir = std::env::var_os("ASYNC_IO_TRACE").unwrap();
        let dir = Path::new(&dir);
        if role == "later" {
            fs::rename(old(dir), recording::path(dir, std::process::id())).unwrap();
        }
        return work();
    }
    let dir = dir();
    let (first, _) = run(test, "earlier", dir.path(), |_| {});
    let mut bytes = fs::read(recording::path(dir.path(), first)).unwrap();
    fs::remove_file(recording::path(dir.path(), first)).unwrap();
    for tail in [0, 4096, 1 << 20] {
        // Longer than a new one, so that what is left of it would be seen.
        bytes.resize((64 << 20) + tail, 0xa5);
        fs::write(old(dir.path()), &bytes).unwrap();
        let (later, output) = run(test, "later", dir.path(), |_| {});
        assert_eq!(said(&output), [""; 0]);
        assert_eq!(names(dir.path()), [format!("{later}.ticks")].into());
        let path = recording::path(dir.path(), later);
        assert_eq!(fs::metadata(&path).unwrap().len(), 64 << 20);
        let recording = recording::open(&path);
        assert_eq!(recording.header().pid, u64::from(later));
        let rings = recording::rings(&recording);
        assert!(rings.iter().all(|ring| ring.tid >= u64::from(later)), "records of an earlier one");
        fs::remove_file(path).unwrap();
    }
}

/// Two users share a directory such as `/tmp`, and the process of one gets the number of which the other has
/// left a recording. It must not be replaced, and nothing was recorded.
#[test]
fn another_users_recording_is_left_alone() {
    let test = "another_users_recording_is_left_alone";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        println!("\npid={}", std::process::id());
        io::stdin().read_line(&mut String::new()).unwrap();
        return work();
    }
    // SAFETY: a plain call without pointers.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: this user may not make another user's file");
        return;
    }
    let dir = dir();
    let mut command = as_nobody(test, dir.path(), 0o755);
    let target = dir.path().join("target");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    fs::write(recording::path(&target, pid), "theirs").unwrap();
    child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", child::shown(&output));
    assert_eq!(said(&output), [""; 0]);
    let both = [format!("{pid}.ticks"), format!("{pid}-1.ticks")];
    assert_eq!(names(&target), both.iter().cloned().collect());
    assert_eq!(fs::read(target.join(&both[0])).unwrap(), b"theirs");
    assert!(recording::lines(&recording::open(&target.join(&both[1]))).len() > 10);
}

#[test]
fn a_directory_of_that_name_is_left_alone() {
    let test = "a_directory_of_that_name_is_left_alone";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        let dir = std::env::var_os("ASYNC_IO_TRACE").unwrap();
        fs::create_dir(recording::path(dir.as_ref(), std::process::id())).unwrap();
        return work();
    }
    let dir = dir();
    says(test, dir.path(), |_| {}, &["cannot put the recording in place of", "remove that"]);
    assert_eq!(names(dir.path()).len(), 1, "nothing else is left");
}

#[test]
fn a_forked_child_makes_a_file_of_its_own() {
    let test = "a_forked_child_makes_a_file_of_its_own";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        work();
        for _ in 0..2 {
            let child = fork::Child::start("which records", || {
                println!("\nchild={}", std::process::id());
                block_on(async {});
                reactor_is_alive();
            });
            child.succeeds();
            // The parent goes on.
            reactor_is_alive();
        }
        return;
    }
    let dir = dir();
    let (parent, output) = run(test, "forks", dir.path(), |_| {});
    assert_eq!(said(&output), [""; 0]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let children = stdout.split_whitespace().filter_map(|word| word.strip_prefix("child="));
    let children: Vec<u32> = children.map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(children.len(), 2);
    let all = [parent, children[0], children[1]];
    assert_eq!(names(dir.path()), all.iter().map(|pid| format!("{pid}.ticks")).collect());
    for pid in all {
        let recording = recording::open(&recording::path(dir.path(), pid));
        assert_eq!(recording.header().pid, u64::from(pid));
        // What says its own thread says one of the process's. Numbers are given out in order.
        let later = children.iter().filter(|child| **child > pid).min();
        let own = |tid: u64| {
            tid >= u64::from(pid)
                && later.is_none_or(|later| pid != parent || tid != u64::from(*later))
        };
        let rings = recording::rings(&recording);
        assert!(!rings.is_empty());
        for ring in rings {
            assert!(own(ring.tid), "thread {} in the file of {pid}", ring.tid);
            let thread = format!("block_on:+ thread={}", ring.tid);
            for record in recording::records(&ring).map(ToString::to_string) {
                assert!(!record.starts_with("block_on:+") || record == thread, "{record} of {pid}");
            }
        }
    }
}

/// The directory is removed while the program records, and it forks after that.
#[test]
fn a_directory_may_disappear() {
    let test = "a_directory_may_disappear";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        work();
        fs::remove_dir_all(std::env::var_os("ASYNC_IO_TRACE").unwrap()).unwrap();
        for _ in 0..20 {
            reactor_is_alive();
        }
        fork::Child::start("which makes the directory anew", reactor_is_alive).succeeds();
        return;
    }
    let dir = dir();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let (pid, output) = run(test, "removes", &inner, |_| {});
    assert_eq!(said(&output), [""; 0]);
    let names = names(&inner);
    assert!(names.len() == 1 && !names.contains(&format!("{pid}.ticks")), "the child's: {names:?}");
}

/// A relative directory is where it was when the program first recorded.
#[test]
fn a_child_records_where_its_parent_did() {
    let test = "a_child_records_where_its_parent_did";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        work();
        std::env::set_current_dir("/").unwrap();
        fork::Child::start("which is elsewhere", reactor_is_alive).succeeds();
        return;
    }
    let dir = dir();
    fs::create_dir(dir.path().join("here")).unwrap();
    let (_, output) = run(test, "moves", Path::new("here"), |command| {
        command.current_dir(dir.path());
    });
    assert_eq!(said(&output), [""; 0]);
    assert_eq!(names(&dir.path().join("here")).len(), 2);
}

/// The same process goes on as another program.
#[test]
fn a_program_after_exec_takes_the_next_name() {
    let test = "a_program_after_exec_takes_the_next_name";
    let _watchdog = watchdog(test);
    match child::role().as_deref() {
        None => {}
        Some("before") => {
            work();
            panic!("exec: {}", child::command(test, "after", 0).exec());
        }
        Some(_) => return work(),
    }
    let dir = dir();
    let (pid, output) = run(test, "before", dir.path(), |_| {});
    assert_eq!(said(&output), [""; 0]);
    let both = [format!("{pid}.ticks"), format!("{pid}-1.ticks")];
    assert_eq!(names(dir.path()), both.iter().cloned().collect());
    for name in both {
        let recording = recording::open(&dir.path().join(name));
        assert_eq!(recording.header().pid, u64::from(pid));
        assert!(recording::lines(&recording).len() > 10);
    }
}

/// A program that depends on two releases of the crate has its reactor, and its recorder, twice.
#[test]
fn two_copies_in_a_process_have_a_file_each() {
    let test = "two_copies_in_a_process_have_a_file_each";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        work();
        async_io_second_copy::block_on(async {
            let (near, _far) = util::tcp_pair().unwrap();
            let near = async_io_second_copy::Async::new(near).unwrap();
            near.writable().await.unwrap();
            async_io_second_copy::Timer::after(std::time::Duration::from_millis(1)).await;
        });
        return reactor_is_alive();
    }
    let dir = dir();
    let (pid, output) = run(test, "twice", dir.path(), |_| {});
    assert_eq!(said(&output), [""; 0]);
    let both = [format!("{pid}.ticks"), format!("{pid}-1.ticks")];
    assert_eq!(names(dir.path()), both.iter().cloned().collect());
    for name in both {
        let path = dir.path().join(name);
        let (header, _) = Header::read(&fs::File::open(&path).unwrap(), 0).unwrap();
        assert_eq!(header.pid, u64::from(pid));
        assert!(recording::lines(&recording::open(&path)).len() > 10);
    }
}

/// Making a longer file than `ulimit -f` allows would be the end by `SIGXFSZ`.
#[test]
fn a_limit_on_files_is_reported() {
    let test = "a_limit_on_files_is_reported";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return work();
    }
    let limit = |command: &mut Command| {
        // SAFETY: `setrlimit` is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                let limit = libc::rlimit { rlim_cur: 2 << 20, rlim_max: 2 << 20 };
                match libc::setrlimit(libc::RLIMIT_FSIZE, &limit) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            })
        };
    };
    let dir = dir();
    says(test, dir.path(), limit, &["2097152 bytes", "ulimit -f", "ASYNC_IO_TRACE_MIB"]);
    assert!(names(dir.path()).is_empty());
    let (_, output) = run(test, "work", dir.path(), |command| {
        limit(command);
        command.env("ASYNC_IO_TRACE_MIB", "2");
    });
    assert_eq!(said(&output), [""; 0]);
    assert_eq!(names(dir.path()).len(), 1);
}

/// Starts the child with a file system of `bytes` at `dir`, which nobody else sees and which ends with
/// it. Where that is not allowed, the child does not start.
pub fn on_a_disk_of(command: &mut Command, dir: &Path, bytes: usize) {
    let dir = CString::new(dir.as_os_str().as_bytes()).unwrap();
    let options = CString::new(format!("size={bytes}")).unwrap();
    let unshare = move || {
        let (none, tmpfs) = (std::ptr::null(), c"tmpfs".as_ptr());
        // SAFETY: the calls are async-signal-safe, and the texts outlive them.
        let failed = unsafe {
            let user = if libc::geteuid() == 0 { 0 } else { libc::CLONE_NEWUSER };
            let private = libc::MS_REC | libc::MS_PRIVATE;
            libc::unshare(libc::CLONE_NEWNS | user) != 0
                || libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, private, none.cast()) != 0
                || libc::mount(tmpfs, dir.as_ptr(), tmpfs, 0, options.as_ptr().cast()) != 0
        };
        match failed {
            false => Ok(()),
            true => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: see above.
    unsafe { command.pre_exec(unshare) };
}

/// Whether this machine lets its users have file systems of their own.
pub fn disks_are_allowed() -> bool {
    let dir = dir();
    let mut command = Command::new("true");
    on_a_disk_of(&mut command, dir.path(), 1 << 20);
    command.status().is_ok_and(|status| status.success())
}

/// A store into a hole of a file on a full disk is `SIGBUS`, in whatever thread it happens.
#[test]
fn a_full_disk_ends_no_program() {
    let test = "a_full_disk_ends_no_program";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        work();
        let records = 8 * child::count();
        let threads = (0..3)
            .map(|_| std::thread::spawn(move || (0..records).for_each(|_| block_on(async {}))));
        threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
        reactor_is_alive();
        // What there is room for is whole; only this process sees it.
        let dir = std::env::var_os("ASYNC_IO_TRACE").unwrap();
        let path = recording::path(dir.as_ref(), std::process::id());
        if path.exists() {
            let kept = recording::lines(&recording::open(&path)).len();
            println!("\nkept={kept}");
        }
        return;
    }
    if !disks_are_allowed() {
        println!("skipped: this user may not mount a file system");
        return;
    }
    let pieces = 64 << 10;
    for (room, keeps) in [(1, false), (3, false), (6, false), (16, true)] {
        let dir = dir();
        let mut command = child::command(test, "full", 10_000);
        recording::into(&mut command, dir.path());
        on_a_disk_of(&mut command, dir.path(), room * pieces);
        let output = command.output().unwrap();
        let shown = child::shown(&output);
        assert!(output.status.success(), "{room} pieces: {shown}");
        let said = said(&output);
        assert!(!said.is_empty() && said.len() <= 2, "{room} pieces: {shown}");
        assert!(said.iter().all(|said| said.contains("ASYNC_IO_TRACE")), "{said:?}");
        assert!(
            said.iter().any(|said| said.contains("full") || said.contains("no room")),
            "{said:?}"
        );
        let stdout = String::from_utf8_lossy(&output.stdout);
        let kept = child::value(&stdout, "kept").map_or(0, |kept| kept.parse::<usize>().unwrap());
        assert!(!keeps || kept > 500, "{room} pieces kept {kept}: {shown}");
    }
}

/// A file system that copies on write takes another place for a page that has reached the disk, each time
/// it is stored to anew. So room that was made is no room later: on a full btrfs the program was ended by
/// `SIGBUS` when its records came around to where the first ones were.
#[test]
fn a_full_disk_that_copies_on_write_ends_no_program() {
    let test = "a_full_disk_that_copies_on_write_ends_no_program";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return fill_the_disk();
    }
    let dir = dir();
    let (image, mount) = (dir.path().join("image"), dir.path().join("mount"));
    fs::create_dir(&mount).unwrap();
    fs::File::create(&image).unwrap().set_len(160 << 20).unwrap();
    let (image, at) = (image.to_str().unwrap(), mount.to_str().unwrap());
    let made = Command::new("mkfs.btrfs").args(["-q", image]).output();
    // Seen by this process alone, and gone with it.
    let mounted = [
        "unshare",
        "-m",
        "sh",
        "-c",
        "mount -o loop \"$0\" \"$1\" && shift && exec \"$@\"",
        image,
        at,
    ];
    let tried = Command::new(mounted[0]).args(&mounted[1..]).arg("true").output();
    if ![made, tried].iter().all(|run| run.as_ref().is_ok_and(|run| run.status.success())) {
        println!("skipped: this user may not make and mount a btrfs");
        return;
    }
    let mut command = child::under(&mounted, test, "fills", 0);
    recording::into(&mut command, &mount);
    command.env("ASYNC_IO_TRACE_MIB", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", child::shown(&output));
}

/// Records all the time, while the disk is full and the recording is written to it.
fn fill_the_disk() {
    work();
    let dir = std::env::var_os("ASYNC_IO_TRACE").unwrap();
    let recording = fs::File::open(recording::path(dir.as_ref(), std::process::id())).unwrap();
    for len in [1 << 20, 4096] {
        let mut file = fs::File::create(Path::new(&dir).join(len.to_string())).unwrap();
        while file.write_all(&vec![0xa5; len]).is_ok() {}
        // What was not yet given its place may find none.
        let _ = file.sync_all();
    }
    // A full btrfs takes its time over each page.
    for _ in 0..2 {
        recording.sync_all().unwrap();
        (0..100).for_each(|_| block_on(async {}));
    }
}
