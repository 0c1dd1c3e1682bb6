//! What objects of one type, a thread, or a module keep alive together: what several of them would
//! free is counted once.

use super::graph::{NodeSet, Parent, Stopped, Watch, reachable, reachable_without};
use super::owners::Owner;
use super::roots::Group;
use super::{Heap, Named};
use crate::addr::Addr;
use serde::Serialize;
use std::cmp::Reverse;
use std::sync::Arc;

/// What the instances of a type keep alive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TypeKept {
    /// The full name of the class.
    pub name: Arc<str>,
    /// Its address.
    pub address: Addr,
    /// Its instances, without those of subclasses.
    pub count: u64,
    /// Their own bytes.
    pub own: u64,
    /// What dies with one of them, in bytes; what dies with another that dies itself with the first
    /// is counted once.
    pub retained: u64,
}

/// All types by what their instances keep alive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TypesKept {
    /// Objects in all.
    pub objects: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Those whose instances keep most alive first.
    pub types: Vec<TypeKept>,
    /// How many types are left out.
    pub left_out: usize,
}

/// What some objects keep alive together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Kept {
    /// What these objects are, in words.
    pub words: String,
    /// Bytes of the heap.
    pub all: u64,
    /// How many objects these are; nothing for a thread, which is none.
    pub count: u64,
    /// Their own bytes.
    pub own: u64,
    /// How many objects die with them, themselves among these.
    pub objects: u64,
    /// The bytes of these.
    pub retained: u64,
    /// The largest owners among them.
    pub owners: Vec<Owner>,
    /// How many owners are left out.
    pub left_out: usize,
    /// What these retain, in bytes.
    pub left_out_retained: u64,
}

impl Heap {
    /// All types by what their instances keep alive.
    pub fn kept_by_types(&self, most: usize) -> TypesKept {
        let row = |number: usize| {
            let kind = self.kinds().get(number)?;
            let ty = &kind.keeping.ty;
            Some(TypeKept {
                name: self.python.objects.full_name(ty),
                address: ty.addr,
                count: 0,
                own: 0,
                retained: 0,
            })
        };
        let mut types: Vec<TypeKept> = (0..self.kinds().len()).filter_map(row).collect();
        // How many instances of each type the walk is within.
        let mut within = vec![0_u32; types.len()];
        self.walk(|id, enters| {
            let number = self.kind_number(id) as usize;
            let (Some(row), Some(within)) = (types.get_mut(number), within.get_mut(number)) else {
                return;
            };
            if !enters {
                *within = within.saturating_sub(1);
                return;
            }
            row.count += 1;
            row.own = row.own.saturating_add(self.size(id));
            if *within == 0 {
                row.retained = row.retained.saturating_add(self.retained.of(id));
            }
            *within += 1;
        });
        types.retain(|row| row.count > 0);
        types.sort_by(|a, b| (Reverse(a.retained), &a.name).cmp(&(Reverse(b.retained), &b.name)));
        let left_out = types.len().saturating_sub(most);
        types.truncate(most);
        TypesKept {
            objects: self.count().into(),
            bytes: self.bytes(),
            types,
            left_out,
        }
    }

    /// What the instances of some types keep alive; `words` say which types.
    pub fn kept_by_instances(&self, types: &Named, words: &str, most: usize) -> Kept {
        let all = self.instances(types);
        let belong = NodeSet::of(self.count(), all.iter().copied());
        let (mut own, mut retained, mut weight) = (0_u64, 0_u64, 0);
        let mut within = 0_u32;
        self.walk(|id, enters| {
            let belongs = belong.contains(id);
            if enters && (belongs || within > 0) {
                weight += 1;
            }
            if !belongs {
                return;
            }
            if !enters {
                within = within.saturating_sub(1);
                return;
            }
            own = own.saturating_add(self.size(id));
            if within == 0 {
                retained = retained.saturating_add(self.retained.of(id));
            }
            within += 1;
        });
        let (owners, left_out, left_out_retained) = self.largest_of(&all, most);
        Kept {
            words: format!("the instances of {words}"),
            all: self.bytes(),
            count: all.len() as u64,
            own,
            objects: weight,
            retained,
            owners,
            left_out,
            left_out_retained,
        }
    }

    /// What only the thread with a number keeps alive; `None` where it is no Python thread.
    pub fn kept_by_thread(&self, number: usize, most: usize) -> Result<Option<Kept>, Stopped> {
        let python = &self.python;
        let process = &python.process;
        let threads = (0..).zip(python.threads());
        let own = threads.filter(|(_, thread)| {
            let id = thread.tid.and_then(|tid| process.id_of(tid));
            id == Some(number)
        });
        let mut groups: Vec<Group> = own.map(|(thread, _)| Group::Thread { thread }).collect();
        let Some(&state) = groups.first() else {
            return Ok(None);
        };
        let native = (0..).zip(process.threads());
        let native = native.filter(|(_, thread)| thread.id == number);
        groups.extend(native.map(|(thread, _)| Group::Stack { thread }));
        let watch = Watch::quiet(&process.cancel);
        let others = self.leading(|kind| !groups.contains(&kind), &watch)?;
        let met = reachable(self.references(), others, &watch)?;
        let words = self.roots.group_words(python, state);
        Ok(Some(self.kept(words, &met, &[], most)))
    }

    /// What the module with a name and its namespace keep alive; `None` where there is none.
    pub fn kept_by_module(&self, name: &str, most: usize) -> Result<Option<Kept>, Stopped> {
        let Some(module) = self.module_root(name) else {
            return Ok(None);
        };
        let ids = [self.id(module.object), self.namespace_of(module.object)];
        let ids: Vec<u32> = ids.into_iter().flatten().collect();
        let watch = Watch::quiet(&self.python.process.cancel);
        let starts = self.leading(|_| true, &watch)?;
        let without = NodeSet::of(self.count(), ids.iter().copied());
        let met = reachable_without(self.references(), starts, &without, &watch)?;
        Ok(Some(self.kept(format!("module {name}"), &met, &ids, most)))
    }

    /// The objects that roots of these groups hold: what looks like a reference counts where nothing
    /// else holds the object.
    fn leading(
        &self,
        counts: impl Fn(Group) -> bool,
        watch: &Watch<'_>,
    ) -> Result<Vec<u32>, Stopped> {
        let certain = self.held().filter(|(_, root)| root.certain);
        let reached = reachable(self.references(), certain.map(|(id, _)| id), watch)?;
        let leading = self.held().filter(|(id, root)| {
            let leads = root.certain || !reached.contains(*id);
            leads && counts(Group::of(root.kind))
        });
        Ok(leading.map(|(id, _)| id).collect())
    }

    /// What is reached from all roots, but is not in `met`.
    fn kept(&self, words: String, met: &NodeSet, ids: &[u32], most: usize) -> Kept {
        let is_kept = |id: u32| !met.contains(id) && self.reachable().contains(id);
        let (mut objects, mut retained, mut tops) = (0, 0_u64, Vec::new());
        for id in (0..self.count()).filter(|id| is_kept(*id)) {
            objects += 1;
            retained = retained.saturating_add(self.size(id));
            let below = match self.dominators.parent(id) {
                Parent::Node(above) => is_kept(above),
                Parent::Root | Parent::Unreachable => false,
            };
            if !below {
                tops.push(id);
            }
        }
        let (owners, left_out, left_out_retained) = self.largest_of(&tops, most);
        let own = ids.iter().map(|id| self.size(*id));
        Kept {
            words,
            all: self.bytes(),
            count: ids.len() as u64,
            own: own.fold(0, u64::saturating_add),
            objects,
            retained,
            owners,
            left_out,
            left_out_retained,
        }
    }

    /// The bytes of all objects.
    fn bytes(&self) -> u64 {
        let reachable = self.retained.reachable();
        reachable.saturating_add(self.retained.unreachable())
    }

    /// Goes through the trees of owners: to each object, and again when all below it is done.
    fn walk(&self, mut step: impl FnMut(u32, bool)) {
        let children = self.children();
        let tops = [Parent::Root, Parent::Unreachable];
        for top in tops.map(|top| children.of(top)) {
            // Each object that is open, and whether what is below it was opened.
            let mut open: Vec<(u32, bool)> = top.iter().map(|id| (*id, false)).collect();
            while let Some((id, opened)) = open.pop() {
                step(id, !opened);
                if !opened {
                    open.push((id, true));
                    let below = children.of(Parent::Node(id)).iter();
                    open.extend(below.map(|id| (*id, false)));
                }
            }
        }
    }
}
