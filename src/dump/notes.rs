//! The notes of a core, in the order in which Linux writes them (`fill_note_info` and
//! `write_note_info` of fs/binfmt_elf.c): the first thread's NT_PRSTATUS, what is of the process,
//! the first thread's other register sets, then thread by thread.

use super::before::Before;
use crate::target::proc_note::{self, Gathered};
use crate::target::register_sets::{self, RegisterSets};
use crate::target::registers::USER_REGS_SIZE;
use crate::target::write::{file_table, push_note, put};
use crate::target::{Mapping, Target, TargetThread};
use rustc_hash::FxHashMap;

const NT_PRSTATUS: u32 = 1;
const NT_PRFPREG: u32 = 2;
const NT_PRPSINFO: u32 = 3;
const NT_AUXV: u32 = 6;
const NT_X86_XSTATE: u32 = 0x202;
const NT_FILE: u32 = 0x4649_4c45;
const NT_SIGINFO: u32 = 0x5349_4749;

/// Bytes of `struct elf_prstatus` on x86-64, and where its parts are.
const STATUS_SIZE: usize = 336;
const SIGNAL: usize = 12;
const BLOCKED: usize = 24;
const IDS: usize = 32;
const REGISTERS: usize = 112;
const HAS_FLOATING: usize = 328;

/// The unit of offsets in NT_FILE.
const PAGE: u64 = 4096;

/// The notes of a stopped process, and the threads of which they lack registers.
pub(super) struct CoreNotes {
    /// The bytes of PT_NOTE.
    pub(super) bytes: Vec<u8>,
    /// How many threads are in them.
    pub(super) threads: usize,
    /// Threads that were not stopped, of which only a part of the registers is known.
    pub(super) running: Vec<i32>,
}

/// The note with what /proc tells, for the end of the file; without the command line if it shall tell
/// no data.
pub(super) fn of_proc(gathered: Gathered, blank: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let content = gathered.content(blank);
    push_note(&mut bytes, proc_note::OWNER, proc_note::TYPE, &content);
    bytes
}

/// The notes of a process; `sets` are the registers of the threads that are stopped. Vector registers,
/// by which text is copied, are zeros if the core shall tell no data.
pub(super) fn notes(
    target: &Target,
    before: &Before,
    sets: &[RegisterSets],
    blank: bool,
) -> CoreNotes {
    let sets: FxHashMap<i32, &RegisterSets> = sets.iter().map(|set| (set.tid, set)).collect();
    let mut threads: Vec<Thread<'_>> = target
        .threads
        .iter()
        .filter_map(|thread| Thread::of(thread, sets.get(&thread.tid).copied()))
        .collect();
    // What crashes comes first, as in the kernel's cores; else the main thread does.
    if let Some(crashing) = threads.iter().position(|thread| thread.crash().is_some())
        && let Some(part) = threads.get_mut(..=crashing)
    {
        part.rotate_right(1);
    }
    let mut bytes = Vec::new();
    for (index, thread) in threads.iter().enumerate() {
        push_note(&mut bytes, "CORE", NT_PRSTATUS, &thread.status(before));
        if index == 0 {
            push_note(&mut bytes, "CORE", NT_PRPSINFO, &before.ps_info);
        }
        if let Some((_, info)) = thread.crash() {
            push_note(&mut bytes, "CORE", NT_SIGINFO, info);
        }
        if index == 0 {
            push_note(&mut bytes, "CORE", NT_AUXV, &before.auxv);
            let files = file_table(&files(&target.mappings), PAGE);
            push_note(&mut bytes, "CORE", NT_FILE, &files);
        }
        let Some(sets) = thread.sets else {
            continue;
        };
        for (owner, kind, set) in [
            ("CORE", NT_PRFPREG, &sets.floating),
            ("LINUX", NT_X86_XSTATE, &sets.extended),
        ] {
            let Some(mut set) = set.clone() else {
                continue;
            };
            if blank {
                register_sets::blank_vectors(&mut set);
            }
            push_note(&mut bytes, owner, kind, &set);
        }
    }
    let running = threads.iter().filter(|thread| thread.sets.is_none());
    CoreNotes {
        threads: threads.len(),
        running: running.map(|thread| thread.thread.tid).collect(),
        bytes,
    }
}

/// A thread with what is known of its registers.
struct Thread<'a> {
    thread: &'a TargetThread,
    registers: Vec<u8>,
    sets: Option<&'a RegisterSets>,
}

impl<'a> Thread<'a> {
    /// `None` for one that has ended.
    fn of(thread: &'a TargetThread, sets: Option<&'a RegisterSets>) -> Option<Thread<'a>> {
        let known = || Some(thread.registers.as_ref()?.to_user_regs().to_vec());
        let registers = match sets {
            Some(sets) => sets.general.clone(),
            None if thread.state == Some('Z') => return None,
            None => known().unwrap_or_else(|| vec![0; USER_REGS_SIZE]),
        };
        Some(Thread {
            thread,
            registers,
            sets,
        })
    }

    fn crash(&self) -> Option<(i32, &[u8])> {
        let (signal, info) = self.sets?.crash.as_ref()?;
        Some((*signal, info))
    }

    /// `struct elf_prstatus`.
    fn status(&self, before: &Before) -> Vec<u8> {
        let mut status = vec![0; STATUS_SIZE];
        if let Some((signal, _)) = self.crash() {
            put(&mut status, 0, &signal.to_le_bytes());
            put(&mut status, SIGNAL, &(signal as u16).to_le_bytes());
        }
        if let Some(sets) = self.sets {
            put(&mut status, BLOCKED, &sets.blocked.to_le_bytes());
            let floating = u32::from(sets.floating.is_some());
            put(&mut status, HAS_FLOATING, &floating.to_le_bytes());
        }
        let ids = before.ids;
        let ids = [self.thread.own_id(), ids.parent, ids.group, ids.session];
        for (index, id) in ids.iter().enumerate() {
            put(&mut status, IDS + index * 4, &id.to_le_bytes());
        }
        put(&mut status, REGISTERS, &self.registers);
        status
    }
}

/// The mappings of files, as NT_FILE has them: start, end, offset in bytes, name.
fn files(mappings: &[Mapping]) -> Vec<(u64, u64, u64, String)> {
    let named = mappings.iter().filter_map(|mapping| {
        let name = mapping.path.as_deref()?;
        let deleted = if mapping.deleted { " (deleted)" } else { "" };
        let file = (
            mapping.start.0,
            mapping.end.0,
            mapping.offset,
            format!("{name}{deleted}"),
        );
        (!name.starts_with('[')).then_some(file)
    });
    named.collect()
}
