//! How much memory pydbg may take without harm to others: MemAvailable of /proc/meminfo
//! (Documentation/filesystems/proc.rst), and what the limits of its control groups leave
//! (Documentation/admin-guide/cgroup-v2.rst).

use std::fs;
use std::path::{Path, PathBuf};

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
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = PathBuf::from(GROUPS).join(own);
    let around = own.ancestors().take_while(|at| at.starts_with(GROUPS));
    around.filter_map(room).min()
}

/// What a group's limit leaves; `None` without a limit.
fn room(group: &Path) -> Option<u64> {
    let number = |name: &str| {
        fs::read_to_string(group.join(name))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    let limit: u64 = number("memory.max")?;
    let current: u64 = number("memory.current")?;
    Some(limit.saturating_sub(current))
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
        write("memory.current", "1000\n");
        write("memory.max", "max\n");
        assert_eq!(room(folder.path()), None);
        write("memory.max", "3000\n");
        assert_eq!(room(folder.path()), Some(2000));
        write("memory.current", "4000\n");
        assert_eq!(room(folder.path()), Some(0));
    }
}
