//! What each kind of holding tells, and the parts that a class written in Python adds.

use super::super::attributes::Place;
use super::super::holdings::Holding;
use super::super::{Objects, TypeInfo, flags, malformed};
use super::{Plan, Stop, Tell, WORD, tell};
use crate::addr::Addr;
use crate::python::layout::DictKind;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Larger structs of a type are damage, in bytes.
const LARGEST: u64 = 1 << 16;

/// Bytes in front of values from 3.13 on: capacity, size, embedded, valid.
const VALUES: u64 = 8;

/// `dk_kind` of a table with any keys, from 3.11 on.
const GENERAL: u8 = 0;

/// The most classes between `type` and `object`.
const FEW: usize = 8;

/// Tells all but one.
fn but(left_out: Addr, found: Tell<'_>) -> impl FnMut(Addr) -> ControlFlow<()> {
    move |referent| match referent == left_out {
        true => ControlFlow::Continue(()),
        false => found(referent),
    }
}

impl Objects {
    pub(super) fn tell_all(&self, addr: Addr, plan: &Plan, found: Tell<'_>) -> Result<(), Stop> {
        if !plan.asked {
            return Ok(());
        }
        if plan.holding == Holding::Type && !self.type_at(addr)?.is_heap() {
            return Ok(());
        }
        if plan.tells_class {
            tell(found, plan.ty.addr)?;
        }
        self.tell_held(addr, plan, found)?;
        for offset in &plan.slots {
            tell(found, self.memory.ptr(addr.add(*offset))?)?;
        }
        if self.layout.kinds.told.values_first
            && let Some(values) = self.inline_values(addr, &plan.ty)?
        {
            let capacity = self.memory.u8(values)?;
            for value in self.pointers(values.add(VALUES), capacity.into())? {
                tell(found, value)?;
            }
            return Ok(());
        }
        if self.is_dict_told(plan) {
            return Ok(());
        }
        match self.attributes_place(addr, &plan.ty)? {
            Place::Nowhere => {}
            Place::Dict(dict) => tell(found, dict)?,
            Place::Values(_) => {
                for (_, value) in self.namespace(addr)? {
                    tell(found, value)?;
                }
            }
        }
        Ok(())
    }

    /// Whether the dictionary of the attributes is among what the type in C tells.
    fn is_dict_told(&self, plan: &Plan) -> bool {
        match plan.holding {
            Holding::Type | Holding::Module => true,
            Holding::Struct | Holding::But(_) | Holding::Cache => {
                let old = self.layout.fields.instance.is_some()
                    && *self.full_name(&plan.ty) == *"instance";
                old || (1..plan.base.basicsize).contains(&plan.ty.dictoffset)
            }
            _ => false,
        }
    }

    /// The size of the struct of the type in C.
    fn struct_size(&self, plan: &Plan) -> Result<u64, Stop> {
        let size = u64::try_from(plan.base.basicsize).ok();
        let size = size.filter(|size| *size <= LARGEST);
        Ok(size.ok_or_else(|| malformed(plan.base.addr))?)
    }

    fn tell_held(&self, addr: Addr, plan: &Plan, found: Tell<'_>) -> Result<(), Stop> {
        let size = self.struct_size(plan)?;
        match plan.holding {
            Holding::Nothing | Holding::Silent => {}
            Holding::Words(words) => {
                for word in words {
                    let at = self.after(addr, u64::from(*word) * WORD);
                    tell(found, self.memory.ptr(at)?)?;
                }
            }
            Holding::Struct => {
                self.tell_struct(addr, plan, 0..size, found)?;
                self.tell_own_items(addr, plan, size, found)?;
            }
            Holding::But(skipped) => {
                let words = size.saturating_sub(self.after(Addr(0), 0).0) / WORD;
                for word in 0..words {
                    let at = self.after(Addr(0), word * WORD).0;
                    if !skipped.iter().any(|skipped| u64::from(*skipped) == word) {
                        self.tell_struct(addr, plan, at..at + WORD, found)?;
                    }
                }
            }
            Holding::Behind => self.tell_own_items(addr, plan, size, found)?,
            Holding::Items => {
                for item in self.item_iter(addr)? {
                    tell(found, item?)?;
                }
            }
            Holding::Scanner => {
                // The seventh word may be the memo, which is not told.
                let word = self.after(Addr(0), 6 * WORD).0;
                let memo = self.memory.ptr(addr.add(word))?;
                let is_memo = self.is_object(memo) && self.type_of(memo)?.is(flags::DICT);
                let end = if is_memo { word } else { size };
                self.tell_struct(addr, plan, 0..end, found)?;
            }
            Holding::Named => {
                let start = if self.layout.kinds.told.names { 0 } else { 1 };
                let start = self.after(Addr(0), start * WORD).0;
                self.tell_struct(addr, plan, start..size, found)?;
            }
            Holding::Pickler => {
                // It may be the one whose method it calls, which it does not own.
                self.tell_struct(addr, plan, 0..size, &mut but(addr, found))?;
                self.tell_memo_if_told(addr, plan, found)?;
            }
            Holding::Unpickler => {
                // The text that it reads is in its struct without being told.
                let told = &mut |referent| match self.is_text_or_bytes(referent) {
                    true => ControlFlow::Continue(()),
                    false => found(referent),
                };
                self.tell_struct(addr, plan, 0..size, told)?;
                self.tell_memo_if_told(addr, plan, found)?;
            }
            Holding::Capsule => self.tell_capsule(addr, size, found)?,
            Holding::Connection => self.tell_connection(addr, plan, size, found)?,
            Holding::Parser => self.tell_handlers(addr, size, found)?,
            Holding::Element => self.tell_element(addr, found)?,
            Holding::Elements => {
                self.tell_struct(addr, plan, 0..size, found)?;
                self.tell_parents(addr, found)?;
            }
            Holding::Dict | Holding::DefaultDict => {
                if self.are_values_told(addr)? {
                    return Ok(());
                }
                let keys = self.tells_keys(addr)?;
                for item in self.dict_iter(addr)? {
                    let (key, value) = item?;
                    if keys {
                        tell(found, key)?;
                    }
                    tell(found, value)?;
                }
                if plan.holding == Holding::DefaultDict {
                    let factory = addr.add(self.layout.fields.dict.size.offset.into());
                    tell(found, self.memory.ptr(factory)?)?;
                }
            }
            Holding::Ordered => {
                for item in self.dict_iter(addr)? {
                    let (key, value) = item?;
                    tell(found, key)?;
                    tell(found, value)?;
                }
            }
            Holding::Set => {
                for item in self.set_iter(addr)? {
                    tell(found, item?)?;
                }
            }
            Holding::Deque => {
                for item in self.deque_iter(addr)? {
                    tell(found, item?)?;
                }
            }
            Holding::SimpleQueue => {
                self.tell_struct(addr, plan, 0..size, found)?;
                self.tell_ring(addr, plan, found)?;
            }
            Holding::Cache => {
                // What precedes are the ends of the list.
                self.tell_struct(addr, plan, self.after(Addr(0), 3 * WORD).0..size, found)?;
                self.tell_links(addr, found)?;
            }
            Holding::Tee => self.tell_tee(addr, found)?,
            Holding::Local => {
                // Up to 3.12 { key; args; kw; weakrefs; dummies; callback }, of which the first and the
                // last are not told; then { args; kw; weakrefs; dicts; watchdogs }.
                let is_old = size >= self.after(Addr(0), 6 * WORD).0;
                let words: &[u64] = if is_old { &[1, 2, 4] } else { &[0, 1, 3, 4] };
                for word in words {
                    self.tell_words(self.after(addr, word * WORD), 1, found)?;
                }
            }
            Holding::Generator => self.tell_generator(addr, plan, found)?,
            Holding::Frame => self.tell_frame_object(addr, plan, found)?,
            Holding::Module => self.tell_module(addr, plan, found)?,
            Holding::Type => self.tell_type(addr, plan, found)?,
        }
        Ok(())
    }

    fn is_text_or_bytes(&self, addr: Addr) -> bool {
        let is_text = |ty: Arc<TypeInfo>| ty.is(flags::STR) || ty.is(flags::BYTES);
        self.type_of(addr).is_ok_and(is_text)
    }

    /// What is kept without the collector being told.
    pub(super) fn tell_more(&self, addr: Addr, plan: &Plan, found: Tell<'_>) -> Result<(), Stop> {
        let size = self.struct_size(plan)?;
        match plan.holding {
            _ if plan.leaf => Ok(()),
            Holding::Nothing | Holding::Silent => {
                let first = u64::from(self.layout.fields.object.size.offset);
                let weak = plan.weakrefs.filter(|at| (first..size).contains(at));
                let end = weak.unwrap_or(size);
                self.tell_struct(addr, plan, 0..end, found)?;
                // Behind its weak references code has its bytecode as Python shows it, and words
                // that builds with a GIL never set (`_co_unique_id`): any old pointer.
                let mut leaf = |to: Addr| match self.type_of(to).is_ok_and(|ty| self.is_leaf(&ty)) {
                    true => found(to),
                    false => ControlFlow::Continue(()),
                };
                self.tell_struct(addr, plan, end..size, &mut leaf)?;
                if self.is_code(&plan.ty) {
                    self.tell_cached(addr.add(end), found)?;
                }
                self.tell_own_items(addr, plan, size, found)
            }
            Holding::Words(words) => {
                let last = words.iter().max().copied().map_or(0, u64::from);
                self.tell_words(self.after(addr, 0), last, found)
            }
            Holding::Type => self.tell_type(addr, plan, found),
            Holding::Module => self.tell_silent(addr, plan, found),
            Holding::Pickler | Holding::Unpickler => self.tell_memo(addr, plan, found),
            _ => Ok(()),
        }
    }

    /// Whether the values of a dictionary lie in an instance that tells them.
    fn are_values_told(&self, addr: Addr) -> Result<bool, Stop> {
        const EMBEDDED: u64 = 2;
        let values = self.layout.fields.dict.values;
        let Some(values) = values.filter(|_| self.layout.kinds.told.values_first) else {
            return Ok(false);
        };
        let values = self.memory.ptr(values.of(addr))?;
        Ok(!values.is_null() && self.memory.u8(values.add(EMBEDDED))? == 1)
    }

    /// Whether a dictionary tells its keys: one all whose keys are strings, and were when anyone
    /// asked, does not (Objects/dictobject.c `dict_traverse`, from 3.6 on).
    fn tells_keys(&self, addr: Addr) -> Result<bool, Stop> {
        let f = &self.layout.fields;
        let (Some(keys), Some(table)) = (f.dict.keys, &f.dict_keys) else {
            return Ok(true);
        };
        let keys = self.memory.ptr(keys.of(addr))?;
        match (table.kind, table.slots) {
            (Some(kind), _) => Ok(self.memory.u8(kind.of(keys))? == GENERAL),
            (None, Some(slots)) => {
                // `dk_lookup` follows the number of slots.
                let lookup = self.memory.ptr(slots.of(keys).add(WORD))?;
                Ok(Some(lookup) == self.general_lookup())
            }
            _ => Ok(self.layout.kinds.dict == DictKind::Open),
        }
    }

    /// The function that looks up any keys, 3.6 to 3.10: the one of the dictionary of subclasses
    /// of `object`, whose keys are ints.
    pub(crate) fn general_lookup(&self) -> Option<Addr> {
        *self.general_lookup.get_or_init(|| {
            let f = &self.layout.fields;
            let interpreter = *self.interpreter.get()?;
            let modules = self
                .memory
                .ptr(f.interpreter.modules.of(interpreter))
                .ok()?;
            let mut class = self.type_of(modules).ok()?;
            for _ in 0..FEW {
                match self.type_at(class.base) {
                    Ok(base) if !class.base.is_null() => class = base,
                    _ => break,
                }
            }
            let subclasses = f.type_object.subclasses.of(class.addr);
            let subclasses = self.memory.ptr(subclasses).ok()?;
            if !self.type_of(subclasses).ok()?.is(flags::DICT) {
                return None;
            }
            let keys = self.memory.ptr(f.dict.keys?.of(subclasses)).ok()?;
            let slots = f.dict_keys.as_ref()?.slots?;
            self.memory.ptr(slots.of(keys).add(WORD)).ok()
        })
    }
}
