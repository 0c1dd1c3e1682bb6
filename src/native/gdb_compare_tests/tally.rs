//! Comparing stacks, and counting.

use crate::target::registers::NAMES;
use crate::unwind::Trust;
use std::collections::BTreeMap;
use std::fmt;

/// DWARF numbers of the registers that `stacks.gdb.py` prints: rsp, rbp, rbx, r12–r15.
pub(super) const REGISTERS: [usize; 7] = [7, 6, 3, 12, 13, 14, 15];

/// One function at a frame, as either debugger has it; `-` for what it does not know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: String,
}

/// One physical frame with the functions inlined there, innermost first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub(super) signal: bool,
    pub(super) pc: u64,
    pub(super) registers: [Option<u64>; 7],
    pub(super) functions: Vec<Function>,
}

/// What is allowed to differ, and why.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Difference {
    /// Registers from a frame on that was found without call frame information: gdb takes those
    /// that it knows nothing about for unchanged, pydbg says that they are not known.
    RegisterNotKnown,
    /// gdb shows functions that are gone, because they ended in a jump to another one, as frames
    /// of their own where the compiler recorded such jumps (DW_TAG_call_site).
    TailCall,
    /// A thread that was just made has not begun to run, and no caller: gdb shows one at address 0.
    CallerAtNull,
    /// Where the pc is the very first of an inlined function, gdb shows frame 0 as still outside
    /// it, as if a breakpoint were there (gdb/inline-frame.c, `skip_inline_frames`).
    StartOfInlinedFunction,
    /// gdb spells C++ names by its own rules: spaces, default template arguments, lambdas,
    /// parameters; only the plain name is compared.
    SpellingOfCpp,
    /// Several symbols have the same address, and pydbg takes the plainest (`__libc_start_main`,
    /// not `__libc_start_main_impl`); or gdb leaves the number of a part of a function out
    /// (`msort_with_tmp.part.0`).
    Alias,
    /// A C++ name that cpp_demangle does not know how to demangle stays as it is; the plain name
    /// is in it.
    StillMangled,
    /// Where several rows of the line table have the same address, gdb takes the last one that
    /// starts a statement, pydbg (with addr2line and llvm-symbolizer) the last one. Of the cases
    /// looked at the last one was the better answer: `cfunction_vectorcall_O` at
    /// methodobject.c:514, against gdb's methodobject.h:52 in the same function.
    RowOfEqualAddress,
}

/// What was counted.
#[derive(Default)]
pub(super) struct Tally {
    stacks: usize,
    frames: usize,
    guessed: usize,
    functions: usize,
    lines: usize,
    registers: usize,
    allowed: BTreeMap<Difference, usize>,
    pub(super) wrong: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} stacks, {} frames ({} without call frame information), {} registers, {} functions \
             with inlined ones, {} lines are the same; allowed {:?}; wrong {}",
            self.stacks,
            self.frames,
            self.guessed,
            self.registers,
            self.functions,
            self.lines,
            self.allowed,
            self.wrong.len()
        )
    }
}

impl Tally {
    pub(super) fn new(tail_calls: usize) -> Tally {
        Tally {
            allowed: BTreeMap::from([(Difference::TailCall, tail_calls)]),
            ..Tally::default()
        }
    }

    /// Adds what was counted elsewhere.
    pub(super) fn add(&mut self, other: Tally) {
        self.stacks += other.stacks;
        self.frames += other.frames;
        self.guessed += other.guessed;
        self.functions += other.functions;
        self.lines += other.lines;
        self.registers += other.registers;
        for (difference, count) in other.allowed {
            *self.allowed.entry(difference).or_default() += count;
        }
        self.wrong.extend(other.wrong);
    }

    /// Fails unless at least so many stacks were compared, all of them the same.
    pub(super) fn assert_same(&self, stacks: usize) {
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        assert!(self.stacks >= stacks, "{} stacks", self.stacks);
        let rows = self.allowed.get(&Difference::RowOfEqualAddress);
        let rows = rows.copied().unwrap_or(0);
        assert!(rows * 20 < self.lines, "{rows} lines differ");
    }

    /// Compares one stack.
    pub(super) fn stack(&mut self, what: &str, ours: &[(Frame, Trust)], gdb: &[Frame]) {
        self.stacks += 1;
        let mut gdb = gdb;
        if let [before @ .., last] = gdb
            && last.pc == 0
            && ours.len() == before.len()
        {
            self.allow(Difference::CallerAtNull);
            gdb = before;
        }
        if ours.len() != gdb.len() {
            let (ours, gdb) = (ours.len(), gdb.len());
            self.wrong.push(format!("{what}: {ours} frames, gdb {gdb}"));
        }
        let mut guessed = false;
        for (number, ((ours, trust), gdb)) in ours.iter().zip(gdb).enumerate() {
            let what = format!("{what} #{number}");
            if (ours.pc, ours.signal) != (gdb.pc, gdb.signal) {
                self.wrong.push(format!("{what}: {ours:x?}, gdb {gdb:x?}"));
                return;
            }
            self.frames += 1;
            let by_guess = trust.is_guess();
            self.guessed += usize::from(by_guess);
            guessed |= by_guess;
            self.registers(&what, ours, gdb, guessed);
            // gdb calls this one <signal handler called>.
            if !ours.signal {
                self.functions(&what, ours, gdb, number == 0);
            }
        }
    }

    fn allow(&mut self, difference: Difference) {
        *self.allowed.entry(difference).or_default() += 1;
    }

    fn registers(&mut self, what: &str, ours: &Frame, gdb: &Frame, guessed: bool) {
        let both = ours.registers.iter().zip(gdb.registers);
        for ((ours, gdb), number) in both.zip(REGISTERS) {
            if *ours == gdb {
                self.registers += 1;
            } else if guessed && ours.is_none() {
                self.allow(Difference::RegisterNotKnown);
            } else {
                let name = NAMES[number];
                self.wrong
                    .push(format!("{what}: {name} {ours:x?}, gdb {gdb:x?}"));
            }
        }
    }

    fn functions(&mut self, what: &str, ours: &Frame, gdb: &Frame, innermost: bool) {
        let mut functions = ours.functions.as_slice();
        if innermost && functions.len() > gdb.functions.len() {
            self.allow(Difference::StartOfInlinedFunction);
            functions = &functions[functions.len() - gdb.functions.len()..];
        }
        if functions.len() != gdb.functions.len() {
            let gdb = &gdb.functions;
            self.wrong
                .push(format!("{what}: {functions:?}, gdb {gdb:?}"));
            return;
        }
        for (ours, gdb) in functions.iter().zip(&gdb.functions) {
            if ours.name == gdb.name {
                self.functions += 1;
            } else if ours.name.starts_with("_Z") && ours.name.contains(&plain(&gdb.name)) {
                self.allow(Difference::StillMangled);
            } else if same_symbol(&ours.name, &gdb.name) {
                self.allow(Difference::Alias);
            } else if plain(&ours.name) == plain(&gdb.name) {
                self.allow(Difference::SpellingOfCpp);
            } else {
                self.wrong.push(format!("{what}: {ours:?}, gdb {gdb:?}"));
            }
            let (ours, gdb) = (&ours.line, &gdb.line);
            if ours == gdb {
                self.lines += 1;
            } else if ours == "-" || gdb == "-" {
                self.wrong.push(format!("{what}: line {ours}, gdb {gdb}"));
            } else {
                self.allow(Difference::RowOfEqualAddress);
            }
        }
    }
}

/// Whether both are names of one symbol, for the cases of [`Difference::Alias`].
fn same_symbol(ours: &str, gdb: &str) -> bool {
    let number = ours
        .strip_prefix(gdb)
        .and_then(|rest| rest.strip_prefix('.'));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
        || gdb.strip_suffix("_impl") == Some(ours)
}

/// A C++ name without scopes, template arguments and parameters.
fn plain(name: &str) -> String {
    let mut depth = 0;
    let outside: String = name
        .chars()
        .filter(|c| {
            depth += i32::from("<({[".contains(*c));
            let keep = depth == 0;
            depth -= i32::from(">)}]".contains(*c));
            keep
        })
        .collect();
    let last = outside.rsplit("::").next().unwrap_or_default();
    last.trim().trim_end_matches(" const").to_owned()
}
