//! The parts of an ELF core file as bytes: its header, program headers (more than 65,534 by
//! PN_XNUM), notes and the table of mapped files. Mirrors Linux fs/binfmt_elf.c
//! (`elf_core_dump`, `fill_extnum_info`, `writenote`, `fill_files_note`). What puts them together
//! writes the core of a live process, or a small one for tests.

use goblin::elf::header::{ELFMAG, EM_X86_64, ET_CORE};
use goblin::elf::program_header::{PT_LOAD, PT_NOTE, PT_NULL};

/// Bytes of a 64-bit ELF header, of a program header and of a section header.
pub const HEADER: u64 = 64;
/// Bytes of a program header.
pub const PROGRAM_HEADER: u64 = 56;
/// Bytes of a section header.
pub const SECTION_HEADER: u64 = 64;
/// Bytes of a page, to which dumped memory is aligned.
pub const PAGE: u64 = 4096;
/// `e_phnum` when the count is in a section header instead.
const PN_XNUM: u16 = 0xffff;

/// What a program header is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Memory, with its permissions (PF_R, PF_W, PF_X).
    Load(u32),
    /// Notes.
    Note,
    /// Nothing: a place that was kept and is not used.
    Unused,
}

/// Where the bytes of a program header are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extent {
    /// Its offset in the file.
    pub offset: u64,
    /// The address in the process.
    pub address: u64,
    /// How many bytes are in the file.
    pub in_file: u64,
    /// How many bytes there are in the process.
    pub size: u64,
}

/// Whether so many program headers need [`section_header`].
pub fn is_extended(count: u64) -> bool {
    count >= PN_XNUM.into()
}

/// The ELF header of a core with so many program headers, which follow it at once. The section
/// header at `section_at` is there only if [`is_extended`].
pub fn header(count: u64, section_at: u64) -> Vec<u8> {
    let extended = is_extended(count);
    let mut out = vec![0; HEADER as usize];
    put(&mut out, 0, ELFMAG);
    // 64-bit, little-endian, version 1.
    put(&mut out, 4, &[2, 1, 1]);
    put(&mut out, 16, &ET_CORE.to_le_bytes());
    put(&mut out, 18, &EM_X86_64.to_le_bytes());
    put(&mut out, 20, &1u32.to_le_bytes());
    put(&mut out, 32, &HEADER.to_le_bytes());
    put(&mut out, 52, &(HEADER as u16).to_le_bytes());
    put(&mut out, 54, &(PROGRAM_HEADER as u16).to_le_bytes());
    let short = u16::try_from(count).unwrap_or(PN_XNUM);
    put(&mut out, 56, &short.to_le_bytes());
    if extended {
        put(&mut out, 40, &section_at.to_le_bytes());
        put(&mut out, 58, &(SECTION_HEADER as u16).to_le_bytes());
        put(&mut out, 60, &1u16.to_le_bytes());
    }
    out
}

/// The section header that has the number of program headers.
pub fn section_header(count: u64) -> Vec<u8> {
    let mut section = vec![0; SECTION_HEADER as usize];
    // sh_size is the number of section headers, sh_info that of program headers.
    put(&mut section, 32, &1u64.to_le_bytes());
    put(&mut section, 44, &(count as u32).to_le_bytes());
    section
}

/// Adds a program header.
pub fn push_program_header(out: &mut Vec<u8>, kind: Kind, extent: &Extent) {
    let (kind, flags, align) = match kind {
        Kind::Load(flags) => (PT_LOAD, flags, PAGE),
        Kind::Note => (PT_NOTE, 0, 4),
        Kind::Unused => (PT_NULL, 0, 0),
    };
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    let Extent {
        offset,
        address,
        in_file,
        size,
    } = *extent;
    for word in [offset, address, 0, in_file, size, align] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// Adds a note.
pub fn push_note(out: &mut Vec<u8>, name: &str, kind: u32, content: &[u8]) {
    for word in [name.len() as u32 + 1, content.len() as u32, kind] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(name.as_bytes());
    out.resize((out.len() + 1).next_multiple_of(4), 0);
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// The content of NT_FILE: of each mapping of a file its start, its end, the offset in bytes and
/// the name. Offsets are stated in units of `page_size`.
pub fn file_table(files: &[(u64, u64, u64, String)], page_size: u64) -> Vec<u8> {
    let unit = page_size.max(1);
    let ranges = files.iter();
    let ranges = ranges.flat_map(|(start, end, offset, _)| [*start, *end, *offset / unit]);
    let head = [files.len() as u64, page_size];
    let words = head.into_iter().chain(ranges);
    let mut content: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    for (.., name) in files {
        content.extend_from_slice(name.as_bytes());
        content.push(0);
    }
    content
}

/// Copies as much as fits to an offset.
pub fn put(to: &mut [u8], at: usize, bytes: &[u8]) {
    let tail = to.get_mut(at..).unwrap_or_default();
    for (slot, byte) in tail.iter_mut().zip(bytes) {
        *slot = *byte;
    }
}
