//! Who keeps objects alive: the nearest module, frame or other root above them in the dominator
//! tree.

use crate::heap::Heap;
use crate::heap::graph::Parent;
use crate::heap::roots::{Part, Root, RootKind, TypePart};
use rustc_hash::FxHashMap;

/// The owners of all objects.
pub(super) struct Owners {
    /// The number of the owner, by id.
    of: Vec<u32>,
    names: Vec<String>,
}

/// Stands for: not found yet.
const OPEN: u32 = u32::MAX;

/// The number of those that several owners hold.
const SHARED: u32 = 0;

/// The number of those that nothing holds.
const UNREACHABLE: u32 = 1;

/// Names that are given numbers.
struct Names {
    all: Vec<String>,
    known: FxHashMap<String, u32>,
}

impl Names {
    fn number(&mut self, name: String) -> u32 {
        *self.known.entry(name).or_insert_with_key(|name| {
            self.all.push(name.clone());
            self.all.len() as u32 - 1
        })
    }
}

impl Owners {
    /// Finds the owners of all objects.
    pub(super) fn of(heap: &Heap) -> Owners {
        let fixed = ["(shared by several owners)", "(unreachable)"];
        let mut names = Names {
            all: fixed.map(str::to_owned).to_vec(),
            known: FxHashMap::default(),
        };
        let modules = modules(heap, &mut names);
        let mut of = vec![OPEN; heap.count() as usize];
        // Frames have many references, and a stack is many words.
        let mut holders: FxHashMap<RootKind, u32> = FxHashMap::default();
        let mut way = Vec::new();
        for id in 0..heap.count() {
            let mut at = id;
            let owner = loop {
                let known = of.get(at as usize).copied().unwrap_or(SHARED);
                if known != OPEN {
                    break known;
                }
                way.push(at);
                if let Some(module) = modules.get(&at) {
                    break *module;
                }
                match heap.dominators.parent(at) {
                    Parent::Node(above) => at = above,
                    Parent::Unreachable => break UNREACHABLE,
                    Parent::Root => {
                        break nearest(heap, at).map_or(SHARED, |root| {
                            let holder = || names.number(heap.roots.holder(&heap.python, root));
                            *holders.entry(holder_kind(root.kind)).or_insert_with(holder)
                        });
                    }
                }
            };
            for below in way.drain(..) {
                if let Some(entry) = of.get_mut(below as usize) {
                    *entry = owner;
                }
            }
        }
        Owners {
            of,
            names: names.all,
        }
    }

    /// The number of an object's owner.
    pub(super) fn number(&self, id: u32) -> u32 {
        self.of.get(id as usize).copied().unwrap_or(SHARED)
    }

    /// What an owner is called.
    pub(super) fn name(&self, number: u64) -> &str {
        let name = usize::try_from(number)
            .ok()
            .and_then(|at| self.names.get(at));
        name.map_or("", |name| name)
    }
}

/// The modules of all interpreters and their namespaces, which functions and frames hold too.
fn modules(heap: &Heap, names: &mut Names) -> FxHashMap<u32, u32> {
    let mut modules = FxHashMap::default();
    for (id, root) in heap.held() {
        if !matches!(root.kind, RootKind::Module { .. }) {
            continue;
        }
        let owner = names.number(heap.roots.holder(&heap.python, root));
        // A module may have several names, of which the first one is told.
        let owner = *modules.entry(id).or_insert(owner);
        let namespace = heap.python.objects.dict_of(root.object);
        if let Some(dict) = namespace.ok().flatten().and_then(|dict| heap.id(dict)) {
            modules.entry(dict).or_insert(owner);
        }
    }
    modules
}

/// The root that an object without any one keeper is told to be held by; `None` if no root holds it
/// itself.
fn nearest(heap: &Heap, id: u32) -> Option<&Root> {
    let rank = |root: &&Root| {
        let kind = match root.kind {
            RootKind::Module { .. } => 0,
            RootKind::Frame { .. } => 1,
            RootKind::Thread { .. } => 2,
            RootKind::Interpreter { .. }
            | RootKind::ExitCallback { .. }
            | RootKind::SignalHandler
            | RootKind::Runtime { .. } => 3,
            RootKind::Type { .. } => 4,
            RootKind::Global { .. } => 5,
            RootKind::Stack { .. } | RootKind::Register { .. } => 6,
        };
        (!root.certain, kind)
    };
    let roots = heap.roots_of(id).filter(|_| heap.is_root(id));
    roots.min_by_key(rank)
}

/// A kind of root without what tells references of one holder apart, but for names that are part of
/// the holder.
fn holder_kind(kind: RootKind) -> RootKind {
    match kind {
        RootKind::Interpreter { interpreter, .. } => RootKind::Interpreter {
            interpreter,
            field: None,
        },
        RootKind::Runtime { .. } | RootKind::SignalHandler => RootKind::Runtime { field: None },
        RootKind::Thread { thread, .. } => RootKind::Thread {
            thread,
            field: None,
        },
        RootKind::Frame { thread, level, .. } => RootKind::Frame {
            thread,
            level,
            part: Part::Frame,
        },
        RootKind::Type { .. } => RootKind::Type {
            interpreter: 0,
            name: 0,
            part: TypePart::Type,
        },
        RootKind::Stack { thread } | RootKind::Register { thread, .. } => {
            RootKind::Stack { thread }
        }
        other => other,
    }
}
