//! Freed objects that CPython keeps for the next of their kind: their blocks are in use for the
//! allocator, but no object is in them.

use super::{Part, PartKind};
use crate::addr::Addr;
use crate::heap::pieces::Words;
use crate::python::Python;
use crate::python::layout::{Entry, FreeList, Links};
use serde::Serialize;

/// More entries of one list than any version keeps.
const MOST: u64 = 1 << 16;

/// What is on the lists of freed objects.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct FreeLists {
    /// Whether this version's lists can be found at all: up to 3.9 they are static variables that
    /// nothing tells apart.
    pub known: bool,
    /// One for each kind in each interpreter; those that are empty are left out.
    pub kinds: Vec<FreeKind>,
}

/// Freed objects of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FreeKind {
    /// What they were.
    pub name: &'static str,
    /// The interpreter's id.
    pub interpreter: i64,
    /// How many there are.
    pub count: u64,
    /// Bytes of those whose size is known.
    pub bytes: u64,
    /// What is wrong with the list, in words; the entries before that are counted.
    pub problem: Option<String>,
}

/// Tells the block of every freed object that is kept.
pub fn free_lists<W: Words + ?Sized>(
    python: &Python,
    memory: &W,
    found: &mut dyn FnMut(Part),
) -> FreeLists {
    let lists = python.layout.kinds.free_lists;
    let mut all = FreeLists {
        known: !lists.is_empty(),
        kinds: Vec::new(),
    };
    for interpreter in &python.interpreters {
        for list in lists {
            let mut walk = Walk {
                python,
                memory,
                list,
                kind: FreeKind {
                    name: list.name,
                    interpreter: interpreter.id,
                    count: 0,
                    bytes: 0,
                    problem: None,
                },
            };
            match list.in_thread {
                true => {
                    for thread in &interpreter.threads {
                        walk.state(thread.tstate, found);
                    }
                }
                false => walk.state(interpreter.addr, found),
            }
            if walk.kind.count > 0 || walk.kind.problem.is_some() {
                all.kinds.push(walk.kind);
            }
        }
    }
    all
}

struct Walk<'a, W: ?Sized> {
    python: &'a Python,
    memory: &'a W,
    list: &'a FreeList,
    kind: FreeKind,
}

impl<W: Words + ?Sized> Walk<'_, W> {
    /// The lists in the state of an interpreter or thread.
    fn state(&mut self, state: Addr, found: &mut dyn FnMut(Part)) {
        let (counts, heads) = self.list.strides;
        for index in 0..u64::from(self.list.lists) {
            let head = state.add(u64::from(self.list.head) + index * u64::from(heads));
            let told = match self.list.count {
                Some(count) => {
                    let count = state.add(u64::from(count) + index * u64::from(counts));
                    // Up to 3.13 counts have 32 bits.
                    self.memory.u64(count).map(|count| count & 0xffff_ffff)
                }
                None => self.memory.u64(head).map(|head| u64::from(head != 0)),
            };
            if self.list(head, told, found).is_none() {
                let problem = format!("the list at {head} is damaged");
                self.kind.problem.get_or_insert(problem);
            }
        }
    }

    fn list(&mut self, head: Addr, told: Option<u64>, found: &mut dyn FnMut(Part)) -> Option<()> {
        let told = told.filter(|told| *told <= MOST)?;
        if told == 0 {
            return Some(());
        }
        let mut next = head;
        for index in 0..told {
            let entry = match self.list.links {
                Links::Array => Addr(self.memory.u64(head.add(index * 8))?),
                Links::Word(_) => Addr(self.memory.u64(next)?),
            };
            self.entry(entry, found)?;
            if let Links::Word(at) = self.list.links {
                next = entry.add(at.into());
            }
        }
        // The last one of a chain leads nowhere.
        let ends = match self.list.links {
            Links::Word(_) => self.memory.u64(next)? == 0,
            Links::Array => true,
        };
        ends.then_some(())
    }

    fn entry(&mut self, entry: Addr, found: &mut dyn FnMut(Part)) -> Option<()> {
        if entry.0 < 1 << 12 || !entry.0.is_multiple_of(8) {
            return None;
        }
        let (start, len) = match self.list.entry {
            Entry::Bytes(bytes) => (entry, Some(u64::from(bytes))),
            Entry::Unknown => (entry, None),
            Entry::Object => {
                let objects = &self.python.objects;
                let ty = objects.type_of(entry).ok()?;
                let whole = objects.plain_bytes(entry).ok()?;
                (entry.sub(objects.bytes_before(&ty)), Some(whole))
            }
        };
        self.kind.count += 1;
        self.kind.bytes = self.kind.bytes.saturating_add(len.unwrap_or(0));
        found(Part {
            start,
            len,
            kind: PartKind::Table,
        });
        Some(())
    }
}
