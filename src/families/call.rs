//! What a system call waits for that another process may end: data, room, or the end of a child (Linux
//! read(2), write(2), poll(2), select(2), epoll(7), wait(2); x86-64 numbers).

use crate::addr::Addr;
use crate::bytes;
use crate::native::NativeThread;
use crate::target::fd_info::FdInfo;
use crate::target::proc::Task;
use crate::target::proc_files::ProcFiles;
use crate::target::{Memory, TargetThread};

/// The most descriptors of one call.
const MOST_FDS: usize = 4096;

/// What a thread waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Awaits {
    /// Something to happen to any one of these descriptors.
    Fds(Vec<Fd>),
    /// The end of the child with this id, as the process itself counts.
    Child(i32),
    /// The end of any child.
    AnyChild,
    /// To be connected, by this descriptor, with the Unix socket of this name.
    Connection(i32, Vec<u8>),
}

/// A descriptor, and what is awaited of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fd {
    pub(super) fd: i32,
    /// Data, or their end.
    pub(super) reads: bool,
    /// Room for data.
    pub(super) writes: bool,
}

/// A wait, and whether it ends by itself after some time.
pub(super) struct Call {
    pub(super) awaits: Awaits,
    pub(super) timed: bool,
}

impl Call {
    /// What a thread waits for in its system call, if that is known.
    pub(super) fn of(thread: &NativeThread, memory: &dyn Memory, task: Task) -> Option<Call> {
        let call = thread.syscall.as_ref()?;
        let [first, second, third, fourth, fifth, _] = call.args;
        let one = |reads: bool| {
            let writes = !reads;
            let fd = first as i32;
            Some((Awaits::Fds(vec![Fd { fd, reads, writes }]), false))
        };
        let fds = |fds: Option<Vec<Fd>>, timed: bool| Some((Awaits::Fds(fds?), timed));
        let milliseconds = |word: u64| word as i32 >= 0;
        let (awaits, timed) = match call.number {
            libc::SYS_read | libc::SYS_readv | libc::SYS_recvfrom | libc::SYS_recvmsg => one(true),
            libc::SYS_write | libc::SYS_writev | libc::SYS_sendto | libc::SYS_sendmsg => one(false),
            libc::SYS_poll => fds(polled(memory, first, second), milliseconds(third)),
            libc::SYS_ppoll => fds(polled(memory, first, second), third != 0),
            libc::SYS_select | libc::SYS_pselect6 => {
                fds(selected(memory, first, [second, third]), fifth != 0)
            }
            libc::SYS_epoll_wait | libc::SYS_epoll_pwait => {
                fds(watched(task, first as i32), milliseconds(fourth))
            }
            libc::SYS_epoll_pwait2 => fds(watched(task, first as i32), fourth != 0),
            libc::SYS_wait4 => match first as i32 {
                -1 => Some((Awaits::AnyChild, false)),
                child @ 1.. => Some((Awaits::Child(child), false)),
                _ => None,
            },
            libc::SYS_connect => {
                let name = unix_name(memory, second, third)?;
                Some((Awaits::Connection(first as i32, name), false))
            }
            libc::SYS_waitid => waited_by_id(task, first, second as i32).map(|one| (one, false)),
            _ => None,
        }?;
        Some(Call { awaits, timed })
    }
}

/// The name in a `struct sockaddr_un { sa_family_t family; char path[]; }`.
fn unix_name(memory: &dyn Memory, at: u64, length: u64) -> Option<Vec<u8>> {
    const FAMILY: usize = 2;
    const MOST: usize = size_of::<libc::sockaddr_un>();
    let length = usize::try_from(length).ok()?;
    if !(FAMILY + 1..=MOST).contains(&length) {
        return None;
    }
    let raw = memory.bytes(Addr(at), length).ok()?;
    let is_unix = bytes::u16_at(&raw, 0) == Some(libc::AF_UNIX as u16);
    let name = raw.get(FAMILY..).filter(|_| is_unix)?;
    Some(name.to_vec())
}

/// A write that the stop itself has cut short: a thread that slept is found on its way out of a `write`
/// that has written a part. It writes the rest when it goes on.
pub(super) fn cut_short(thread: &TargetThread) -> Option<Call> {
    let registers = thread.registers.filter(|_| thread.state == Some('S'))?;
    let is_write = matches!(registers.syscall?, libc::SYS_write | libc::SYS_sendto);
    let written = (*registers.general.first()?)?;
    let is_part = written > 0 && written < registers.syscall_arg(2)?;
    let fd = registers.syscall_arg(0)? as i32;
    (is_write && is_part).then(|| Call {
        awaits: Awaits::Fds(vec![Fd {
            fd,
            reads: false,
            writes: true,
        }]),
        timed: false,
    })
}

/// `waitid`: P_ALL, P_PID and P_PIDFD; groups are not looked into.
fn waited_by_id(task: Task, kind: u64, id: i32) -> Option<Awaits> {
    match kind {
        0 => Some(Awaits::AnyChild),
        1 => Some(Awaits::Child(id)),
        3 => Some(Awaits::Child(child_of_fd(task, id)?)),
        _ => None,
    }
}

/// The process that a pidfd is for, as the process itself counts.
pub(super) fn child_of_fd(task: Task, fd: i32) -> Option<i32> {
    let info = FdInfo::of(&ProcFiles::Live(task), fd).ok()?;
    let ids = info.lines("NSpid").next()?;
    ids.split_whitespace().last()?.parse().ok()
}

const IN: u32 = libc::POLLIN as u32;
const OUT: u32 = libc::POLLOUT as u32;

/// Whatever is asked for, errors and the end are always told.
fn asked(fd: i32, events: u32) -> Fd {
    Fd {
        fd,
        reads: events & IN != 0 || events & OUT == 0,
        writes: events & OUT != 0,
    }
}

/// The `struct pollfd { int fd; short events; short revents; }` of poll.
fn polled(memory: &dyn Memory, at: u64, count: u64) -> Option<Vec<Fd>> {
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= MOST_FDS)?;
    let raw = memory.bytes(Addr(at), count * 8).ok()?;
    let fds = raw.chunks_exact(8).filter_map(|raw| {
        let events = bytes::u16_at(raw, 4)?;
        Some(asked(bytes::i32_at(raw, 0)?, events.into()))
    });
    Some(fds.filter(|fd| fd.fd >= 0).collect())
}

/// The first two `fd_set`s of select. The kernel writes into them only when it returns.
fn selected(memory: &dyn Memory, count: u64, sets: [u64; 2]) -> Option<Vec<Fd>> {
    let count = usize::try_from(count).ok().filter(|count| *count <= 1024)?;
    let size = count.div_ceil(64) * 8;
    let set = |at: u64| match at {
        0 => Some(vec![0; size].into()),
        at => memory.bytes(Addr(at), size).ok(),
    };
    let (reads, writes) = (set(sets[0])?, set(sets[1])?);
    let has = |set: &[u8], fd: usize| {
        set.get(fd / 8)
            .is_some_and(|byte| byte >> (fd % 8) & 1 == 1)
    };
    let fds = (0..count).map(|fd| Fd {
        fd: fd as i32,
        reads: has(&reads, fd),
        writes: has(&writes, fd),
    });
    Some(fds.filter(|fd| fd.reads || fd.writes).collect())
}

/// What an epoll instance watches: `tfd:  7 events: 80000019 data: …`.
fn watched(task: Task, epoll: i32) -> Option<Vec<Fd>> {
    let info = FdInfo::of(&ProcFiles::Live(task), epoll).ok()?;
    let fd = |line: &str| {
        let mut words = line.split_whitespace();
        let fd = words.next()?.parse().ok()?;
        let events = words.nth(1)?;
        Some(asked(fd, u32::from_str_radix(events, 16).ok()?))
    };
    let lines = info.lines("tfd").take(MOST_FDS + 1);
    let fds: Option<Vec<Fd>> = lines.map(fd).collect();
    fds.filter(|fds| fds.len() <= MOST_FDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    #[test]
    fn names_of_sockets() {
        let mut memory = Synth::default();
        memory.add(0x1000, b"\x01\0/run/x\0".to_vec());
        memory.add(0x2000, b"\x02\0\x1f\x90\x7f\0\0\x01".to_vec());
        assert_eq!(unix_name(&memory, 0x1000, 8), Some(b"/run/x".to_vec()));
        assert_eq!(unix_name(&memory, 0x1000, 2), None);
        assert_eq!(unix_name(&memory, 0x1000, 1 << 40), None);
        assert_eq!(unix_name(&memory, 0x2000, 8), None, "TCP");
        assert_eq!(unix_name(&memory, 0x9000, 8), None);
    }

    #[test]
    fn descriptors_of_poll_and_select() {
        let mut memory = Synth::default();
        memory.add(0x1000, vec![5, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 4, 0, 0, 0]);
        memory.add(0x2000, vec![8, 0, 0, 0, 0, 0, 0, 0]);
        let fd = |fd, reads, writes| Fd { fd, reads, writes };
        let expected = vec![fd(5, true, false), fd(6, false, true)];
        assert_eq!(polled(&memory, 0x1000, 2), Some(expected));
        assert_eq!(polled(&memory, 0x1000, 1 << 60), None);
        assert_eq!(polled(&memory, 0x9000, 1), None);
        let expected = vec![fd(3, false, true)];
        assert_eq!(selected(&memory, 4, [0, 0x2000]), Some(expected));
        assert_eq!(selected(&memory, 1 << 40, [0, 0x2000]), None);
    }
}
