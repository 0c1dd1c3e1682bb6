//! Waits for a lock on a file: `flock`, and `fcntl` with `F_SETLKW` or `F_OFD_SETLKW` (Linux
//! fs/locks.c). The lock lies in the kernel, and /proc/locks tells who holds it: of a live process,
//! and of one whose core pydbg wrote. A lock of `flock`, and one of an open file description, belongs to
//! whoever has that open file; one of plain `fcntl` belongs to a process.

use super::view::{Found, Waiter};
use super::{Kind, Owner, View};
use crate::addr::Addr;
use crate::bytes;
use crate::native::SyscallState;
use crate::native::outside::{Outside, Told};
use crate::target::file_locks::{self, Family, FileLock, OpenFile};
use crate::target::proc_files::ProcFiles;

/// The file that a thread wants to lock. The descriptor stands in for an address.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let call = waiter.thread.syscall.as_ref()?;
    let family = family(call)?;
    let fd = *call.args.first()? as i32;
    let owner = match view.process.target.proc_files() {
        Some(files) => owner(view, &files, fd, family, call),
        None => Owner::unknown("a core does not tell who holds a lock on a file"),
    };
    Some(Found {
        evidence: format!("it is in {}", call.name).into(),
        kind: Kind::FileLock,
        address: Addr(u64::from(fd.unsigned_abs())),
        owner: Some(owner),
        timed: false,
    })
}

/// `fd 5 (/var/lib/app.lock)`.
pub(super) fn name(view: &View<'_>, fd: Addr) -> Option<String> {
    let fd = i32::try_from(fd.0).ok()?;
    let files = view.process.target.proc_files();
    let path = files.and_then(|files| Told::by(files).fd(fd));
    Some(match path {
        Some(path) => format!("fd {fd} ({path})"),
        None => format!("fd {fd}"),
    })
}

/// Whether a system call waits for a lock on a file, and for which kind.
fn family(call: &SyscallState) -> Option<Family> {
    // LOCK_NB does not wait; LOCK_UN does not either.
    const LOCK_NB: u64 = 4;
    const LOCK_UN: u64 = 8;
    let [_, operation, ..] = call.args;
    match call.number {
        libc::SYS_flock if operation & (LOCK_NB | LOCK_UN) == 0 => Some(Family::Flock),
        libc::SYS_fcntl if operation == libc::F_SETLKW as u64 => Some(Family::Process),
        libc::SYS_fcntl if operation == libc::F_OFD_SETLKW as u64 => Some(Family::Description),
        _ => None,
    }
}

/// Who holds what stands in the way.
fn owner(
    view: &View<'_>,
    files: &ProcFiles,
    fd: i32,
    family: Family,
    call: &SyscallState,
) -> Owner {
    let Some(file) = OpenFile::of(files, fd) else {
        return Owner::unknown(format!("/proc does not tell which file fd {fd} is"));
    };
    let Some(asked) = asked(view, &file, family, call) else {
        return Owner::unknown("which part of the file is to be locked cannot be read");
    };
    let Some(held) = file_locks::held(files) else {
        return Owner::unknown("/proc/locks cannot be read");
    };
    let mut in_the_way: Vec<FileLock> = held
        .into_iter()
        .filter(|held| asked.waits_for(held))
        // A process does not wait for its own locks, unless they belong to open files.
        .filter(|held| {
            let own = held.pid.is_some() && held.pid == files.pid();
            (family, held.family, own) != (Family::Process, Family::Process, true)
        })
        .collect();
    let Some(held) = in_the_way.pop() else {
        return Owner::unknown(
            "/proc/locks shows no lock that stands in the way: its holder is in another PID \
             namespace or on another machine, or has just released it",
        );
    };
    if !in_the_way.is_empty() {
        let count = in_the_way.len() + 1;
        return Owner::unknown(format!(
            "/proc/locks shows {count} locks that stand in the way"
        ));
    }
    holder(files, fd, &held)
}

/// The part of the file that a call asks for.
fn asked(
    view: &View<'_>,
    file: &OpenFile,
    family: Family,
    call: &SyscallState,
) -> Option<FileLock> {
    const LOCK_EX: u64 = 2;
    let [_, operation, argument, ..] = call.args;
    let (exclusive, start, end) = match family {
        Family::Flock => (operation & LOCK_EX != 0, 0, u64::MAX),
        // struct flock { short l_type; short l_whence; off_t l_start; off_t l_len; pid_t l_pid; }
        _ => {
            let raw = view
                .process
                .target
                .memory
                .array::<24>(Addr(argument))
                .ok()?;
            let words = bytes::u32_at(&raw, 0)?;
            let from = match words >> 16 {
                0 => 0,
                1 => file.position,
                2 => file.size,
                _ => return None,
            };
            let start = bytes::u64_at(&raw, 8)? as i64;
            let length = bytes::u64_at(&raw, 16)? as i64;
            let start = from.checked_add_signed(start)?;
            let exclusive = (words & 0xffff) as i32 == libc::F_WRLCK;
            match length {
                0 => (exclusive, start, u64::MAX),
                1.. => (
                    exclusive,
                    start,
                    start.checked_add(length.unsigned_abs())?.checked_sub(1)?,
                ),
                // The bytes before it.
                _ => (
                    exclusive,
                    start.checked_add_signed(length)?,
                    start.checked_sub(1)?,
                ),
            }
        }
    };
    Some(FileLock {
        family,
        exclusive,
        pid: None,
        file: file.file,
        start,
        end,
    })
}

/// Who holds a lock that a thread of the process waits for, which wants it on `fd`.
fn holder(files: &ProcFiles, fd: i32, held: &FileLock) -> Owner {
    let own = file_locks::descriptors(files, held).unwrap_or_default();
    if own.contains(&fd) {
        return Owner::unknown("the thread has got it in the meantime");
    }
    if let Some(own) = own.first() {
        return Owner::unknown(format!(
            "this process holds it itself, through fd {own}; such a lock does not say which \
             thread took it"
        ));
    }
    if let Some(named) = file_locks::named(files, held)
        && Some(named.pid) != files.pid()
        // Its open file may have been closed there, and live on in a child that inherited it.
        && named.has_file != Some(false)
    {
        return Owner::Process {
            pid: named.pid,
            name: named.name,
            evidence: format!("/proc/locks names process {}", named.pid),
        };
    }
    match file_locks::processes(files, held).as_slice() {
        [one] => Owner::Process {
            pid: one.pid,
            name: one.name.clone(),
            evidence: format!(
                "process {} has the open file that the lock belongs to",
                one.pid
            ),
        },
        [] => Owner::unknown(
            "the lock belongs to an open file, and no process that may be looked into has it",
        ),
        several @ [first, ..] => Owner::unknown(format!(
            "the lock belongs to an open file that {} processes have, {} among them",
            several.len(),
            first.pid,
        )),
    }
}
