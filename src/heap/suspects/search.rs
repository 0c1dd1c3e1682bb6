//! Where much has gathered: goes down the dominator tree as long as one owner has enough, and puts
//! what hangs at places that many share into groups by class.

use super::chain::Chain;
use super::container::{Form, attributes_of, common};
use super::{Accused, BIG_DROP, Container, Gathered, MOST_KINDS, Suspect};
use crate::heap::graph::Parent;
use crate::heap::partition::{By, Grouping};
use crate::heap::roots::RootKind;
use crate::heap::{Heap, PathError};
use crate::python::object::flags;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;
use std::sync::OnceLock;

/// Finds suspects.
pub(super) struct Search<'h> {
    heap: &'h Heap,
    /// What a suspect has at least, in bytes.
    least: u64,
    /// Modules, their namespaces, and tables of CPython.
    places: FxHashSet<u32>,
    kinds: OnceLock<Grouping<'h>>,
}

/// A suspect before it is told.
pub(super) struct Found {
    /// Where objects have gathered.
    at: At,
    /// The objects that have.
    ids: Vec<u32>,
    /// The bytes that have.
    gathered: u64,
}

#[derive(Clone, Copy)]
enum At {
    /// In an object, which alone keeps them alive.
    Owner(u32),
    /// In an object, but others hold them, too.
    Holder(u32),
    /// In no single object, but in a chain of them: the first, and how many there are.
    Chain(u32, u64),
    /// In no object that is known.
    Nowhere,
}

impl<'h> Search<'h> {
    pub(super) fn new(heap: &'h Heap, least: u64) -> Search<'h> {
        let modules = heap.held().filter(|(_, root)| match root.kind {
            RootKind::Module { .. } => true,
            RootKind::Interpreter { .. } | RootKind::Runtime { .. } => {
                let ty = heap.python.objects.type_of(root.object);
                ty.is_ok_and(|ty| ty.is_dict())
            }
            _ => false,
        });
        let mut places: FxHashSet<u32> = modules.map(|(id, _)| id).collect();
        places.extend(heap.namespaces().into_keys());
        Search {
            heap,
            least,
            places,
            kinds: OnceLock::new(),
        }
    }

    /// Those that gathered most first.
    pub(super) fn find(&self) -> Vec<Found> {
        let heap = self.heap;
        let (mut found, mut shared) = (Vec::new(), Vec::new());
        let mut open = self.split(heap.children().of(Parent::Root), &mut shared).0;
        while let Some(id) = open.pop() {
            let mut small = Vec::new();
            let (large, in_large) = self.split(heap.children().of(Parent::Node(id)), &mut small);
            open.extend(large);
            if self.is_place(id) {
                shared.append(&mut small);
                continue;
            }
            let gathered = heap.retained.of(id).saturating_sub(in_large);
            if gathered < self.least {
                continue;
            }
            if let Some(chain) = Chain::to(heap, id) {
                found.push(Found {
                    at: At::Chain(chain.first, chain.length),
                    ids: Vec::new(),
                    gathered: heap.retained.of(chain.first),
                });
            } else {
                let mut own = Found {
                    at: At::Owner(id),
                    ids: small,
                    gathered,
                };
                self.look_within(&mut own, id);
                found.push(own);
            }
        }
        self.groups(&shared, &mut found);
        found.sort_by_key(|found| (Reverse(found.gathered), found.ids.first().copied()));
        found
    }

    /// Which of these have enough, and what they have together; the others are added to `small`.
    fn split(&self, ids: &[u32], small: &mut Vec<u32>) -> (Vec<u32>, u64) {
        let (mut large, mut sum) = (Vec::new(), 0_u64);
        for id in ids {
            let retained = self.heap.retained.of(*id);
            match retained >= self.least {
                true => {
                    large.push(*id);
                    sum = sum.saturating_add(retained);
                }
                false => small.push(*id),
            }
        }
        (large, sum)
    }

    /// Whether a healthy program keeps much in an object: its code.
    fn is_place(&self, id: u32) -> bool {
        let heap = self.heap;
        let objects = &heap.python.objects;
        let Some(kind) = heap.kind(id) else {
            return false;
        };
        let ty = &kind.keeping.ty;
        if self.places.contains(&id) || ty.is(flags::TYPE) || objects.is_a(ty, "module") {
            return true;
        }
        let Parent::Node(above) = heap.dominators.parent(id) else {
            return false;
        };
        let namespace = ty
            .is_dict()
            .then(|| objects.as_type(heap.address(above)).ok());
        let namespace = namespace
            .flatten()
            .and_then(|class| objects.type_dict(&class));
        namespace == Some(heap.address(id))
    }

    /// Where an owner does not refer to what it owns itself, a container that it owns may.
    fn look_within(&self, found: &mut Found, id: u32) {
        let heap = self.heap;
        let mut direct = heap.references().targets_of(id).to_vec();
        direct.sort_unstable();
        let main = self.main_kind(&found.ids);
        let seen = main.iter().filter(|id| direct.binary_search(id).is_ok());
        if main.is_empty() || seen.count() * 2 >= main.len() {
            return;
        }
        if let Some((holder, _)) = common(heap, &main, &self.places) {
            found.at = At::Holder(holder);
        }
    }

    /// Of some objects those of the kind that retains most.
    fn main_kind(&self, ids: &[u32]) -> Vec<u32> {
        let heap = self.heap;
        let mut sums: FxHashMap<u32, u64> = FxHashMap::default();
        for id in ids {
            let sum = sums.entry(heap.kind_number(*id)).or_default();
            *sum = sum.saturating_add(heap.retained.of(*id));
        }
        let main = sums
            .into_iter()
            .max_by_key(|(kind, sum)| (*sum, Reverse(*kind)));
        let main = main.map(|(kind, _)| kind);
        let ids = ids.iter().copied();
        ids.filter(|id| Some(heap.kind_number(*id)) == main)
            .collect()
    }

    /// Groups by class what hangs at places that a healthy program has, too. Instances of builtin
    /// types are what code is made of: of these only those count that are in one container.
    fn groups(&self, shared: &[u32], found: &mut Vec<Found>) {
        let heap = self.heap;
        let mut groups: FxHashMap<u32, (u64, Vec<u32>)> = FxHashMap::default();
        for id in shared {
            let group = groups.entry(heap.kind_number(*id)).or_default();
            group.0 = group.0.saturating_add(heap.retained.of(*id));
            group.1.push(*id);
        }
        let mut groups: Vec<(u32, (u64, Vec<u32>))> = groups.into_iter().collect();
        groups.retain(|(_, (sum, _))| *sum >= self.least);
        groups.sort_by_key(|(kind, (sum, _))| (Reverse(*sum), *kind));
        for (kind, (gathered, ids)) in groups {
            let own = heap.kinds().get(kind as usize).is_some_and(|kind| {
                let ty = &kind.keeping.ty;
                ty.is_heap() && !ty.is(flags::TYPE)
            });
            let holder = common(heap, &ids, &self.places);
            let holder = holder.filter(|(holder, _)| !self.is_place(*holder));
            let group = match (holder, own) {
                (Some((holder, _)), _) => {
                    let mut within = heap.references().targets_of(holder).to_vec();
                    within.sort_unstable();
                    let ids = ids.into_iter();
                    let ids = ids.filter(|id| within.binary_search(id).is_ok());
                    self.group(At::Holder(holder), ids.collect())
                }
                (None, true) => Found {
                    at: At::Nowhere,
                    ids,
                    gathered,
                },
                (None, false) => continue,
            };
            if group.gathered >= self.least {
                found.push(group);
            }
        }
    }

    fn group(&self, at: At, ids: Vec<u32>) -> Found {
        let each = ids.iter().map(|id| self.heap.retained.of(*id));
        Found {
            at,
            gathered: each.fold(0, u64::saturating_add),
            ids,
        }
    }

    /// A suspect as answers tell it.
    pub(super) fn told(&self, found: &Found) -> Result<Suspect, PathError> {
        let heap = self.heap;
        let (kinds, kinds_left_out, example) = self.kinds(&found.ids);
        let (who, end) = match found.at {
            At::Owner(id) => self.owner(id, found),
            At::Holder(id) => (Accused::Container(self.container(id, true)), Some(id)),
            At::Chain(first, length) => {
                let object = heap.thing(first);
                (Accused::Chain { object, length }, Some(first))
            }
            At::Nowhere => {
                let kind = example.and_then(|id| heap.kind(id));
                let ty = kind.map(|kind| &kind.keeping.ty);
                let class = Accused::Class {
                    name: ty.map_or("?".into(), |ty| heap.python.objects.full_name(ty)),
                    address: ty.map_or_else(Default::default, |ty| ty.addr),
                };
                (class, example)
            }
        };
        let path = match end {
            Some(id) => heap.paths_to(id, 1, false)?.paths.into_iter().next(),
            None => None,
        };
        let mut keywords: Vec<String> = kinds
            .first()
            .map(|kind| kind.kind.clone())
            .into_iter()
            .collect();
        keywords.extend(match &who {
            Accused::Container(container) => Some(container.form.words().to_owned()),
            Accused::Object { object } => Some(object.class.to_string()),
            Accused::Chain { object, .. } => Some(format!("chain of {}", object.class)),
            Accused::Class { .. } => None,
        });
        keywords.extend(path.iter().map(|path| path.chain.text.clone()));
        Ok(Suspect {
            who,
            gathered: found.gathered,
            kinds,
            kinds_left_out,
            example: example.map(|id| heap.thing(id)),
            path,
            before: None,
            keywords,
        })
    }

    /// An owner: a container, or one large object.
    fn owner(&self, id: u32, found: &Found) -> (Accused, Option<u32>) {
        let heap = self.heap;
        let own = heap.size(id);
        let accused = match Form::of(heap, id) {
            Form::Instance if own >= found.gathered / 2 => Accused::Object {
                object: heap.thing(id),
            },
            _ => Accused::Container(self.container(id, false)),
        };
        (accused, Some(id))
    }

    fn container(&self, id: u32, shared: bool) -> Container {
        let heap = self.heap;
        let mut form = Form::of(heap, id);
        let owner = match form {
            Form::Dict => attributes_of(heap, id),
            _ => None,
        };
        if owner.is_some() {
            form = Form::Attributes;
        }
        let mut top = id;
        for above in heap.dominators.chain(id) {
            let nearly = heap.retained.of(above) / 100 * BIG_DROP;
            if self.is_place(above) || heap.retained.of(id) < nearly {
                break;
            }
            top = above;
        }
        Container {
            object: heap.thing(id),
            form,
            length: form.length(heap, heap.address(id)),
            attributes_of: owner.map(|owner| heap.thing(owner)),
            retained: heap.retained.of(id),
            owner: (top != id).then(|| heap.thing(top)),
            owner_retained: heap.retained.of(top),
            shared,
        }
    }

    /// Objects by kind, how many kinds are left out, and the largest object of the first kind.
    fn kinds(&self, ids: &[u32]) -> (Vec<Gathered>, usize, Option<u32>) {
        #[derive(Default)]
        struct Sum {
            count: u64,
            own: u64,
            retained: u64,
            largest: u32,
        }
        let heap = self.heap;
        let grouping = self.kinds.get_or_init(|| Grouping::of(heap, By::Kind));
        let mut sums: FxHashMap<u64, Sum> = FxHashMap::default();
        for id in ids {
            let retained = heap.retained.of(*id);
            let sum = sums.entry(grouping.key(*id)).or_default();
            if sum.count == 0 || retained > heap.retained.of(sum.largest) {
                sum.largest = *id;
            }
            sum.count += 1;
            sum.own = sum.own.saturating_add(heap.size(*id));
            sum.retained = sum.retained.saturating_add(retained);
        }
        let mut sums: Vec<(u64, Sum)> = sums.into_iter().collect();
        sums.sort_by_key(|(key, sum)| (Reverse(sum.retained), *key));
        let left_out = sums.len().saturating_sub(MOST_KINDS);
        let example = sums.first().map(|(_, sum)| sum.largest);
        let told = sums.iter().take(MOST_KINDS).map(|(key, sum)| Gathered {
            kind: grouping.name(*key),
            count: sum.count,
            own: sum.own,
            retained: sum.retained,
        });
        (told.collect(), left_out, example)
    }
}
