//! What a program wants to be called when it ends (Modules/atexitmodule.c): kept by the interpreter
//! from 3.10 on, before by the module `atexit` in memory of its own. In 2.7 that module is written
//! in Python.

use super::Python;
use super::object::malformed;
use crate::addr::Addr;
use crate::target::Fault;

/// More callbacks than this are damage.
const MOST: i32 = 100_000;

/// The list that 2.7 keeps them in.
const IN_PYTHON: &str = "_exithandlers";

impl Python {
    /// The functions that `atexit` will call, and their arguments; empty where a module's variables
    /// have them.
    pub fn exit_callbacks(&self) -> Result<Vec<Addr>, Fault> {
        let Some(main) = self.interpreters.iter().find(|i| i.id == 0) else {
            return Err(malformed(Addr::NULL));
        };
        let held = self.exit_references(main.addr)?;
        Ok(held.into_iter().map(|(_, object)| object).collect())
    }

    /// The same of the interpreter at `interpreter`: where each reference stands, and the object.
    pub fn exit_references(&self, interpreter: Addr) -> Result<Vec<(Addr, Addr)>, Fault> {
        let objects = &self.objects;
        let place = match self.layout.fields.interpreter.exit_callbacks {
            Some(field) => field.of(interpreter),
            None => {
                let modules = self.layout.fields.interpreter.modules.of(interpreter);
                let modules = objects.memory.ptr(modules)?;
                let Some(module) = objects.dict_get(modules, "atexit")? else {
                    return Ok(Vec::new());
                };
                let namespace = self.layout.fields.module.dict.of(module);
                let namespace = objects.memory.ptr(namespace)?;
                if objects.dict_get(namespace, IN_PYTHON)?.is_some() {
                    return Ok(Vec::new());
                }
                // PyModuleObject { md_dict; md_def; md_state; … }
                objects.memory.ptr(objects.after(module, 16))?
            }
        };
        self.callbacks(place)
    }

    /// The callbacks of `{ atexit_callback **callbacks; int ncallbacks; … }`, or of a list.
    fn callbacks(&self, place: Addr) -> Result<Vec<(Addr, Addr)>, Fault> {
        const PARTS: u64 = 3;
        let memory = &self.objects.memory;
        if place.is_null() {
            return Ok(Vec::new());
        }
        let all = memory.ptr(place)?;
        if all.is_null() {
            return Ok(Vec::new());
        }
        if self.objects.is_object(all) {
            return Ok(vec![(place, all)]);
        }
        let count = memory.i32(place.add(8))?;
        if !(0..=MOST).contains(&count) {
            return Err(malformed(place));
        }
        let mut found = Vec::new();
        for callback in self.objects.pointers(all, count as usize)? {
            // One that was taken back leaves NULL.
            if !callback.is_null() {
                // { func, args, kwargs }
                let places = (0..PARTS).map(|part| callback.add(part * 8));
                let parts = self.objects.pointers(callback, PARTS as usize)?;
                let parts = places.zip(parts);
                found.extend(parts.filter(|(_, part)| !part.is_null()));
            }
        }
        Ok(found)
    }
}
