//! The call frame information of one image: `.eh_frame` with the sorted table of `.eh_frame_hdr`
//! (LSB 10.6), of the file or, without one, in memory; then `.debug_frame` (DWARF 5, 6.4).

use super::row::Row;
use crate::addr::Svma;
use crate::bytes;
use crate::image::elf::PT_GNU_EH_FRAME;
use crate::image::{Image, Section};
use gimli::{
    BaseAddresses, CieOrFde, DebugFrame, EhFrame, EndianSlice, LittleEndian, UnwindContext,
    UnwindOffset, UnwindSection,
};
use std::sync::OnceLock;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The call frame information of one image.
pub(super) struct CallFrames {
    eh_frame: Option<Table>,
    debug_frame: OnceLock<Option<Table>>,
}

/// A section with frame descriptions, and a way to find the one for an address.
struct Table {
    section: Section,
    header: Option<Section>,
    /// For sections without a header, by first address; built when needed.
    index: OnceLock<Vec<Range>>,
}

/// The addresses of one frame description, and its offset in the section.
#[derive(Clone, Copy)]
struct Range {
    start: u64,
    end: u64,
    offset: usize,
}

impl Table {
    fn new(section: Section, header: Option<Section>) -> Table {
        Table {
            header: header.filter(|header| is_usual(header)),
            section,
            index: OnceLock::new(),
        }
    }

    fn bases(&self) -> BaseAddresses {
        let header = self.header.as_ref().map_or(0, |header| header.svma);
        BaseAddresses::default()
            .set_eh_frame(self.section.svma)
            .set_eh_frame_hdr(header)
    }

    /// The offset of the frame description that may cover the address.
    fn offset<'a, S>(&'a self, svma: Svma, parse: impl Fn(&'a [u8]) -> S) -> Option<usize>
    where
        S: UnwindSection<Slice<'a>>,
    {
        if let Some(header) = &self.header {
            let at = search(header, svma.0)?;
            return usize::try_from(at.checked_sub(self.section.svma)?).ok();
        }
        let section = || parse(&self.section);
        let index = self.index.get_or_init(|| index(&section(), &self.bases()));
        let after = index.partition_point(|range| range.start <= svma.0);
        let found = index.get(after.checked_sub(1)?)?;
        (svma.0 < found.end).then_some(found.offset)
    }

    /// The rules for the address.
    fn row<'a, S>(
        &'a self,
        svma: Svma,
        context: &mut UnwindContext<usize>,
        parse: impl Fn(&'a [u8]) -> S,
    ) -> Option<Row>
    where
        S: UnwindSection<Slice<'a>>,
        S::Offset: UnwindOffset<usize> + From<usize>,
    {
        let offset = self.offset(svma, &parse)?;
        let section = parse(&self.section);
        let bases = self.bases();
        let fde = section
            .fde_from_offset(&bases, S::Offset::from(offset), S::cie_from_offset)
            .ok()
            .filter(|fde| fde.contains(svma.0))?;
        let row = fde.unwind_info_for_address(&section, &bases, context, svma.0);
        Row::new(row.ok()?, &fde, &section)
    }
}

impl CallFrames {
    /// Finds the sections of `image`.
    pub(super) fn new(image: &Image) -> CallFrames {
        image.note_problem();
        let from_file = || {
            let section = image.section(".eh_frame")?;
            Some(Table::new(section, image.section(".eh_frame_hdr")))
        };
        CallFrames {
            eh_frame: from_file().or_else(|| from_memory(image)),
            debug_frame: OnceLock::new(),
        }
    }

    /// The rules for a stated address of `image`.
    pub(super) fn row(
        &self,
        image: &Image,
        svma: Svma,
        context: &mut UnwindContext<usize>,
    ) -> Option<Row> {
        let eh_frame = self.eh_frame.as_ref();
        let found = eh_frame
            .and_then(|table| table.row(svma, context, |bytes| EhFrame::new(bytes, LittleEndian)));
        found.or_else(|| {
            let find = || Some(Table::new(image.debug_section(".debug_frame")?, None));
            let table = self.debug_frame.get_or_init(find).as_ref()?;
            table.row(svma, context, |bytes| {
                let mut section = DebugFrame::new(bytes, LittleEndian);
                section.set_address_size(8);
                section
            })
        })
    }
}

/// `.eh_frame` by way of PT_GNU_EH_FRAME, which a running process always has.
fn from_memory(image: &Image) -> Option<Table> {
    let segment = image.segments.iter().find(|s| s.kind == PT_GNU_EH_FRAME)?;
    let header = image.loaded(segment.vaddr)?;
    let distance = i64::from(bytes::i32_at(&header, 4)?);
    let start = segment.vaddr.wrapping_add(4).wrapping_add_signed(distance);
    is_usual(&header).then_some(())?;
    Some(Table::new(image.loaded(start)?, Some(header)))
}

/// Whether the header is what every linker writes: version 1, a pc-relative pointer to
/// `.eh_frame`, a 32-bit count, a table of 32-bit offsets from the header. Others are not used.
fn is_usual(header: &[u8]) -> bool {
    header.get(..4) == Some(&[1, 0x1b, 0x03, 0x3b])
}

/// The stated address of the frame description with the greatest start not above `svma`.
fn search(header: &Section, svma: u64) -> Option<u64> {
    let count = bytes::u32_at(header, 8)? as usize;
    let table = header.get(12..)?;
    let (entries, _) = table.as_chunks::<8>();
    let entries = entries.get(..count.min(entries.len()))?;
    let value = |entry: &[u8; 8], at: usize| {
        let offset = bytes::i32_at(entry, at).unwrap_or_default();
        header.svma.wrapping_add_signed(i64::from(offset))
    };
    let after = entries.partition_point(|entry| value(entry, 0) <= svma);
    entries
        .get(after.checked_sub(1)?)
        .map(|entry| value(entry, 4))
}

/// All frame descriptions of a section, sorted by address.
fn index<'a, S: UnwindSection<Slice<'a>>>(section: &S, bases: &BaseAddresses) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut entries = section.entries(bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else {
            continue;
        };
        let offset = partial.offset();
        if let Ok(fde) = partial.parse(S::cie_from_offset)
            && fde.initial_address() < fde.end_address()
        {
            ranges.push(Range {
                start: fde.initial_address(),
                end: fde.end_address(),
                offset,
            });
        }
    }
    ranges.sort_by_key(|range| range.start);
    ranges
}
