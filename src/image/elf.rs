//! The parts of ELF that pydbg reads itself, because they may come from a damaged core's memory:
//! file header and program headers (gABI chapters 4 and 5, 64-bit little endian). Sections
//! of files on disk are read through the `object` crate.

use super::bytes::{ElfBytes, Section};
use crate::bytes;
use object::elf::FileHeader64;
use object::read::elf::{ElfFile, ElfSection};
use object::{CompressionFormat, LittleEndian, Object, ObjectSection};

/// Loadable segment.
pub const PT_LOAD: u32 = 1;
/// The dynamic section.
pub const PT_DYNAMIC: u32 = 2;
/// `.eh_frame_hdr`.
pub const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
/// Segment flag: may be executed.
pub const PF_X: u32 = 1;
/// A segment that may be written.
pub const PF_W: u32 = 2;

/// The most program headers believed; real files have about a dozen.
const MOST_SEGMENTS: u16 = 256;
/// The largest section that is uncompressed: a compressed section may claim any size.
const MOST_UNCOMPRESSED: u64 = 1 << 31;
/// The page size that x86-64 mappings are rounded to.
pub const PAGE: u64 = 4096;

/// What pydbg needs of an ELF header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// ET_EXEC, ET_DYN…
    pub kind: u16,
    /// File offset of the program headers.
    pub phoff: u64,
    /// How many program headers there are.
    pub phnum: u16,
}

/// One program header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// PT_*.
    pub kind: u32,
    /// PF_*.
    pub flags: u32,
    /// Offset in the file.
    pub offset: u64,
    /// Stated address.
    pub vaddr: u64,
    /// Bytes in the file.
    pub filesz: u64,
    /// Bytes in memory.
    pub memsz: u64,
}

impl Segment {
    /// The stated address behind its last byte in memory.
    pub fn end(&self) -> u64 {
        self.vaddr.saturating_add(self.memsz)
    }

    /// Whether the stated address lies in it.
    pub fn contains(&self, svma: u64) -> bool {
        self.vaddr <= svma && svma < self.end()
    }
}

/// The header, if `start` begins an x86-64 ELF file.
pub fn header(start: &[u8]) -> Option<Header> {
    // Magic, ELFCLASS64, ELFDATA2LSB.
    if start.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let machine = bytes::u16_at(start, 18)?;
    let entry_size = bytes::u16_at(start, 54)?;
    (machine == object::elf::EM_X86_64.0 && entry_size == 56).then_some(())?;
    Some(Header {
        kind: bytes::u16_at(start, 16)?,
        phoff: bytes::u64_at(start, 32)?,
        phnum: bytes::u16_at(start, 56)?.min(MOST_SEGMENTS),
    })
}

/// The program headers in `table`, which starts with the first of them.
pub fn segments(table: &[u8], count: u16) -> Vec<Segment> {
    (0..usize::from(count))
        .map_while(|index| segment(table, index * 56))
        .collect()
}

fn segment(table: &[u8], at: usize) -> Option<Segment> {
    Some(Segment {
        kind: bytes::u32_at(table, at)?,
        flags: bytes::u32_at(table, at + 4)?,
        offset: bytes::u64_at(table, at + 8)?,
        vaddr: bytes::u64_at(table, at + 16)?,
        filesz: bytes::u64_at(table, at + 32)?,
        memsz: bytes::u64_at(table, at + 40)?,
    })
}

/// The program headers of a file whose bytes are at hand.
pub fn file_segments(file: &[u8]) -> Vec<Segment> {
    let Some(header) = header(file) else {
        return Vec::new();
    };
    let table = usize::try_from(header.phoff)
        .ok()
        .and_then(|start| file.get(start..));
    segments(table.unwrap_or_default(), header.phnum)
}

/// The file's section table, parsed anew: it is a matter of microseconds, and borrows.
pub fn parse(file: &[u8]) -> Option<ElfFile<'_, FileHeader64<LittleEndian>>> {
    ElfFile::parse(file).ok()
}

/// The section called `name`, uncompressed; `None` when it is missing or has no bytes, as the
/// loaded sections of separate debug files.
pub fn section(file: &ElfBytes, name: &str) -> Option<Section> {
    let elf = parse(file)?;
    let section = elf.section_by_name(name)?;
    let place = section.compressed_file_range().ok()?;
    if place.format == CompressionFormat::None {
        let start = usize::try_from(place.offset).ok()?;
        let end = start.checked_add(usize::try_from(place.compressed_size).ok()?)?;
        (start < end).then_some(())?;
        let part = Section::new(section.address(), file.clone(), start..end);
        return (!part.is_empty()).then_some(part);
    }
    if place.uncompressed_size > MOST_UNCOMPRESSED {
        return None;
    }
    let data = section.uncompressed_data().ok()?.into_owned();
    (!data.is_empty()).then(|| Section::owned(section.address(), data))
}

/// Whether a loaded section holds the stated address.
fn holds(section: &ElfSection<'_, '_, FileHeader64<LittleEndian>>, svma: u64) -> bool {
    let start = section.address();
    start != 0 && start <= svma && svma - start < section.size()
}

/// The number of the loaded section that holds the stated address.
pub fn section_number_at(file: &ElfBytes, svma: u64) -> Option<u16> {
    let elf = parse(file)?;
    let number = elf.sections().find(|s| holds(s, svma))?.index().0;
    u16::try_from(number).ok()
}

/// The name of the loaded section that holds the stated address, such as `.text`.
pub fn section_name_at(file: &ElfBytes, svma: u64) -> Option<String> {
    let elf = parse(file)?;
    let section = elf.sections().find(|s| holds(s, svma))?;
    Some(section.name().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_has_segments_and_sections() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        let segments = file_segments(&file);
        assert!(segments.iter().any(|s| s.kind == PT_LOAD));
        assert!(segments.iter().any(|s| s.kind == PT_GNU_EH_FRAME));
        let bytes = ElfBytes::Owned(std::sync::Arc::new(file));
        assert!(section(&bytes, ".eh_frame").unwrap().svma > 0);
        assert!(section(&bytes, ".no_such_section").is_none());
    }
}
