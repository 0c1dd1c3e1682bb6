//! Blocks that are in use and that no object is known to have: strings that only C code refers to,
//! and texts of C, among them the copies that Python and libc made of arguments and environment.

use super::blanks::{Fill, Run};
use super::environment::Environment;
use super::sweep::names_library;
use super::texts::Texts;
use crate::addr::Addr;
use crate::bytes;
use crate::heap::Heap;
use crate::heap::alloc::Span;
use crate::heap::pieces::{Pieces, Words};
use crate::heap::types::Kind;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// Where in its block an object may begin: behind what the collector and debug hooks have there.
const PLACES: [u64; 5] = [0, 16, 32, 48, 64];

/// The longest text that is looked at.
const LONGEST: u64 = 1 << 20;

/// Shorter texts are no secrets, and many things look like them.
const SHORTEST: usize = 4;

/// What allocators add to what was asked for, in bytes, and as a part of it: mimalloc's blocks are up
/// to an eighth larger.
const ADDED: usize = 32;
const PART: usize = 6;

/// What is looked at in blocks without an owner.
pub(super) struct Unowned<'r, 'h, 'm> {
    pub(super) texts: &'r Texts<'h, 'm>,
    pub(super) pieces: &'r Pieces<'m>,
    pub(super) environment: &'r Environment,
    /// Types whose instances have text or data, by address.
    kinds: FxHashMap<Addr, Arc<Kind>>,
    type_at: u64,
    /// Texts that are names of the program's.
    names: FxHashSet<Addr>,
    /// Objects that are kept.
    kept: &'r FxHashSet<Addr>,
}

impl<'r, 'h, 'm> Unowned<'r, 'h, 'm> {
    pub(super) fn new(
        heap: &Heap,
        texts: &'r Texts<'h, 'm>,
        pieces: &'r Pieces<'m>,
        environment: &'r Environment,
        names: FxHashSet<Addr>,
        kept: &'r FxHashSet<Addr>,
    ) -> Unowned<'r, 'h, 'm> {
        let kinds = heap.kinds().iter().filter(|kind| texts.has_text(kind));
        Unowned {
            texts,
            pieces,
            environment,
            kinds: kinds
                .map(|kind| (kind.keeping.ty.addr, Arc::clone(kind)))
                .collect(),
            type_at: heap
                .python
                .objects
                .layout
                .fields
                .object
                .ob_type
                .offset
                .into(),
            names,
            kept,
        }
    }

    /// What is to be blanked of a block, with whether it is a string.
    pub(super) fn look(&self, span: &Span) -> Option<(Run, bool)> {
        let end = span.start.0.saturating_add(span.len);
        if PLACES
            .iter()
            .any(|place| self.kept.contains(&span.start.add(*place)))
        {
            return None;
        }
        let object = PLACES.iter().find_map(|place| self.object(span, *place));
        if let Some(run) = object {
            return Some((run, true));
        }
        if self.names.contains(&span.start) {
            return None;
        }
        let block = self
            .pieces
            .bytes(span.start, span.len.min(LONGEST) as usize)?;
        let len = self.environment.begins(&block).or_else(|| text(&block))?;
        let len = len.min(end - span.start.0);
        let run = Run::of(span.start.0, len, Fill::BetweenZeros)?;
        Some((run, false))
    }

    /// The text of a string that begins so many bytes behind the start of a block, if it is one: its
    /// characters are all in the block.
    fn object(&self, span: &Span, place: u64) -> Option<Run> {
        let addr = span.start.add(place);
        let ty = self.pieces.u64(addr.add(self.type_at)).map(Addr)?;
        let kind = self.kinds.get(&ty)?;
        let mut found = Vec::new();
        self.texts.own(addr, kind, &mut found);
        let end = span.start.0.saturating_add(span.len);
        let inside = |run: &Run| addr.0 < run.start && run.end <= end;
        found.into_iter().map(|wanted| wanted.run).find(inside)
    }
}

/// Whether a block is one text of C, in characters of one byte or of four: how many bytes it has.
/// Paths of libraries stay: the dynamic linker's list has them, by which debuggers find the files.
fn text(block: &[u8]) -> Option<u64> {
    let fills = |len: usize| block.len() - len <= ADDED.max(len / PART);
    let narrow = block.iter().position(|byte| *byte == 0)?;
    let is_text =
        |byte: &u8| (0x20..0x7f).contains(byte) || b"\t\n\r".contains(byte) || *byte >= 0x80;
    if narrow >= SHORTEST {
        let text = block.get(..narrow)?;
        let whole = fills(narrow + 1) && text.iter().all(is_text) && !names_library(text);
        return whole.then_some(narrow as u64);
    }
    let wide = block.as_chunks::<4>().0;
    let len = wide.iter().position(|c| *c == [0; 4])?;
    let characters = wide.get(..len)?;
    let printable = |c: &[u8; 4]| {
        let c = u32::from_le_bytes(*c);
        (0x20..0x7f).contains(&c) || (0xa0..0x11_0000).contains(&c)
    };
    let latin = characters
        .iter()
        .filter(|c| bytes::u32_at(&c[..], 0).is_some_and(|c| c < 0x7f));
    let whole = len >= SHORTEST
        && fills(4 * (len + 1))
        && characters.iter().all(printable)
        && latin.count() * 2 > len;
    whole.then_some(4 * len as u64)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_block_that_is_one_text() {
        let block = |text: &[u8], len: usize| {
            let mut block = text.to_vec();
            block.resize(len, 0);
            super::text(&block)
        };
        assert_eq!(block(b"hunter2 hunter2 hunter2", 24), Some(23));
        assert_eq!(block(b"hunter2 hunter2 hunter2", 40), Some(23));
        assert_eq!(block(b"hunter2", 400), None);
        assert_eq!(block(b"abc", 24), None);
        assert_eq!(block(b"\x01unter2 hunter2 hunter2", 24), None);
        assert_eq!(block(b"/usr/lib/libfoo.so.6", 24), None);
        assert_eq!(block(b"no end here!", 12), None);
        let wide: Vec<u8> = "hunter2 \u{142}"
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        assert_eq!(block(&wide, 40), Some(36));
        assert_eq!(block(&wide, 400), None);
    }
}
