//! The dynamic linker's own list of what it loaded: `r_debug` and `link_map` (glibc 2.36
//! elf/link.h), found through DT_DEBUG of the main executable. It is the only source of names
//! when a core has no NT_FILE note.

use super::elf::{PT_DYNAMIC, Segment};
use crate::addr::Addr;
use crate::bytes;
use crate::target::Memory;
use rustc_hash::FxHashSet;
use serde::Serialize;

/// The most entries believed to be in the list or in a dynamic section.
const MOST_ENTRIES: usize = 10_000;
/// Linux's PATH_MAX.
const MOST_PATH: usize = 4096;

/// One loaded object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LinkMap {
    /// The difference between its addresses in the process and in the file.
    pub bias: u64,
    /// Its path; empty for the main executable.
    pub name: String,
    /// Its dynamic section in memory.
    pub dynamic: Addr,
}

/// The entries (DT_* and value) of a dynamic section in memory, up to DT_NULL.
pub fn dynamic_entries(memory: &dyn Memory, segments: &[Segment], bias: u64) -> Vec<(u64, u64)> {
    let Some(segment) = segments.iter().find(|s| s.kind == PT_DYNAMIC) else {
        return Vec::new();
    };
    let len = (segment.memsz as usize).min(MOST_ENTRIES * 16);
    let at = Addr(segment.vaddr.wrapping_add(bias));
    let Ok(raw) = memory.bytes(at, len) else {
        return Vec::new();
    };
    (0..len / 16)
        .map_while(|index| {
            let tag = bytes::u64_at(&raw, index * 16)?;
            let value = bytes::u64_at(&raw, index * 16 + 8)?;
            (tag != 0).then_some((tag, value))
        })
        .collect()
}

/// What the dynamic linker loaded, in its order, from the main executable's dynamic section.
/// Empty for static executables and where the list cannot be read.
pub fn read(memory: &dyn Memory, main: &[Segment], bias: u64) -> Vec<LinkMap> {
    const DT_DEBUG: u64 = 21;
    let debug = dynamic_entries(memory, main, bias)
        .into_iter()
        .find(|(tag, value)| *tag == DT_DEBUG && *value != 0);
    let Some((_, r_debug)) = debug else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let mut seen = FxHashSet::default();
    // struct r_debug: int r_version; struct link_map *r_map at 8.
    let mut next = memory.ptr(Addr(r_debug).add(8)).unwrap_or_default();
    while !next.is_null() && seen.insert(next) && out.len() < MOST_ENTRIES {
        // struct link_map: l_addr, l_name, l_ld, l_next.
        let Ok(raw) = memory.array::<32>(next) else {
            break;
        };
        let word = |index: usize| bytes::u64_at(&raw, index * 8).unwrap_or_default();
        let name = memory.cstr(Addr(word(1)), MOST_PATH).unwrap_or_default();
        out.push(LinkMap {
            bias: word(0),
            name: String::from_utf8_lossy(&name).into_owned(),
            dynamic: Addr(word(2)),
        });
        next = Addr(word(3));
    }
    out
}
