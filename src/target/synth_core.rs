//! A small ELF core file as bytes, for tests: program headers (more than 65,535 by PN_XNUM),
//! notes and memory laid out as Linux fs/binfmt_elf.c does it, or with gcore's NT_FILE. Tests then
//! damage the bytes.

use goblin::elf::header::{ELFMAG, EM_X86_64, ET_CORE};
use goblin::elf::note::{NT_FILE, NT_PRPSINFO, NT_PRSTATUS, NT_SIGINFO};
use goblin::elf::program_header::{PT_LOAD, PT_NOTE};

/// Bytes of a 64-bit ELF header and program header.
const EHDR: u64 = 64;
const PHDR: u64 = 56;
const PAGE: u64 = 4096;
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
        put(&mut content[40..55], comm.as_bytes());
        put(&mut content[56..135], psargs.as_bytes());
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
            push_note(&mut notes, "CORE", NT_FILE, &self.nt_file());
        }
        let count = self.segments.len() as u64 + 1;
        let notes_at = EHDR + PHDR * count;
        let mut data_at = (notes_at + notes.len() as u64).next_multiple_of(PAGE);
        let mut headers = Vec::new();
        let mut data = Vec::new();
        program_header(
            &mut headers,
            PT_NOTE,
            0,
            [notes_at, 0, notes.len() as u64, 0],
        );
        for segment in &self.segments {
            let in_file = segment.bytes.len() as u64;
            let place = [data_at, segment.start, in_file, segment.size];
            program_header(&mut headers, PT_LOAD, segment.flags, place);
            data.extend_from_slice(&segment.bytes);
            data.resize(data.len().next_multiple_of(PAGE as usize), 0);
            data_at += in_file.next_multiple_of(PAGE);
        }
        let extended = count > 0xfffe;
        let mut out = elf_header(count, if extended { data_at } else { 0 });
        out.extend_from_slice(&headers);
        out.extend_from_slice(&notes);
        out.resize(out.len().next_multiple_of(PAGE as usize), 0);
        out.extend_from_slice(&data);
        if extended {
            let mut section = vec![0; 64];
            section[44..48].copy_from_slice(&(count as u32).to_le_bytes());
            out.extend_from_slice(&section);
        }
        out
    }

    fn nt_file(&self) -> Vec<u8> {
        let ranges = self
            .files
            .iter()
            .flat_map(|(start, end, offset, _)| [*start, *end, *offset / self.file_page_size]);
        let head = [self.files.len() as u64, self.file_page_size];
        let words = head.into_iter().chain(ranges);
        let mut content: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        for (.., name) in &self.files {
            content.extend_from_slice(name.as_bytes());
            content.push(0);
        }
        content
    }
}

fn elf_header(count: u64, section_at: u64) -> Vec<u8> {
    let mut out = vec![0; EHDR as usize];
    put(&mut out, ELFMAG);
    // 64-bit, little-endian, version 1.
    put(&mut out[4..], &[2, 1, 1]);
    put(&mut out[16..], &ET_CORE.to_le_bytes());
    put(&mut out[18..], &EM_X86_64.to_le_bytes());
    put(&mut out[20..], &1u32.to_le_bytes());
    put(&mut out[32..], &EHDR.to_le_bytes());
    put(&mut out[40..], &section_at.to_le_bytes());
    put(&mut out[52..], &(EHDR as u16).to_le_bytes());
    put(&mut out[54..], &(PHDR as u16).to_le_bytes());
    let short = u16::try_from(count).unwrap_or(0xffff);
    put(&mut out[56..], &short.to_le_bytes());
    out
}

/// Adds a program header; `place` is offset, address, size in the file, size in memory.
fn program_header(out: &mut Vec<u8>, kind: u32, flags: u32, place: [u64; 4]) {
    let [offset, address, in_file, size] = place;
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    for word in [offset, address, 0, in_file, size, PAGE] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

fn push_note(out: &mut Vec<u8>, name: &str, kind: u32, content: &[u8]) {
    for word in [name.len() as u32 + 1, content.len() as u32, kind] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(name.as_bytes());
    out.resize((out.len() + 1).next_multiple_of(4), 0);
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Copies as much as fits.
fn put(to: &mut [u8], bytes: &[u8]) {
    for (slot, byte) in to.iter_mut().zip(bytes) {
        *slot = *byte;
    }
}
