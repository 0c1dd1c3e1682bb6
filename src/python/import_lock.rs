//! The lock of all imports (Python/import.c): in static variables up to 3.11, since then one in
//! each interpreter. 2.7 holds it for as long as the code of a module runs; 3.3 and later only for
//! moments, unless a program takes it with `imp.acquire_lock()`.

use super::Python;
use super::runtime::symbol;
use crate::addr::Addr;

/// One import lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImportLock {
    /// Where it is: the static variable, or the member of the interpreter. From 3.13 on a
    /// `PyMutex`, on which threads park.
    pub addr: Addr,
    /// The word there: up to 3.12 the semaphore on which threads sleep.
    pub semaphore: Addr,
    /// The ident of the thread that holds it; `None` when it names nobody.
    pub owner: Option<u64>,
}

impl Python {
    /// The import locks of all interpreters. None where the version keeps them in static
    /// variables and no symbol tells their addresses.
    pub fn import_locks(&self) -> Vec<ImportLock> {
        let fields = &self.layout.fields.interpreter;
        if let (Some(lock), Some(thread)) = (fields.import_lock, fields.import_lock_thread) {
            let interpreters = self.interpreters.iter();
            return interpreters
                .filter_map(|i| self.import_lock(lock.of(i.addr), thread.of(i.addr)))
                .collect();
        }
        let variable = |name| Some(symbol(&self.process, name)?.0);
        let statics = variable("import_lock").zip(variable("import_lock_thread"));
        statics
            .and_then(|(lock, thread)| self.import_lock(lock, thread))
            .into_iter()
            .collect()
    }

    fn import_lock(&self, addr: Addr, thread: Addr) -> Option<ImportLock> {
        /// What stands for no thread: 0 from 3.13 on, −1 before.
        const NOBODY: [u64; 2] = [0, u64::MAX];
        let memory = &self.process.target.memory;
        let owner = memory.u64(thread).ok()?;
        Some(ImportLock {
            addr,
            semaphore: memory.ptr(addr).ok()?,
            owner: (!NOBODY.contains(&owner)).then_some(owner),
        })
    }
}
