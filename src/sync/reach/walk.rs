//! One walk from object to object in search of some of them, within the bounds of the whole search.

use super::{Search, Special};
use crate::addr::Addr;
use crate::python::object::Completeness;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Attributes of a `threading.Thread` that only the thread itself uses, as it begins.
const ITS_OWN: &[&str] = &["target", "args", "kwargs"];

/// The longest name of such an attribute, in characters.
const LONGEST_NAME: u64 = 32;

/// Why a search did not look at everything.
pub(super) enum Cut {
    Limit,
    Hidden(Arc<str>),
    Unreadable,
}

/// One walk, breadth first: what is looked for is mostly near.
pub(super) struct Walk {
    queue: VecDeque<Addr>,
    /// What it came to.
    pub(super) seen: FxHashSet<Addr>,
    /// Why it is not all.
    pub(super) cut: Option<Cut>,
}

impl Walk {
    pub(super) fn new(roots: Vec<Addr>) -> Walk {
        Walk {
            seen: roots.iter().copied().collect(),
            queue: roots.into(),
            cut: None,
        }
    }

    /// Which of the wanted there are; ends as soon as that is all.
    pub(super) fn run(
        &mut self,
        search: &mut Search<'_, '_>,
        wanted: &FxHashSet<usize>,
    ) -> FxHashSet<usize> {
        let mut found = FxHashSet::default();
        while let Some(addr) = self.queue.pop_front() {
            if search.barren.contains(&addr) {
                continue;
            }
            if let Some(at) = search.targets.get(&addr).filter(|at| wanted.contains(at)) {
                found.insert(*at);
                if found.len() == wanted.len() {
                    self.cut = None;
                    break;
                }
            }
            if search.budget == 0 {
                self.cut = Some(Cut::Limit);
                break;
            }
            search.budget -= 1;
            search.seen_in_all += 1;
            if let Some(cut) = self.look_at(search, addr) {
                self.cut.get_or_insert(cut);
            }
        }
        found
    }

    /// Puts what an object leads to into the queue, and says when that may not be all.
    fn look_at(&mut self, search: &mut Search<'_, '_>, addr: Addr) -> Option<Cut> {
        let objects = &search.view.python.objects;
        let Ok(ty) = objects.type_of(addr) else {
            return Some(Cut::Unreadable);
        };
        let special = search.special(&ty);
        if special == Special::Leaf || (special == Special::Frame && search.runs(addr)) {
            return None;
        }
        let mut left = search.budget;
        let mut take = |referent: Addr| {
            if self.seen.insert(referent) {
                self.queue.push_back(referent);
            }
            left = left.saturating_sub(1);
            match left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        };
        if special == Special::Thread {
            let attributes = objects.instance_attributes(addr).unwrap_or_default();
            for (name, value) in attributes {
                let name = objects.text(name, LONGEST_NAME);
                let name = name.as_ref().map_or("", |name| &name.value);
                // In 2.7 the class mangles them.
                let own = name.strip_prefix("_Thread__").or(name.strip_prefix('_'));
                if !own.is_some_and(|own| ITS_OWN.contains(&own)) && take(value).is_break() {
                    return Some(Cut::Limit);
                }
            }
            return None;
        }
        let complete = objects.leads_to(addr, &mut take);
        match (complete, left) {
            (_, 0) => Some(Cut::Limit),
            (Err(_), _) => Some(Cut::Unreadable),
            (Ok(Completeness::MayHide), _) => Some(Cut::Hidden(objects.full_name(&ty))),
            (Ok(Completeness::Whole), _) => None,
        }
    }
}
