//! Lists of the collector, whole and damaged.

use super::*;
use std::collections::HashMap;

/// Words by address.
struct Ring(HashMap<u64, u64>);

const HEAD: u64 = 0x1000;
const TO_OBJECT: u64 = 16;

impl Words for Ring {
    fn u64(&self, addr: Addr) -> Option<u64> {
        self.0.get(&addr.0).copied()
    }
}

/// The address of node `index`; 0 is the head.
fn node(index: u64) -> u64 {
    HEAD + index * 0x40
}

impl Ring {
    /// A whole list of so many objects.
    fn new(objects: u64) -> Ring {
        let mut ring = Ring(HashMap::new());
        for index in 0..=objects {
            let next = (index + 1) % (objects + 1);
            ring.next(index, node(next));
            ring.back(next, node(index));
        }
        ring
    }

    fn next(&mut self, index: u64, word: u64) {
        self.0.insert(node(index), word);
    }

    fn back(&mut self, index: u64, word: u64) {
        self.0.insert(node(index) + 8, word);
    }

    fn walk(&self, counting: bool) -> (Vec<u64>, Outcome) {
        let list = List {
            memory: self,
            head: Addr(HEAD),
            to_object: TO_OBJECT,
            counting,
            most: 1_000_000,
            plausible: Box::new(|object| self.0.contains_key(&(object.0 - TO_OBJECT))),
        };
        let mut found = Vec::new();
        let outcome = list.walk(&Cancel::default(), &mut |object| {
            found.push((object.0 - TO_OBJECT - HEAD) / 0x40);
        });
        assert_eq!(outcome.objects, found.len() as u64);
        found.sort_unstable();
        (found, outcome)
    }

    /// That all objects but these are found, and that something is said if `damaged`.
    fn expect(&self, objects: u64, missing: &[u64], damaged: bool) {
        let (found, outcome) = self.walk(false);
        let all: Vec<u64> = (1..=objects).filter(|at| !missing.contains(at)).collect();
        assert_eq!(found, all, "{outcome:?}");
        assert_eq!(outcome.problem.is_some(), damaged, "{outcome:?}");
    }
}

#[test]
fn whole_lists_are_met_once() {
    for objects in [0, 1, 2, 3, 10, 5000] {
        Ring::new(objects).expect(objects, &[], false);
    }
}

#[test]
fn one_damaged_word_hides_nothing() {
    for bad in [0, 0x33, u64::MAX, node(3), HEAD, node(7), node(8)] {
        for index in 0..=9 {
            let mut ring = Ring::new(9);
            ring.next(index, bad);
            let damaged = node((index + 1) % 10) != bad;
            ring.expect(9, &[], damaged);
            let mut ring = Ring::new(9);
            ring.back(index, bad);
            ring.expect(9, &[], node((index + 9) % 10) != bad);
        }
    }
}

#[test]
fn an_object_with_two_damaged_links_hides_nothing() {
    for index in 1..=9 {
        let mut ring = Ring::new(9);
        ring.next(index, 0x33);
        ring.back(index, 0);
        ring.expect(9, &[], true);
    }
}

#[test]
fn links_back_that_are_damaged_are_stepped_over() {
    let mut ring = Ring::new(100);
    for index in [20, 40, 60, 80] {
        ring.back(index, 0x77);
    }
    ring.expect(100, &[], true);
    let mut ring = Ring::new(100);
    for index in [20, 40, 60, 80] {
        ring.next(index, 0x77);
    }
    ring.expect(100, &[], true);
}

#[test]
fn what_lies_between_two_damaged_objects_is_missing() {
    let mut ring = Ring::new(30);
    for index in [10, 20] {
        ring.next(index, 0x77);
        ring.back(index, 0x77);
    }
    let (found, outcome) = ring.walk(false);
    let expected: Vec<u64> = (1..10).chain(21..=30).collect();
    assert_eq!(found, expected);
    let problem = outcome.problem.unwrap_or_default();
    assert!(problem.contains("those between are missing"), "{problem}");
}

#[test]
fn random_damage_meets_nothing_twice() {
    let mut seed: u64 = 1;
    let mut random = |below: u64| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) % below
    };
    for _ in 0..2000 {
        let mut ring = Ring::new(40);
        for _ in 0..=random(12) {
            let (index, word) = (random(41), node(random(41)));
            match random(2) {
                0 => ring.next(index, word),
                _ => ring.back(index, word),
            }
        }
        let (mut found, outcome) = ring.walk(false);
        found.dedup();
        assert_eq!(outcome.objects, found.len() as u64, "{outcome:?}");
        // Here nothing tells a cycle from a list but going round; that it ends is all.
        ring.walk(true);
    }
}

/// The word of a node whose references are being counted.
fn counted(references: u64) -> u64 {
    references << 2 | COUNTING
}

#[test]
fn a_list_under_collection_is_walked_by_its_links_forth() {
    let mut ring = Ring::new(50);
    for index in 10..=50 {
        ring.back(index, counted(index));
    }
    let (found, outcome) = ring.walk(true);
    assert_eq!(found, (1..=50).collect::<Vec<_>>());
    assert_eq!(outcome.problem, None);
    assert_ne!(ring.walk(false).1.problem, None);
}

#[test]
fn a_cycle_under_collection_ends() {
    let mut ring = Ring::new(50);
    for index in 1..=50 {
        ring.back(index, counted(1));
    }
    ring.next(40, node(20));
    let (mut found, outcome) = ring.walk(true);
    found.dedup();
    assert!(found.starts_with(&(1..=40).collect::<Vec<_>>()));
    assert!(outcome.problem.unwrap_or_default().contains("comes back"));
}
