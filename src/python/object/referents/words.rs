//! References in plain structs of C: each word that is an object is one. And what such structs keep
//! elsewhere: rings and lists.

use super::super::{Objects, flags, malformed};
use super::{Plan, Stop, Tell, WORD, tell};
use crate::addr::Addr;
use std::ops::Range;

/// The most links of a cache.
const MOST_LINKS: usize = 1 << 24;

impl Objects {
    /// Every word of the struct in this range of offsets that is an object, but for the header.
    pub(super) fn tell_struct(
        &self,
        addr: Addr,
        plan: &Plan,
        range: Range<u64>,
        found: Tell<'_>,
    ) -> Result<(), Stop> {
        let start = range
            .start
            .max(self.layout.fields.object.size.offset.into());
        let middle = plan.weakrefs.filter(|at| (start..range.end).contains(at));
        let middle = middle.unwrap_or(range.end);
        self.tell_words(addr.add(start), middle.saturating_sub(start) / WORD, found)?;
        let start = middle.saturating_add(WORD);
        self.tell_words(
            addr.add(start),
            range.end.saturating_sub(start) / WORD,
            found,
        )
    }

    /// Every item behind the struct, which has this size, that is an object.
    pub(super) fn tell_own_items(
        &self,
        addr: Addr,
        plan: &Plan,
        size: u64,
        found: Tell<'_>,
    ) -> Result<(), Stop> {
        if plan.base.itemsize != WORD as i64 {
            return Ok(());
        }
        let items = self.unsigned_size(addr)?;
        self.plausible(addr.add(size), items, WORD)?;
        self.tell_words(addr.add(size), items, found)
    }

    pub(super) fn tell_words(&self, at: Addr, count: u64, found: Tell<'_>) -> Result<(), Stop> {
        for word in 0..count {
            let word = self.memory.ptr(at.add(word.wrapping_mul(WORD)))?;
            if self.is_object(word) {
                tell(found, word)?;
            }
        }
        Ok(())
    }

    /// The keys and results of a `functools.lru_cache` with a limit (Modules/_functoolsmodule.c):
    /// a ring of links { prev; next; hash; key; result }, of which the object is one.
    pub(super) fn tell_links(&self, addr: Addr, found: Tell<'_>) -> Result<(), Stop> {
        let mut link = self.memory.ptr(self.after(addr, WORD))?;
        for _ in 0..MOST_LINKS {
            if link == addr || link.is_null() {
                return Ok(());
            }
            // While links are objects of the collector's, they tell for themselves.
            if self.type_of(link)?.is(flags::HAVE_GC) {
                tell(found, link)?;
            } else {
                tell(found, self.memory.ptr(self.after(link, 3 * WORD))?)?;
                tell(found, self.memory.ptr(self.after(link, 4 * WORD))?)?;
            }
            link = self.memory.ptr(self.after(link, WORD))?;
        }
        Err(malformed(addr).into())
    }

    /// An element of a document (Modules/_elementtree.c): { tag; text; tail; extra }, of which the texts
    /// may have a mark, and extra is { attrib; length; allocated; children } or NULL.
    pub(super) fn tell_element(&self, addr: Addr, found: Tell<'_>) -> Result<(), Stop> {
        const MARK: u64 = 1;
        for word in 0..3 {
            let object = self.memory.u64(self.after(addr, word * WORD))?;
            tell(found, Addr(object & !MARK))?;
        }
        let extra = self.memory.ptr(self.after(addr, 3 * WORD))?;
        if extra.is_null() {
            return Ok(());
        }
        self.tell_words(extra, 1, found)?;
        let length = self.memory.u64(extra.add(WORD))?;
        let children = self.memory.ptr(extra.add(3 * WORD))?;
        self.plausible(children, length, WORD)?;
        self.tell_words(children, length, found)
    }

    /// A parser (Modules/pyexpat.c): its handlers are behind the struct's only dictionary, which is not
    /// told; before that there may be the parser that it was made from.
    pub(super) fn tell_handlers(&self, addr: Addr, size: u64, found: Tell<'_>) -> Result<(), Stop> {
        const HANDLERS: u64 = 22;
        let words = size.saturating_sub(self.after(Addr(0), 0).0) / WORD;
        for word in 0..words.saturating_sub(1) {
            let object = self.memory.ptr(self.after(addr, word * WORD))?;
            if !self.is_object(object) {
                continue;
            }
            if self.type_of(object)?.is(flags::DICT) {
                let handlers = self.memory.ptr(self.after(addr, (word + 1) * WORD))?;
                return self.tell_words(handlers, HANDLERS, found);
            }
            if self.type_of(object)?.addr == self.type_of(addr)?.addr {
                tell(found, object)?;
            }
        }
        Ok(())
    }

    /// The elements that an iterator is in (Modules/_elementtree.c): { stack; used }, of rows
    /// { element; number of the child }.
    pub(super) fn tell_parents(&self, addr: Addr, found: Tell<'_>) -> Result<(), Stop> {
        const ROW: u64 = 16;
        let stack = self.memory.ptr(self.after(addr, 0))?;
        let used = self.memory.u64(self.after(addr, WORD))?;
        self.plausible(stack, used, ROW)?;
        for row in 0..used {
            self.tell_words(stack.add(row * ROW), 1, found)?;
        }
        Ok(())
    }

    /// A link of `itertools.tee`: { it; int numread; int running; nextlink; values[57] }. What is behind
    /// the number that was read is garbage.
    pub(super) fn tell_tee(&self, addr: Addr, found: Tell<'_>) -> Result<(), Stop> {
        const MOST: u64 = 57;
        let read = u64::from(self.memory.u32(self.after(addr, WORD))?).min(MOST);
        self.tell_words(self.after(addr, 0), 1, found)?;
        self.tell_words(self.after(addr, 2 * WORD), 1 + read, found)
    }

    /// The items of a `SimpleQueue` (Modules/_queuemodule.c `RingBuf`, from 3.13 on; before that they
    /// are in a list).
    pub(super) fn tell_ring(&self, addr: Addr, plan: &Plan, found: Tell<'_>) -> Result<(), Stop> {
        /// Bytes behind the header: { bool; put_idx; get_idx; items; items_cap; num_items }.
        const ITEMS: u64 = 24;
        const CAPACITY: u64 = 32;
        const END: u64 = 48;
        let end = i64::from(self.layout.fields.object.size.offset) + END as i64;
        if plan.base.basicsize < end {
            return Ok(());
        }
        let items = self.memory.ptr(self.after(addr, ITEMS))?;
        let capacity = self.memory.u64(self.after(addr, CAPACITY))?;
        self.plausible(items, capacity, WORD)?;
        self.tell_words(items, capacity, found)
    }
}
