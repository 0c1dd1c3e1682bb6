//! Surgery on core files: finds where an address or a note lies in the file. Mirrors elf(5) and
//! Linux fs/binfmt_elf.c; reads only undamaged cores.

use std::ops::Range;
use std::path::Path;

/// An undamaged core file in memory.
pub(crate) struct CoreFile {
    /// The file.
    pub(crate) bytes: Vec<u8>,
    loads: Vec<Load>,
    notes: (usize, usize),
}

/// One PT_LOAD.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// File offset of its program header.
    pub(crate) header: usize,
    /// First address.
    pub(crate) addr: u64,
    /// File offset of its bytes.
    pub(crate) offset: usize,
    /// Bytes in the file.
    pub(crate) size: usize,
}

/// One note: where its header and its contents lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoteAt {
    /// File offset of the header (namesz, descsz, type).
    pub(crate) header: usize,
    /// File offset of the contents.
    pub(crate) desc: usize,
    /// Bytes of the contents.
    pub(crate) size: usize,
    /// Its type (NT_*).
    pub(crate) kind: u32,
}

impl CoreFile {
    /// Reads an undamaged core.
    pub(crate) fn read(path: &Path) -> CoreFile {
        let bytes = std::fs::read(path).expect("the core is there");
        let mut core = CoreFile {
            bytes,
            loads: Vec::new(),
            notes: (0, 0),
        };
        let (table, count) = (core.word(32) as usize, core.half(56) as usize);
        for header in (0..count).map(|i| table + i * 56) {
            let offset = core.word(header + 8) as usize;
            let size = core.word(header + 32) as usize;
            match core.long(header) {
                1 => core.loads.push(Load {
                    header,
                    addr: core.word(header + 16),
                    offset,
                    size,
                }),
                4 => core.notes = (offset, size),
                _ => {}
            }
        }
        core
    }

    /// The 16-bit word at a file offset.
    pub(crate) fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes[at..at + 2].try_into().unwrap())
    }

    /// The 32-bit word at a file offset.
    pub(crate) fn long(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    /// The 64-bit word at a file offset.
    pub(crate) fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }

    /// The file offset of an address whose bytes are in the file.
    pub(crate) fn place(&self, addr: u64) -> Option<usize> {
        let load = self.load_of(addr)?;
        Some(load.offset + (addr - load.addr) as usize)
    }

    /// The segment that has the bytes of an address.
    pub(crate) fn load_of(&self, addr: u64) -> Option<&Load> {
        let holds = |load: &&Load| (load.addr..load.addr + load.size as u64).contains(&addr);
        self.loads.iter().find(holds)
    }

    /// The file offset of an address that must be in the file.
    pub(crate) fn offset(&self, addr: u64) -> usize {
        self.place(addr)
            .unwrap_or_else(|| panic!("{addr:#x} is not in the core"))
    }

    /// The 64-bit word at an address; `None` where the file has none.
    pub(crate) fn peek(&self, addr: u64) -> Option<u64> {
        self.place(addr).map(|at| self.word(at))
    }

    /// The PT_LOADs that have bytes in the file.
    pub(crate) fn loads(&self) -> impl Iterator<Item = &Load> {
        self.loads.iter().filter(|load| load.size > 0)
    }

    /// The file range of all notes.
    pub(crate) fn notes_range(&self) -> Range<usize> {
        self.notes.0..self.notes.0 + self.notes.1
    }

    /// All notes.
    pub(crate) fn notes(&self) -> Vec<NoteAt> {
        let round = |n: usize| n.div_ceil(4) * 4;
        let Range { start: mut at, end } = self.notes_range();
        let mut notes = Vec::new();
        while at + 12 <= end {
            let (name, size) = (self.long(at) as usize, self.long(at + 4) as usize);
            let desc = at + 12 + round(name);
            notes.push(NoteAt {
                header: at,
                desc,
                size,
                kind: self.long(at + 8),
            });
            at = desc + round(size);
        }
        notes
    }

    /// The notes of a type.
    pub(crate) fn notes_of(&self, kind: u32) -> Vec<NoteAt> {
        let mut notes = self.notes();
        notes.retain(|note| note.kind == kind);
        notes
    }
}
