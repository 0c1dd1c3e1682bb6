//! Modules (Objects/moduleobject.c `module_traverse`): a namespace, and the state of those written in
//! C, whose every word may be an object. Of some of it the collector is not told, as each module's
//! `m_traverse` has it; that is data here.

use super::super::Objects;
use super::{Plan, Stop, Tell, WORD, tell};
use crate::addr::Addr;
use std::ops::ControlFlow;

/// The largest state of a module, in bytes.
const LARGEST_STATE: u64 = 1 << 16;

/// The most characters of a module's name.
const LONGEST_NAME: u64 = 64;

/// The most callbacks and kinds of conditions.
const MOST: u64 = 1 << 16;

/// Modules, and the types of the objects in their states of which they do not tell; sorted.
const SILENT: &[(&str, &[&str])] = &[
    ("_asyncio", &["NoneType"]),
    ("_csv", &["str"]),
    ("_datetime", &["int", "datetime.datetime"]),
    ("_decimal", &["str"]),
    ("_elementtree", &["str"]),
    ("_multibytecodec", &["str"]),
    ("_random", &["wrapper_descriptor"]),
    ("_signal", &["int"]),
    ("_sqlite3", &["str"]),
    ("_ssl", &["str"]),
    ("array", &["str"]),
];

/// Modules that tell their class, from 3.9 on.
const TELL_CLASS: &[&str] = &["_curses_panel", "_hmac"];

/// The state of a module in C.
struct State {
    at: Addr,
    words: u64,
    name: String,
}

impl Objects {
    /// A module: its namespace, and what its code in C keeps, where it tells of that.
    pub(super) fn tell_module(&self, addr: Addr, plan: &Plan, found: Tell<'_>) -> Result<(), Stop> {
        let dict = self.layout.fields.module.dict.of(addr);
        tell(found, self.memory.ptr(dict)?)?;
        let Some(state) = self.module_state(addr, plan)? else {
            return Ok(());
        };
        if self.layout.kinds.told.classes && TELL_CLASS.contains(&&*state.name) {
            tell(found, plan.ty.addr)?;
        }
        let silent = silent(&state.name);
        self.tell_words(
            state.at,
            state.words,
            &mut |object| match self.is_one_of(object, silent) {
                true => ControlFlow::Continue(()),
                false => found(object),
            },
        )?;
        match &*state.name {
            "_decimal" => self.tell_conditions(&state, found),
            "atexit" => self.tell_callbacks(&state, found),
            _ => Ok(()),
        }
    }

    /// What a module's code in C keeps without telling of it.
    pub(super) fn tell_silent(&self, addr: Addr, plan: &Plan, found: Tell<'_>) -> Result<(), Stop> {
        let Some(state) = self.module_state(addr, plan)? else {
            return Ok(());
        };
        let silent = silent(&state.name);
        self.tell_words(
            state.at,
            state.words,
            &mut |object| match self.is_one_of(object, silent) {
                true => found(object),
                false => ControlFlow::Continue(()),
            },
        )
    }

    fn is_one_of(&self, object: Addr, names: &[&str]) -> bool {
        let ty = self.type_of(object).ok();
        !names.is_empty() && ty.is_some_and(|ty| names.contains(&&*self.full_name(&ty)))
    }

    /// The state, if the module tells of any.
    fn module_state(&self, addr: Addr, plan: &Plan) -> Result<Option<State>, Stop> {
        /// Bytes behind the header of `PyModuleDef`.
        const DEF_SIZE: u64 = 40;
        const DEF_TRAVERSE: u64 = 64;
        let dict = self.layout.fields.module.dict.of(addr);
        // The state is in front of the weak references, the name behind; up to 3.14 the definition is in
        // front of the state, since then the size and the function follow.
        let Some(weakrefs) = plan.weakrefs.filter(|at| *at > WORD).map(|at| addr.add(at)) else {
            return Ok(None);
        };
        let state = weakrefs.sub(WORD);
        let (size, traverse) = match state.since(dict) {
            Some(16) => {
                let definition = self.memory.ptr(dict.add(WORD))?;
                if definition.is_null() {
                    return Ok(None);
                }
                let at = |offset| self.memory.u64(self.after(definition, offset));
                (at(DEF_SIZE)?, at(DEF_TRAVERSE)?)
            }
            Some(8) => {
                let at = |words: u64| self.memory.u64(weakrefs.add(words * WORD));
                (at(3)?, at(4)?)
            }
            _ => return Ok(None),
        };
        let state = self.memory.ptr(state)?;
        if state.is_null() || traverse == 0 || size > LARGEST_STATE {
            return Ok(None);
        }
        let name = self.memory.ptr(weakrefs.add(WORD))?;
        let name = self.text(name, LONGEST_NAME);
        Ok(Some(State {
            at: state,
            words: size / WORD,
            name: name.map_or_else(|_| String::new(), |name| name.value),
        }))
    }

    /// Exceptions of conditions (Modules/_decimal/_decimal.c, from 3.13 on): two arrays { name; full
    /// name; flag; exception }, which end with a name of NULL.
    fn tell_conditions(&self, state: &State, found: Tell<'_>) -> Result<(), Stop> {
        const ARRAYS: [u64; 2] = [22, 23];
        const ROW: u64 = 4 * WORD;
        for word in ARRAYS.into_iter().filter(|word| *word < state.words) {
            let rows = self.memory.ptr(state.at.add(word * WORD))?;
            let mut row = rows;
            while !rows.is_null() && row < rows.add(MOST * ROW) && !self.memory.ptr(row)?.is_null()
            {
                self.tell_words(row.add(3 * WORD), 1, found)?;
                row = row.add(ROW);
            }
        }
        Ok(())
    }

    /// What runs at exit (Modules/atexitmodule.c), up to 3.9: pointers to { function; arguments;
    /// keywords }, NULL where one was taken back, and their number.
    fn tell_callbacks(&self, state: &State, found: Tell<'_>) -> Result<(), Stop> {
        let all = self.memory.ptr(state.at)?;
        let count = u64::from(self.memory.u32(state.at.add(WORD))?).min(MOST);
        for callback in self.pointers(all, count as usize)? {
            if !callback.is_null() {
                self.tell_words(callback, 3, found)?;
            }
        }
        Ok(())
    }
}

/// The types of which a module's state does not tell.
fn silent(module: &str) -> &'static [&'static str] {
    let at = SILENT.binary_search_by_key(&module, |(known, _)| known);
    at.ok()
        .and_then(|at| SILENT.get(at))
        .map_or(&[], |(_, types)| types)
}
