//! The ELF frame of a core file: its header and program headers, read as far as they make sense.
//! Mirrors Linux fs/binfmt_elf.c (`elf_core_dump`, `fill_extnum_info` for PN_XNUM) and gdb's
//! gcore (BFD): both put the program headers at 64 and the first data right behind them, which
//! is how a damaged count is noticed. A damaged identity byte is a doubt, not an error: the notes
//! decide whether this is a core.

use super::packed::Format;
use crate::bytes;
use crate::diag::Notes;
use goblin::container::{Container, Ctx};
use goblin::elf::header::{
    EI_CLASS, EI_DATA, ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFDATA2MSB, ELFMAG, EM_X86_64,
    ET_CORE, ET_DYN, ET_EXEC, header64, machine_to_str,
};
use goblin::elf::program_header::{
    PF_R, PF_W, PF_X, PT_LOAD, PT_NOTE, ProgramHeader, program_header64::SIZEOF_PHDR,
};
use std::ops::Range;

/// `e_phnum` when the count does not fit: it is then in `sh_info` of section header 0.
const PN_XNUM: u16 = 0xffff;
/// Offset of `sh_info` in a 64-bit section header.
const SH_INFO: usize = 44;
/// The most program headers looked at. Linux allows 65,530 mappings unless told otherwise; a
/// damaged count must not make pydbg walk gigabytes of zeros.
const MOST_HEADERS: usize = 1 << 22;
/// The most PT_NOTEs read; Linux and gdb write one.
const MOST_NOTES: usize = 16;
/// 64-bit little-endian, whatever the damaged bytes say.
const CTX: Ctx = Ctx {
    container: Container::Big,
    le: goblin::container::Endian::Little,
};

/// One PT_LOAD: a mapping of the process, whole or in part in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Load {
    /// First address.
    pub(super) start: u64,
    /// Address behind it; never less than `start + in_file`.
    pub(super) end: u64,
    /// Where its bytes lie in the core.
    pub(super) offset: u64,
    /// How many of its bytes the core should have.
    pub(super) in_file: u64,
    /// Protection.
    pub(super) read: bool,
    /// Protection.
    pub(super) write: bool,
    /// Protection.
    pub(super) execute: bool,
}

/// A core's frame.
#[derive(Debug)]
pub(super) struct CoreFile {
    /// Its PT_LOADs in file order.
    pub(super) loads: Vec<Load>,
    /// Where its notes are, inside the file.
    pub(super) notes: Vec<Range<usize>>,
    /// Where notes may be when the program headers lead to none: the gaps before and behind the
    /// dumped memory.
    pub(super) gaps: Vec<Range<usize>>,
    /// Why it may be no core of this kind; the first is the one to tell. Empty for a sound header.
    pub(super) doubts: Vec<Doubt>,
}

/// A byte of the ELF header that a core of this CPU does not have.
#[derive(Debug)]
pub(super) struct Doubt {
    /// Which, should the notes show that it is damage: `type 2`.
    pub(super) field: String,
    /// What to say when it is true: a sentence that follows the path.
    pub(super) refusal: String,
}

/// Reads the frame. An error is a sentence that follows the path.
pub(super) fn parse(core: &[u8], diag: &Notes) -> Result<CoreFile, String> {
    let (header, doubts) = header(core)?;
    let mut table = table(core, &header, diag);
    let mut loads = Vec::new();
    let mut notes = Vec::new();
    let (mut senseless, mut oversized) = (0usize, 0usize);
    let stated = table.entries.len();
    for entry in &mut table.entries {
        if entry.p_type == PT_LOAD && entry.p_filesz > entry.p_memsz && entry.p_memsz > 0 {
            oversized += 1;
            entry.p_filesz = entry.p_memsz;
        }
        match entry.p_type {
            PT_LOAD if plausible(entry) => loads.extend(load(entry)),
            PT_NOTE if plausible(entry) => notes.push(entry),
            PT_LOAD | PT_NOTE => senseless += 1,
            _ => {}
        }
    }
    if oversized > 0 && doubts.is_empty() {
        diag.partial(format!(
            "{oversized} of the core's segments say that more of them is in the file than they \
             have"
        ));
    }
    if senseless > 0 && doubts.is_empty() {
        diag.partial(format!(
            "{senseless} of the core's {stated} program headers make no sense and are left out"
        ));
    }
    if loads.is_empty() && notes.is_empty() && doubts.is_empty() {
        return Err(match core.len() < table.end.saturating_add(SIZEOF_PHDR) {
            true => format!(
                "is cut inside its program headers (at {} bytes): nothing is left to read",
                core.len()
            ),
            false => "has no program headers that make sense: nothing can be read".into(),
        });
    }
    let len = core.len() as u64;
    let beyond = |end: u64| end > len;
    let notes_end = |note: &ProgramHeader| note.p_offset.saturating_add(note.p_filesz);
    if doubts.is_empty() && notes.iter().any(|note| beyond(notes_end(note))) {
        diag.partial("the core file is cut before the end of its notes (threads, mapped files)");
    }
    let gaps = gaps(&loads, table.end, core.len());
    let clip = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(core.len());
    let notes = notes
        .into_iter()
        .take(MOST_NOTES)
        .map(|note| clip(note.p_offset)..clip(notes_end(note)))
        .collect();
    Ok(CoreFile {
        loads,
        notes,
        gaps,
        doubts,
    })
}

/// Where notes are when no program header says so: between the program headers and the first
/// dumped memory (Linux), or behind the last (gdb). A file that is cut has lost the latter.
fn gaps(loads: &[Load], table_end: usize, len: usize) -> Vec<Range<usize>> {
    let dumped = || loads.iter().filter(|load| load.in_file > 0);
    let clip = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(len);
    let first = dumped().map(|load| clip(load.offset)).min();
    let table_end = table_end.min(len);
    let front = table_end..first.unwrap_or(len).max(table_end);
    let ends = || dumped().map(|load| load.offset.saturating_add(load.in_file));
    // One segment alone that reaches beyond the file is damaged, several mean that it is cut.
    let last = ends().filter(|end| *end <= len as u64).max();
    match ends().filter(|end| *end > len as u64).count() {
        0 | 1 => vec![front, last.map_or(len, clip)..len],
        _ => vec![front],
    }
}

/// The ELF header read as 64-bit little-endian, and what speaks against that.
fn header(core: &[u8]) -> Result<(header64::Header, Vec<Doubt>), String> {
    if core.is_empty() {
        return Err(
            "is empty: the core was not written (is the disk full, or `ulimit -c` 0?)".into(),
        );
    }
    if core.get(..4) != Some(ELFMAG.as_slice()) {
        return Err(not_elf(core));
    }
    let Some(mut raw) = bytes::array_at::<{ header64::SIZEOF_EHDR }>(core, 0) else {
        return Err(format!(
            "is cut inside the ELF header (at {} bytes): nothing is left to read",
            core.len()
        ));
    };
    let class = std::mem::replace(&mut raw[EI_CLASS], ELFCLASS64);
    let data = std::mem::replace(&mut raw[EI_DATA], ELFDATA2LSB);
    let header = header64::Header::parse(&raw).map_err(|error| error.to_string())?;
    let mut doubts = Vec::new();
    let mut doubt = |field: &str, value: u16, refusal: String| {
        doubts.push(Doubt {
            field: format!("{field} {value}"),
            refusal,
        });
    };
    // The type comes first: an executable of any kind is better told so.
    match header.e_type {
        ET_CORE => {}
        ET_EXEC | ET_DYN => doubt(
            "type",
            header.e_type,
            "is an executable or a library, not a core; give the core, and this file with --exe, \
             or a running process with `pydbg attach PID`"
                .into(),
        ),
        other => doubt(
            "type",
            other,
            format!("is an ELF file of type {other}, not a core"),
        ),
    }
    match class {
        ELFCLASS64 => {}
        ELFCLASS32 => doubt(
            "class",
            class.into(),
            "is the core of a 32-bit process; pydbg reads 64-bit ones (try gdb)".into(),
        ),
        other => doubt(
            "class",
            other.into(),
            format!("has no ELF class that exists ({other})"),
        ),
    }
    match data {
        ELFDATA2LSB => {}
        ELFDATA2MSB => doubt(
            "byte order",
            data.into(),
            "is big-endian; pydbg reads x86-64 (try gdb-multiarch)".into(),
        ),
        other => doubt(
            "byte order",
            other.into(),
            format!("has no byte order that exists ({other})"),
        ),
    }
    if header.e_machine != EM_X86_64 && data == ELFDATA2LSB && class == ELFCLASS64 {
        let name = machine_to_str(header.e_machine);
        doubt(
            "machine",
            header.e_machine,
            format!("is of another CPU ({name}); pydbg reads x86-64 (try gdb-multiarch)"),
        );
    }
    Ok((header, doubts))
}

/// What to say of a file that is no ELF file at all.
fn not_elf(core: &[u8]) -> String {
    // What can be unpacked was; a pack in a pack, and these, are left to the user.
    const OTHERS: [(&[u8], &str); 3] = [
        (b"BZh", "bzip2 -d"),
        (b"PK\x03\x04", "unzip"),
        (b"ProblemType:", "apport-unpack"),
    ];
    let packed = Format::of(core).map(|format| format!("{} -d", format.program()));
    let other = OTHERS.iter().find(|(magic, _)| core.starts_with(magic));
    match packed.or(other.map(|(_, unpack)| (*unpack).to_owned())) {
        Some(unpack) => format!("is packed; unpack it first with `{unpack}`"),
        None if core.first() == Some(&0) => {
            "is not an ELF file, so not a core (it starts with zeros: was the copy finished?)"
                .into()
        }
        None => format!(
            "is not an ELF file, so not a core (it starts with the bytes {:02x?})",
            core.get(..4).unwrap_or(core)
        ),
    }
}

/// The program header table.
struct Table {
    /// Its entries.
    entries: Vec<ProgramHeader>,
    /// The offset behind it.
    end: usize,
}

/// Reads the program headers. The count is believed when some entry's bytes start right behind
/// that many; otherwise entries are taken while they make sense and lie before the data.
fn table(core: &[u8], header: &header64::Header, diag: &Notes) -> Table {
    let entry = |start: usize, index: usize| {
        let at = index.checked_mul(SIZEOF_PHDR)?.checked_add(start)?;
        ProgramHeader::parse(core.get(..)?, at, 1, CTX)
            .ok()?
            .into_iter()
            .next()
    };
    let stated = usize::try_from(header.e_phoff).unwrap_or(usize::MAX);
    let first_is = |start: usize| entry(start, 0).is_some_and(|first| known(&first));
    let start = match first_is(stated) || !first_is(header64::SIZEOF_EHDR) {
        true => stated,
        false => {
            diag.info("the core's header does not say where its program headers are; found at 64");
            header64::SIZEOF_EHDR
        }
    };
    if usize::from(header.e_phentsize) != SIZEOF_PHDR {
        diag.info(format!(
            "the core's program header size is damaged: {} instead of {SIZEOF_PHDR}",
            header.e_phentsize
        ));
    }
    let declared = match header.e_phnum {
        PN_XNUM => usize::try_from(header.e_shoff)
            .ok()
            .and_then(|at| bytes::u32_at(core, at.checked_add(SH_INFO)?))
            .map_or(0, |count| count as usize),
        count => usize::from(count),
    };
    let behind = |count: usize| count.saturating_mul(SIZEOF_PHDR).saturating_add(start);
    let declared_end = behind(declared) as u64;
    let mut entries = Vec::new();
    let mut data = u64::MAX;
    let mut believed = false;
    while entries.len() < MOST_HEADERS {
        let Some(next) = entry(start, entries.len()) else {
            break;
        };
        let end = behind(entries.len() + 1) as u64;
        let over = entries.len() >= declared;
        if over && (believed || !known(&next) || !plausible(&next)) {
            break;
        }
        if !believed && end > data {
            break;
        }
        if known(&next) && next.p_filesz > 0 {
            believed |= next.p_offset == declared_end;
            // An offset inside the table itself is damage and says nothing.
            if next.p_offset >= end {
                data = data.min(next.p_offset);
            }
        }
        entries.push(next);
    }
    let fits = core.len() as u64 >= declared_end;
    if entries.len() != declared && (fits || entries.len() > declared) {
        diag.partial(format!(
            "the core's header says {declared} program headers, its table has {}",
            entries.len()
        ));
    } else if entries.len() < declared {
        diag.partial(format!(
            "the core is cut inside its program headers: {} of {declared} are there",
            entries.len()
        ));
    }
    Table {
        end: behind(entries.len().max(if believed { declared } else { 0 })),
        entries,
    }
}

/// Whether the entry is of a kind cores consist of.
fn known(entry: &ProgramHeader) -> bool {
    matches!(entry.p_type, PT_LOAD | PT_NOTE)
}

/// Whether the entry can be true.
fn plausible(entry: &ProgramHeader) -> bool {
    let size = entry.p_memsz.max(entry.p_filesz);
    entry.p_flags & !(PF_R | PF_W | PF_X) == 0
        && entry.p_vaddr.checked_add(size).is_some()
        && entry.p_offset.checked_add(entry.p_filesz).is_some()
        && (entry.p_type != PT_LOAD || entry.p_filesz <= entry.p_memsz)
}

/// The mapping of a plausible PT_LOAD; `None` when it is empty.
fn load(entry: &ProgramHeader) -> Option<Load> {
    (entry.p_memsz > 0).then(|| Load {
        start: entry.p_vaddr,
        end: entry.p_vaddr.saturating_add(entry.p_memsz),
        offset: entry.p_offset,
        in_file: entry.p_filesz,
        read: entry.is_read(),
        write: entry.is_write(),
        execute: entry.is_executable(),
    })
}
