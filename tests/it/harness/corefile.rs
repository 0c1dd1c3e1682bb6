//! Surgery on core files: finds where an address or a note lies in the file, and changes it.

use std::path::Path;

/// A core file in memory, to be damaged.
#[derive(Clone)]
pub(crate) struct CoreFile {
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// (address, file offset, bytes in the file), from the PT_LOAD headers.
    loads: Vec<(u64, usize, usize)>,
    notes: (usize, usize),
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
        for at in (0..count).map(|i| table + i * 56) {
            let (offset, addr, size) = (
                core.word(at + 8) as usize,
                core.word(at + 16),
                core.word(at + 32) as usize,
            );
            match core.long(at) {
                1 => core.loads.push((addr, offset, size)),
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

    /// Overwrites bytes at a file offset.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The file offset of an address.
    pub(crate) fn offset(&self, addr: u64) -> usize {
        let (start, offset, _) = self
            .loads
            .iter()
            .find(|(start, _, size)| (*start..*start + *size as u64).contains(&addr))
            .unwrap_or_else(|| panic!("{addr:#x} is not in the core"));
        offset + (addr - start) as usize
    }

    /// The 64-bit word at an address.
    pub(crate) fn peek(&self, addr: u64) -> u64 {
        self.word(self.offset(addr))
    }

    /// Overwrites the 64-bit word at an address.
    pub(crate) fn poke(&mut self, addr: u64, value: u64) {
        let at = self.offset(addr);
        self.write(at, &value.to_le_bytes());
    }

    /// All notes.
    pub(crate) fn notes(&self) -> Vec<NoteAt> {
        let round = |n: usize| n.div_ceil(4) * 4;
        let (mut at, end) = (self.notes.0, self.notes.0 + self.notes.1);
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

    /// The first note of a type.
    pub(crate) fn note(&self, kind: u32) -> NoteAt {
        *self
            .notes()
            .iter()
            .find(|n| n.kind == kind)
            .expect("the core has such a note")
    }

    /// The file ranges that hold dumped memory.
    pub(crate) fn memory(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        self.loads
            .iter()
            .map(|(_, offset, size)| *offset..offset + size)
    }
}
