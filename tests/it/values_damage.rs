//! Damaged heaps: words of a kernel core of the fixture `values` are changed at fixed seeds, and
//! every value is written again. It ends soon, without a panic, and a value none of whose bytes
//! were changed is written as before. What a damaged value says cannot be checked: a changed
//! integer is just another one.

use crate::harness::{Fixture, cpu_time, interpreters};
use pydbg::Addr;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::value::{Limits, Shown};
use pydbg::target::synth_random::Random;
use pydbg::target::{Fault, Memory, core};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// No value may take more processor time to write.
const LONGEST: Duration = Duration::from_secs(2);

/// The limits of a user, without attributes, which are no part of the truth.
fn limits() -> Limits {
    Limits {
        attributes: false,
        ..Limits::default()
    }
}

/// Memory in which words can be changed, and which tells what was read.
struct Damaged {
    memory: Arc<dyn Memory>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Changed words by address.
    words: BTreeMap<u64, u64>,
    /// Ranges read, as start and end.
    read: Vec<(u64, u64)>,
}

impl Damaged {
    fn set(&self, words: BTreeMap<u64, u64>) {
        self.state.lock().unwrap().words = words;
    }

    fn take_read(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.state.lock().unwrap().read)
    }
}

impl Memory for Damaged {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        let end = addr.0.saturating_add(buf.len() as u64);
        let mut state = self.state.lock().unwrap();
        state.read.push((addr.0, end));
        self.memory.read(addr, buf)?;
        for (at, word) in state.words.range(addr.0.saturating_sub(7)..end) {
            for (place, byte) in (*at..).zip(word.to_le_bytes()) {
                let place = place.checked_sub(addr.0);
                if let Some(old) = place.and_then(|place| buf.get_mut(place as usize)) {
                    *old = byte;
                }
            }
        }
        Ok(())
    }
}

/// A word as damage has them: huge, negative, small, another object, or anything.
fn damaged_word(random: &mut Random, values: &[Value]) -> u64 {
    match random.below(7) {
        0 => u64::MAX,
        1 => 1 << random.below(64),
        2 => random.below(64) as u64,
        3 => 0,
        4 => values[random.below(values.len())].addr.0,
        5 => values[random.below(values.len())].addr.0 + 8 * random.below(8) as u64,
        _ => random.number(),
    }
}

/// A value of the fixture in the undamaged core.
struct Value {
    name: String,
    addr: Addr,
    /// As it is written there.
    text: String,
    /// What was read for that once the types were known.
    read: Vec<(u64, u64)>,
}

/// One core whose heap is damaged again and again.
struct Victim {
    memory: Arc<Damaged>,
    python: Python,
    values: Vec<Value>,
}

/// Opens a core whose memory can be changed.
fn open(path: &Path, options: &pydbg::target::Options) -> (Arc<Damaged>, Python) {
    let mut target = core::open(path, options).expect("the core is whole");
    let memory = Arc::new(Damaged {
        memory: Arc::clone(&target.memory),
        state: Mutex::default(),
    });
    target.memory = memory.clone();
    let process = Arc::new(Process::new(Arc::new(target)));
    (memory, Python::find(process).expect("Python is found"))
}

fn show(python: &Python, name: &str, addr: Addr) -> Shown {
    let start = cpu_time();
    let shown = python.objects.show(addr, limits());
    let took = cpu_time() - start;
    assert!(took < LONGEST, "{name} took {took:?}");
    assert!(shown.text.len() < 1 << 20, "{name}: {}", shown.text.len());
    shown
}

impl Victim {
    fn new(path: &Path, options: &pydbg::target::Options) -> Victim {
        let (memory, python) = open(path, options);
        let objects = &python.objects;
        let namespace = python.module("__main__").expect("__main__");
        let values = objects.dict_get(namespace, "VALUES").expect("a namespace");
        let items = objects.dict_items(values.expect("VALUES")).expect("items");
        let values = items.into_iter().map(|(name, addr)| {
            let name = objects.text(name, 200).expect("a name").value;
            // Once for the types, whose reading is remembered.
            show(&python, &name, addr);
            memory.take_read();
            let text = show(&python, &name, addr).text;
            let read = memory.take_read();
            Value {
                name,
                addr,
                text,
                read,
            }
        });
        let values: Vec<Value> = values.collect();
        Victim {
            memory,
            python,
            values,
        }
    }

    /// Changes words that some values consist of. Gives how many values were touched by that, and
    /// how many of them are written otherwise without saying that anything is wrong.
    fn aim(&self, seed: u64) -> (usize, usize) {
        let mut random = Random::new(seed);
        let mut words = BTreeMap::new();
        for _ in 0..40 {
            let value = &self.values[random.below(self.values.len())];
            let (start, end) = value.read[random.below(value.read.len())];
            let length = (end - start).min(1 << 12) as usize;
            let at = (start + random.below(length) as u64) & !7;
            words.insert(at, damaged_word(&mut random, &self.values));
        }
        self.memory.set(words.clone());
        let (mut touched, mut silent) = (0, 0);
        for value in &self.values {
            let shown = show(&self.python, &value.name, value.addr);
            let is_touched = |(start, end): &(u64, u64)| {
                words.range(start.saturating_sub(7)..*end).next().is_some()
            };
            if value.read.iter().any(is_touched) {
                touched += 1;
                let marked = shown.unreadable > 0 || shown.cut;
                silent += usize::from(shown.text != value.text && !marked);
            } else {
                assert_eq!(shown.text, value.text, "{} at seed {seed}", value.name);
            }
        }
        self.memory.set(BTreeMap::new());
        self.memory.take_read();
        (touched, silent)
    }

    /// Changes many words anywhere that can be written, types included; nothing is remembered.
    fn flood(&self, path: &Path, options: &pydbg::target::Options, seed: u64, count: usize) {
        let mut random = Random::new(seed);
        let (memory, python) = open(path, options);
        let mappings = &python.process.target.mappings;
        let writable: Vec<_> = mappings.iter().filter(|m| m.write).collect();
        let mut words = BTreeMap::new();
        for _ in 0..count {
            let mapping = writable[random.below(writable.len())];
            let length = (mapping.end.0 - mapping.start.0) as usize;
            let at = (mapping.start.0 + random.below(length) as u64) & !7;
            words.insert(at, damaged_word(&mut random, &self.values));
        }
        memory.set(words);
        for value in &self.values {
            show(&python, &value.name, value.addr);
        }
    }
}

fn check(id: &str) {
    let Some(interpreter) = interpreters().iter().find(|i| i.id == id) else {
        println!("{id} is not there");
        return;
    };
    let mut fixture = Fixture::start(interpreter, "values", &[]);
    let (core, options) = (fixture.kernel_core(), interpreter.options());
    let victim = Victim::new(&core, &options);
    let (mut touched, mut silent) = (0, 0);
    for seed in 1..=40 {
        let counts = victim.aim(seed);
        touched += counts.0;
        silent += counts.1;
    }
    println!("{id}: {touched} damaged values, {silent} of them other values");
    assert!(touched > 500, "{touched}");
    for (seed, count) in [(101, 2_000), (102, 2_000), (103, 200_000), (104, 200_000)] {
        victim.flood(&core, &options, seed, count);
    }
}

#[test]
fn damaged_values_of_2_7() {
    check("pyenv-2.7");
}

#[test]
fn damaged_values_of_3_11() {
    check("pyenv-3.11");
}

#[test]
fn damaged_values_of_3_14() {
    check("sid-3.14");
}
