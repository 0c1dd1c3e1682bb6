//! How much memory pydbg may take without harm to others: MemAvailable of /proc/meminfo
//! (Documentation/filesystems/proc.rst), and what the limits of its control groups leave
//! (Documentation/admin-guide/cgroup-v2.rst).

use std::fs;
use std::path::Path;

/// Where control groups are.
const GROUPS: &str = "/sys/fs/cgroup";

/// The bytes that are free, or held by files that are on disk too.
pub fn free_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let free = kilobytes.checked_mul(1024)?;
    Some(free.min(group_room().unwrap_or(u64::MAX)))
}

/// What the tightest limit of pydbg's control group and of those around it leaves.
fn group_room() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    rooms(&groups, Path::new(GROUPS)).into_iter().min()
}

/// What the limits of the groups that /proc/PID/cgroup lists leave, with those around them.
fn rooms(groups: &str, mounted: &Path) -> Vec<u64> {
    let mut rooms = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(own)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (kind, top) = match controllers {
            "" => (&UNIFIED, mounted.to_owned()),
            _ => (&MEMORY, mounted.join(MEMORY.controller)),
        };
        if controllers.split(',').any(|one| one == kind.controller) {
            let own = top.join(own.trim_start_matches('/'));
            let around = own.ancestors().take_while(|at| at.starts_with(&top));
            rooms.extend(around.filter_map(|at| kind.room(at)));
        }
    }
    rooms
}

/// How a version of control groups tells the memory of a group.
struct Groups {
    /// The controller, as /proc/PID/cgroup has it.
    controller: &'static str,
    limit: &'static str,
    usage: &'static str,
    /// What of `usage` can be had at once, because it is on disk too (a line of memory.stat).
    spare: &'static str,
}

/// Version 2.
const UNIFIED: Groups = Groups {
    controller: "",
    limit: "memory.max",
    usage: "memory.current",
    spare: "inactive_file",
};

/// Version 1 (Documentation/admin-guide/cgroup-v1/memory.rst).
const MEMORY: Groups = Groups {
    controller: "memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    spare: "total_inactive_file",
};

impl Groups {
    /// What the limit of a group leaves; `None` without a limit.
    fn room(&self, group: &Path) -> Option<u64> {
        let text = |name: &str| fs::read_to_string(group.join(name)).ok();
        let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
        let stat = text("memory.stat").unwrap_or_default();
        let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
        let spare = lines.find(|(name, _)| *name == self.spare);
        let spare = spare.and_then(|(_, bytes)| bytes.parse().ok()).unwrap_or(0);
        let used = number(self.usage)?.saturating_sub(spare);
        Some(number(self.limit)?.saturating_sub(used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_known() {
        assert!(free_memory().unwrap() > 1 << 20);
    }

    #[test]
    fn a_group_leaves_what_its_limit_says() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let room = || UNIFIED.room(folder.path());
        write("memory.current", "1000\n");
        write("memory.max", "max\n");
        assert_eq!(room(), None);
        write("memory.max", "3000\n");
        assert_eq!(room(), Some(2000));
        write(
            "memory.stat",
            "anon 500\ninactive_file 400\nactive_file 100\n",
        );
        assert_eq!(room(), Some(2400));
        write("memory.current", "4000\n");
        assert_eq!(room(), Some(0));
    }

    #[test]
    fn groups_of_both_versions_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("memory/memory.limit_in_bytes", "9000\n");
        write("memory/memory.usage_in_bytes", "1000\n");
        write("memory/a/b/memory.limit_in_bytes", "5000\n");
        write("memory/a/b/memory.usage_in_bytes", "600\n");
        write(
            "memory/a/b/memory.stat",
            "inactive_file 7\ntotal_inactive_file 100\n",
        );
        write("c/memory.max", "70\n");
        write("c/memory.current", "7\n");
        let of = |groups: &str| rooms(groups, folder.path());
        assert_eq!(
            of("9:name=systemd:/\n4:cpu,memory:/a/b\n0::/c\n"),
            [4500, 8000, 63]
        );
        // In a container the names are those outside, and its own group is on top.
        assert_eq!(of("4:memory:/docker/77\n"), [8000]);
        assert!(of("4:cpu:/a/b\n3\n\n").is_empty());
    }
}
