//! Walking one list of the collector: a ring of `PyGC_Head`s, which lie in front of the objects
//! (Include/internal/pycore_gc.h, 3.8+: `_gc_next` and `_gc_prev` with flags in the low two bits;
//! before, `gc.gc_next` and `gc.gc_prev`).
//!
//! The ring is walked from both of its ends at a time. That halves the wait for memory, and what
//! one damaged link hides from one end is seen from the other. A step is taken only where the
//! link back agrees, so that no node is met twice and nothing needs to be remembered: of a node
//! whose links agree there is only one before it and one behind it.

use crate::addr::Addr;
use crate::diag::Cancel;
use crate::heap::pieces::Words;

/// The flags in the low bits of a link.
const FLAGS: u64 = 3;

/// Set in a node's link back while the rest of that word is a count of references and no link: the
/// collection is looking at the object (3.8+).
const COUNTING: u64 = 2;

/// No object has more references than this; a pointer is larger.
const MOST_REFERENCES: u64 = 1 << 32;

/// So many damaged links are stepped over; each must be told from all others.
const MOST_REPAIRS: usize = 256;

/// Steps between two looks at whether the user wants to stop.
const STEPS: u64 = 4096;

/// What a walk came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// How many objects were met.
    pub(super) objects: u64,
    /// What is wrong with the list, in words.
    pub(super) problem: Option<String>,
}

/// A list to walk.
pub(super) struct List<'a, W: ?Sized> {
    pub(super) memory: &'a W,
    /// The list's own node, which belongs to no object.
    pub(super) head: Addr,
    /// From a node to its object.
    pub(super) to_object: u64,
    /// Whether links back may be counts, because a collection may be in progress.
    pub(super) counting: bool,
    /// More nodes than memory has room for.
    pub(super) most: u64,
    /// Whether an object may be at an address, where its links do not tell.
    pub(super) plausible: Box<dyn Fn(Addr) -> bool + 'a>,
}

/// One end of the walk.
struct End {
    /// The last node that was met.
    at: Addr,
    /// Whether it goes on.
    open: bool,
}

/// Where damaged links were stepped over: the ends of runs of nodes whose links agree. A run that
/// was entered or left by one of its ends has been met and must not be entered again.
#[derive(Default)]
struct Repairs {
    firsts: Vec<Addr>,
    lasts: Vec<Addr>,
}

impl<W: Words + ?Sized> List<'_, W> {
    fn next(&self, node: Addr) -> Option<Addr> {
        self.memory.u64(node).map(|word| Addr(word & !FLAGS))
    }

    fn back(&self, node: Addr) -> Option<Addr> {
        self.memory.u64(node.add(8)).map(|word| Addr(word & !FLAGS))
    }

    /// Whether the two nodes refer to each other.
    fn linked(&self, node: Addr, next: Addr) -> bool {
        self.next(node) == Some(next) && self.back(next) == Some(node)
    }

    /// Meets every object of the list.
    pub(super) fn walk(&self, cancel: &Cancel, found: &mut dyn FnMut(Addr)) -> Outcome {
        let mut objects = 0;
        let mut meet = |node: Addr| {
            objects += 1;
            found(node.add(self.to_object));
        };
        let mut front = End::at(self.head);
        let mut last = End::at(self.head);
        let mut repairs = Repairs::default();
        let mut steps: u64 = 0;
        while front.open || last.open {
            steps += 1;
            if steps.is_multiple_of(STEPS) && (cancel.is_cancelled() || steps > self.most) {
                let problem = Some("stopped before its end".to_owned());
                return Outcome { objects, problem };
            }
            if front.open {
                match self.next(front.at) {
                    Some(next) if next == last.at => {
                        front.open = false;
                        last.open &= self.back(last.at) != Some(front.at);
                    }
                    Some(next) if self.back(next) == Some(front.at) => {
                        meet(next);
                        front.at = next;
                    }
                    Some(next) if self.is_counted(next) => {
                        return self.walk_counted(front.at, last.at, objects, cancel, found);
                    }
                    Some(next) if self.enter_first(&front, next, &mut repairs) => {
                        meet(next);
                        front.at = next;
                    }
                    _ => front.open = false,
                }
            }
            if last.open {
                match self.back(last.at) {
                    Some(back) if back == front.at => {
                        last.open = false;
                        front.open &= self.next(front.at) != Some(last.at);
                    }
                    Some(back) if self.next(back) == Some(last.at) => {
                        meet(back);
                        last.at = back;
                    }
                    Some(back) if self.enter_last(&last, back, &mut repairs) => {
                        meet(back);
                        last.at = back;
                    }
                    _ => last.open = false,
                }
            }
        }
        let mut damaged = repairs.firsts;
        let (next, back) = (self.next(front.at), self.back(last.at));
        let agree = (next == Some(last.at), back == Some(front.at));
        let mut whole = agree == (true, true);
        if !whole && (front.at, last.at) != (self.head, self.head) {
            // One link may be damaged where the two ends meet, or both of one object.
            let between =
                next.filter(|node| agree == (false, false) && next == back && self.is_alone(*node));
            if let Some(node) = between {
                objects += 1;
                found(node.add(self.to_object));
            }
            whole = agree != (false, false) || between.is_some();
            damaged.push(between.unwrap_or(front.at));
        }
        Outcome {
            objects,
            problem: self.problem(objects, whole, &damaged, front.at, last.at),
        }
    }

    /// Whether an object is at a node that no other one agrees with.
    fn is_alone(&self, node: Addr) -> bool {
        let next = self.next(node).filter(|next| self.linked(node, *next));
        let back = self.back(node).filter(|back| self.linked(*back, node));
        let plausible = || (self.plausible)(node.add(self.to_object));
        node != self.head && next.is_none() && back.is_none() && plausible()
    }

    /// Says what is wrong with the list.
    fn problem(
        &self,
        objects: u64,
        whole: bool,
        damaged: &[Addr],
        front: Addr,
        last: Addr,
    ) -> Option<String> {
        let place = |node: Addr| match node == self.head {
            true => format!("its head at {node}"),
            false => format!("the object at {}", node.add(self.to_object)),
        };
        match (whole, damaged) {
            (true, []) => None,
            (true, damaged) => Some(format!(
                "{} of its links are damaged, the first at {}; all {objects} objects were found \
                 by the others",
                damaged.len(),
                damaged.first().copied().unwrap_or_default()
            )),
            (false, _) => Some(format!(
                "the chain is broken behind {} and before {}; {objects} objects were found from \
                 its two ends, those between are missing",
                place(front),
                place(last),
            )),
        }
    }

    /// Whether the walk may go on from `front` to a node that does not refer back: only that link
    /// is damaged, for the node behind it does, and no other node leads there.
    fn enter_first(&self, front: &End, node: Addr, repairs: &mut Repairs) -> bool {
        let before = self.back(node).filter(|before| self.linked(*before, node));
        let behind = self
            .next(node)
            .filter(|next| self.back(*next) == Some(node));
        let fits = before.is_none() && behind.is_some() && node != self.head;
        fits && repairs.enter(node, front.at)
    }

    /// The same from the other end.
    fn enter_last(&self, last: &End, node: Addr, repairs: &mut Repairs) -> bool {
        let behind = self.next(node).filter(|next| self.linked(node, *next));
        let before = self.back(node).filter(|at| self.next(*at) == Some(node));
        let fits = behind.is_none() && before.is_some() && node != self.head;
        fits && repairs.enter(last.at, node)
    }

    /// Whether a collection counts the references to the object of this node, where the link back
    /// would be.
    fn is_counted(&self, node: Addr) -> bool {
        let count = |word: u64| word & COUNTING != 0 && word >> 2 < MOST_REFERENCES;
        self.counting && self.memory.u64(node.add(8)).is_some_and(count)
    }

    /// Goes on in one direction, as far as links back are counts or agree. Here only a cycle can
    /// make it endless: Brent's algorithm finds that.
    fn walk_counted(
        &self,
        from: Addr,
        last: Addr,
        mut objects: u64,
        cancel: &Cancel,
        found: &mut dyn FnMut(Addr),
    ) -> Outcome {
        let (mut at, mut seen) = (from, from);
        let (mut steps, mut power) = (0_u64, 1_u64);
        let problem = loop {
            let next = match self.next(at) {
                Some(next) if next == last || next == self.head => break None,
                Some(next) if self.back(next) == Some(at) || self.is_counted(next) => next,
                _ => {
                    let object = at.add(self.to_object);
                    break Some(format!(
                        "it was being collected, and the chain is broken behind {object}; \
                         {objects} objects were found"
                    ));
                }
            };
            if next == seen {
                break Some(format!(
                    "it was being collected, and the chain comes back to {next}; some of its \
                     objects are counted twice"
                ));
            }
            steps += 1;
            if steps == power {
                (seen, steps, power) = (next, 0, power.saturating_mul(2));
            }
            if objects.is_multiple_of(STEPS) && (cancel.is_cancelled() || objects > self.most) {
                break Some("stopped before its end".to_owned());
            }
            objects += 1;
            found(next.add(self.to_object));
            at = next;
        };
        Outcome { objects, problem }
    }

    /// Whether the head belongs to a ring, as far as its neighbours tell.
    pub(super) fn is_sound(&self) -> bool {
        let first = self.next(self.head);
        let last = self.back(self.head);
        let ends = [first, last].map(|end| end.is_some_and(|end| !end.is_null()));
        let forth = first.is_some_and(|first| self.back(first) == Some(self.head));
        let back = last.is_some_and(|last| self.next(last) == Some(self.head));
        ends == [true, true] && back && (forth || self.counting)
    }
}

impl End {
    fn at(node: Addr) -> End {
        End {
            at: node,
            open: true,
        }
    }
}

impl Repairs {
    /// Notes that the walk passes between `last`, the last node of a run, and `first`, the first
    /// one of another; not if one of them was passed before.
    fn enter(&mut self, first: Addr, last: Addr) -> bool {
        let new = !self.firsts.contains(&first) && !self.lasts.contains(&last);
        let fits = new && self.firsts.len() < MOST_REPAIRS;
        if fits {
            self.firsts.push(first);
            self.lasts.push(last);
        }
        fits
    }
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
