//! Everything that some objects lead to, found by several threads at once: each object is marked by
//! whoever meets it first, counted, and followed.

use super::marks::Marks;
use super::pieces::{Pieces, Words};
use super::roots::Roots;
use super::tally::{Tally, at};
use super::trace::{Follow, Tracer, Visit};
use super::tracked::{self, Tracked};
use super::types::{Cache, Types};
use crate::addr::Addr;
use crate::diag::{Cancel, Progress, Step, Unit};
use crate::python::Python;
use crate::python::layout::Field;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Objects that are followed by one task.
const BATCH: usize = 4096;

/// Objects after which a worker looks at the world around.
const STRIDE: u64 = 1 << 14;

/// What was found.
pub(super) struct Closure {
    pub(super) tracked: Tracked,
    pub(super) roots: Roots,
    /// What the certain ones of the roots lead to, if it was asked for.
    pub(super) reached: Option<Marks>,
    pub(super) marks: Marks,
    /// By the number of the type.
    pub(super) tallies: Vec<Tally>,
    /// The dictionaries of attributes among these, by the number of their own type.
    pub(super) moved: Vec<Tally>,
    /// Dictionaries of the attributes of instances, by the number of the instances' type.
    pub(super) owned: Vec<Tally>,
    /// References to what is no object.
    pub(super) dangling: u64,
    /// Whether the search was stopped.
    pub(super) cancelled: bool,
}

/// What all workers share.
struct Search<'s, 'a, 'm> {
    tracer: Tracer<'a, 'm>,
    marks: Marks,
    /// Dictionaries of attributes.
    dicts: Marks,
    types: &'s Types<'a>,
    ob_type: Field,
    cancel: &'s Cancel,
    progress: &'s Progress,
    seen: AtomicU64,
    /// Workers that rest.
    workers: Mutex<Vec<Worker<'s, 'a>>>,
}

/// What one worker has for itself.
struct Worker<'s, 'a> {
    cache: Cache<'s, 'a>,
    tallies: Vec<Tally>,
    /// Dictionaries of attributes, by the number of their owners' type.
    owned: Vec<Tally>,
    /// The same by the number of their own type.
    moved: Vec<Tally>,
    dangling: u64,
    since: u64,
}

/// Finds all objects: what the collector tracks, what CPython itself refers to (unless only what
/// the collector is told of is followed), and what these lead to.
pub(super) fn find<'a>(
    python: &'a Python,
    pieces: &Pieces<'_>,
    types: &Types<'a>,
    follow: Follow,
    keep_reached: bool,
) -> Closure {
    python.process.target.memory.expect_all();
    let search = Search {
        tracer: Tracer::new(&python.objects, pieces, follow),
        marks: Marks::new(pieces),
        dicts: Marks::new(pieces),
        types,
        ob_type: python.layout.fields.object.ob_type,
        cancel: &python.process.cancel,
        progress: &python.process.target.files.options.progress,
        seen: AtomicU64::new(0),
        workers: Mutex::default(),
    };
    let roots = match follow {
        Follow::Told => Roots::default(),
        Follow::Everything => Roots::precise(python),
    };
    let certain = roots.all.iter().filter(|root| root.certain);
    let certain: Vec<Addr> = certain.map(|root| root.object).collect();
    search.spread(|meet| certain.into_iter().for_each(meet));
    let reached = keep_reached.then(|| search.marks.clone());
    let mut tracked = Tracked::default();
    search.spread(|meet| {
        let each = &mut |addr, _generation| meet(addr);
        tracked = tracked::each(python, pieces, search.cancel, each);
    });
    let mut closure = Closure {
        tracked,
        roots,
        reached,
        marks: search.marks,
        tallies: Vec::new(),
        owned: Vec::new(),
        moved: Vec::new(),
        dangling: 0,
        cancelled: search.cancel.is_cancelled(),
    };
    let workers = search.workers.into_inner();
    let workers = workers.unwrap_or_else(PoisonError::into_inner);
    for worker in &workers {
        closure.dangling += worker.dangling;
        for (number, own) in (0..).zip(&worker.tallies) {
            at(&mut closure.tallies, number).add(*own);
        }
        for (number, own) in (0..).zip(&worker.owned) {
            at(&mut closure.owned, number).add(*own);
        }
        for (number, own) in (0..).zip(&worker.moved) {
            at(&mut closure.moved, number).add(*own);
        }
    }
    closure
}

/// Meets what one object refers to.
struct Visitor<'v, 's, 'a, 'm> {
    search: &'v Search<'s, 'a, 'm>,
    worker: &'v mut Worker<'s, 'a>,
    stack: &'v mut Vec<Addr>,
    /// The number of the object's type.
    owner: u32,
}

impl Visit for Visitor<'_, '_, '_, '_> {
    #[inline]
    fn refer(&mut self, addr: Addr) {
        self.search.meet(self.worker, addr, self.stack);
    }

    fn own(&mut self, dict: Addr) {
        self.refer(dict);
        let search = self.search;
        let place = search.pieces().place(dict);
        let place = place.filter(|place| search.marks.is_set(*place) && search.dicts.set(*place));
        let ty = place.and_then(|_| search.pieces().u64(search.ob_type.of(dict)));
        if let Some(number) = ty.and_then(|ty| self.worker.cache.number(ty)) {
            let tally = search.tally(self.worker, number, dict);
            at(&mut self.worker.moved, number).add(tally);
            at(&mut self.worker.owned, self.owner).add(tally);
        }
    }
}

impl<'s, 'a, 'm> Search<'s, 'a, 'm> {
    /// Follows the objects that `seeds` tells, while it tells them.
    fn spread(&self, seeds: impl FnOnce(&mut dyn FnMut(Addr)) + Send) {
        rayon::scope(|scope| {
            let mut worker = self.worker();
            let mut batch = Vec::with_capacity(BATCH);
            seeds(&mut |addr| {
                self.meet(&mut worker, addr, &mut batch);
                if batch.len() >= BATCH {
                    let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                    scope.spawn(move |scope| self.follow(scope, full));
                }
            });
            self.rest(worker);
            self.follow(scope, batch);
        });
    }

    fn worker(&self) -> Worker<'s, 'a> {
        let mut resting = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        resting.pop().unwrap_or_else(|| Worker {
            cache: Cache::new(self.types),
            tallies: Vec::new(),
            owned: Vec::new(),
            moved: Vec::new(),
            dangling: 0,
            since: 0,
        })
    }

    fn rest(&self, worker: Worker<'s, 'a>) {
        let mut resting = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        resting.push(worker);
    }

    /// Follows objects, and what they lead to, until there is no more.
    fn follow<'r>(&'r self, scope: &rayon::Scope<'r>, mut stack: Vec<Addr>) {
        let mut worker = self.worker();
        while let Some(addr) = stack.pop() {
            if worker.since >= STRIDE {
                self.look_around(&mut worker);
                if self.cancel.is_cancelled() {
                    break;
                }
            }
            if stack.len() >= 2 * BATCH {
                let half = stack.split_off(stack.len() - BATCH);
                scope.spawn(move |scope| self.follow(scope, half));
            }
            let number = self.pieces().u64(self.ob_type.of(addr));
            let number = number.and_then(|ty| worker.cache.number(ty));
            let Some((number, kind)) =
                number.and_then(|number| Some((number, worker.cache.kind(number)?.clone())))
            else {
                continue;
            };
            let mut visitor = Visitor {
                search: self,
                worker: &mut worker,
                stack: &mut stack,
                owner: number,
            };
            let keeping = &kind.keeping;
            let told = self.tracer.referents(addr, keeping, &mut visitor);
            let dict = self.tracer.objects.dict_of_type(&keeping.ty, addr);
            // The collector is not told of the namespaces of static types.
            let is_met = |dict: &Addr| {
                let place = self.pieces().place(*dict);
                self.tracer.follows_all() || place.is_some_and(|place| self.marks.is_set(place))
            };
            if let Some(dict) = dict.filter(is_met) {
                visitor.own(dict);
            }
            if told.is_err() {
                at(&mut worker.tallies, number).broken += 1;
            }
        }
        self.look_around(&mut worker);
        self.rest(worker);
    }

    fn pieces(&self) -> &Pieces<'m> {
        self.tracer.pieces
    }

    fn look_around(&self, worker: &mut Worker<'s, 'a>) {
        let seen = self.seen.fetch_add(worker.since, Ordering::Relaxed) + worker.since;
        worker.since = 0;
        self.progress.tell(&Step {
            what: "finding objects",
            done: seen,
            total: None,
            unit: Unit::Things("objects"),
        });
    }

    /// Counts an object that nobody has met yet, and keeps it to be followed.
    #[inline]
    fn meet(&self, worker: &mut Worker<'s, 'a>, addr: Addr, stack: &mut Vec<Addr>) {
        let Some(place) = self.pieces().place(addr) else {
            worker.dangling += 1;
            return;
        };
        if self.marks.is_set(place) {
            return;
        }
        let ty = self.pieces().u64(self.ob_type.of(addr));
        let Some(number) = ty.and_then(|ty| worker.cache.number(ty)) else {
            worker.dangling += 1;
            return;
        };
        if !self.marks.set(place) {
            return;
        }
        worker.since += 1;
        let Some(kind) = worker.cache.kind(number) else {
            return;
        };
        if kind.keeping.refers() {
            stack.push(addr);
        }
        let tally = self.tally(worker, number, addr);
        at(&mut worker.tallies, number).add(tally);
    }

    /// What one object adds to the tally of its type.
    #[inline]
    fn tally(&self, worker: &Worker<'s, 'a>, number: u32, addr: Addr) -> Tally {
        let kind = worker.cache.kind(number);
        let size = kind.map(|kind| self.tracer.size(addr, kind.size));
        let whole = size.and_then(Result::ok);
        let (bytes, sure) = whole.unwrap_or((0, true));
        Tally {
            count: 1,
            bytes,
            unsure: (!sure).into(),
            broken: whole.is_none().into(),
        }
    }
}
