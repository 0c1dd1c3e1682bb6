//! What gdb says about a core, by way of its Python.

use super::cores::{asset, output};
use super::tally::{Frame, Function};
use std::collections::BTreeMap;
use std::path::Path;

/// All stacks of a core.
#[derive(Default)]
pub(super) struct Threads {
    /// By LWP, innermost frame first.
    pub(super) stacks: BTreeMap<i32, Vec<Frame>>,
    /// How many frames of tail calls were left out.
    pub(super) tail_calls: usize,
}

/// Asks gdb.
pub(super) fn threads(exe: &str, core: &Path) -> Threads {
    let script = asset("stacks.gdb.py");
    let core = core.to_str().unwrap();
    let text = output(&["gdb", "-batch", "-nx", "-x", &script, exe, core]);
    let mut threads = Threads::default();
    let mut lwp = 0;
    let mut functions = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match (fields[0], fields.get(1)) {
            ("@thread", _) => lwp = fields[2].parse().unwrap(),
            ("@frame", Some(&"tail")) => {
                threads.tail_calls += 1;
                functions.clear();
            }
            ("@frame", Some(kind)) => {
                functions.push(Function {
                    name: fields[3].to_owned(),
                    line: fields[4].to_owned(),
                });
                if *kind == "inline" {
                    continue;
                }
                let hex = |text: &str| u64::from_str_radix(text, 16).ok();
                let mut registers = [None; 7];
                for (slot, text) in registers.iter_mut().zip(&fields[5..]) {
                    *slot = hex(text);
                }
                threads.stacks.entry(lwp).or_default().push(Frame {
                    signal: *kind == "signal",
                    pc: hex(fields[2]).unwrap(),
                    registers,
                    functions: std::mem::take(&mut functions),
                });
            }
            _ => {}
        }
    }
    let found = !threads.stacks.is_empty();
    assert!(found, "this test needs gdb with Python; it said: {text}");
    threads
}
