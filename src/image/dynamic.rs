//! The dynamic symbol table in the target's memory, for images whose file is not at hand: a live
//! process whose libraries were replaced, or a core with all pages. Found through PT_DYNAMIC
//! (gABI chapter 5); glibc has relocated the addresses in it, the kernel's vDSO has not.

use super::bytes::Section;
use super::elf::Segment;
use super::symbols::Source;
use super::{gnu_hash, link_map};
use crate::addr::Addr;
use crate::bytes;
use crate::target::Memory;

const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_GNU_HASH: u64 = 0x6fff_fef5;

/// The largest table read.
const MOST_BYTES: u64 = 32 << 20;

/// The dynamic symbol table of the image with these segments, if its pages can be read.
pub(super) fn symbols(memory: &dyn Memory, segments: &[Segment], bias: u64) -> Option<Source> {
    let entries = link_map::dynamic_entries(memory, segments, bias);
    let value = |tag: u64| entries.iter().find(|(t, _)| *t == tag).map(|(_, v)| *v);
    let address = |tag: u64| {
        let value = value(tag)?;
        let stated = segments.iter().any(|segment| segment.contains(value));
        Some(Addr(if stated {
            value.wrapping_add(bias)
        } else {
            value
        }))
    };
    let symbols_at = address(DT_SYMTAB)?;
    let strings_at = address(DT_STRTAB)?;
    let strings_len = value(DT_STRSZ)?.min(MOST_BYTES);
    let strings = memory.bytes(strings_at, strings_len as usize).ok()?;
    let hash = address(DT_GNU_HASH).and_then(|at| hash_table(memory, at));
    let count = match &hash {
        Some(hash) => u64::from(gnu_hash::symbol_count(hash)?),
        // The second word of DT_HASH is the number of symbols.
        None => u64::from(memory.u32(address(DT_HASH)?.add(4)).ok()?),
    };
    let len = count.checked_mul(24).filter(|&len| len <= MOST_BYTES)?;
    let symbols = memory.bytes(symbols_at, len as usize).ok()?;
    Some(Source {
        entries: Section::owned(0, symbols.into_owned()),
        strings: Section::owned(0, strings.into_owned()),
        hash: hash.map(|bytes| Section::owned(0, bytes)),
    })
}

/// The bytes of a DT_GNU_HASH table, whose length nothing states: its chains lie between the
/// buckets and the next table, so page after page is read until the last chain ends.
fn hash_table(memory: &dyn Memory, at: Addr) -> Option<Vec<u8>> {
    let header = memory.array::<16>(at).ok()?;
    let buckets = u64::from(bytes::u32_at(&header, 0)?);
    let bloom_words = u64::from(bytes::u32_at(&header, 8)?);
    let chains_at = bloom_words * 8 + buckets * 4 + 16;
    if chains_at > MOST_BYTES {
        return None;
    }
    let mut table = memory.bytes(at, chains_at as usize).ok()?.into_owned();
    while (table.len() as u64) < MOST_BYTES {
        if gnu_hash::symbol_count(&table).is_some() {
            return Some(table);
        }
        let next = at.add(table.len() as u64);
        let step = 4096 - next.0 % 4096;
        table.extend_from_slice(&memory.bytes(next, step as usize).ok()?);
    }
    None
}
