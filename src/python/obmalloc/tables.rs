//! Finding the table of arenas: the static variables `arenas` and `maxarenas` up to 3.11, what each
//! interpreter has or points to since. Without symbols the variables are looked for in the memory
//! of the Python image, as a pointer to what is such a table from its first entry on.

use super::arena::{self, ArenaObject, Entry};
use crate::addr::Addr;
use crate::python::layout::ArenasIn;
use crate::python::scan::{Regions, is_python};
use crate::python::{Python, scan};
use crate::target::Memory;
use rustc_hash::FxHashSet;
use serde::Serialize;

/// Fields of `struct _obmalloc_state` (3.12+).
mod state {
    pub(super) const ARENAS: u64 = 512;
    pub(super) const COUNT: u64 = 520;
    pub(super) const NOW: u64 = 1064;
    pub(super) const EVER: u64 = 1072;
    pub(super) const MOST: u64 = 1080;
}

/// The table begins with so many entries, and has twice as many whenever that is too few.
const FIRST_ENTRIES: u64 = 16;

/// More entries than this are damage: they would be of 2^46 bytes.
const MOST_ENTRIES: u64 = 1 << 26;

/// How many arenas there have been.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Totals {
    /// Arenas now.
    pub now: u64,
    /// Arenas that were ever mapped.
    pub ever: u64,
    /// The most at a time.
    pub most: u64,
}

/// One table of arenas.
#[derive(Clone, Debug)]
pub struct ArenaTable {
    /// The interpreters that use it; all of them up to 3.11.
    pub interpreters: Vec<i64>,
    /// Where it is.
    pub address: Addr,
    /// How it was found, in words.
    pub source: String,
    /// What is counted, where that can be found.
    pub totals: Option<Totals>,
    /// The arenas, by address.
    pub arenas: Vec<ArenaObject>,
    /// What is wrong with it, in words.
    pub problem: Option<String>,
}

/// All tables.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// One for each state of pymalloc that has arenas.
    pub all: Vec<ArenaTable>,
    /// Why none was found, if something should have told.
    pub problem: Option<String>,
}

/// Where a table is said to be.
struct Place {
    address: Addr,
    count: u64,
    source: String,
    totals: Option<Totals>,
}

impl Tables {
    /// Finds them.
    pub fn of(python: &Python) -> Tables {
        let Some(pool_size) = python.layout.kinds.pool_size.map(u64::from) else {
            return Tables::default();
        };
        let search = Search { python, pool_size };
        match python.layout.kinds.arenas {
            ArenasIn::Statics => search.statics(),
            kind => search.interpreters(kind),
        }
    }
}

struct Search<'p> {
    python: &'p Python,
    pool_size: u64,
}

impl Search<'_> {
    fn memory(&self) -> &dyn Memory {
        &*self.python.process.target.memory
    }

    /// 3.12 and later.
    fn interpreters(&self, kind: ArenasIn) -> Tables {
        let memory = self.memory();
        let mut tables = Tables::default();
        for interpreter in &self.python.interpreters {
            let Some(field) = self.python.layout.fields.interpreter.obmalloc else {
                continue;
            };
            let at = field.of(interpreter.addr);
            let at = match kind {
                ArenasIn::Pointed => memory.ptr(at),
                _ => Ok(at),
            };
            let word = |offset| memory.u64(at?.add(offset));
            let table = match (word(state::ARENAS), word(state::COUNT)) {
                (Ok(address), Ok(count)) => (Addr(address), count & 0xffff_ffff),
                (Err(fault), _) | (_, Err(fault)) => {
                    let id = interpreter.id;
                    let problem = format!("the state of pymalloc of interpreter {id}: {fault}");
                    tables.problem.get_or_insert(problem);
                    continue;
                }
            };
            let (address, count) = table;
            let known = tables.all.iter_mut().find(|known| known.address == address);
            match known {
                // An interpreter that uses another one's has none of its own.
                _ if address.is_null() => {}
                Some(known) => known.interpreters.push(interpreter.id),
                None => {
                    let totals = || {
                        Some(Totals {
                            now: word(state::NOW).ok()?,
                            ever: word(state::EVER).ok()?,
                            most: word(state::MOST).ok()?,
                        })
                    };
                    let place = Place {
                        address,
                        count,
                        source: format!("the state of interpreter {}", interpreter.id),
                        totals: totals(),
                    };
                    tables.all.push(self.read(place, vec![interpreter.id]));
                }
            }
        }
        tables
    }

    /// Up to 3.11.
    fn statics(&self) -> Tables {
        let ids = self.python.interpreters.iter().map(|one| one.id).collect();
        let place = self.by_symbol().or_else(|| self.by_search());
        match place {
            Some(place) if place.address.is_null() => Tables::default(),
            Some(place) => Tables {
                all: vec![self.read(place, ids)],
                problem: None,
            },
            None => Tables {
                all: Vec::new(),
                problem: Some(
                    "no table of pymalloc's arenas was found; a file with the symbols of Python \
                     would tell where it is, if there is one"
                        .into(),
                ),
            },
        }
    }

    fn by_symbol(&self) -> Option<Place> {
        let images = self.python.process.images.all.iter();
        images
            .filter(|image| is_python(&image.path))
            .find_map(|image| {
                let word = |name| self.memory().u64(image.named(name)?.0).ok();
                let totals = || {
                    Some(Totals {
                        now: word("narenas_currently_allocated")?,
                        ever: word("ntimes_arena_allocated")?,
                        most: word("narenas_highwater")?,
                    })
                };
                Some(Place {
                    address: Addr(word("arenas")?),
                    count: word("maxarenas")? & 0xffff_ffff,
                    source: format!("symbol arenas of {}", image.path),
                    totals: totals(),
                })
            })
    }

    /// The pointer to a table in the variables of the Python image, of an image, or elsewhere.
    fn by_search(&self) -> Option<Place> {
        let target = &self.python.process.target;
        let regions = Regions::of(target);
        regions
            .all()
            .into_iter()
            .take(2)
            .find_map(|(name, regions)| {
                let mut best: Option<(usize, Place)> = None;
                let mut seen = FxHashSet::default();
                scan::each_word(self.memory(), regions, &mut |at, word| {
                    let there = Addr(word);
                    let fits = word.is_multiple_of(16) && word >> 47 == 0;
                    let mapping = target.mapping(there).filter(|_| fits);
                    if !mapping.is_some_and(|mapping| mapping.write)
                        || self.entries(there, FIRST_ENTRIES).is_none()
                        || !seen.insert(there)
                    {
                        return;
                    }
                    let count = self.longest(there);
                    let arenas = self.entries(there, count).map_or(0, |arenas| arenas.len());
                    // Other variables point into the table.
                    if best.as_ref().is_none_or(|(most, _)| *most < arenas) {
                        let place = Place {
                            address: there,
                            count,
                            source: format!("what {at} in {name} points to is a table of arenas"),
                            totals: None,
                        };
                        best = Some((arenas, place));
                    }
                });
                best.map(|(_, place)| place)
            })
    }

    /// The most entries that a table may have without damage.
    fn longest(&self, address: Addr) -> u64 {
        let mut count = FIRST_ENTRIES;
        while count < MOST_ENTRIES && self.entries(address, count * 2).is_some() {
            count *= 2;
        }
        count
    }

    /// The arenas of a table of so many entries, if all of them are sound and lie apart, and the
    /// spare ones lead to each other.
    fn entries(&self, address: Addr, count: u64) -> Option<Vec<ArenaObject>> {
        let (arenas, sound) = self.each_entry(address, count);
        (sound == count && !arenas.is_empty()).then_some(arenas)
    }

    /// The arenas of a table, by address, and how many entries were sound up to the first that is
    /// not.
    fn each_entry(&self, address: Addr, count: u64) -> (Vec<ArenaObject>, u64) {
        let target = &self.python.process.target;
        let mut arenas: Vec<ArenaObject> = Vec::new();
        let (mut sound, mut last_spares) = (0, 0);
        for index in 0..count {
            let at = address.add(index * arena::SIZE);
            let raw = self.memory().array::<{ arena::SIZE as usize }>(at);
            match raw.map(|raw| arena::entry(&raw, self.pool_size)) {
                Ok(Entry::Arena(arena)) if target.mapping(arena.start).is_some_and(|m| m.write) => {
                    arenas.push(arena);
                }
                Ok(Entry::Spare(Addr::NULL)) if last_spares == 0 => last_spares = 1,
                Ok(Entry::Spare(next)) if self.within(address, next) => {}
                _ => break,
            }
            sound += 1;
        }
        arenas.sort_unstable_by_key(|arena| arena.start);
        // Two arenas in one place are none.
        let apart = arenas.windows(2).take_while(|pair| match pair {
            [one, next] => one.start.0 + one.size <= next.start.0,
            _ => false,
        });
        match apart.count() + 1 {
            kept if kept < arenas.len() => {
                arenas.truncate(kept);
                (arenas, 0)
            }
            _ => (arenas, sound),
        }
    }

    /// Whether a link leads to an entry of the table.
    fn within(&self, table: Addr, link: Addr) -> bool {
        let offset = link.since(table);
        offset.is_some_and(|offset| {
            offset.is_multiple_of(arena::SIZE) && offset / arena::SIZE < MOST_ENTRIES
        })
    }

    fn read(&self, place: Place, interpreters: Vec<i64>) -> ArenaTable {
        let count = place.count.min(MOST_ENTRIES);
        let (arenas, sound) = self.each_entry(place.address, count);
        let problem = (sound < place.count).then(|| {
            format!(
                "the table of pymalloc's arenas at {} is damaged: of {} entries the first {sound} \
                 are sound",
                place.address, place.count
            )
        });
        ArenaTable {
            interpreters,
            address: place.address,
            source: place.source,
            totals: place.totals,
            arenas,
            problem,
        }
    }
}
