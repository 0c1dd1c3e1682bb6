//! Every frame of some hundred stacks compared with gdb's: the C++ program `stacks.cc` with
//! threads in all kinds of places that are hard to unwind, every CPython on the machine, and the
//! fixtures that crash. Compared are pc, stack pointer, callee-saved registers, functions with
//! inlined ones, files and lines; where the two may differ is said at [`tally::Difference`].

mod by_gdb;
mod cores;
mod tally;

use super::Process;
use crate::target::{Options, core};
use crate::unwind::{NativeFrame, Trust};
use std::path::Path;
use std::sync::Arc;
use tally::{Frame, Function, REGISTERS, Tally};

fn by_pydbg(process: &Process, frame: &NativeFrame) -> Frame {
    let locations = process.symbolize(frame);
    let functions = locations.iter().map(|location| Function {
        name: location.function.clone().unwrap_or("-".into()),
        line: match (&location.file, location.line) {
            (Some(file), line) => format!("{file}:{}", line.unwrap_or(0)),
            _ => "-".into(),
        },
    });
    Frame {
        signal: frame.signal_trampoline,
        pc: frame.pc.addr().0,
        registers: REGISTERS.map(|number| frame.registers.general[number]),
        functions: functions.collect(),
    }
}

/// Compares all threads of a core, and prints what was counted.
fn compare(what: &str, exe: &str, core_path: &Path) -> Tally {
    let gdb = by_gdb::threads(exe, core_path);
    let target = core::open(core_path, &Options::default()).unwrap();
    let process = Process::new(Arc::new(target));
    let mut tally = Tally::new(gdb.tail_calls);
    for thread in process.threads() {
        let stack = process.stack(thread.id).unwrap();
        let frames = stack.frames.iter();
        let ours: Vec<(Frame, Trust)> = frames
            .map(|frame| (by_pydbg(&process, frame), frame.trust))
            .collect();
        let name = format!("{what} {}", thread.tid);
        match gdb.stacks.get(&thread.tid) {
            Some(gdb) => tally.stack(&name, &ours, gdb),
            None => tally.wrong.push(format!("{name}: gdb does not know it")),
        }
    }
    println!("{what}: {tally}");
    tally
}

#[test]
fn cpp_stacks_are_those_of_gdb() {
    let dir = tempfile::tempdir().unwrap();
    let flags = "-O2 -g -pthread -Wl,-z,lazy -no-pie -fno-pie";
    let exe = cores::compile(dir.path(), "g++", "stacks.cc", flags);
    let core = cores::of_crash(dir.path(), &[&exe, "35"]);
    let tally = compare("stacks.cc", &exe, &core);
    tally.assert_same(200);
}

#[test]
fn plain_stacks_are_those_of_gdb() {
    let mut total = Tally::new(0);
    for flags in [
        // Call frame information in .debug_frame only.
        "-O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables",
        "-O2 -g -gz=zlib",
        "-O2 -g -static",
        "-O1 -static-pie -fPIE",
        "-O0 -gdwarf-4",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let exe = cores::compile(dir.path(), "cc", "plain.c", flags);
        let core = cores::of_crash(dir.path(), &[&exe]);
        total.add(compare(flags, &exe, &core));
    }
    total.assert_same(5);
}

#[test]
fn python_stacks_are_those_of_gdb() {
    let fixture = cores::fixture("threads.py");
    let mut total = Tally::new(0);
    for (index, (id, python)) in cores::interpreters().iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        // Half of them from the kernel, half from gcore.
        let core = match index % 2 {
            0 => cores::of_aborted(dir.path(), &[python, &fixture]),
            _ => cores::by_gcore(dir.path(), &[python, &fixture]),
        };
        total.add(compare(id, python, &core));
    }
    println!("all: {total}");
    total.assert_same(100);
}

#[test]
fn crashes_are_those_of_gdb() {
    let all = cores::interpreters();
    // Up to 3.10 each Python call has frames of C, so that deep recursion is deep here too.
    let deep = all.iter().find(|(id, _)| id.ends_with("3.10"));
    let Some((id, python)) = deep.or(all.last()) else {
        panic!("this test needs an interpreter: see fixtures/interpreters");
    };
    let mut total = Tally::new(0);
    for name in [
        "segv.py",
        "segv_extension.py",
        "deep_recursion.py",
        "ctypes_callback.py",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let command = [python.as_str(), &cores::fixture(name)];
        let core = match name.starts_with("segv") {
            true => {
                let truth = dir.path().join("truth");
                let command = [command[0], command[1], truth.to_str().unwrap()];
                cores::of_crash(dir.path(), &command)
            }
            false => cores::of_aborted(dir.path(), &command),
        };
        total.add(compare(&format!("{id} {name}"), python, &core));
    }
    total.assert_same(4);
}
