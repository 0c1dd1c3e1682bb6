//! A small ELF core file as bytes, for tests: program headers (more than 65,535 by PN_XNUM),
//! notes and memory laid out as Linux fs/binfmt_elf.c does it, or with gcore's NT_FILE. Tests then
//! damage the bytes.

use super::write::{self, Extent, Kind, PAGE, push_note, push_program_header, put};
use goblin::elf::note::{NT_FILE, NT_PRPSINFO, NT_PRSTATUS, NT_SIGINFO};

const NT_AUXV: u32 = 6;

/// One PT_LOAD.
#[derive(Clone, Debug)]
struct Segment {
    start: u64,
    size: u64,
    flags: u32,
    bytes: Vec<u8>,
}

/// One mapping of a file: start, end, offset in bytes, name.
type FileMapping = (u64, u64, u64, String);

/// Collects what a core consists of.
#[derive(Clone, Debug, Default)]
pub struct CoreBuilder {
    segments: Vec<Segment>,
    notes: Vec<u8>,
    files: Vec<FileMapping>,
    file_page_size: u64,
}

impl CoreBuilder {
    /// A core without anything.
    pub fn new() -> CoreBuilder {
        CoreBuilder {
            file_page_size: PAGE,
            ..CoreBuilder::default()
        }
    }

    /// Adds a PT_LOAD of `size` bytes, the first of which are dumped; `perms` as `r-x`.
    #[must_use]
    pub fn segment(mut self, start: u64, size: u64, perms: &str, bytes: Vec<u8>) -> CoreBuilder {
        let flag = |letter, bit| if perms.contains(letter) { bit } else { 0 };
        self.segments.push(Segment {
            start,
            size,
            flags: flag('r', 4) | flag('w', 2) | flag('x', 1),
            bytes,
        });
        self
    }

    /// Adds a mapping to NT_FILE; the offset is in bytes.
    #[must_use]
    pub fn file(mut self, start: u64, end: u64, offset: u64, name: &str) -> CoreBuilder {
        self.files.push((start, end, offset, name.to_owned()));
        self
    }

    /// Writes NT_FILE as gcore does: with a page size of 1.
    #[must_use]
    pub fn file_page_size(mut self, size: u64) -> CoreBuilder {
        self.file_page_size = size;
        self
    }

    /// Adds any note.
    #[must_use]
    pub fn note(mut self, name: &str, kind: u32, content: &[u8]) -> CoreBuilder {
        push_note(&mut self.notes, name, kind, content);
        self
    }

    /// Adds NT_PRSTATUS; the registers are the words of `user_regs_struct`, the first ones.
    #[must_use]
    pub fn thread(self, tid: i32, signal: u16, registers: &[u64]) -> CoreBuilder {
        let mut content = vec![0; 112];
        content[12..14].copy_from_slice(&signal.to_le_bytes());
        content[32..36].copy_from_slice(&tid.to_le_bytes());
        let words = registers.iter().chain(std::iter::repeat(&0)).take(27);
        content.extend(words.flat_map(|word| word.to_le_bytes()));
        content.resize(336, 0);
        self.note("CORE", NT_PRSTATUS, &content)
    }

    /// Adds NT_PRPSINFO.
    #[must_use]
    pub fn process(self, pid: i32, comm: &str, psargs: &str) -> CoreBuilder {
        let mut content = vec![0; 136];
        content[24..28].copy_from_slice(&pid.to_le_bytes());
        content[28..32].copy_from_slice(&1i32.to_le_bytes());
        put(&mut content[..55], 40, comm.as_bytes());
        put(&mut content[..135], 56, psargs.as_bytes());
        self.note("CORE", NT_PRPSINFO, &content)
    }

    /// Adds NT_SIGINFO; `word` is the fault address or the sender.
    #[must_use]
    pub fn signal(self, signo: i32, code: i32, word: u64) -> CoreBuilder {
        let mut content = vec![0; 128];
        content[..4].copy_from_slice(&signo.to_le_bytes());
        content[8..12].copy_from_slice(&code.to_le_bytes());
        content[16..24].copy_from_slice(&word.to_le_bytes());
        self.note("CORE", NT_SIGINFO, &content)
    }

    /// Adds NT_AUXV.
    #[must_use]
    pub fn auxv(self, pairs: &[(u64, u64)]) -> CoreBuilder {
        let words = pairs.iter().chain([&(0, 0)]);
        let content: Vec<u8> = words
            .flat_map(|(kind, value)| [kind.to_le_bytes(), value.to_le_bytes()].concat())
            .collect();
        self.note("CORE", NT_AUXV, &content)
    }

    /// The file: header, program headers, notes, memory, and for PN_XNUM a section header.
    pub fn build(&self) -> Vec<u8> {
        let mut notes = self.notes.clone();
        if !self.files.is_empty() {
            let table = write::file_table(&self.files, self.file_page_size);
            push_note(&mut notes, "CORE", NT_FILE, &table);
        }
        let count = self.segments.len() as u64 + 1;
        let notes_at = write::HEADER + write::PROGRAM_HEADER * count;
        let mut data_at = (notes_at + notes.len() as u64).next_multiple_of(PAGE);
        let mut headers = Vec::new();
        let mut data = Vec::new();
        let place = Extent {
            offset: notes_at,
            in_file: notes.len() as u64,
            ..Extent::default()
        };
        push_program_header(&mut headers, Kind::Note, &place);
        for segment in &self.segments {
            let in_file = segment.bytes.len() as u64;
            let place = Extent {
                offset: data_at,
                address: segment.start,
                in_file,
                size: segment.size,
            };
            push_program_header(&mut headers, Kind::Load(segment.flags), &place);
            data.extend_from_slice(&segment.bytes);
            data.resize(data.len().next_multiple_of(PAGE as usize), 0);
            data_at += in_file.next_multiple_of(PAGE);
        }
        let mut out = write::header(count, data_at);
        out.extend_from_slice(&headers);
        out.extend_from_slice(&notes);
        out.resize(out.len().next_multiple_of(PAGE as usize), 0);
        out.extend_from_slice(&data);
        if write::is_extended(count) {
            out.extend_from_slice(&write::section_header(count));
        }
        out
    }
}
