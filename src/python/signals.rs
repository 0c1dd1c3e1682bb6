//! The functions that a program has set to run on signals (Modules/signalmodule.c `Handlers`, from
//! 3.12 on a part of `_PyRuntime`). They run in the main thread, also while it waits for a lock.
//! The table has the same form in every version, and most of its entries are the same object, by
//! which it is found without symbols.

use super::Python;
use super::names;
use super::scan::Regions;
use crate::addr::Addr;
use crate::bytes;
use rustc_hash::FxHashSet;

/// `NSIG` of Linux: signals 1 to 64, and an entry that is not used.
const ENTRIES: usize = 65;

/// `struct { int tripped; PyObject *func; }`.
const ENTRY: usize = 16;

/// Two of the real-time signals, which hardly any program uses.
const SAMPLES: [usize; 2] = [45, 50];

/// Bytes that are searched in one piece, and the most of one region.
const PIECE: u64 = 1 << 20;
const MOST_SEARCHED: u64 = 64 << 20;

/// What runs on signals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Handlers {
    /// These objects; those that Python sets itself are left out.
    Known(Vec<Addr>),
    /// The table was not found.
    Unknown,
}

impl Python {
    /// The functions that the program has set to run on signals.
    pub fn signal_handlers(&self) -> Handlers {
        let regions = Regions::of(&self.process.target);
        let memory = &*self.process.target.memory;
        for (start, end) in &regions.python {
            let end = (*end).min(start.add(MOST_SEARCHED));
            let mut at = *start;
            while let Some(left) = end.since(at).filter(|left| *left > 0) {
                let length = left.min(PIECE + (ENTRIES * ENTRY) as u64);
                if let Ok(piece) = memory.bytes(at, length as usize)
                    && let Some(handlers) = self.find_handlers(&piece)
                {
                    return Handlers::Known(handlers);
                }
                at = at.add(left.min(PIECE));
            }
        }
        Handlers::Unknown
    }

    fn find_handlers(&self, piece: &[u8]) -> Option<Vec<Addr>> {
        let last = piece.len().checked_sub(ENTRIES * ENTRY)?;
        (0..=last)
            .step_by(8)
            .find_map(|start| self.table(piece, start))
    }

    /// The handlers in the table that begins at `start`, if it is one.
    fn table(&self, piece: &[u8], start: usize) -> Option<Vec<Addr>> {
        let function = |entry: usize| bytes::u64_at(piece, start + entry * ENTRY + 8);
        let common = function(SAMPLES[0]).filter(|word| *word != 0)?;
        if function(SAMPLES[1]) != Some(common) || function(0) != Some(0) {
            return None;
        }
        let mut different = FxHashSet::default();
        for entry in 1..ENTRIES {
            let tripped = bytes::u32_at(piece, start + entry * ENTRY)?;
            different.insert(function(entry).filter(|word| *word != 0 && tripped <= 1)?);
        }
        // What every signal does that nothing was set for is 0 (`SIG_DFL`).
        let is_default = self.objects.int(Addr(common)) == Ok(0);
        let own = self.own_handler();
        let mut handlers = Vec::new();
        for word in different {
            let handler = Addr(word);
            let ty = self.objects.type_of(handler).ok()?;
            let number = matches!(self.objects.int(handler), Ok(0 | 1));
            let none = !ty.is_heap() && *self.objects.full_name(&ty) == *"NoneType";
            if !number && !none && Some(handler) != own {
                handlers.push(handler);
            }
        }
        is_default.then_some(handlers)
    }

    /// `signal.default_int_handler`, which Python sets itself.
    fn own_handler(&self) -> Option<Addr> {
        let interpreter = *self.objects.interpreter.get()?;
        ["_signal", "signal"].iter().find_map(|module| {
            let namespace = names::module(&self.objects, interpreter, module).ok()??;
            let name = "default_int_handler";
            self.objects.dict_get(namespace, name).ok()?
        })
    }
}
