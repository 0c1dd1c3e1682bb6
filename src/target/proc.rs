//! What /proc says about a live process, per proc(5) and Linux fs/proc/array.c. Everything is
//! read through /proc/PID/task/TID of a thread that lives, because the files of a leader that
//! has ended while its threads go on (a zombie) are empty.

use super::Mapping;
use super::maps;
use super::registers::Registers;
use crate::bytes;
use crate::escape;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// The most bytes of a command line that are kept; the kernel allows a quarter of the stack.
const MOST_COMMAND_LINE: u64 = 4 << 20;

/// The most bytes of any other file of /proc that are read. The mappings of a process take some
/// 100 bytes each, and it may have 65,530 unless the limit was raised.
const MOST_TEXT: u64 = 256 << 20;

/// The most open files that are listed.
pub const MOST_FDS: usize = 65_536;

/// Clock ticks per second in what /proc shows (USER_HZ): 100 on every CPU pydbg knows.
const TICKS_PER_SECOND: u64 = 100;

/// `PF_KTHREAD` of the flags in /proc/PID/stat (Linux include/linux/sched.h).
const KERNEL_THREAD: u64 = 0x0020_0000;

// DWARF numbers of the registers that carry a system call; `registers::NAMES` is in that order.
const RAX: usize = 0;
const RDX: usize = 1;
const RSI: usize = 4;
const RDI: usize = 5;
const RSP: usize = 7;
const R8: usize = 8;
const R9: usize = 9;
const R10: usize = 10;
const RIP: usize = 16;

/// One thread of a process, as a place in /proc.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Task {
    /// The process.
    pub pid: i32,
    /// The thread.
    pub tid: i32,
}

/// What /proc/PID/task/TID/stat says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stat {
    /// The kernel's name for the thread.
    pub name: String,
    /// The state letter.
    pub state: char,
    /// The parent process.
    pub ppid: i32,
    /// The session it belongs to: the id of the process that began it.
    pub session: i32,
    /// Whether it is a thread of the kernel itself.
    pub kernel: bool,
    /// How many threads its process has.
    pub threads: u32,
    /// How much memory its process has resident, in pages.
    pub resident: u64,
    /// When it started, in clock ticks since the machine did. With the id it names one process
    /// for ever, although ids are used again.
    pub start_ticks: u64,
}

impl Stat {
    /// Whether it has ended and only waits to be noticed.
    pub fn ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// From the text. The name stands in parentheses and may hold any byte, so the last
    /// parenthesis ends it.
    pub(super) fn parse(text: &[u8]) -> Option<Stat> {
        let open = text.iter().position(|&byte| byte == b'(')?;
        let close = text.iter().rposition(|&byte| byte == b')')?;
        let name = escape::lossy(text.get(open + 1..close)?);
        let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Stat {
            name,
            state: fields.first()?.chars().next()?,
            ppid: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            kernel: number(6)? & KERNEL_THREAD != 0,
            threads: u32::try_from(number(17)?).ok()?,
            resident: number(21)?,
            start_ticks: number(19)?,
        })
    }
}

impl Task {
    /// The main thread of a process.
    pub fn leader(pid: i32) -> Task {
        Task { pid, tid: pid }
    }

    /// The thread through which the files of a process are read: one that lives, where there is
    /// one.
    pub fn of(pid: i32) -> Task {
        living(pid).unwrap_or(Task::leader(pid))
    }

    /// The path of one of its files.
    pub fn path(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/task/{}/{name}", self.pid, self.tid))
    }

    /// The bytes of one of its files.
    pub fn read(self, name: &str) -> io::Result<Vec<u8>> {
        self.read_at_most(name, MOST_TEXT)
    }

    /// At most so many bytes of one of its files.
    pub(super) fn read_at_most(self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        // Each call makes the kernel write the text anew up to there, so few calls are better.
        const AT_ONCE: usize = 64 << 10;
        let mut bytes = Vec::with_capacity(AT_ONCE);
        fs::File::open(self.path(name))?
            .take(most)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Its name, state and birth; `None` when there is no such thread (any more).
    pub fn stat(self) -> Option<Stat> {
        Stat::parse(&self.read("stat").ok()?)
    }

    /// The kernel's name for it.
    pub fn name(self) -> Option<String> {
        let name = self.read("comm").ok()?;
        Some(escape::lossy(name.trim_ascii_end()))
    }

    /// The columns of one line of its status, such as `Uid` or `NSpid`.
    pub fn status(self, key: &str) -> Option<Vec<String>> {
        columns(&self.read("status").ok()?, key)
    }

    /// One column of its status as a number.
    pub fn status_number(self, key: &str, column: usize) -> Option<u32> {
        self.status(key)?.get(column)?.parse().ok()
    }

    /// Its id in the innermost PID namespace it is in: what gettid() returns to itself.
    pub fn innermost_id(self) -> Option<i32> {
        self.status("NSpid")?.last()?.parse().ok()
    }

    /// The mappings of its process.
    pub fn maps(self) -> io::Result<Vec<Mapping>> {
        Ok(maps::parse(&self.read("maps")?))
    }

    /// The command line: empty for a zombie.
    pub fn command_line(self) -> Vec<String> {
        let bytes = self
            .read_at_most("cmdline", MOST_COMMAND_LINE)
            .unwrap_or_default();
        arguments(&bytes)
    }

    /// The executable's path as /proc/PID/exe names it, without " (deleted)".
    pub fn exe(self) -> Option<String> {
        let link = fs::read_link(self.path("exe")).ok()?;
        let (name, _) = maps::without_deleted(link.as_os_str().as_bytes());
        Some(escape::lossy(name))
    }

    /// What one of its links leads to.
    pub fn link(self, name: &str) -> Option<String> {
        let link = fs::read_link(self.path(name)).ok()?;
        Some(escape::lossy(link.as_os_str().as_bytes()))
    }

    /// The open files of its process: descriptor and what it leads to (a path, `pipe:[123]`,
    /// `socket:[456]`), by descriptor; [`MOST_FDS`] at most.
    pub fn descriptors(self) -> io::Result<Vec<(i32, String)>> {
        let folder = self.path("fd");
        let mut numbers: Vec<i32> = numbered(fs::read_dir(&folder)?).take(MOST_FDS).collect();
        numbers.sort_unstable();
        let target = |fd: i32| {
            let link = fs::read_link(folder.join(fd.to_string())).ok()?;
            Some((fd, escape::lossy(link.as_os_str().as_bytes())))
        };
        Ok(numbers.into_iter().filter_map(target).collect())
    }

    /// The auxiliary vector, without its end mark.
    pub fn auxv(self) -> Vec<(u64, u64)> {
        let raw = self.read("auxv").unwrap_or_default();
        raw.chunks_exact(16)
            .map_while(|pair| Some((bytes::u64_at(pair, 0)?, bytes::u64_at(pair, 8)?)))
            .take_while(|(kind, _)| *kind != 0)
            .collect()
    }

    /// A link to the very file that is mapped at `mapping`, even when it was deleted or replaced
    /// or lies in another mount namespace. Only root may follow it
    /// (`proc_map_files_get_link` of Linux fs/proc/base.c wants CAP_CHECKPOINT_RESTORE).
    pub fn mapped_file(self, mapping: &Mapping) -> PathBuf {
        // There is no such folder below task/TID, but every thread has one of its own in /proc.
        let (start, end) = (mapping.start.0, mapping.end.0);
        PathBuf::from(format!("/proc/{}/map_files/{start:x}-{end:x}", self.tid))
    }

    /// The folder that is the process's root directory, when pydbg's own root is another one or
    /// has other file systems mounted (a container, a chroot).
    pub fn foreign_root(self) -> Option<PathBuf> {
        let root = self.path("root");
        let same = |ours: &str, theirs: PathBuf| {
            let (ours, theirs) = (fs::metadata(ours).ok()?, fs::metadata(theirs).ok()?);
            Some((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()))
        };
        let same_root = same("/", root.clone())?;
        let same_mounts = same("/proc/self/ns/mnt", self.path("ns/mnt")).unwrap_or(true);
        (!same_root || !same_mounts).then_some(root)
    }

    /// What the kernel says of a thread that is blocked, without stopping it: the system call
    /// with its arguments, the stack pointer and the program counter
    /// (`proc_pid_syscall` in Linux fs/proc/base.c). `None` while it runs.
    pub fn blocked_registers(self) -> Option<Registers> {
        let text = self.read("syscall").ok()?;
        registers_of_syscall(std::str::from_utf8(&text).ok()?)
    }
}

/// The arguments in a command line, each of which a NUL ends.
pub(super) fn arguments(command_line: &[u8]) -> Vec<String> {
    let text = command_line.strip_suffix(b"\0").unwrap_or(command_line);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|&byte| byte == 0).map(escape::lossy).collect()
}

/// The columns of one line of the text of a status.
pub(super) fn columns(status: &[u8], key: &str) -> Option<Vec<String>> {
    let line = status
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b":"))?;
    let columns = escape::lossy(line);
    Some(columns.split_whitespace().map(str::to_owned).collect())
}

/// Reads `nr arg0 … arg5 sp pc`, or `-1 sp pc` for a thread that is blocked outside a call.
pub(super) fn registers_of_syscall(text: &str) -> Option<Registers> {
    let mut words = text.split_ascii_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    let values: Vec<u64> = words
        .map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())
        .collect::<Option<_>>()?;
    let (arguments, [sp, pc]) = values.split_last_chunk()?;
    let mut registers = Registers {
        syscall: Some(number),
        ..Registers::default()
    };
    let argument_registers = [RDI, RSI, RDX, R10, R8, R9];
    for (register, value) in argument_registers.into_iter().zip(arguments) {
        registers.general[register] = Some(*value);
    }
    if number >= 0 {
        // What the kernel puts there on the way into a call (entry_SYSCALL_64 of Linux
        // arch/x86/entry/entry_64.S), and leaves there until the call is over.
        registers.general[RAX] = Some(i64::from(-libc::ENOSYS) as u64);
    }
    registers.general[RSP] = Some(*sp);
    registers.general[RIP] = Some(*pc);
    Some(registers)
}

/// The ids of the threads of a process: the leader first, then by birth.
pub fn thread_ids(pid: i32) -> io::Result<Vec<i32>> {
    Ok(numbered(fs::read_dir(format!("/proc/{pid}/task"))?).collect())
}

/// The ids of all processes that /proc shows.
pub fn process_ids() -> io::Result<Vec<i32>> {
    Ok(numbered(fs::read_dir("/proc")?).collect())
}

/// The process a thread belongs to: `id` itself when it is a process's. `None` when there is no
/// such thread.
pub fn process_of(id: i32) -> Option<i32> {
    let process = Task::leader(id).status_number("Tgid", 0)?;
    i32::try_from(process).ok()
}

/// When a process started; `None` when there is none.
pub fn start_time(pid: i32) -> Option<SystemTime> {
    let ticks = Task::leader(pid).stat()?.start_ticks;
    let started = Duration::from_millis(ticks.checked_mul(1000)? / TICKS_PER_SECOND);
    // The time since the machine started, in the same time namespace as the ticks.
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime = uptime.split(' ').next()?.parse::<f64>().ok()?;
    let age = Duration::try_from_secs_f64(uptime)
        .ok()?
        .saturating_sub(started);
    SystemTime::now().checked_sub(age)
}

/// A thread of a process that has not ended: the main thread, unless it has.
pub fn living(pid: i32) -> Option<Task> {
    let lives = |task: &Task| task.stat().is_some_and(|stat| !stat.ended());
    // To list many threads takes a while.
    let leader = Some(Task::leader(pid)).filter(lives);
    leader.or_else(|| {
        let tasks = thread_ids(pid).ok()?.into_iter();
        tasks.map(|tid| Task { pid, tid }).find(lives)
    })
}

/// The children of a process that have not been waited for.
pub fn children(pid: i32) -> Vec<i32> {
    let all = process_ids().unwrap_or_default().into_iter();
    let is_child = |id: &i32| {
        Task::leader(*id)
            .stat()
            .is_some_and(|stat| stat.ppid == pid)
    };
    let mut children: Vec<i32> = all.filter(is_child).collect();
    children.sort_unstable();
    children
}

/// The entries of a folder that are numbers.
pub(super) fn numbered(folder: fs::ReadDir) -> impl Iterator<Item = i32> {
    folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Addr;

    #[test]
    fn a_hostile_name_does_not_shift_the_fields() {
        let mut text = b"12 (a) R 1 (\n) S 7 0 9 0 -1 4194560 ".to_vec();
        text.extend_from_slice(b"1 2 3 4 5 6 7 8 20 0 3 0 98765 1000 77");
        let stat = Stat::parse(&text).unwrap();
        assert_eq!(stat.name, "a) R 1 (\n");
        assert_eq!((stat.state, stat.ppid, stat.session), ('S', 7, 9));
        assert_eq!(stat.start_ticks, 98_765);
        assert_eq!((stat.threads, stat.resident), (3, 77));
        assert!(!stat.kernel && !stat.ended());
        assert!(Stat::parse(b"12 (x").is_none());
        assert!(Stat::parse(b")(").is_none());
    }

    #[test]
    fn registers_of_a_blocked_thread() {
        let regs = registers_of_syscall("230 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffe 0x401000\n").unwrap();
        assert_eq!(regs.syscall, Some(230));
        assert_eq!(regs.syscall_arg(0), Some(1));
        assert_eq!(regs.syscall_arg(5), Some(6));
        assert_eq!(regs.sp(), Some(Addr(0x7ffe)));
        assert_eq!(regs.pc(), Some(Addr(0x401000)));
        assert_eq!(regs.fp(), None);
        let regs = registers_of_syscall("-1 0x7ffe 0x401000\n").unwrap();
        assert_eq!((regs.syscall, regs.syscall_arg(0)), (Some(-1), None));
        assert!(registers_of_syscall("running\n").is_none());
        assert!(registers_of_syscall("7 0x1\n").is_none());
    }

    #[test]
    fn pydbg_itself() {
        let pid = std::process::id() as i32;
        let task = Task::leader(pid);
        assert_eq!(process_of(pid), Some(pid));
        assert!(thread_ids(pid).unwrap().len() > 1, "the test runner");
        let tid = *thread_ids(pid).unwrap().last().unwrap();
        assert_eq!(process_of(tid), Some(pid));
        assert!(task.auxv().iter().any(|(kind, _)| *kind == libc::AT_PHDR));
        assert!(task.exe().is_some_and(|exe| exe.starts_with('/')));
        assert!(!task.command_line().is_empty());
        assert_eq!(task.foreign_root(), None);
        let maps = task.maps().unwrap();
        let file = maps.iter().find(|m| m.file().is_some()).unwrap();
        assert!(fs::symlink_metadata(task.mapped_file(file)).is_ok());
        assert_eq!(living(pid), Some(task));
        assert!(task.descriptors().unwrap().iter().any(|(fd, _)| *fd == 1));
        let age = start_time(pid).unwrap().elapsed().unwrap_or_default();
        assert!(age < Duration::from_secs(3600), "{age:?}");
    }
}
