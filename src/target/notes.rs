//! The notes of a core: walking them, also when headers are damaged, and what the kernel and
//! gcore put in them, and pydbg itself. Mirrors Linux fs/binfmt_elf.c (`fill_note_info`, include/linux/elfcore.h)
//! and gdb's linux-tdep.c. Structures are x86-64's: NT_PRSTATUS 336 bytes, NT_PRPSINFO 136.

use super::left_out;
use super::ntfile::{self, FileTable};
use super::proc_note;
use super::registers::{Registers, USER_REGS_SIZE};
use super::signal::SignalInfo;
use crate::bytes;
use crate::diag::Notes;
use goblin::elf::note::{NT_FILE, NT_PRPSINFO, NT_PRSTATUS, NT_SIGINFO};
use rustc_hash::FxHashSet;
use std::ops::Range;

const NT_FPREGSET: u32 = 2;
const NT_AUXV: u32 = 6;
/// Bytes of `struct elf_prstatus` on x86-64.
const PRSTATUS_SIZE: usize = 336;
/// Bytes of a note's header: name size, content size, type.
const HEADER: usize = 12;
/// How many bytes of damaged notes are searched for the next sound one, over a whole core.
const MOST_SEARCHED: usize = 64 << 20;
/// The most pairs of an auxiliary vector; Linux has about 25.
const MOST_AUX: usize = 512;

/// Who defined a note's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Vendor {
    Core,
    Linux,
    Gdb,
    Pydbg,
    Other,
}

/// The names cores use, with their NUL.
const NAMES: [(Vendor, &[u8]); 4] = [
    (Vendor::Core, b"CORE\0"),
    (Vendor::Linux, b"LINUX\0"),
    (Vendor::Gdb, b"GDB\0"),
    (Vendor::Pydbg, b"pydbg\0"),
];

/// One thread's notes.
#[derive(Clone, Debug, Default)]
pub(super) struct ThreadNotes {
    /// Its id.
    pub(super) tid: i32,
    /// Its registers, unless the note is too short.
    pub(super) registers: Option<Registers>,
    /// `pr_cursig`: the signal the process died of (kernel), or 0.
    pub(super) current_signal: i32,
    /// The NT_SIGINFO that follows it.
    pub(super) signal: Option<SignalInfo>,
    /// An NT_FPREGSET followed it.
    has_fp: bool,
}

/// NT_PRPSINFO.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PsInfo {
    /// Process id.
    pub(super) pid: i32,
    /// Parent.
    pub(super) ppid: i32,
    /// Real user.
    pub(super) uid: u32,
    /// comm.
    pub(super) comm: String,
    /// The first 80 bytes of the command line, blanks between arguments.
    pub(super) psargs: String,
}

/// Everything read from the notes.
#[derive(Debug, Default)]
pub(super) struct CoreNotes {
    /// In file order.
    pub(super) threads: Vec<ThreadNotes>,
    /// Who the process was.
    pub(super) process: Option<PsInfo>,
    /// The auxiliary vector.
    pub(super) auxv: Vec<(u64, u64)>,
    /// The mapped files.
    pub(super) files: Option<FileTable>,
    /// What /proc told: the content of pydbg's own note.
    pub(super) proc_note: Option<Vec<u8>>,
    /// What pydbg has left out of the core.
    pub(super) left_out: Vec<Range<u64>>,
    /// gdb wrote it: the process was alive, and SIGSTOP is gdb's doing.
    pub(super) by_gdb: bool,
    whole_status: bool,
    seen: FxHashSet<i32>,
    lost_threads: usize,
    twice: usize,
    damaged: usize,
    searched: usize,
}

impl CoreNotes {
    /// Adds the notes of one PT_NOTE's bytes.
    pub(super) fn read(&mut self, segment: &[u8]) {
        let mut at = 0usize;
        while at.saturating_add(HEADER) <= segment.len() {
            let Some(head) = head(segment, at) else {
                if blank(segment, at) {
                    return;
                }
                self.damaged += 1;
                at = self.search(segment, at + 4);
                continue;
            };
            let stated = head.content.checked_add(head.size);
            let next = stated.map(|end| end.next_multiple_of(4).min(segment.len()));
            let follows = |next: usize| {
                let left = segment.len().saturating_sub(next);
                left < HEADER || blank(segment, next) || self::head(segment, next).is_some()
            };
            let sound = !head.damaged
                && stated.is_some_and(|end| end <= segment.len())
                && next.is_some_and(follows);
            let (end, next) = match (sound, stated, next) {
                (true, Some(end), Some(next)) => (end, next),
                // The size cannot be true: the content ends where the next note starts.
                _ => {
                    self.damaged += 1;
                    let next = self.search(segment, head.content);
                    (next, next)
                }
            };
            if let Some(content) = segment.get(head.content..end) {
                self.take(head.vendor, head.kind, content);
            }
            at = next;
        }
        // A piece of a header is left: the segment's size is wrong, or the file is cut.
        if !blank(segment, at) {
            self.damaged += 1;
        }
    }

    /// Says what was wrong with the notes, once all are read.
    pub(super) fn report(&self, diag: &Notes) {
        if self.damaged > 0 {
            diag.partial(format!(
                "{} of the core's notes are damaged or cut",
                self.damaged
            ));
        }
        if self.twice > 0 {
            diag.partial(format!(
                "the core has {} threads twice; the first of each is used",
                self.twice
            ));
        }
        if self.lost_threads > 0 {
            diag.partial(format!(
                "the registers of {} threads are missing in the core",
                self.lost_threads
            ));
        }
        if self.threads.is_empty() {
            diag.partial("the core has no thread notes: registers and thread ids are not known");
        }
        let short = |thread: &&ThreadNotes| thread.registers.is_none();
        let without = self.threads.iter().filter(short).count();
        if without > 0 {
            diag.partial(format!(
                "the registers of {without} threads are cut or damaged in the core"
            ));
        }
        if self.process.is_none() {
            diag.info("the core does not say which process it is of (no NT_PRPSINFO)");
        }
    }

    /// Whether only a core of this CPU has these notes, whatever the ELF header says: other CPUs
    /// have another size of NT_PRSTATUS.
    pub(super) fn is_core(&self) -> bool {
        self.whole_status
    }

    /// Whether a header or a size could not be true.
    pub(super) fn are_damaged(&self) -> bool {
        self.damaged > 0
    }

    /// The offset of the next note that can be told by its name, or the end.
    fn search(&mut self, segment: &[u8], from: usize) -> usize {
        let mut at = from.next_multiple_of(4);
        while at.saturating_add(HEADER) <= segment.len() && self.searched < MOST_SEARCHED {
            if starts(segment, at) {
                return at;
            }
            at += 4;
            self.searched += 4;
        }
        segment.len()
    }

    fn take(&mut self, vendor: Vendor, kind: u32, content: &[u8]) {
        match (vendor, kind) {
            (Vendor::Core, NT_PRSTATUS) => self.thread(content),
            (Vendor::Core, NT_FPREGSET) => match self.threads.last_mut() {
                Some(thread) if !thread.has_fp => thread.has_fp = true,
                _ => self.lost_threads += 1,
            },
            (Vendor::Core, NT_PRPSINFO) => {
                self.by_gdb |= self.threads.is_empty();
                self.process = self.process.take().or_else(|| ps_info(content));
            }
            (Vendor::Core, NT_SIGINFO) => {
                if let Some(thread) = self.threads.last_mut() {
                    thread.signal = thread.signal.or_else(|| SignalInfo::parse(content));
                }
            }
            (Vendor::Core, NT_AUXV) if self.auxv.is_empty() => self.auxv = auxv(content),
            (Vendor::Core, NT_FILE) if self.files.is_none() => {
                self.files = ntfile::parse(content);
                self.by_gdb |= self
                    .files
                    .as_ref()
                    .is_some_and(|files| files.page_size == 1);
            }
            (Vendor::Pydbg, proc_note::TYPE) if self.proc_note.is_none() => {
                // One byte more, so that it is seen to be too large.
                let most = proc_note::MOST_BYTES + 1;
                self.proc_note = Some(content.get(..most).unwrap_or(content).to_vec());
            }
            (Vendor::Pydbg, left_out::TYPE) => self.left_out = left_out::parse(content),
            (Vendor::Gdb, _) => self.by_gdb = true,
            _ => {}
        }
    }

    fn thread(&mut self, content: &[u8]) {
        const CURSIG: usize = 12;
        const PID: usize = 32;
        const REGS: usize = 112;
        self.whole_status |= content.len() == PRSTATUS_SIZE;
        let Some(tid) = bytes::i32_at(content, PID) else {
            self.lost_threads += 1;
            return;
        };
        // Ids that cannot be true are no reason to drop a thread's registers.
        if tid > 0 && !self.seen.insert(tid) {
            self.twice += 1;
            return;
        }
        let registers = content
            .get(REGS..REGS + USER_REGS_SIZE)
            .and_then(Registers::from_user_regs);
        self.threads.push(ThreadNotes {
            tid,
            registers,
            current_signal: bytes::u16_at(content, CURSIG).map_or(0, i32::from),
            ..ThreadNotes::default()
        });
    }
}

/// A note's header.
struct Head {
    vendor: Vendor,
    kind: u32,
    /// Offset of the content.
    content: usize,
    /// Its stated size.
    size: usize,
    /// The name is right and its stated size is not.
    damaged: bool,
}

impl Head {
    /// Whether the type is one that cores have; asked only when searching, where chance matters.
    fn usual(&self) -> bool {
        match self.vendor {
            Vendor::Core => matches!(
                self.kind,
                NT_PRSTATUS | NT_FPREGSET | NT_PRPSINFO | NT_AUXV | NT_SIGINFO | NT_FILE
            ),
            Vendor::Linux => (0x100..0x1000).contains(&self.kind),
            Vendor::Gdb => self.kind == 0xff00_0000,
            Vendor::Pydbg => matches!(self.kind, proc_note::TYPE | left_out::TYPE),
            Vendor::Other => false,
        }
    }
}

/// The note header at `at`, if there can be one. A known name is enough; an unknown one must be
/// printable and its note must fit.
fn head(segment: &[u8], at: usize) -> Option<Head> {
    let name_size = bytes::u32_at(segment, at)? as usize;
    let size = bytes::u32_at(segment, at.checked_add(4)?)? as usize;
    let kind = bytes::u32_at(segment, at.checked_add(8)?)?;
    let name_at = at.checked_add(HEADER)?;
    let tail = segment.get(name_at..)?;
    let known = NAMES.iter().find(|(_, name)| tail.starts_with(name));
    let (vendor, true_size) = match known {
        Some((vendor, name)) => (*vendor, name.len()),
        None => {
            let name = tail.get(..name_size).filter(|name| name.len() <= 32)?;
            let (nul, text) = name.split_last()?;
            let printable = *nul == 0 && text.iter().all(u8::is_ascii_graphic);
            let fits = tail.len().checked_sub(name_size)? >= size;
            (printable && fits && !text.is_empty()).then_some((Vendor::Other, name_size))?
        }
    };
    Some(Head {
        vendor,
        kind,
        content: name_at.checked_add(true_size.next_multiple_of(4))?,
        size,
        damaged: name_size != true_size,
    })
}

/// Whether a note that only cores have starts at `at`.
pub(super) fn starts(core: &[u8], at: usize) -> bool {
    head(core, at).is_some_and(|head| head.vendor != Vendor::Other && head.usual())
}

/// Whether only padding follows: zeros up to the end.
fn blank(segment: &[u8], at: usize) -> bool {
    const MOST_PADDING: usize = 64 << 10;
    let tail = segment.get(at..).unwrap_or_default();
    tail.len() <= MOST_PADDING && tail.iter().all(|&byte| byte == 0)
}

/// `struct elf_prpsinfo`.
fn ps_info(content: &[u8]) -> Option<PsInfo> {
    const FNAME: usize = 40;
    const PSARGS: usize = 56;
    const SIZE: usize = 136;
    let text = |from: usize, to: usize| {
        let field = content.get(from..to.min(content.len()))?;
        bytes::cstr_at(field, 0).map(|text| String::from_utf8_lossy(text).into_owned())
    };
    Some(PsInfo {
        uid: bytes::u32_at(content, 16)?,
        pid: bytes::i32_at(content, 24)?,
        ppid: bytes::i32_at(content, 28)?,
        comm: text(FNAME, PSARGS)?,
        // The kernel leaves a blank behind the last argument.
        psargs: text(PSARGS, SIZE).unwrap_or_default().trim_end().to_owned(),
    })
}

/// Pairs of words up to AT_NULL.
pub(super) fn auxv(content: &[u8]) -> Vec<(u64, u64)> {
    content
        .chunks_exact(16)
        .take(MOST_AUX)
        .map_while(|pair| Some((bytes::u64_at(pair, 0)?, bytes::u64_at(pair, 8)?)))
        .take_while(|(kind, _)| *kind != 0)
        .collect()
}
