//! The symbols of one image, by name and by address.

use crate::addr::Svma;
use serde::Serialize;

/// One symbol.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Symbol {
    /// Its name as in the file (mangled).
    pub name: String,
    /// Its stated address.
    #[serde(skip)]
    pub start: Svma,
    /// Its size in bytes; 0 when the file does not say.
    pub size: u64,
}

/// The symbols of one image: .symtab, .dynsym and those of the separate debug file.
#[derive(Default)]
pub struct SymbolTable {}
