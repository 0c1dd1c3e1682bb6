//! The PyMutexes of CPython itself, in its runtime and in each interpreter, from 3.13 on
//! (`struct pyruntimestate`, `struct _is`): where they are tells what they are for.

use super::fields::{Field, Group, Slot, groups};

groups! {
    /// Mutexes in `_PyRuntimeState`.
    RuntimeMutexes {
        /// `interpreters.mutex`, of the lists of interpreters and threads.
        interpreters: Field,
        /// `allocators.mutex`.
        allocators: Field,
        /// `atexit.mutex`.
        atexit: Field,
        /// `imports.extensions.mutex`, of the extension modules that were loaded.
        extensions: Field,
        /// `ceval.pending_mainthread.mutex`, of the calls that the main thread is to make.
        pending_calls: Field,
        /// `audit_hooks.mutex`.
        audit_hooks: Field,
        /// `unicode_state.ids.mutex`.
        string_ids: Field,
    }

    /// Mutexes in `PyInterpreterState`.
    InterpreterMutexes {
        /// `ceval.pending.mutex`, of the calls that some thread is to make.
        pending_calls: Field,
        /// `qsbr.mutex`, of what is freed when no thread can see it any more.
        quiescence: Field,
        /// `code_state.mutex`, of shared constants.
        constants: Field,
        /// `mem_free_queue.mutex`.
        delayed_frees: Field,
        /// `types.mutex`.
        types: Field,
        /// `warnings.mutex`, in 3.13.
        warnings: Option<Field>,
        /// `codecs.search_path_mutex`, free-threaded.
        codecs: Option<Field>,
        /// `func_state.mutex`, free-threaded.
        functions: Option<Field>,
        /// `asyncio_tasks_lock`, from 3.14 on.
        asyncio_tasks: Option<Field>,
        /// `dict_state.watcher_mutex`, from 3.14 on.
        dict_watchers: Option<Field>,
        /// `unique_ids.mutex`, free-threaded, from 3.14 on.
        unique_ids: Option<Field>,
        /// `tlbc_indices.mutex`, of the threads' copies of bytecode, from 3.14 on.
        bytecode_copies: Option<Field>,
        /// `cached_objects.interned_mutex`, free-threaded, from 3.14 on.
        interned_strings: Option<Field>,
    }

    /// Mutexes in `PyInterpreterState` that name their owner (`_PyRecursiveMutex`).
    OwnedMutexes {
        /// `imports.lock`.
        imports: Field,
        /// `warnings.lock`, from 3.14 on.
        warnings: Option<Field>,
    }

    /// `_PyRecursiveMutex`.
    RecursiveMutex {
        /// The ident of the thread that holds it.
        thread: Field,
    }
}

/// The name of the field of a group that is at `offset`.
fn name_at(group: &dyn Group, offset: u64) -> Option<&'static str> {
    let mut found = None;
    group.each(&mut |name, field| {
        if field.is_some_and(|field| u64::from(field.offset) == offset) {
            found = Some(name);
        }
    });
    found
}

impl RuntimeMutexes {
    /// What the mutex at this offset is for.
    pub fn at(&self, offset: u64) -> Option<&'static str> {
        name_at(self, offset)
    }
}

impl InterpreterMutexes {
    /// What the mutex at this offset is for.
    pub fn at(&self, offset: u64) -> Option<&'static str> {
        name_at(self, offset)
    }
}

impl OwnedMutexes {
    /// What the mutex at this offset is for.
    pub fn at(&self, offset: u64) -> Option<&'static str> {
        name_at(self, offset)
    }
}
