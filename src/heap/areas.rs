//! All bytes of the heap by who retains them, as a tree in which the parts of each area add up to it:
//! what a treemap shows.

use super::Heap;
use super::graph::{Parent, Stopped};
use super::owners::Who;
use super::thing::Thing;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::cmp::Reverse;
use std::sync::Arc;

/// An area has parts of at least this part of the whole: what is smaller cannot be seen.
const LEAST_PART: u64 = 1000;

/// The most areas in all.
const MOST: usize = 1500;

/// The most objects that are parts of one area, and the most types that their rest is told by.
const MOST_OBJECTS: usize = 24;
const MOST_TYPES: usize = 12;

/// Levels of objects below the first one.
const LEVELS: usize = 3;

/// An object that only passes on what it retains to one other is no level of its own; so many of
/// them are not counted on the way to an area.
const MOST_PASSED: usize = 4;

/// What an area stands for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "area", rename_all = "kebab-case")]
pub enum What {
    /// All objects.
    Heap,
    /// What is held by certain roots.
    Roots {
        /// In words.
        words: String,
    },
    /// What several of these keep alive, of which none alone does.
    Several,
    /// What no root leads to.
    Nothing,
    /// What dies with an object.
    Object {
        /// How the one above refers to it; `None` where it only does so over others.
        via: Option<String>,
        /// The object.
        object: Thing,
    },
    /// The object's own bytes.
    Own,
    /// What dies with each of some objects of a type, none of which is large.
    Instances {
        /// The type.
        #[serde(rename = "type")]
        class: Arc<str>,
        /// How many of them there are.
        count: u64,
    },
    /// The same of objects of many types.
    Others {
        /// How many objects.
        count: u64,
    },
}

/// Bytes that die together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Area {
    /// What it stands for.
    #[serde(flatten)]
    pub what: What,
    /// How many bytes.
    pub bytes: u64,
    /// What it is made of, the largest first; nothing where it is not told apart.
    pub parts: Vec<Area>,
}

/// How far an area is divided.
#[derive(Clone, Copy)]
struct Levels {
    left: usize,
    passed: usize,
}

impl Heap {
    /// All bytes by who retains them.
    pub fn areas(&self) -> Result<Area, Stopped> {
        let all = self.retained.reachable();
        let bytes = all.saturating_add(self.retained.unreachable());
        let mut division = Division {
            heap: self,
            least: (bytes / LEAST_PART).max(1),
            left: MOST,
        };
        let (large, small): (Vec<_>, Vec<_>) =
            (self.tops().into_iter()).partition(|top| top.retained >= division.least);
        let mut parts = Vec::new();
        for top in large {
            let levels = Levels {
                left: LEVELS,
                passed: MOST_PASSED,
            };
            let below = division.below(&[], &top.ids, top.retained, levels)?;
            parts.push(Area {
                what: match top.who {
                    Who::Roots { words } => What::Roots { words },
                    Who::Nothing => What::Nothing,
                    Who::Several | Who::Object { .. } => What::Several,
                },
                bytes: top.retained,
                parts: below,
            });
        }
        let count = small.iter().map(|top| top.ids.len() as u64).sum();
        let rest = small.iter().map(|top| top.retained);
        parts.extend(others(count, rest.fold(0, u64::saturating_add)));
        Ok(Area {
            what: What::Heap,
            bytes,
            parts,
        })
    }
}

/// Divides areas.
struct Division<'h> {
    heap: &'h Heap,
    /// The smallest part that is told, in bytes.
    least: u64,
    /// How many more areas there may be.
    left: usize,
}

impl Division<'_> {
    /// The parts of an area: the largest of some objects by themselves, the others by type. The
    /// objects hang under the last one of `above`.
    fn below(
        &mut self,
        above: &[u32],
        ids: &[u32],
        bytes: u64,
        levels: Levels,
    ) -> Result<Vec<Area>, Stopped> {
        let heap = self.heap;
        if heap.python.process.cancel.is_cancelled() {
            return Err(Stopped);
        }
        let most = match levels.left {
            0 => 0,
            _ => MOST_OBJECTS.min(self.left),
        };
        let (large, ..) = heap.largest(ids, most, self.least);
        self.left -= large.len();
        let mut parts = Vec::new();
        for id in &large {
            parts.push(self.object(above, *id, bytes, levels)?);
        }
        self.rest(ids, &large, &mut parts);
        parts.sort_by_key(|part| Reverse(part.bytes));
        Ok(parts)
    }

    /// What dies with an object that is a part of an area of `bytes`.
    fn object(
        &mut self,
        above: &[u32],
        id: u32,
        bytes: u64,
        levels: Levels,
    ) -> Result<Area, Stopped> {
        let heap = self.heap;
        let retained = heap.retained.of(id);
        let passes = retained > bytes / 10 * 9 && levels.passed > 0;
        let levels = Levels {
            left: levels.left - usize::from(!passes),
            passed: levels.passed - usize::from(passes),
        };
        let own = heap.size(id);
        let mut parts = Vec::new();
        let ids = heap.children().of(Parent::Node(id));
        if !ids.is_empty() {
            let mut path = above.to_vec();
            path.push(id);
            parts = self.below(&path, ids, retained, levels)?;
            parts.push(Area {
                what: What::Own,
                bytes: own,
                parts: Vec::new(),
            });
            parts.sort_by_key(|part| Reverse(part.bytes));
        }
        let via = (above.last()).and_then(|from| heap.via(above, *from, id));
        Ok(Area {
            what: What::Object {
                via,
                object: heap.thing(id),
            },
            bytes: retained,
            parts,
        })
    }

    /// Adds what is left of some objects without the large ones, by their types.
    fn rest(&mut self, ids: &[u32], large: &[u32], parts: &mut Vec<Area>) {
        let heap = self.heap;
        let mut large = large.to_vec();
        large.sort_unstable();
        let mut types: FxHashMap<u32, (u64, u64)> = FxHashMap::default();
        for id in ids.iter().filter(|id| large.binary_search(id).is_err()) {
            let (count, bytes) = types.entry(heap.kind_number(*id)).or_default();
            *count += 1;
            *bytes = bytes.saturating_add(heap.retained.of(*id));
        }
        let name = |number: u32| match heap.kinds().get(number as usize) {
            Some(kind) => heap.python.objects.full_name(&kind.keeping.ty),
            None => "?".into(),
        };
        let types = types.into_iter();
        let mut types: Vec<(Arc<str>, (u64, u64))> =
            types.map(|(number, row)| (name(number), row)).collect();
        types.sort_by(|a, b| (Reverse(a.1.1), &a.0, a.1.0).cmp(&(Reverse(b.1.1), &b.0, b.1.0)));
        let is_large = |(_, (_, bytes)): &&(Arc<str>, (u64, u64))| *bytes >= self.least;
        let most = MOST_TYPES.min(self.left);
        let told = types.iter().take(most).take_while(is_large).count();
        self.left -= told;
        let (told, untold) = types.split_at(told);
        for (class, (count, bytes)) in told {
            parts.push(Area {
                what: What::Instances {
                    class: Arc::clone(class),
                    count: *count,
                },
                bytes: *bytes,
                parts: Vec::new(),
            });
        }
        let sum = |of: fn(&(u64, u64)) -> u64| -> u64 {
            let each = untold.iter().map(|(_, row)| of(row));
            each.fold(0, u64::saturating_add)
        };
        parts.extend(others(sum(|row| row.0), sum(|row| row.1)));
    }
}

/// What is not told by object or type, if there is any.
fn others(count: u64, bytes: u64) -> Option<Area> {
    (count > 0).then(|| Area {
        what: What::Others { count },
        bytes,
        parts: Vec::new(),
    })
}
