//! Build-ids: the note NT_GNU_BUILD_ID of an ELF file, from the file's bytes, from its first page
//! alone, or from the target's memory. Mirrors the gABI's note format and ld's --build-id.

use super::memory::Memory;
use crate::addr::Addr;
use crate::bytes;
use goblin::container::{Container, Ctx};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, header64};
use goblin::elf::note::NT_GNU_BUILD_ID;
use goblin::elf::program_header::{PT_LOAD, PT_NOTE, ProgramHeader, program_header64::SIZEOF_PHDR};
use goblin::elf::section_header::{SHT_NOTE, SectionHeader, section_header64::SIZEOF_SHDR};

/// 64-bit little-endian.
const CTX: Ctx = Ctx {
    container: Container::Big,
    le: goblin::container::Endian::Little,
};
/// The most program headers a file is believed to have.
const MOST_HEADERS: usize = 512;
/// The most bytes of one note segment that are looked at.
const MOST_NOTES: u64 = 64 << 10;

/// The build-id in the bytes of a 64-bit ELF file, or in its first page when the note lies there.
pub fn build_id_of(file: &[u8]) -> Option<Vec<u8>> {
    let header = header(file)?;
    let from_segments = program_headers(file, &header)
        .iter()
        .filter(|entry| entry.p_type == PT_NOTE)
        .find_map(|entry| in_file(file, entry.p_offset, entry.p_filesz, entry.p_align));
    from_segments.or_else(|| {
        section_headers(file, &header)
            .iter()
            .filter(|entry| entry.sh_type == SHT_NOTE)
            .find_map(|entry| in_file(file, entry.sh_offset, entry.sh_size, entry.sh_addralign))
    })
}

/// The build-id of the ELF file whose first byte is mapped at `start`.
pub fn build_id_in_memory(memory: &dyn Memory, start: Addr) -> Option<Vec<u8>> {
    let raw = memory.array::<{ header64::SIZEOF_EHDR }>(start).ok()?;
    let header = header(&raw)?;
    let count = usize::from(header.e_phnum).min(MOST_HEADERS);
    let table = memory.bytes(start.add(header.e_phoff), count * SIZEOF_PHDR);
    let entries = ProgramHeader::parse(&table.ok()?, 0, count, CTX).ok()?;
    let first = entries.iter().find(|entry| entry.p_type == PT_LOAD)?;
    let base = first.p_vaddr.wrapping_sub(first.p_offset);
    entries
        .iter()
        .filter(|entry| entry.p_type == PT_NOTE)
        .find_map(|entry| {
            let at = start.add(entry.p_vaddr.wrapping_sub(base));
            let size = entry.p_filesz.min(MOST_NOTES) as usize;
            in_notes(&memory.bytes(at, size).ok()?, entry.p_align)
        })
}

/// The program headers of the ELF file that starts with `file`, as far as they are there.
pub(super) fn program_headers_of(file: &[u8]) -> Vec<ProgramHeader> {
    header(file).map_or_else(Vec::new, |header| program_headers(file, &header))
}

fn header(file: &[u8]) -> Option<header64::Header> {
    let ident = file.get(..EI_DATA + 1)?;
    let ours = ident.starts_with(b"\x7fELF")
        && ident.get(EI_CLASS) == Some(&ELFCLASS64)
        && ident.get(EI_DATA) == Some(&ELFDATA2LSB);
    let whole = file.get(..header64::SIZEOF_EHDR)?;
    ours.then(|| header64::Header::parse(whole).ok()).flatten()
}

fn program_headers(file: &[u8], header: &header64::Header) -> Vec<ProgramHeader> {
    let start = usize::try_from(header.e_phoff).unwrap_or(usize::MAX);
    let fits = file.len().saturating_sub(start) / SIZEOF_PHDR;
    let count = usize::from(header.e_phnum).min(MOST_HEADERS).min(fits);
    ProgramHeader::parse(file, start, count, CTX).unwrap_or_default()
}

fn section_headers(file: &[u8], header: &header64::Header) -> Vec<SectionHeader> {
    let start = usize::try_from(header.e_shoff).unwrap_or(usize::MAX);
    let fits = file.len().saturating_sub(start) / SIZEOF_SHDR;
    // The first section header is empty, and goblin reads an extended count from it.
    let count = usize::from(header.e_shnum).min(fits);
    if count == 0 {
        return Vec::new();
    }
    SectionHeader::parse(file, start, count, CTX).unwrap_or_default()
}

fn in_file(file: &[u8], offset: u64, size: u64, align: u64) -> Option<Vec<u8>> {
    let start = usize::try_from(offset).ok()?;
    let size = size.min(MOST_NOTES) as usize;
    let end = start.checked_add(size)?.min(file.len());
    in_notes(file.get(start..end)?, align)
}

/// The build-id among the notes of one segment or section.
fn in_notes(notes: &[u8], align: u64) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let align = if align == 8 { 8 } else { 4 };
    let mut at = 0usize;
    loop {
        let name_size = bytes::u32_at(notes, at)? as usize;
        let size = bytes::u32_at(notes, at.checked_add(4)?)? as usize;
        let kind = bytes::u32_at(notes, at.checked_add(8)?)?;
        let name_at = at.checked_add(HEADER)?;
        let name_end = name_at.checked_add(name_size)?;
        let content = name_end.checked_next_multiple_of(align)?;
        let end = content.checked_add(size)?;
        let gnu = notes.get(name_at..name_end)? == b"GNU\0";
        if gnu && kind == NT_GNU_BUILD_ID && (1..=64).contains(&size) {
            return notes.get(content..end).map(<[u8]>::to_vec);
        }
        at = end.checked_next_multiple_of(align)?;
    }
}

/// A build-id as people write it.
pub fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
