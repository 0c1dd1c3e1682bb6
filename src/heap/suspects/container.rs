//! Which sort of container an object is, how many items it has, and which container most of a set
//! of objects are in.

use crate::addr::Addr;
use crate::heap::Heap;
use crate::python::object::flags;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

/// The sort of an object that has others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A list or an instance of a subclass.
    List,
    /// A tuple.
    Tuple,
    /// A dictionary with items.
    Dict,
    /// A dictionary with the attributes of an instance.
    Attributes,
    /// A set or frozen set.
    Set,
    /// A `collections.deque`.
    Deque,
    /// The cell of a variable that a closure uses.
    Cell,
    /// A function, or a bound method.
    Function,
    /// A frame, generator or coroutine.
    Frame,
    /// The frames that an exception has come through.
    Traceback,
    /// An exception.
    Exception,
    /// Any other instance.
    Instance,
}

impl Form {
    /// In a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Form::List => "list",
            Form::Tuple => "tuple",
            Form::Dict => "dict",
            Form::Attributes => "attributes",
            Form::Set => "set",
            Form::Deque => "deque",
            Form::Cell => "closure cell",
            Form::Function => "function",
            Form::Frame => "frame",
            Form::Traceback => "traceback",
            Form::Exception => "exception",
            Form::Instance => "instance",
        }
    }

    /// The form of an object.
    pub(in crate::heap) fn of(heap: &Heap, id: u32) -> Form {
        let Some(kind) = heap.kind(id) else {
            return Form::Instance;
        };
        let objects = &heap.python.objects;
        let ty = &kind.keeping.ty;
        if ty.is(flags::LIST) {
            return Form::List;
        }
        if ty.is_dict() {
            return Form::Dict;
        }
        if ty.is(flags::TUPLE) {
            return Form::Tuple;
        }
        if ty.is(flags::EXCEPTION) {
            return Form::Exception;
        }
        let known = objects.mro(ty);
        let known = known.iter().find_map(|class| {
            Some(match &*objects.full_name(class) {
                "set" | "frozenset" => Form::Set,
                "collections.deque" => Form::Deque,
                "cell" => Form::Cell,
                "function" | "method" | "instancemethod" => Form::Function,
                "frame" | "generator" | "coroutine" | "async_generator" => Form::Frame,
                "traceback" => Form::Traceback,
                _ => return None,
            })
        });
        known.unwrap_or(Form::Instance)
    }

    /// What `len` tells of an object of this form.
    pub(in crate::heap) fn length(self, heap: &Heap, addr: Addr) -> Option<u64> {
        let objects = &heap.python.objects;
        match self {
            Form::List | Form::Tuple => u64::try_from(objects.var_size(addr).ok()?).ok(),
            Form::Dict | Form::Attributes => objects.dict_len(addr).ok(),
            Form::Set => objects.set_len(addr).ok(),
            Form::Deque => objects.deque_len(addr).ok(),
            _ => None,
        }
    }
}

/// The object that refers to most of these, if it refers to at least half of them, and how many
/// those are; `excluded` ones do not count.
pub(super) fn common(heap: &Heap, ids: &[u32], excluded: &FxHashSet<u32>) -> Option<(u32, u64)> {
    let half = ids.len().div_ceil(2);
    let mut hits: FxHashMap<u32, u64> = FxHashMap::default();
    let mut own: Vec<u32> = Vec::new();
    for id in ids {
        own.clear();
        own.extend_from_slice(heap.referrers.targets_of(*id));
        own.sort_unstable();
        own.dedup();
        for from in &own {
            // Only what refers to many can be the one.
            let many = heap.references().targets_of(*from).len() >= half;
            if many && !excluded.contains(from) {
                *hits.entry(*from).or_default() += 1;
            }
        }
    }
    let most = hits
        .into_iter()
        .max_by_key(|(id, hits)| (*hits, std::cmp::Reverse(*id)))?;
    (most.1 >= half as u64).then_some(most)
}

/// The object whose attributes a dictionary has.
pub(super) fn attributes_of(heap: &Heap, dict: u32) -> Option<u32> {
    const MOST_REFERRERS: usize = 64;
    let address = heap.address(dict);
    let referrers = heap.referrers.targets_of(dict).iter().take(MOST_REFERRERS);
    referrers.copied().find(|id| {
        let own = heap.python.objects.dict_of(heap.address(*id));
        own.ok().flatten() == Some(address)
    })
}
