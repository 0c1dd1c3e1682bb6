//! Where the lists of the collector begin: `generations` and `permanent_generation` of the
//! collector's state, which is static (2.7, 3.6), in `_PyRuntime` (3.7, 3.8) or in each
//! interpreter (3.9+). That the table is right is seen from the rings that the heads belong to.

use super::lists::List;
use super::{list, most_nodes};
use crate::addr::Addr;
use crate::bytes;
use crate::heap::pieces::Words;
use crate::python::layout::Gc;
use crate::python::{Interpreter, Python};
use std::borrow::Cow;

/// The heads of the lists that belong together.
pub(super) struct Heads {
    /// The interpreter's id.
    pub(super) interpreter: i64,
    /// Names of the lists, and their heads.
    pub(super) all: Vec<(Cow<'static, str>, Addr)>,
    /// Whether a collection may be in progress.
    pub(super) counting: bool,
    /// What is wrong with where they are, in words.
    pub(super) problem: Option<String>,
}

/// What the three lists are called from the youngest on.
const NAMES: [&str; 3] = ["generation 0", "generation 1", "generation 2"];

/// The same where the collector works in increments (3.14.0 to 3.14.4): two spaces take turns.
const INCREMENTAL_NAMES: [&str; 3] = ["young", "old, space 0", "old, space 1"];

/// What `gc.freeze()` has put aside.
pub(in crate::heap) const PERMANENT: &str = "permanent";

/// The heads of all lists of all interpreters.
pub(super) fn of<W: Words + ?Sized>(python: &Python, memory: &W) -> Vec<Heads> {
    let fields = &python.layout.fields;
    let finder = Finder {
        python,
        memory,
        stride: fields.generation.size.offset.into(),
        most: most_nodes(python),
    };
    match (fields.gc, fields.interpreter.gc) {
        (Some(gc), Some(own)) => {
            let heads = |interpreter: &Interpreter| {
                finder.in_state(&gc, own.of(interpreter.addr), interpreter)
            };
            python.interpreters.iter().map(heads).collect()
        }
        (gc, _) => {
            // One list for all: it goes by the main interpreter's name.
            let main = python.interpreters.iter().find(|known| known.id == 0);
            let shared = fields.runtime.and_then(|runtime| runtime.gc);
            let state = shared.and_then(|field| Some(field.of(python.runtime.addr?)));
            main.map(|main| match (gc, state) {
                (Some(gc), Some(state)) => finder.in_state(&gc, state, main),
                (gc, _) => finder.without_state(gc.as_ref(), main),
            })
            .into_iter()
            .collect()
        }
    }
}

struct Finder<'a, W: ?Sized> {
    python: &'a Python,
    memory: &'a W,
    /// From one head to the next.
    stride: u64,
    most: u64,
}

impl<W: Words + ?Sized> Finder<'_, W> {
    fn list(&self, head: Addr, counting: bool) -> List<'_, W> {
        list(self.python, self.memory, head, counting, self.most)
    }

    /// The three heads from `first` on.
    fn three(&self, first: Addr) -> [Addr; 3] {
        [0, 1, 2].map(|index| first.add(index * self.stride))
    }

    /// How many of the three heads from `first` on belong to rings.
    fn sound(&self, first: Addr, counting: bool) -> usize {
        let heads = self.three(first).into_iter();
        heads
            .filter(|head| self.list(*head, counting).is_sound())
            .count()
    }

    /// The lists of the collector's state at `state`.
    fn in_state(&self, gc: &Gc, state: Addr, interpreter: &Interpreter) -> Heads {
        let counting = interpreter.collecting != Some(false);
        let table = gc.generations.of(state);
        let size = u64::from(gc.size.offset);
        let stated = gc
            .generation0
            .filter(|field| u64::from(field.offset) < size)
            .and_then(|field| self.memory.u64(field.of(state)))
            .map(Addr)
            .filter(|first| first.since(state).is_some_and(|offset| offset < size));
        // A patch release may have moved them by a word of four bytes; but what is next to the
        // three heads may look like one too, so that is for the case that nothing else fits.
        let others = (0..size / 4).map(|word| state.add(word * 4));
        let elsewhere = || others.into_iter().find(|at| self.sound(*at, counting) == 3);
        let places = [Some(table), stated].into_iter().flatten();
        let best = places
            .map(|first| (self.sound(first, counting), first))
            .reduce(|best, next| if next.0 > best.0 { next } else { best });
        let first = match best {
            Some((1.., first)) => first,
            _ => elsewhere().or(stated).unwrap_or(table),
        };
        let sound = self.sound(first, counting);
        let problem = (sound == 0).then(|| format!("no head of a list seems to be at {first}"));
        let incremental = gc
            .generation0
            .is_some_and(|field| u64::from(field.offset) >= size);
        let names = match incremental {
            true => INCREMENTAL_NAMES,
            false => NAMES,
        };
        let mut all: Vec<_> = names.into_iter().zip(self.three(first)).collect();
        all.push((PERMANENT, gc.permanent.of(state)));
        self.heads(interpreter, all, problem)
    }

    fn heads(
        &self,
        interpreter: &Interpreter,
        all: Vec<(&'static str, Addr)>,
        problem: Option<String>,
    ) -> Heads {
        let named = all.into_iter().map(|(name, head)| (name.into(), head));
        Heads {
            interpreter: interpreter.id,
            all: named.collect(),
            counting: interpreter.collecting != Some(false),
            problem,
        }
    }

    /// The lists where it is not known where the collector's state is: by the pointer to them that
    /// 2.7 and 3.6 export, else by the three rings that lie next to each other.
    fn without_state(&self, gc: Option<&Gc>, main: &Interpreter) -> Heads {
        let exported = self.python.process.images.exported("_PyGC_generation0");
        let stated = exported
            .and_then(|(_, at, _)| self.memory.u64(at))
            .map(Addr);
        let stated = stated.filter(|first| self.sound(*first, true) > 0);
        let Some(first) = stated.or_else(|| self.search()) else {
            let problem = "no lists of the collector were found".to_owned();
            return self.heads(main, Vec::new(), Some(problem));
        };
        let mut all: Vec<_> = NAMES.into_iter().zip(self.three(first)).collect();
        if let Some(gc) = gc {
            let state = first.sub(gc.generations.offset.into());
            all.push((PERMANENT, gc.permanent.of(state)));
        }
        self.heads(main, all, None)
    }

    /// Looks for three heads next to each other in what files and the memory behind them hold
    /// that may be written.
    fn search(&self) -> Option<Addr> {
        /// Static variables of a program are smaller.
        const LARGEST: u64 = 64 << 20;
        let target = &self.python.process.target;
        let mut file_before = false;
        for mapping in &target.mappings {
            let is_data = mapping.write && mapping.len() <= LARGEST;
            let of_file = mapping.file().is_some();
            let candidate = is_data && (of_file || mapping.path.is_none() && file_before);
            file_before = of_file;
            if !candidate {
                continue;
            }
            let Ok(raw) = target.memory.bytes(mapping.start, mapping.len() as usize) else {
                continue;
            };
            let word = |at: u64| bytes::u64_at(&raw, usize::try_from(at).ok()?);
            for at in (0..mapping.len()).step_by(8) {
                // The oldest generation is never empty, and the others are as often as not.
                let head = mapping.start.add(at);
                let oldest = at.wrapping_add(2 * self.stride);
                let pointers = [word(at), word(at.wrapping_add(8)), word(oldest)];
                let likely = pointers
                    .iter()
                    .all(|word| word.is_some_and(|word| word.is_multiple_of(8) && word != 0));
                let own = Some(head.0 + 2 * self.stride);
                if likely
                    && word(oldest) != own
                    && self.sound(head, false) == 3
                    && self.is_oldest(head)
                {
                    return Some(head);
                }
            }
        }
        None
    }

    /// Whether the third list from `first` on begins with an object.
    fn is_oldest(&self, first: Addr) -> bool {
        let [.., oldest] = self.three(first);
        let list = self.list(oldest, false);
        let object = self
            .memory
            .u64(oldest)
            .map(|node| Addr(node).add(list.to_object));
        object.is_some_and(|object| (list.plausible)(object))
    }
}
