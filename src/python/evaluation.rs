//! The evaluation stack of a frame, and the context managers of the `with` statements it is
//! inside of. CPython keeps a manager's exit on the stack for as long as the block runs; which
//! slot that is, an open block (up to 3.10) or the code's exception table (3.11+) proves. Stale
//! slots and temporaries look the same and are not taken.

use super::dis::{Handlers, leaves_manager};
use super::layout::WithBlocks;
use super::object::malformed;
use super::{PyFrame, Python};
use crate::addr::Addr;
use crate::bytes;
use crate::target::Fault;

/// More slots, blocks or handlers than any code has.
const MOST_SLOTS: i64 = 1 << 20;
const MOST_BLOCKS: i32 = 20;
const LONGEST_TABLE: usize = 1 << 20;
const MOST_HANDLERS: usize = 200;

/// Bytes of `PyTryBlock { int b_type; int b_handler; int b_level; }`.
const BLOCK_SIZE: u64 = 12;

/// Bytes of a code unit.
const UNIT: u64 = 2;

/// A `with` statement that a frame is inside of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenWith {
    /// The context manager, or whatever object its exit is bound to.
    pub manager: Addr,
    /// The line of the statement, where code tells.
    pub line: Option<i32>,
}

/// Where an exit is kept: how deep in the evaluation stack, and the byte offset in the code of an
/// instruction that has the line of the statement.
#[derive(Clone, Copy)]
struct Slot {
    depth: usize,
    offset: Option<u32>,
}

impl Python {
    /// Everything on the evaluation stack of a frame, deepest first. Behind the top of a stack
    /// that is not known lie stale values and NULLs, so nothing here proves anything.
    pub fn evaluation_slots(&self, frame: &PyFrame) -> Result<Vec<Addr>, Fault> {
        let untag = |slot: Addr| Addr(self.layout.kinds.references.untag(slot.0));
        Ok(self
            .evaluation_words(frame)?
            .into_iter()
            .map(untag)
            .collect())
    }

    /// The same as they lie there, with their tags.
    pub(super) fn evaluation_words(&self, frame: &PyFrame) -> Result<Vec<Addr>, Fault> {
        let memory = &self.objects.memory;
        let size = memory.i32(self.layout.fields.code.stacksize.of(frame.code))?;
        if !(0..=MOST_SLOTS).contains(&i64::from(size)) {
            return Err(malformed(frame.code));
        }
        self.objects
            .pointers(self.evaluation_base(frame)?, size as usize)
    }

    /// Where the evaluation stack begins.
    pub(super) fn evaluation_base(&self, frame: &PyFrame) -> Result<Addr, Fault> {
        let (f, code) = (&self.layout.fields.frame, &self.layout.fields.code);
        let memory = &self.objects.memory;
        match (f.valuestack, code.nlocalsplus) {
            (Some(valuestack), _) => memory.ptr(valuestack.of(frame.addr)),
            (None, Some(count)) => {
                let count = memory.i32(count.of(frame.code))?;
                if !(0..=MOST_SLOTS).contains(&i64::from(count)) {
                    return Err(malformed(frame.code));
                }
                Ok(f.localsplus.of(frame.addr).add(count as u64 * 8))
            }
            (None, None) => Err(malformed(frame.addr)),
        }
    }

    /// The `with` and `async with` statements that a frame is inside of, outermost first: each was
    /// entered, and has not been left.
    pub fn open_withs(&self, frame: &PyFrame) -> Result<Vec<OpenWith>, Fault> {
        let slots = match self.layout.kinds.with_blocks {
            WithBlocks::BlockStack { .. } => self.blocks(frame)?,
            WithBlocks::ExceptionTable { .. } => self.handlers(frame)?,
        };
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        let stack = self.evaluation_slots(frame)?;
        let code = self.codes.get(&self.objects, frame.code)?;
        let open = |slot: Slot| {
            let offset = slot.offset.and_then(|offset| i32::try_from(offset).ok());
            let position = offset.map(|offset| code.position(&self.objects, offset));
            Some(OpenWith {
                manager: self.manager(&stack, slot.depth)?,
                line: position.and_then(|position| position.line),
            })
        };
        Ok(slots.into_iter().filter_map(open).collect())
    }

    /// The context manager whose exit lies `depth` values deep, the last of them.
    fn manager(&self, stack: &[Addr], depth: usize) -> Option<Addr> {
        let last = *stack.get(depth.checked_sub(1)?)?;
        if last.is_null() {
            return None;
        }
        if let WithBlocks::ExceptionTable { slots: 2 } = self.layout.kinds.with_blocks {
            return Some(last);
        }
        self.objects.bound_to(last)
    }

    /// Up to 3.10: the open blocks whose handler leaves a context manager.
    fn blocks(&self, frame: &PyFrame) -> Result<Vec<Slot>, Fault> {
        let f = &self.layout.fields.frame;
        let (Some(count), Some(blocks), WithBlocks::BlockStack { block }) =
            (f.iblock, f.blockstack, self.layout.kinds.with_blocks)
        else {
            return Ok(Vec::new());
        };
        let memory = &self.objects.memory;
        let count = memory.i32(count.of(frame.addr))?;
        if !(0..=MOST_BLOCKS).contains(&count) {
            return Err(malformed(frame.addr));
        }
        let mut open = Vec::new();
        for index in 0..count as u64 {
            let raw = memory.array::<12>(blocks.of(frame.addr).add(index * BLOCK_SIZE))?;
            let word = |at| bytes::i32_at(&raw, at).unwrap_or(-1);
            let (kind, handler, level) = (word(0), word(4), word(8));
            if let (true, Ok(handler), Ok(depth)) = (
                kind == block,
                u32::try_from(handler),
                usize::try_from(level),
            ) {
                open.push((handler, depth));
            }
        }
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let code = self.codes.get(&self.objects, frame.code)?;
        let handlers = Handlers::of(&self.objects, &code)?;
        let slot = |(handler, depth)| {
            let offset = handlers.setup(handlers.leaving(handler)?);
            Some(Slot { depth, offset })
        };
        let slots = open.into_iter().filter_map(slot).collect();
        Ok(slots)
    }

    /// How deep the evaluation stack is at least, as what handles an exception leaves so much of
    /// it: the innermost open block, or the entry of the exception table.
    pub(super) fn handler_depth(&self, frame: &PyFrame) -> Option<usize> {
        match self.layout.kinds.with_blocks {
            WithBlocks::BlockStack { .. } => {
                let f = &self.layout.fields.frame;
                let memory = &self.objects.memory;
                let count = memory.i32(f.iblock?.of(frame.addr)).ok()?;
                let last = count
                    .checked_sub(1)
                    .filter(|at| (0..MOST_BLOCKS).contains(at))?;
                let block = f.blockstack?.of(frame.addr).add(last as u64 * BLOCK_SIZE);
                usize::try_from(memory.i32(block.add(8)).ok()?).ok()
            }
            WithBlocks::ExceptionTable { .. } => {
                let now = u64::try_from(frame.lasti).ok()? / UNIT;
                let table = self.layout.fields.code.exceptiontable?;
                let table = self.objects.memory.ptr(table.of(frame.code)).ok()?;
                let table = self.objects.bytes(table, LONGEST_TABLE).ok()?;
                let covers = |entry: &Entry| entry.start <= now && now < entry.end;
                Some(Entries::new(&table).find(covers)?.depth)
            }
        }
    }

    /// 3.11+: the handlers of the exception table that leave a context manager, outermost first.
    /// An instruction has one handler; what is around that one is the handler's own handler.
    fn handlers(&self, frame: &PyFrame) -> Result<Vec<Slot>, Fault> {
        let f = &self.layout.fields.code;
        let (Some(table), Some(adaptive), WithBlocks::ExceptionTable { .. }) =
            (f.exceptiontable, f.adaptive, self.layout.kinds.with_blocks)
        else {
            return Ok(Vec::new());
        };
        let Ok(now) = u64::try_from(frame.lasti) else {
            return Ok(Vec::new());
        };
        let memory = &self.objects.memory;
        let table = self
            .objects
            .bytes(memory.ptr(table.of(frame.code))?, LONGEST_TABLE)?;
        let entries: Vec<Entry> = Entries::new(&table).collect();
        let mut slots = Vec::new();
        let mut at = now / UNIT;
        for _ in 0..MOST_HANDLERS {
            let covers = |entry: &&Entry| entry.start <= at && at < entry.end;
            let Some(entry) = entries.iter().find(covers) else {
                break;
            };
            // PUSH_EXC_INFO, then WITH_EXCEPT_START; the first may be instrumented.
            let second = entry.target.wrapping_add(1).wrapping_mul(UNIT);
            let opcode = memory.u8(adaptive.of(frame.code).add(second))?;
            if leaves_manager(self.layout.version, opcode) {
                slots.push(Slot {
                    depth: entry.depth,
                    offset: u32::try_from(second).ok(),
                });
            }
            at = entry.target;
        }
        slots.reverse();
        Ok(slots)
    }
}

/// One entry of an exception table; places are in code units.
struct Entry {
    start: u64,
    end: u64,
    target: u64,
    depth: usize,
}

/// The entries of `co_exceptiontable` (Objects/exception_handling_notes.txt).
struct Entries<'t> {
    table: &'t [u8],
}

impl<'t> Entries<'t> {
    fn new(table: &'t [u8]) -> Entries<'t> {
        Entries { table }
    }

    /// Six bits in each byte, the most significant first; bit 6 says that more follow.
    fn number(&mut self) -> Option<u64> {
        let mut value: u64 = 0;
        for _ in 0..10 {
            let (&byte, rest) = self.table.split_first()?;
            self.table = rest;
            value = value << 6 | u64::from(byte & 0x3f);
            if byte & 0x40 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let start = self.number()?;
        let length = self.number()?;
        let target = self.number()?;
        let depth_lasti = self.number()?;
        Some(Entry {
            start,
            end: start.saturating_add(length),
            target,
            depth: usize::try_from(depth_lasti >> 1).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exception_tables_are_read_most_significant_bits_first() {
        // start 3, length 70 (two bytes), target 100 (two bytes), depth 2 with lasti.
        let table = [0x83, 0x41, 0x06, 0x41, 0x24, 0x05];
        let entries: Vec<_> = Entries::new(&table)
            .map(|e| (e.start, e.end, e.target, e.depth))
            .collect();
        assert_eq!(entries, [(3, 73, 100, 2)]);
    }

    #[test]
    fn a_table_that_is_cut_or_never_ends_is_left() {
        assert_eq!(Entries::new(&[0x83, 0x41]).count(), 0);
        assert_eq!(Entries::new(&[0xff; 64]).count(), 0);
    }
}
