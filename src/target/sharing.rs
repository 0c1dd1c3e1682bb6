//! Which processes share memory with a process: those that have the same file mapped, deleted or
//! not, by device and inode in /proc/PID/maps (`show_map_vma` of Linux fs/proc/task_mmu.c).

use super::proc::{self, Stat, Task};
use super::proc_files::ProcFiles;
use super::proc_note::{Kept, names};
use crate::addr::Addr;
use rustc_hash::FxHashMap;
use std::io;

/// Device and inode of a mapped file.
type File = (u64, u64);

/// A shared mapping of a file.
struct Mapped {
    start: Addr,
    end: Addr,
    file: File,
    /// What of the file is mapped at `start`.
    offset: u64,
}

/// Something in shared memory: where in which file it lies, which is the same for every process
/// that maps it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Shared {
    file: File,
    offset: u64,
}

/// The shared memory of a process.
pub struct SharedMemory(Vec<Mapped>);

impl SharedMemory {
    /// That of the process a thread belongs to.
    pub fn of(task: Task) -> io::Result<SharedMemory> {
        Ok(SharedMemory(shared(&task.read("maps")?).collect()))
    }

    /// What lies at `addr`; `None` where the memory is the process's own.
    pub fn at(&self, addr: Addr) -> Option<Shared> {
        let mut all = self.0.iter();
        let mapped = all.find(|mapped| (mapped.start..mapped.end).contains(&addr))?;
        Some(Shared {
            file: mapped.file,
            offset: mapped.offset.checked_add(addr.since(mapped.start)?)?,
        })
    }
}

/// What a process shares, and with whom.
#[derive(Default)]
pub struct Sharing {
    /// The shared mappings of the process, by address.
    mappings: Vec<Mapped>,
    /// The other processes that map each of these files.
    others: FxHashMap<File, Vec<i32>>,
    /// How many processes may not be looked at that are the parent of the process or belong to
    /// its session, and run a program of the same size: who shares a nameless file got it from a
    /// common ancestor, and has run no other program since.
    pub unreadable_kin: usize,
    /// How many others may not be looked at.
    pub unreadable: usize,
}

impl Sharing {
    /// Looks at all processes that live, or lived when the core was written. `None` when the
    /// mappings of the process itself cannot be read.
    pub fn of(files: &ProcFiles) -> Option<Sharing> {
        let pid = match files {
            ProcFiles::Live(task) => task.pid,
            ProcFiles::Kept(kept) => return Sharing::kept(kept),
        };
        let own = proc::living(pid)?;
        let stat = own.stat()?;
        let mut sharing = Sharing {
            mappings: shared(&own.read("maps").ok()?).collect(),
            ..Sharing::default()
        };
        for mapped in &sharing.mappings {
            sharing.others.entry(mapped.file).or_default();
        }
        for other in proc::process_ids().ok()? {
            // One that has ended has no memory.
            let Some(task) = (other != pid).then(|| proc::living(other)).flatten() else {
                continue;
            };
            sharing.look(own, &stat, task);
        }
        Some(sharing)
    }

    /// Looks at another process than `own`, which has this `stat`.
    fn look(&mut self, own: Task, stat: &Stat, task: Task) {
        let maps = match task.read("maps") {
            Ok(maps) => maps,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                // Anybody may read this; a thread of the kernel has no program.
                if let Some(size) = program_size(task) {
                    let same = program_size(own).is_none_or(|own| own == size);
                    match same && is_near(stat, task.pid, task.stat().as_ref()) {
                        true => self.unreadable_kin += 1,
                        false => self.unreadable += 1,
                    }
                }
                return;
            }
            // It has just ended.
            Err(_) => return,
        };
        for Mapped { file, .. } in shared(&maps) {
            if let Some(others) = self.others.get_mut(&file)
                && others.last() != Some(&task.pid)
            {
                others.push(task.pid);
            }
        }
    }

    /// What [`Sharing::lines`] told when the core was written.
    fn kept(kept: &Kept) -> Option<Sharing> {
        let text = std::str::from_utf8(kept.file(names::SHARERS).ok()?).ok()?;
        let mut lines = text.lines();
        let mut unreadable = lines.next()?.strip_prefix("unreadable ")?.split(' ');
        let mut sharing = Sharing {
            mappings: shared(kept.file("smaps").ok()?).collect(),
            unreadable_kin: unreadable.next()?.parse().ok()?,
            unreadable: unreadable.next()?.parse().ok()?,
            ..Sharing::default()
        };
        for line in lines {
            let mut words = line.split(' ');
            let file = (
                u64::from_str_radix(words.next()?, 16).ok()?,
                words.next()?.parse().ok()?,
            );
            let others = words.map_while(|word| word.parse().ok()).collect();
            sharing.others.insert(file, others);
        }
        Some(sharing)
    }

    /// What there is to know beside the mappings, for a core: how many processes may not be looked
    /// at, and for each file its device (hex), its inode and the processes.
    pub(super) fn lines(&self) -> String {
        let mut text = format!("unreadable {} {}\n", self.unreadable_kin, self.unreadable);
        for ((device, inode), others) in &self.others {
            text.push_str(&format!("{device:x} {inode}"));
            others
                .iter()
                .for_each(|pid| text.push_str(&format!(" {pid}")));
            text.push('\n');
        }
        text
    }

    /// The other processes that map what the process has at `addr`; `None` when that is not a
    /// shared mapping of a file.
    pub fn others(&self, addr: Addr) -> Option<&[i32]> {
        let mut mappings = self.mappings.iter();
        let mapped = mappings.find(|mapped| (mapped.start..mapped.end).contains(&addr))?;
        self.others.get(&mapped.file).map(Vec::as_slice)
    }
}

/// Whether process `other` is the parent of the one with this `stat`, or of its session.
fn is_near(stat: &Stat, other: i32, its: Option<&Stat>) -> bool {
    /// The parent of processes that lost theirs.
    const INIT: i32 = 1;
    its.is_none_or(|its| its.session == stat.session) || (other == stat.ppid && other != INIT)
}

/// The size of the code of the program that a process runs, in KiB (`task_mem` of Linux
/// fs/proc/task_mmu.c); a fork has that of its parent.
fn program_size(task: Task) -> Option<u32> {
    task.status_number("VmExe", 0)
}

/// The shared mappings of files in the text of /proc/PID/maps, or of smaps, which has its lines.
fn shared(maps: &[u8]) -> impl Iterator<Item = Mapped> {
    let lines = maps.split(|&byte| byte == b'\n');
    lines.filter_map(|line| {
        let mut fields = line.splitn(6, |&byte| byte == b' ');
        let mut text = || std::str::from_utf8(fields.next()?).ok();
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = text()?.split_once('-')?;
        let permissions = text()?;
        let offset = hex(text()?)?;
        let (major, minor) = text()?.split_once(':')?;
        let inode: u64 = text()?.parse().ok()?;
        let device = hex(major)? << 32 | hex(minor)?;
        let is_shared = permissions.as_bytes().get(3) == Some(&b's') && inode != 0;
        is_shared.then_some(Mapped {
            start: Addr(hex(start)?),
            end: Addr(hex(end)?),
            file: (device, inode),
            offset,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_the_kernel_and_other_programs_share_nothing() {
        let me = Task::leader(std::process::id() as i32);
        assert!(program_size(me).is_some_and(|size| size > 0));
        const KTHREADD: i32 = 2;
        let of_kernel = |task: &Task| task.stat().is_some_and(|stat| stat.kernel);
        if let Some(kthreadd) = Some(Task::leader(KTHREADD)).filter(of_kernel) {
            assert_eq!(program_size(kthreadd), None);
        }
    }

    #[test]
    fn parents_and_those_of_the_session_are_near() {
        let stat = |ppid: i32, session: i32| {
            let text = format!("9 (x) S {ppid} 9 {session} 0 0 0 {}", "0 ".repeat(20));
            Stat::parse(text.as_bytes()).unwrap()
        };
        let own = stat(7, 5);
        assert!(is_near(&own, 8, Some(&stat(1, 5))));
        assert!(is_near(&own, 7, Some(&stat(1, 6))));
        assert!(is_near(&own, 8, None));
        assert!(!is_near(&own, 8, Some(&stat(1, 6))));
        assert!(!is_near(&stat(1, 5), 1, Some(&stat(0, 0))));
    }

    #[test]
    fn only_shared_mappings_of_files_count() {
        let maps = b"1000-2000 rw-s 00000000 00:1a 77                 /dev/shm/a b (deleted)\n\
            2000-3000 rw-p 00000000 00:1a 77                 /dev/shm/a\n\
            3000-4000 rw-s 00000000 00:01 0\n\
            4000-5000 rw-s 00001000 fe:00 9\nnonsense\n\n";
        let found = shared(maps).map(|mapped| (mapped.start, mapped.end, mapped.file));
        let expected = [
            (Addr(0x1000), Addr(0x2000), (0x1a, 77)),
            (Addr(0x4000), Addr(0x5000), (0xfe_0000_0000, 9)),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
        let memory = SharedMemory(shared(maps).collect());
        let place = memory.at(Addr(0x4010)).unwrap();
        assert_eq!((place.file.1, place.offset), (9, 0x1010));
        assert_eq!(memory.at(Addr(0x3000)), None);
    }
}
