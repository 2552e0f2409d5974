//! A cgroup for a process of a test. A test that may have none, in a container or as another user than root, says so
//! and is skipped: what is read of cgroups has tests of its own.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A cgroup with one process in it. The process leaves it before it is removed.
pub struct Cgroup {
    dir: PathBuf,
    pid: String,
    /// What is to be written when this is dropped.
    undo: RefCell<Vec<(PathBuf, String)>>,
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for (file, value) in self.undo.take() {
            fs::write(file, value).expect("what was set can be taken back");
        }
        let above = self.dir.parent().expect("it is in another");
        // It may have ended.
        let _ = fs::write(above.join("cgroup.procs"), &self.pid);
        let _ = fs::remove_dir(&self.dir);
    }
}

impl Cgroup {
    /// One in the hierarchy with this file system and controller; none: the system does not let us.
    pub fn with(pid: &str, (system, controller): (&str, &str)) -> Option<Cgroup> {
        let Some(top) = mounted(system, controller) else {
            eprintln!("skipped with {system} {controller}: it is not mounted");
            return None;
        };
        Cgroup::below(&top, pid)
            .inspect_err(|error| eprintln!("skipped with {}: {error}", top.display()))
            .ok()
    }

    fn below(top: &Path, pid: &str) -> io::Result<Cgroup> {
        let dir = top.join(format!("ticks-test-{}-{pid}", std::process::id()));
        fs::create_dir(&dir)?;
        let cgroup = Cgroup { dir, pid: pid.to_owned(), undo: RefCell::default() };
        fs::write(cgroup.dir.join("cgroup.procs"), pid)?;
        Ok(cgroup)
    }

    /// Writes to one of its files, and something else in the end.
    pub fn set(&self, file: &str, value: &str, in_the_end: &str) -> io::Result<()> {
        let file = self.dir.join(file);
        fs::write(&file, value)?;
        self.undo.borrow_mut().push((file, in_the_end.to_owned()));
        Ok(())
    }
}

/// Where it is mounted.
fn mounted(system: &str, controller: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (at, is, options) = (fields.next()?, fields.next()?, fields.next()?);
        let has = system == "cgroup2" || options.split(',').any(|option| option == controller);
        (is == system && has).then(|| at.into())
    })
}
