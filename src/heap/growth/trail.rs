//! Owners by paths that are the same text in every dump of a program: `app.cache.entries`, from the
//! root down the dominator tree.

use crate::escape::escape;
use crate::heap::Heap;
use crate::heap::graph::Parent;
use crate::heap::label::{Via, via_in};
use crate::heap::roots::{Root, RootKind};
use rustc_hash::FxHashMap;

/// The deepest owner that has a path; below it are linked lists.
const DEEPEST: usize = 60;

/// The most owners that are named.
const MOST: usize = 20_000;

/// An owner with its path.
pub(super) struct Trail {
    /// The path, safe to print.
    pub(super) path: String,
    /// The owner.
    pub(super) id: u32,
    /// Which of the trails is that of the owner above.
    pub(super) above: Option<usize>,
}

/// Writes paths.
pub(super) struct Trails<'h> {
    pub(super) heap: &'h Heap,
    namespaces: FxHashMap<u32, &'h Root>,
}

/// A path on its way down.
#[derive(Clone)]
struct Way {
    text: String,
    /// The object that the last one was come to from.
    before: Option<u32>,
    /// Whether the keys of the last one are names behind a dot.
    names: bool,
}

impl<'h> Trails<'h> {
    pub(super) fn new(heap: &'h Heap) -> Trails<'h> {
        Trails {
            heap,
            namespaces: heap.namespaces(),
        }
    }

    /// All owners that retain so many bytes, each below the one above it.
    pub(super) fn all(&self, least: u64) -> Vec<Trail> {
        let heap = self.heap;
        let mut found: Vec<Trail> = Vec::new();
        let large = |parent: Parent| {
            let below = heap.children().of(parent).iter().copied();
            below.filter(|id| heap.retained.of(*id) >= least)
        };
        let tops = large(Parent::Root).map(|id| (id, self.top(id), None, 0));
        let mut open: Vec<(u32, Way, Option<usize>, usize)> = tops.collect();
        while let Some((id, way, above, depth)) = open.pop() {
            let own = found.len();
            if own >= MOST {
                break;
            }
            if depth < DEEPEST {
                let below = large(Parent::Node(id));
                let below = below.map(|to| (to, self.step(&way, id, to), Some(own), depth + 1));
                open.extend(below);
            }
            found.push(Trail {
                path: way.text,
                id,
                above,
            });
        }
        found
    }

    /// The path of one owner.
    pub(super) fn of(&self, id: u32) -> Option<String> {
        let mut chain: Vec<u32> = self.heap.dominators.chain(id).take(DEEPEST + 1).collect();
        if chain.len() > DEEPEST || !self.heap.reachable().contains(id) {
            return None;
        }
        chain.reverse();
        chain.push(id);
        let mut chain = chain.into_iter();
        let mut at = chain.next()?;
        let mut way = self.top(at);
        for to in chain {
            way = self.step(&way, at, to);
            at = to;
        }
        Some(way.text)
    }

    /// The path of what no single owner keeps alive.
    fn top(&self, id: u32) -> Way {
        let heap = self.heap;
        let namespace = self.namespaces.get(&id).copied();
        let root = namespace.or_else(|| heap.best_root(id));
        let text = match root {
            Some(root) => match root.kind {
                RootKind::Module { name, .. } => {
                    let name = heap.roots.name(name).map_or("?", |name| name);
                    escape(name).into_owned()
                }
                _ => heap.roots.words(&heap.python, root),
            },
            None => format!("(shared) ⇒ {}", escape(&heap.class(id))),
        };
        Way {
            text,
            before: None,
            names: namespace.is_some(),
        }
    }

    /// The path one step further.
    fn step(&self, way: &Way, from: u32, to: u32) -> Way {
        let heap = self.heap;
        let mut text = way.text.clone();
        let mut names = false;
        if heap.references().targets_of(from).contains(&to) {
            let before = way.before.map(|id| heap.address(id));
            let objects = &heap.python.objects;
            match via_in(objects, before, heap.address(from), heap.address(to)) {
                Via::Dict | Via::Namespace => names = true,
                Via::Attribute { name } | Via::Slot { name } | Via::Member { name, .. } => {
                    text.push_str(&format!(".{}", escape(&name)));
                }
                Via::Key { repr, .. } => match name_in(&repr).filter(|_| way.names) {
                    Some(name) => text.push_str(&format!(".{}", escape(name))),
                    None => text.push_str(&format!("[{}]", escape(&repr))),
                },
                Via::Index { index } => text.push_str(&format!("[{index}]")),
                other => text.push_str(&format!(" → {}", other.words())),
            }
        } else {
            text.push_str(&format!(" ⇒ {}", escape(&heap.class(to))));
        }
        Way {
            text,
            before: Some(from),
            names,
        }
    }
}

/// The name in the `repr` of a string that one can write behind a dot.
fn name_in(repr: &str) -> Option<&str> {
    let repr = repr.strip_prefix('u').unwrap_or(repr);
    let name = repr.strip_prefix('\'')?.strip_suffix('\'')?;
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::name_in;

    #[test]
    fn names_stand_behind_dots() {
        assert_eq!(name_in("'cache'"), Some("cache"));
        assert_eq!(name_in("u'cache'"), Some("cache"));
        assert_eq!(name_in("'a b'"), None);
        assert_eq!(name_in("''"), None);
        assert_eq!(name_in("3"), None);
    }
}
