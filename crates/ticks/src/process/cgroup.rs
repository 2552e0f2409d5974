//! What a process's cgroup does to it: whether it is frozen, and for how long its limit kept it from running.
//!
//! There is the unified hierarchy (version 2), and one for each controller (version 1). A system may have both.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the hierarchies of cgroups are mounted.
pub struct Cgroups {
    mounts: Vec<Mount>,
    proc_dir: PathBuf,
}

/// One hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// Its part that is mounted, such as `/docker/4711`; nearly always `/`.
    root: PathBuf,
    /// Where.
    at: PathBuf,
    /// Its controllers; none: the unified one.
    controllers: Vec<String>,
}

/// A process's group in one hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    dir: PathBuf,
    /// Where the hierarchy is mounted: no group is above it.
    top: PathBuf,
}

impl Cgroups {
    /// Those of this system.
    pub fn of_system() -> Cgroups {
        Cgroups::of("/proc".into())
    }

    fn of(proc_dir: PathBuf) -> Cgroups {
        let text = fs::read_to_string(proc_dir.join("self/mountinfo")).unwrap_or_default();
        Cgroups { mounts: text.lines().filter_map(mount).collect(), proc_dir }
    }

    /// The groups that the process is in, of the unified hierarchy and of the controller.
    fn groups(&self, pid: u64, controller: &str) -> Vec<Group> {
        let file = self.proc_dir.join(format!("{pid}/cgroup"));
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().filter_map(|line| self.group(line, controller)).collect()
    }

    /// A line of `/proc/<pid>/cgroup`, such as `4:cpu,cpuacct:/system.slice`.
    fn group(&self, line: &str, controller: &str) -> Option<Group> {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, Path::new(parts.next()?));
        let is_meant = |name: &str| name == controller;
        if !controllers.is_empty() && !controllers.split(',').any(is_meant) {
            return None;
        }
        let mount = self.mounts.iter().find(|mount| match controllers {
            "" => mount.controllers.is_empty(),
            _ => mount.controllers.iter().any(|name| is_meant(name)),
        })?;
        // Of a path that is not below what is mounted nothing can be read but what all have in common.
        let below = path.strip_prefix(&mount.root).or(path.strip_prefix("/")).ok()?;
        Some(Group { dir: mount.at.join(below), top: mount.at.clone() })
    }

    /// Whether the process is frozen.
    pub fn is_frozen(&self, pid: u64) -> bool {
        self.groups(pid, "freezer").iter().any(|group| {
            let read = |name| fs::read_to_string(group.dir.join(name)).unwrap_or_default();
            let is_frozen = |line: &str| line == "frozen 1";
            read("cgroup.events").lines().any(is_frozen) || read("freezer.state").trim() == "FROZEN"
        })
    }

    /// For how long each of its groups, and of those above them, was kept from running so far. The order is always
    /// the same.
    pub fn throttled_ns(&self, pid: u64) -> Vec<u64> {
        let groups = self.groups(pid, "cpu");
        let all = groups
            .iter()
            .flat_map(|group| group.dir.ancestors().take_while(|dir| dir.starts_with(&group.top)));
        all.map(throttled_ns).collect()
    }
}

/// A line of `/proc/self/mountinfo`: number, parent, device, root, place, options, optional fields, `-`, type, what
/// is mounted, its options.
fn mount(line: &str) -> Option<Mount> {
    let (fields, rest) = line.split_once(" - ")?;
    let mut fields = fields.split(' ').skip(3);
    let (root, at) = (fields.next()?.into(), fields.next()?.into());
    let mut rest = rest.split(' ');
    let controllers = match rest.next()? {
        "cgroup2" => Vec::new(),
        "cgroup" => rest.nth(1)?.split(',').map(str::to_owned).collect(),
        _ => return None,
    };
    Some(Mount { root, at, controllers })
}

fn throttled_ns(dir: &Path) -> u64 {
    let text = fs::read_to_string(dir.join("cpu.stat")).unwrap_or_default();
    let value = |name: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.split(' ').next() == Some(name))?;
        line.split(' ').nth(1)?.parse().ok()
    };
    let us = value("throttled_usec").map(|us| us.saturating_mul(1_000));
    us.or(value("throttled_time")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that stands for `/proc` and for what is mounted.
    fn system(
        mountinfo: &str,
        cgroup: &str,
        files: &[(&str, &str)],
    ) -> (tempfile::TempDir, Cgroups) {
        let dir = tempfile::tempdir().expect("a directory");
        let at = dir.path().to_str().expect("UTF-8");
        let mountinfo = mountinfo.replace("@", at);
        let all = [("proc/self/mountinfo", mountinfo.as_str()), ("proc/4711/cgroup", cgroup)];
        for (name, text) in all.iter().chain(files) {
            let file = dir.path().join(name);
            fs::create_dir_all(file.parent().expect("a directory")).expect("it is made");
            fs::write(file, text).expect("it is written");
        }
        let cgroups = Cgroups::of(dir.path().join("proc"));
        (dir, cgroups)
    }

    const UNIFIED: &str = "\
25 30 0:23 / /proc rw,nosuid - proc proc rw
31 24 0:27 / @/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
";

    /// As a container's: what is mounted is its own part of the hierarchy.
    const CONTROLLERS: &str = "\
31 24 0:27 /docker/77 @/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / @/freezer rw shared:10 - cgroup cgroup rw,freezer
33 24 0:29 / @/unified rw shared:11 - cgroup2 cgroup2 rw
";

    const IN_CONTROLLERS: &str = "4:freezer:/jobs/a\n3:cpu,cpuacct:/docker/77/b\n0::/\n";

    #[test]
    fn a_frozen_group_of_the_unified_hierarchy() {
        let events = |frozen| format!("populated 1\nfrozen {frozen}\n");
        for (frozen, is_frozen) in [(1, true), (0, false)] {
            let files = [("cgroup/jobs/a/cgroup.events", events(frozen))];
            let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
            let (_dir, cgroups) = system(UNIFIED, "0::/jobs/a\n", &files);
            assert_eq!(cgroups.is_frozen(4711), is_frozen);
            assert!(!cgroups.is_frozen(4712));
        }
    }

    #[test]
    fn a_frozen_group_of_the_freezer() {
        for (state, is_frozen) in [("FROZEN\n", true), ("THAWED\n", false)] {
            let files = [("freezer/jobs/a/freezer.state", state)];
            let (_dir, cgroups) = system(CONTROLLERS, IN_CONTROLLERS, &files);
            assert_eq!(cgroups.is_frozen(4711), is_frozen);
        }
    }

    #[test]
    fn a_limit_of_a_group_above_counts() {
        let files = [
            ("cgroup/jobs/a/cpu.stat", "usage_usec 5\nnr_throttled 0\nthrottled_usec 0\n"),
            ("cgroup/jobs/cpu.stat", "usage_usec 9\nnr_throttled 3\nthrottled_usec 270000\n"),
        ];
        let (_dir, cgroups) = system(UNIFIED, "0::/jobs/a\n", &files);
        assert_eq!(cgroups.throttled_ns(4711), [0, 270_000_000, 0]);
    }

    #[test]
    fn a_limit_of_the_controller_in_a_container() {
        let stat = "nr_periods 30\nnr_throttled 29\nthrottled_time 2700000000\n";
        let (_dir, cgroups) = system(CONTROLLERS, IN_CONTROLLERS, &[("cpu/b/cpu.stat", stat)]);
        assert!(cgroups.throttled_ns(4711).contains(&2_700_000_000));
    }
}
