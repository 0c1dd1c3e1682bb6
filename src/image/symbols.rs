//! The symbols of one image: by address through an index that is built when it is first needed,
//! by name without one. Sources: .symtab and .dynsym of the file, .symtab of the separate debug
//! file, or, without a file, the dynamic symbols in the target's memory (gABI chapter 4).

use super::bytes::{ElfBytes, Section};
use super::{elf, gnu_hash};
use crate::addr::Svma;
use crate::bytes;
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object, ObjectSection, SectionIndex};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Bytes of one `Elf64_Sym`.
const ENTRY: usize = 24;
/// The most symbols indexed of one source.
const MOST_SYMBOLS: usize = 8 << 20;
/// The most names that are kept.
const MOST_NAMES: usize = 4096;
/// How many symbols before an address are looked at for one that encloses it.
const NESTING: usize = 64;

/// One symbol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Symbol {
    /// Its name as in the file (mangled, without a version).
    pub name: String,
    /// Its stated address.
    #[serde(skip)]
    pub start: Svma,
    /// Its size in bytes; 0 when the file does not say.
    pub size: u64,
}

/// One `Elf64_Sym`, decoded.
#[derive(Clone, Copy)]
struct Entry {
    name: u32,
    info: u8,
    section: u16,
    value: u64,
    size: u64,
}

impl Entry {
    fn at(entries: &[u8], index: usize) -> Option<Entry> {
        let at = index.checked_mul(ENTRY)?;
        Some(Entry {
            name: bytes::u32_at(entries, at)?,
            info: bytes::u8_at(entries, at + 4)?,
            section: bytes::u16_at(entries, at + 6)?,
            value: bytes::u64_at(entries, at + 8)?,
            size: bytes::u64_at(entries, at + 16)?,
        })
    }

    /// Whether it names code or data of this very file.
    fn is_definition(&self) -> bool {
        // STT_NOTYPE, OBJECT, FUNC, COMMON, GNU_IFUNC; not SHN_UNDEF, not SHN_ABS.
        matches!(self.info & 15, 0 | 1 | 2 | 5 | 10) && self.section != 0 && self.section != 0xfff1
    }

    fn is_function(&self) -> bool {
        matches!(self.info & 15, 2 | 10)
    }

    fn is_local(&self) -> bool {
        self.info >> 4 == 0
    }
}

/// One symbol table with its strings.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) entries: Section,
    pub(super) strings: Section,
    /// `.gnu.hash`, for a dynamic symbol table.
    pub(super) hash: Option<Section>,
}

impl Source {
    fn len(&self) -> usize {
        (self.entries.len() / ENTRY).min(MOST_SYMBOLS)
    }

    fn name(&self, offset: u32) -> &[u8] {
        let name = bytes::cstr_at(&self.strings, offset as usize).unwrap_or_default();
        // `memcpy@@GLIBC_2.14`, in .symtab of glibc.
        match name.iter().position(|&byte| byte == b'@') {
            Some(at) if at > 0 => name.get(..at).unwrap_or(name),
            _ => name,
        }
    }

    fn symbol(&self, entry: &Entry) -> Symbol {
        Symbol {
            name: String::from_utf8_lossy(self.name(entry.name)).into_owned(),
            start: Svma(entry.value),
            size: entry.size,
        }
    }

    /// By the hash table, or by looking at every name when there is none.
    pub(super) fn exported(&self, name: &str) -> Option<Symbol> {
        let Some(hash) = &self.hash else {
            return self.scan(name);
        };
        let found = gnu_hash::candidates(hash, name.as_bytes())
            .filter_map(|index| Entry::at(&self.entries, index as usize))
            .find(|entry| entry.is_definition() && self.name(entry.name) == name.as_bytes())?;
        Some(self.symbol(&found))
    }

    /// By looking at every symbol.
    fn scan(&self, name: &str) -> Option<Symbol> {
        (0..self.len())
            .filter_map(|index| Entry::at(&self.entries, index))
            .find(|entry| entry.is_definition() && self.name(entry.name) == name.as_bytes())
            .map(|entry| self.symbol(&entry))
    }
}

/// What the index keeps of one symbol.
#[derive(Clone, Copy)]
struct Indexed {
    start: u64,
    size: u64,
    name: u32,
    section: u16,
    source: u8,
    rank: u8,
}

/// The symbols of one image.
#[derive(Default)]
pub struct SymbolTable {
    sources: Vec<Source>,
    by_address: OnceLock<Vec<Indexed>>,
    /// Names that were looked for, as that takes a look at all names.
    by_name: Mutex<FxHashMap<String, Option<Symbol>>>,
    /// Whether there is a .symtab, which has the names of static functions.
    full: bool,
}

impl SymbolTable {
    /// The static symbols of the files (the separate debug file, the file) and the dynamic ones.
    pub(super) fn new<'a>(
        files: impl Iterator<Item = &'a ElfBytes>,
        dynamic: Option<Source>,
    ) -> SymbolTable {
        let mut sources: Vec<Source> = files.filter_map(static_symbols).collect();
        let full = !sources.is_empty();
        sources.extend(dynamic);
        SymbolTable {
            sources,
            full,
            ..SymbolTable::default()
        }
    }

    /// Whether there are names of static functions too.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Whether there are no symbols at all.
    pub fn is_empty(&self) -> bool {
        self.sources.iter().all(|source| source.len() == 0)
    }

    /// The symbol called `name`, found by looking at every name once.
    pub fn named(&self, name: &str) -> Option<Symbol> {
        let known = || self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(name) {
            return found.clone();
        }
        let found = self.sources.iter().find_map(|source| source.scan(name));
        let mut known = known();
        if known.len() < MOST_NAMES {
            known.insert(name.to_owned(), found.clone());
        }
        found
    }

    /// The symbol that covers the stated address, and its best name where several do. `section` is
    /// the number of the section that holds the address, if known.
    pub fn at(&self, svma: Svma, section: Option<u16>) -> Option<Symbol> {
        let index = self.by_address.get_or_init(|| self.index());
        let after = index.partition_point(|symbol| symbol.start <= svma.0);
        // The last one of equal start is the best; see `index`.
        let before = index.get(..after)?.iter().rev().take(NESTING);
        let covers = |symbol: &&Indexed| match symbol.size {
            // Without a size (hand-written assembly): up to the next symbol, within its section.
            0 => {
                let last = index.get(after.wrapping_sub(1));
                last.is_some_and(|last| last.start == symbol.start)
                    && section.is_none_or(|section| section == symbol.section)
            }
            size => svma.0 - symbol.start < size,
        };
        let found = before.into_iter().find(covers)?;
        let source = self.sources.get(usize::from(found.source))?;
        Some(Symbol {
            name: String::from_utf8_lossy(source.name(found.name)).into_owned(),
            start: Svma(found.start),
            size: found.size,
        })
    }

    /// All definitions, sorted by address; of those with equal addresses the best one last.
    fn index(&self) -> Vec<Indexed> {
        let mut all = Vec::new();
        for (number, source) in self.sources.iter().enumerate() {
            for entry in (0..source.len()).filter_map(|at| Entry::at(&source.entries, at)) {
                if entry.is_definition() && entry.name != 0 {
                    all.push(Indexed {
                        start: entry.value,
                        size: entry.size,
                        name: entry.name,
                        section: entry.section,
                        source: number as u8,
                        rank: rank(&entry, source),
                    });
                }
            }
        }
        all.sort_by_key(|symbol| (symbol.start, symbol.rank));
        all.dedup_by_key(|symbol| (symbol.start, symbol.rank, symbol.name, symbol.source));
        all.shrink_to_fit();
        all
    }
}

/// How good a name for its address: functions before data, sized before unsized, global before
/// local, and of aliases such as `poll`, `__poll` and `__GI___poll` the plainest.
fn rank(entry: &Entry, source: &Source) -> u8 {
    let underscores = source
        .name(entry.name)
        .iter()
        .take_while(|&&byte| byte == b'_')
        .count();
    u8::from(entry.is_function()) * 64
        + u8::from(entry.size != 0) * 32
        + u8::from(!entry.is_local()) * 16
        + (15 - underscores.min(15) as u8)
}

/// `.symtab`.
fn static_symbols(bytes: &ElfBytes) -> Option<Source> {
    let parsed = elf::parse(bytes)?;
    let table = parsed.elf_symbol_table();
    source(
        bytes,
        &parsed,
        table.section(),
        table.string_section(),
        None,
    )
}

/// `.dynsym` with `.gnu.hash`.
pub(super) fn dynamic_symbols(bytes: &ElfBytes) -> Option<Source> {
    let parsed = elf::parse(bytes)?;
    let table = parsed.elf_dynamic_symbol_table();
    let hash = elf::section(bytes, ".gnu.hash");
    source(
        bytes,
        &parsed,
        table.section(),
        table.string_section(),
        hash,
    )
}

fn source(
    bytes: &ElfBytes,
    parsed: &ElfFile64<'_, LittleEndian>,
    entries: SectionIndex,
    strings: SectionIndex,
    hash: Option<Section>,
) -> Option<Source> {
    let part = |index: SectionIndex| {
        let section = parsed.section_by_index(index).ok()?;
        let (start, len) = section.file_range()?;
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        Some(Section::new(section.address(), bytes.clone(), start..end))
    };
    (entries.0 != 0).then_some(())?;
    Some(Source {
        entries: part(entries)?,
        strings: part(strings)?,
        hash,
    })
}
