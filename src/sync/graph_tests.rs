//! Graphs of waits with knots that are known: planted by hand, planted at random among threads
//! that move and threads that are stuck for other reasons, and found by the definition itself.

use super::super::{Kind, Lock, Locks, Owner, Wait};
use super::*;
use crate::addr::Addr;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What a thread of a test does.
#[derive(Clone, Debug)]
enum Does {
    Runs,
    /// Waits for something of this kind and owner.
    Waits(Kind, Owner, bool),
}

fn known(thread: usize) -> Owner {
    Owner::known(thread, "")
}

fn any_of(threads: &[usize]) -> Owner {
    Owner::AnyOf {
        threads: threads.to_vec(),
        evidence: String::new(),
    }
}

fn orphaned() -> Owner {
    Owner::Orphaned {
        evidence: String::new(),
    }
}

/// Thread i+1 does `all[i]`; threads that wait for the same owner and kind share a lock.
fn world(all: &[Does]) -> Locks {
    let mut locks = Locks::default();
    for (index, does) in all.iter().enumerate() {
        let Does::Waits(kind, owner, timed) = does else {
            continue;
        };
        locks.waits.push(Wait {
            thread: index + 1,
            lock: locks.all.len(),
            timed: *timed,
            evidence: String::new(),
            place: None,
            native: None,
        });
        locks.all.push(Lock {
            address: Addr(index as u64 * 16),
            kind: *kind,
            name: None,
            locked: None,
            owner: owner.clone(),
            waiters: vec![index + 1],
        });
    }
    locks
}

/// The threads of each deadlock, in the order that is told, and whether it is a ring.
fn knots(locks: &Locks, interruptible: Option<usize>) -> Vec<(Vec<usize>, bool)> {
    let thread = |at: &usize| locks.waits[*at].thread;
    let deadlocks = Graph::new(locks, interruptible).deadlocks().into_iter();
    deadlocks
        .map(|deadlock| (deadlock.waits.iter().map(thread).collect(), deadlock.ring))
        .collect()
}

fn held(owner: Owner) -> Does {
    Does::Waits(Kind::Lock, owner, false)
}

fn event(threads: &[usize]) -> Does {
    Does::Waits(Kind::Event, any_of(threads), false)
}

#[test]
fn a_thread_may_wait_for_itself_and_rings_are_found_whole() {
    let rings = |owners: &[usize]| {
        let all: Vec<Does> = owners.iter().map(|owner| held(known(*owner))).collect();
        knots(&world(&all), None)
    };
    assert_eq!(rings(&[1]), [(vec![1], true)]);
    assert_eq!(rings(&[2, 1]), [(vec![1, 2], true)]);
    assert_eq!(rings(&[3, 1, 2, 1]), [(vec![1, 3, 2], true)]);
    assert_eq!(rings(&[2, 9]), [], "9 does not wait");
}

#[test]
fn one_thread_that_moves_frees_all_that_wait_for_any_of_several() {
    let join = held(known(2));
    assert_eq!(
        knots(&world(&[join.clone(), event(&[1])]), None),
        [(vec![1, 2], true)]
    );
    let three = [event(&[2, 3]), event(&[1, 3]), event(&[1, 2])];
    assert_eq!(knots(&world(&three), None), [(vec![1, 2, 3], false)]);
    let moves = [event(&[2, 3]), event(&[1, 3]), event(&[1, 2, 4])];
    assert_eq!(knots(&world(&moves), None), [], "4 runs");
    let ended = [event(&[]), held(known(1)), held(orphaned()), event(&[3])];
    assert_eq!(knots(&world(&ended), None), [], "nobody waits for another");
}

#[test]
fn who_wakes_up_by_himself_may_set_events_but_holds_his_locks() {
    let timed = |owner| Does::Waits(Kind::Lock, owner, true);
    let locks = world(&[timed(known(2)), timed(known(1))]);
    let found = Graph::new(&locks, None).deadlocks();
    assert!(found.len() == 1 && found[0].timed);
    let sleeper = Does::Waits(Kind::Event, any_of(&[1]), true);
    assert_eq!(knots(&world(&[held(known(2)), sleeper]), None), []);
    let waits_for_waker = [event(&[2]), timed(known(1))];
    assert_eq!(knots(&world(&waits_for_waker), None), []);
    // Signal handlers run in the first thread.
    let signalled = world(&[event(&[2]), event(&[1])]);
    assert_eq!(knots(&signalled, None), [(vec![1, 2], true)]);
    assert_eq!(knots(&signalled, Some(1)), []);
}

#[test]
fn a_long_chain_is_followed_to_its_end() {
    let count = 100_000;
    let mut all: Vec<Does> = (0..count).map(|index| held(known(index + 2))).collect();
    all.push(held(known(count)));
    assert_eq!(knots(&world(&all), None), [(vec![count, count + 1], true)]);
}

/// Numbers that follow from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(self.below(all.len())).copied()
    }

    /// Some of these, one at least.
    fn some(&mut self, all: &[usize]) -> Vec<usize> {
        let mut some: Vec<usize> = all.iter().copied().filter(|_| self.chance(40)).collect();
        some.extend(self.pick(all));
        some
    }
}

const HELD: &[Kind] = &[
    Kind::Gil,
    Kind::Lock,
    Kind::RLock,
    Kind::Thread,
    Kind::ModuleLock,
    Kind::ImportLock,
    Kind::PyMutex,
    Kind::ObjectLock,
    Kind::BufferedFile,
    Kind::Mutex,
    Kind::RwLock,
    Kind::NativeThread,
    Kind::Stream,
    Kind::Loader,
];

const AWAITED: &[Kind] = &[
    Kind::Condition,
    Kind::Event,
    Kind::Semaphore,
    Kind::Barrier,
    Kind::Queue,
    Kind::SimpleQueue,
    Kind::Future,
];

/// A graph whose knots are known because they were put there.
struct Planted {
    does: Vec<Does>,
    knots: BTreeSet<BTreeSet<usize>>,
}

impl Planted {
    fn new(seed: u64) -> Planted {
        let mut random = Random(seed | 1);
        let count = 1 + random.below(40);
        // Thread numbers in an order of their own; each takes its place in turn.
        let mut numbers: Vec<usize> = (1..=count).collect();
        for at in (1..count).rev() {
            numbers.swap(at, random.below(at + 1));
        }
        let mut planted = Planted {
            does: vec![Does::Runs; count],
            knots: BTreeSet::new(),
        };
        let (mut stuck, mut moving) = (Vec::new(), Vec::new());
        while let Some(thread) = numbers.pop() {
            match random.below(10) {
                0..=2 => {
                    let size = random.below(6).min(numbers.len());
                    let mut group = numbers.split_off(numbers.len() - size);
                    group.push(thread);
                    planted.knot(&mut random, &group);
                    stuck.extend(group);
                }
                3 => {
                    let dead = if random.chance(50) {
                        (Kind::Event, any_of(&[thread]))
                    } else {
                        (Kind::Mutex, orphaned())
                    };
                    planted.does[thread - 1] = Does::Waits(dead.0, dead.1, false);
                    stuck.push(thread);
                }
                4..=5 if !stuck.is_empty() => {
                    planted.wait(&mut random, thread, &stuck, &[]);
                    stuck.push(thread);
                }
                6..=7 if !moving.is_empty() => {
                    planted.wait(&mut random, thread, &moving, &stuck);
                    moving.push(thread);
                }
                8 => {
                    let owner = match random.below(3) {
                        0 => Owner::unknown(""),
                        1 => Owner::Nobody,
                        _ => known(count + 1),
                    };
                    let timed = random.chance(30);
                    planted.does[thread - 1] = Does::Waits(Kind::Lock, owner, timed);
                    moving.push(thread);
                }
                9 => {
                    // It gives up after some time.
                    let owner = any_of(&random.some(&[stuck.as_slice(), &[thread]].concat()));
                    planted.does[thread - 1] = Does::Waits(Kind::Queue, owner, true);
                    moving.push(thread);
                }
                _ => moving.push(thread),
            }
        }
        planted
    }

    /// A wait for one of `these`; where it is for any of several, `others` may be among them.
    fn wait(&mut self, random: &mut Random, thread: usize, these: &[usize], others: &[usize]) {
        let does = match (random.chance(50), random.pick(these)) {
            (true, Some(one)) => Does::Waits(
                random.pick(HELD).unwrap_or(Kind::Lock),
                known(one),
                // A wait that is timed would set events for others.
                false,
            ),
            _ => {
                let mut any = random.some(these);
                any.extend(others.iter().filter(|_| random.chance(30)));
                let kind = random.pick(AWAITED).unwrap_or(Kind::Event);
                Does::Waits(kind, any_of(&any), false)
            }
        };
        self.does[thread - 1] = does;
    }

    /// Makes each of a group wait for the next one, some of them for others of the group as well.
    fn knot(&mut self, random: &mut Random, group: &[usize]) {
        let single = group.len() == 1 || random.chance(50);
        for (index, thread) in group.iter().enumerate() {
            let next = group[(index + 1) % group.len()];
            let held = single || random.chance(30);
            let does = if held {
                let timed = single && random.chance(10);
                Does::Waits(random.pick(HELD).unwrap_or(Kind::Lock), known(next), timed)
            } else {
                let mut any = random.some(group);
                any.push(next);
                let kind = random.pick(AWAITED).unwrap_or(Kind::Event);
                Does::Waits(kind, any_of(&any), false)
            };
            self.does[thread - 1] = does;
        }
        self.knots.insert(group.iter().copied().collect());
    }
}

/// The knots by the definition: sets that are all that each of their threads leads to.
fn by_definition(does: &[Does]) -> BTreeSet<BTreeSet<usize>> {
    let get = |thread: usize| does.get(thread - 1).unwrap_or(&Does::Runs);
    let wakes = |thread: usize| match get(thread) {
        Does::Runs => true,
        Does::Waits(_, _, timed) => *timed,
    };
    let leads_to = |thread: usize| -> Option<Vec<usize>> {
        match get(thread) {
            Does::Waits(_, Owner::Known { thread, .. }, _) => Some(vec![*thread]),
            Does::Waits(_, Owner::AnyOf { threads, .. }, false) => {
                Some(threads.iter().copied().filter(|to| *to != thread).collect())
            }
            Does::Waits(_, Owner::Orphaned { .. }, _) => Some(Vec::new()),
            _ => None,
        }
    };
    let count = does.len();
    let mut moves: BTreeSet<usize> = (1..=count + 1).filter(|t| leads_to(*t).is_none()).collect();
    loop {
        let may = |thread: &usize| {
            let any = matches!(get(*thread), Does::Waits(_, Owner::AnyOf { .. }, _));
            let mut to = leads_to(*thread).into_iter().flatten();
            to.any(|to| moves.contains(&to) || (any && wakes(to)))
        };
        let more: Vec<usize> = (1..=count)
            .filter(|thread| !moves.contains(thread) && may(thread))
            .collect();
        if more.is_empty() {
            break;
        }
        moves.extend(more);
    }
    let behind = |thread: usize| {
        let mut all = BTreeSet::new();
        let mut next = vec![thread];
        while let Some(thread) = next.pop() {
            let to = leads_to(thread).into_iter().flatten();
            next.extend(to.filter(|to| all.insert(*to)));
        }
        all
    };
    let stuck = (1..=count).filter(|thread| !moves.contains(thread));
    stuck
        .filter_map(|thread| {
            let all = behind(thread);
            let closed = all.contains(&thread) && all.iter().all(|other| behind(*other) == all);
            closed.then_some(all)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// What was planted is found, and nothing else.
    #[test]
    fn knots_are_those_that_were_planted(seed in any::<u64>()) {
        let planted = Planted::new(seed);
        let locks = world(&planted.does);
        let found = knots(&locks, None);
        let sets: BTreeSet<BTreeSet<usize>> =
            found.iter().map(|(knot, _)| knot.iter().copied().collect()).collect();
        prop_assert_eq!(&sets, &planted.knots, "{:?}", planted.does);
        prop_assert_eq!(sets.len(), found.len());
        prop_assert_eq!(sets, by_definition(&planted.does));
        for (knot, ring) in &found {
            prop_assert_eq!(knot.iter().min(), knot.first());
            if *ring {
                for (index, thread) in knot.iter().enumerate() {
                    let next = knot[(index + 1) % knot.len()];
                    let leads = match &planted.does[thread - 1] {
                        Does::Waits(_, Owner::Known { thread, .. }, _) => *thread == next,
                        Does::Waits(_, Owner::AnyOf { threads, .. }, _) => threads.contains(&next),
                        _ => false,
                    };
                    prop_assert!(leads, "{} does not wait for {}", thread, next);
                }
            }
        }
    }

    /// Random edges: the same as the definition says.
    #[test]
    fn knots_are_those_of_the_definition(
        raw in proptest::collection::vec(
            (0usize..6, proptest::collection::vec(1usize..14, 0..4), proptest::bool::weighted(0.1)),
            1..13,
        )
    ) {
        let does: Vec<Does> = raw.into_iter().map(|(what, threads, timed)| match what {
            0 => Does::Runs,
            1 => Does::Waits(Kind::Mutex, orphaned(), timed),
            2 | 3 => match threads.first() {
                Some(thread) => Does::Waits(Kind::Lock, known(*thread), timed),
                None => Does::Waits(Kind::Lock, Owner::unknown(""), timed),
            },
            _ => Does::Waits(Kind::Queue, any_of(&threads), timed),
        }).collect();
        let found = knots(&world(&does), None).into_iter();
        let sets: BTreeSet<BTreeSet<usize>> =
            found.map(|(knot, _)| knot.into_iter().collect()).collect();
        prop_assert_eq!(sets, by_definition(&does), "{:?}", does);
    }
}
