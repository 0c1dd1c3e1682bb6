//! Objects of the standard library that keep references where no struct shows them, or have some in
//! their structs that are none of theirs.

use super::super::holdings::Holding;
use super::super::{Objects, flags};
use super::{Plan, Stop, Tell, WORD};
use crate::addr::Addr;
use std::ops::ControlFlow;

/// The capsules whose makers tell of the first word in them (Modules/socketmodule.c, from 3.13 on;
/// Modules/_cursesmodule.c, from 3.14 on).
const TELLING: &[&[u8]] = &[b"_curses._C_API", b"_socket.CAPI"];

/// The longest name of a capsule.
const LONGEST_NAME: usize = 256;

impl Objects {
    /// The memo of a pickler or unpickler (Modules/_pickle.c), in the versions that tell of it.
    pub(super) fn tell_memo_if_told(
        &self,
        addr: Addr,
        plan: &Plan,
        found: Tell<'_>,
    ) -> Result<(), Stop> {
        match self.layout.kinds.told.memos {
            true => self.tell_memo(addr, plan, found),
            false => Ok(()),
        }
    }

    /// A pickler begins with a table { mask; used; allocated; rows }, of rows { object; number }; an
    /// unpickler with its stack, and objects or NULL in { array; allocated }.
    pub(super) fn tell_memo(&self, addr: Addr, plan: &Plan, found: Tell<'_>) -> Result<(), Stop> {
        const ROW: u64 = 2 * WORD;
        if plan.holding == Holding::Pickler {
            let memo = self.memory.ptr(self.after(addr, 0))?;
            if memo.is_null() {
                return Ok(());
            }
            let allocated = self.memory.u64(memo.add(2 * WORD))?;
            let rows = self.memory.ptr(memo.add(3 * WORD))?;
            self.plausible(rows, allocated, ROW)?;
            for row in 0..allocated {
                self.tell_words(rows.add(row * ROW), 1, found)?;
            }
            return Ok(());
        }
        let objects = self.memory.ptr(self.after(addr, WORD))?;
        let allocated = self.memory.u64(self.after(addr, 2 * WORD))?;
        if objects.is_null() {
            return Ok(());
        }
        self.plausible(objects, allocated, WORD)?;
        self.tell_words(objects, allocated, found)
    }

    /// What code has once told of itself (Objects/codeobject.c, from 3.12 on): the first or second word
    /// behind its weak references is NULL or leads to { code; variables; cells; free variables },
    /// which are bytes and tuples or NULL.
    pub(super) fn tell_cached(&self, weakrefs: Addr, found: Tell<'_>) -> Result<(), Stop> {
        const PARTS: usize = 4;
        let has = |object: Addr, flag| {
            object.is_null() || self.type_of(object).is_ok_and(|ty| ty.is(flag))
        };
        for word in 1..=2 {
            let Ok(cached) = self.memory.ptr(weakrefs.add(word * WORD)) else {
                break;
            };
            let Ok(parts) = self.pointers(cached, PARTS) else {
                continue;
            };
            let Some((code, names)) = parts.split_first() else {
                continue;
            };
            if has(*code, flags::BYTES) && names.iter().all(|part| has(*part, flags::TUPLE)) {
                return self.tell_words(cached, PARTS as u64, found);
            }
        }
        Ok(())
    }

    /// A capsule (Objects/capsule.c): { pointer; name; context; destructor; traverse; clear }, where
    /// the functions at the end exist.
    pub(super) fn tell_capsule(&self, addr: Addr, size: u64, found: Tell<'_>) -> Result<(), Stop> {
        if size < self.after(Addr(0), 6 * WORD).0 {
            return Ok(());
        }
        let word = |word: u64| self.memory.ptr(self.after(addr, word * WORD));
        let (pointer, name, traverse) = (word(0)?, word(1)?, word(4)?);
        if traverse.is_null() || name.is_null() {
            return Ok(());
        }
        let name = self.memory.cstr(name, LONGEST_NAME)?;
        match TELLING.contains(&&*name) {
            true => self.tell_words(pointer, 1, found),
            false => Ok(()),
        }
    }

    /// A connection (Modules/_sqlite/connection.c) has the module's exceptions in its struct, which
    /// are not its own.
    pub(super) fn tell_connection(
        &self,
        addr: Addr,
        plan: &Plan,
        size: u64,
        found: Tell<'_>,
    ) -> Result<(), Stop> {
        let is_exception = |object: Addr| {
            let ty = self.type_of(object);
            let is_type = ty.is_ok_and(|ty| ty.is(flags::TYPE));
            is_type && self.type_at(object).is_ok_and(|ty| ty.is(flags::EXCEPTION))
        };
        let start = self.after(Addr(0), 2 * WORD).0;
        self.tell_struct(
            addr,
            plan,
            start..size,
            &mut |object| match is_exception(object) {
                true => ControlFlow::Continue(()),
                false => found(object),
            },
        )
    }
}
