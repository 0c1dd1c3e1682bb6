//! The ELF files mapped in a target: where each lies, its build-id, whether the file on disk is
//! the same one, its sections and symbols. Files are opened when they are first needed: opening a
//! core with a hundred libraries must not map a hundred files.

pub mod bytes;
mod debug_file;
mod dynamic;
pub mod elf;
mod find;
mod gnu_hash;
pub mod link_map;
mod minidebug;
mod plt;
pub mod symbols;
#[cfg(test)]
mod tests;

use crate::addr::{Addr, Svma};
use crate::diag::Notes;
use crate::target::build_id::hex;
use crate::target::shelf::FileId;
use crate::target::{FileProblem, Files, Memory, Target, build_id_of};
pub use bytes::{ElfBytes, Section};
use elf::{PF_X, PT_LOAD, Segment};
use serde::Serialize;
use std::sync::{Arc, OnceLock};
pub use symbols::{Symbol, SymbolTable};

/// The most bytes taken for a vDSO; Linux's has two pages.
const MOST_VDSO: u64 = 1 << 20;

/// One ELF file mapped in the target.
pub struct Image {
    /// The path as the target has it, or `[vdso]`; empty when nothing names it.
    pub path: String,
    /// First mapped address.
    pub start: Addr,
    /// First address behind its last mapping.
    pub end: Addr,
    /// Address in the process = stated address + bias (wrapping).
    pub bias: u64,
    /// The build-id as found in the target's memory.
    pub build_id: Option<Vec<u8>>,
    /// Its program headers; empty when neither memory nor the file has them.
    pub segments: Vec<Segment>,
    /// Whether the process was started from it.
    pub main: bool,
    memory: Arc<dyn Memory>,
    files: Arc<Files>,
    notes: Notes,
    file: OnceLock<Result<ElfBytes, FileProblem>>,
    debug: OnceLock<Option<ElfBytes>>,
    exports: OnceLock<Option<symbols::Source>>,
    symbols: OnceLock<Arc<SymbolTable>>,
}

/// A short description for `info sharedlibrary` and the banner.
#[derive(Clone, Debug, Serialize)]
pub struct ImageSummary {
    /// The path as the target has it.
    pub path: String,
    /// First mapped address.
    pub start: Addr,
    /// First address behind.
    pub end: Addr,
    /// The build-id in hex.
    pub build_id: Option<String>,
    /// `yes`, `no` or `dynamic only`: which symbols there are.
    pub symbols: &'static str,
    /// Whether DWARF line information is there.
    pub debug_info: bool,
    /// Why the file cannot be used, if so.
    pub problem: Option<String>,
}

impl Image {
    fn new(found: find::Found, target: &Target) -> Image {
        Image {
            path: found.path.unwrap_or_default(),
            start: found.start,
            end: found.end,
            bias: found.bias,
            build_id: found.build_id,
            segments: found.segments,
            main: found.main,
            memory: Arc::clone(&target.memory),
            files: Arc::clone(&target.files),
            notes: target.notes.clone(),
            file: OnceLock::new(),
            debug: OnceLock::new(),
            exports: OnceLock::new(),
            symbols: OnceLock::new(),
        }
    }

    /// The stated address of a process address.
    pub fn svma(&self, addr: Addr) -> Svma {
        Svma(addr.0.wrapping_sub(self.bias))
    }

    /// The process address of a stated address.
    pub fn addr(&self, svma: Svma) -> Addr {
        Addr(svma.0.wrapping_add(self.bias))
    }

    /// The last component of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether this is the code that the kernel maps into every process.
    pub fn is_vdso(&self) -> bool {
        self.path == find::VDSO
    }

    /// The file's bytes (the vDSO's are those in memory), or why it cannot be used. Opened at the
    /// first call.
    pub fn file(&self) -> Result<&ElfBytes, &FileProblem> {
        self.file.get_or_init(|| self.open()).as_ref()
    }

    /// Notes that the file cannot be used, if so: for those whose answer would be better with it.
    pub fn note_problem(&self) {
        if let Err(problem) = self.file() {
            let name = if self.path.is_empty() {
                "an unnamed file"
            } else {
                &self.path
            };
            self.notes.partial(format!(
                "{name} at {}: {problem}; functions in it may have no names, and stacks through \
                 it may be guessed",
                self.start
            ));
        }
    }

    fn open(&self) -> Result<ElfBytes, FileProblem> {
        let malformed = || FileProblem::Io("not an x86-64 ELF file".into());
        let bytes = if self.is_vdso() {
            let len = self.end.since(self.start).unwrap_or(0).min(MOST_VDSO);
            let copy = self.memory.bytes(self.start, len as usize);
            let copy = copy.map_err(|fault| FileProblem::Io(fault.to_string()))?;
            ElfBytes::Owned(Arc::new(copy.into_owned()))
        } else {
            ElfBytes::File(self.files.open(&self.path, self.build_id.as_deref())?)
        };
        elf::header(&bytes).ok_or_else(malformed)?;
        Ok(bytes)
    }

    /// The build-id from the target's memory, else from the file.
    pub fn build_id(&self) -> Option<Vec<u8>> {
        self.build_id
            .clone()
            .or_else(|| build_id_of(self.file().ok()?))
    }

    /// A separate debug file found by build-id or debuglink, or fetched if the user named servers.
    pub fn debug_file(&self) -> Option<&ElfBytes> {
        let find = || {
            let build_id = self.build_id();
            let file = self.file().ok();
            debug_file::find(&self.files, &self.path, build_id.as_deref(), file)
        };
        self.debug.get_or_init(find).as_ref()
    }

    /// The supplementary (`dwz`) file that the file with this image's DWARF refers to.
    pub fn supplementary_file(&self) -> Option<ElfBytes> {
        let file = self.debug_file().or(self.file().ok())?;
        debug_file::supplementary(&self.files, file)
    }

    /// A section of the file, uncompressed; `None` when it is missing or has no bytes.
    pub fn section(&self, name: &str) -> Option<Section> {
        elf::section(self.file().ok()?, name)
    }

    /// The name of the section that holds the process address; `None` without the file.
    pub fn section_at(&self, addr: Addr) -> Option<String> {
        elf::section_name_at(self.file().ok()?, self.svma(addr).0)
    }

    /// A section with DWARF: of the file, else of the separate debug file.
    pub fn debug_section(&self, name: &str) -> Option<Section> {
        self.section(name)
            .or_else(|| elf::section(self.debug_file()?, name))
    }

    /// The bytes in memory from a stated address to the end of its segment's part in the file.
    pub fn loaded(&self, svma: u64) -> Option<Section> {
        let segment = self
            .segments
            .iter()
            .find(|segment| segment.kind == PT_LOAD && segment.contains(svma))?;
        let len = segment
            .vaddr
            .checked_add(segment.filesz)?
            .checked_sub(svma)?;
        let bytes = self
            .memory
            .bytes(self.addr(Svma(svma)), len as usize)
            .ok()?;
        Some(Section::owned(svma, bytes.into_owned()))
    }

    /// Whether the process address lies in an executable segment.
    pub fn is_code(&self, addr: Addr) -> bool {
        let svma = self.svma(addr).0;
        self.segments
            .iter()
            .any(|s| s.kind == PT_LOAD && s.flags & PF_X != 0 && s.contains(svma))
    }

    /// Whether the process address lies in a procedure linkage table.
    pub fn is_plt(&self, addr: Addr) -> bool {
        let file = self.file().ok();
        file.is_some_and(|file| plt::contains(file, self.svma(addr)))
    }

    /// The dynamic symbols, of the file or, without one, in memory.
    fn exports(&self) -> Option<&symbols::Source> {
        let read = || match self.file() {
            Ok(file) => symbols::dynamic_symbols(file),
            Err(_) => dynamic::symbols(&*self.memory, &self.segments, self.bias),
        };
        self.exports.get_or_init(read).as_ref()
    }

    /// All symbols. The index by address is built by its first look-up. Targets that map the same file
    /// share one table.
    pub fn symbols(&self) -> &SymbolTable {
        self.symbols.get_or_init(|| {
            let file = self.file().ok();
            let files: Vec<&ElfBytes> = self.debug_file().into_iter().chain(file).collect();
            let make = || self.make_symbols(file, &files);
            let ids: Option<Vec<FileId>> = files.iter().map(|file| file.id()).collect();
            match ids.filter(|ids| !ids.is_empty() && file.is_some()) {
                Some(ids) => self.files.options.shelf.get(ids, make),
                None => Arc::new(make()),
            }
        })
    }

    fn make_symbols(&self, file: Option<&ElfBytes>, files: &[&ElfBytes]) -> SymbolTable {
        let table = SymbolTable::new(files.iter().copied(), self.exports().cloned());
        let mini = file.filter(|_| !table.is_full()).and_then(minidebug::find);
        match mini {
            Some(mini) => SymbolTable::new([&mini].into_iter(), self.exports().cloned()),
            None => table,
        }
    }

    /// The symbol that covers the process address, or the stub of the procedure linkage table.
    pub fn symbol_at(&self, addr: Addr) -> Option<Symbol> {
        let svma = self.svma(addr);
        let file = self.file().ok();
        let section = file.and_then(|file| elf::section_number_at(file, svma.0));
        self.symbols()
            .at(svma, section)
            .or_else(|| plt::symbol_at(file?, svma))
    }

    /// The process address and size of the symbol called `name`; looks at all names of the file
    /// and its debug file when it is not exported.
    pub fn named(&self, name: &str) -> Option<(Addr, u64)> {
        self.exported(name).or_else(|| {
            let symbol = self.symbols().named(name)?;
            Some((self.addr(symbol.start), symbol.size))
        })
    }

    /// The process address and size of the exported symbol called `name`: one look into the hash
    /// table of the file, whether there is one or not.
    pub fn exported(&self, name: &str) -> Option<(Addr, u64)> {
        let symbol = self.exports()?.exported(name)?;
        Some((self.addr(symbol.start), symbol.size))
    }

    /// The description for `info sharedlibrary`; opens the file.
    pub fn summary(&self) -> ImageSummary {
        let symbols = self.symbols();
        ImageSummary {
            path: self.path.clone(),
            start: self.start,
            end: self.end,
            build_id: self.build_id().map(|id| hex(&id)),
            symbols: match (symbols.is_full(), symbols.is_empty()) {
                (true, _) => "yes",
                (false, false) => "dynamic only",
                (false, true) => "no",
            },
            debug_info: self.debug_section(".debug_line").is_some(),
            problem: self.file().err().map(ToString::to_string),
        }
    }
}

/// All images of a target, sorted by address.
pub struct Images {
    /// Sorted by start address.
    pub all: Vec<Arc<Image>>,
}

impl Images {
    /// Finds the images of `target`, without opening their files.
    pub fn find(target: &Target) -> Images {
        let found = find::all(target).into_iter();
        Images {
            all: found
                .map(|found| Arc::new(Image::new(found, target)))
                .collect(),
        }
    }

    /// The number of the image whose mappings hold `addr`.
    pub fn index_at(&self, addr: Addr) -> Option<usize> {
        let index = self.all.partition_point(|image| image.end <= addr);
        let image = self.all.get(index)?;
        (image.start <= addr).then_some(index)
    }

    /// The image whose mappings hold `addr`.
    pub fn at(&self, addr: Addr) -> Option<&Arc<Image>> {
        self.all.get(self.index_at(addr)?)
    }

    /// The image that the process was started from.
    pub fn main(&self) -> Option<&Arc<Image>> {
        self.all.iter().find(|image| image.main)
    }

    /// The first image that exports `name`, with the symbol's address and size; the main
    /// executable is asked first.
    pub fn exported(&self, name: &str) -> Option<(&Arc<Image>, Addr, u64)> {
        let others = self.all.iter().filter(|image| !image.main);
        self.main().into_iter().chain(others).find_map(|image| {
            let (addr, size) = image.exported(name)?;
            Some((image, addr, size))
        })
    }
}
