//! Who the process is, as NT_PRPSINFO and NT_PRSTATUS tell: `struct elf_prpsinfo` and the ids of
//! `struct elf_prstatus` (Linux include/linux/elfcore.h, `fill_psinfo` of fs/binfmt_elf.c). Ids
//! are those of the process's own PID namespace.

use crate::target::proc::Task;
use crate::target::write::put;
use std::fs;

/// Bytes of `struct elf_prpsinfo` on x86-64.
const SIZE: usize = 136;
/// Where the command line stands in it, and how long it is, with a NUL.
const ARGUMENTS: usize = 56;
const ARGUMENTS_SIZE: usize = 80;
/// Where the name stands, and how long it is, with a NUL.
const NAME: usize = 40;
const NAME_SIZE: usize = 16;

/// The ids every thread of a process has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Ids {
    /// The process.
    pub(super) process: i32,
    /// Its parent; 0 when that is in another PID namespace.
    pub(super) parent: i32,
    /// Its process group.
    pub(super) group: i32,
    /// Its session.
    pub(super) session: i32,
}

impl Ids {
    /// Of a process that lives.
    pub(super) fn of(task: Task) -> Ids {
        let last = |key: &str| {
            let column = task.status(key)?.pop()?;
            column.parse::<i32>().ok()
        };
        let space = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let parent = task.stat().map_or(0, |stat| stat.ppid);
        let same = space(task.pid).is_some_and(|own| space(parent) == Some(own));
        let parent = match same {
            true => Task::leader(parent).innermost_id(),
            false => None,
        };
        Ids {
            process: Task::leader(task.pid).innermost_id().unwrap_or(task.pid),
            parent: parent.unwrap_or_default(),
            group: last("NSpgid").unwrap_or_default(),
            session: last("NSsid").unwrap_or_default(),
        }
    }
}

/// Takes the command line out of a `struct elf_prpsinfo`.
pub(super) fn blank_arguments(ps_info: &mut [u8]) {
    if let Some(arguments) = ps_info.get_mut(ARGUMENTS..) {
        arguments.fill(0);
    }
}

/// `struct elf_prpsinfo` of a process that lives.
pub(super) fn ps_info(task: Task, ids: Ids) -> Vec<u8> {
    let text = task.read("stat").unwrap_or_default();
    let tail = text.iter().rposition(|byte| *byte == b')');
    let tail = tail.and_then(|at| std::str::from_utf8(text.get(at + 1..)?).ok());
    let fields: Vec<&str> = tail.unwrap_or_default().split_ascii_whitespace().collect();
    let field = |index: usize| fields.get(index).copied().unwrap_or_default();
    let letter = field(0).bytes().next().unwrap_or(b'S');
    let flags: u64 = field(6).parse().unwrap_or_default();
    let nice: i8 = field(16).parse().unwrap_or_default();
    let id = |key: &str| task.status_number(key, 0).unwrap_or_default();
    let mut info = vec![0; SIZE];
    let state = b"RSDTZW".iter().position(|known| *known == letter);
    let zombie = u8::from(letter == b'Z');
    let state = [state.unwrap_or(1) as u8, letter, zombie, nice as u8];
    put(&mut info, 0, &state);
    put(&mut info, 8, &flags.to_le_bytes());
    put(&mut info, 16, &id("Uid").to_le_bytes());
    put(&mut info, 20, &id("Gid").to_le_bytes());
    for (index, id) in [ids.process, ids.parent, ids.group, ids.session]
        .iter()
        .enumerate()
    {
        put(&mut info, 24 + index * 4, &id.to_le_bytes());
    }
    let name = task.read("comm").unwrap_or_default();
    let name = name.trim_ascii_end();
    put(&mut info, NAME, name.get(..NAME_SIZE - 1).unwrap_or(name));
    let line = task.command_line().join(" ");
    let line = line.as_bytes();
    put(
        &mut info,
        ARGUMENTS,
        line.get(..ARGUMENTS_SIZE - 1).unwrap_or(line),
    );
    info
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes;

    #[test]
    fn pydbg_itself() {
        let pid = std::process::id() as i32;
        let ids = Ids::of(Task::leader(pid));
        assert_eq!(ids.process, Task::leader(pid).innermost_id().unwrap());
        let info = ps_info(Task::leader(pid), ids);
        assert_eq!(bytes::i32_at(&info, 24), Some(ids.process));
        assert_eq!(bytes::i32_at(&info, 36), Some(ids.session));
        assert!(bytes::cstr_at(&info, ARGUMENTS).is_some_and(|line| !line.is_empty()));
        assert!(bytes::cstr_at(&info, NAME).is_some_and(|name| !name.is_empty()));
    }
}
