//! Thread states of one interpreter (Include/cpython/pystate.h), and the native thread that runs
//! each.

use super::Attachment;
use super::layout::{Field, Layout};
use crate::addr::Addr;
use crate::target::{Memory, Target, TargetThread};
use rustc_hash::{FxHashMap, FxHashSet};

/// More thread states than this are damage.
const MOST: usize = 1_000_000;

/// The thread states of an interpreter as they are linked.
pub(super) struct List {
    /// Newest first.
    pub(super) all: Vec<Addr>,
    /// Why the list ended before its end.
    pub(super) problem: Option<String>,
    /// What is wrong with one of them.
    pub(super) odd: Option<String>,
}

/// Reads the list of thread states of the interpreter at `interpreter`.
pub(super) fn list(memory: &dyn Memory, layout: &Layout, interpreter: Addr) -> List {
    let f = &layout.fields.thread;
    let mut all: Vec<Addr> = Vec::new();
    let mut seen = FxHashSet::default();
    let mut odd = None;
    let mut read = || {
        let mut next = memory
            .ptr(layout.fields.interpreter.threads.of(interpreter))
            .map_err(|fault| fault.to_string())?;
        while !next.is_null() {
            if all.len() == MOST || !seen.insert(next) {
                return Err(format!("it comes back to {next}"));
            }
            // In 3.11 and before, its head lies where a thread state has its interpreter.
            if next == interpreter {
                return Err("it leads to the interpreter itself".into());
            }
            match memory.ptr(f.interp.of(next)) {
                Ok(back) if back == interpreter && next != interpreter => {}
                // One damaged word must not cost the threads behind it.
                Ok(back) if is_linked(memory, layout, next) => {
                    odd = Some(format!("{next} says that it belongs to {back}"));
                }
                Ok(_) => return Err(format!("{next} is no thread state of it")),
                Err(fault) => return Err(fault.to_string()),
            }
            all.push(next);
            next = memory
                .ptr(f.next.of(next))
                .map_err(|fault| fault.to_string())?;
        }
        Ok(())
    };
    let problem = read().err();
    List { all, problem, odd }
}

/// Whether a neighbour in the list refers back to the thread state at `at`.
fn is_linked(memory: &dyn Memory, layout: &Layout, at: Addr) -> bool {
    let f = &layout.fields.thread;
    let leads_back = |link: Field, back: Field| {
        let neighbour = memory.ptr(link.of(at));
        neighbour.is_ok_and(|to| !to.is_null() && memory.ptr(back.of(to)) == Ok(at))
    };
    f.prev
        .is_some_and(|prev| leads_back(prev, f.next) || leads_back(f.next, prev))
}

/// What one thread state says about itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) addr: Addr,
    /// The `pthread_t`.
    pub(super) ident: Option<u64>,
    /// The LWP id in the process's own PID namespace (3.11+).
    native_id: Option<i32>,
    /// Whether it says that it runs, where the version has such marks and they agree; they differ
    /// for a moment while the GIL is taken or dropped.
    pub(super) active: Option<bool>,
    /// Whether it may touch Python objects (3.13+).
    pub(super) attachment: Option<Attachment>,
    /// Whether it says that it waits for the GIL (3.15).
    pub(super) requests_gil: Option<bool>,
    /// Whether it says nothing of itself, as none in a list does: from 3.12 on each is marked as
    /// initialised before it is put there, and before each had the ident of a thread.
    pub(super) blank: bool,
    /// Whether it is about to be freed: it says so, and runs nothing any more. A flipped bit alone
    /// must not hide a stack.
    pub(super) cleared: bool,
}

impl State {
    /// Reads the thread state at `addr`.
    pub(super) fn read(memory: &dyn Memory, layout: &Layout, addr: Addr) -> State {
        let f = &layout.fields.thread;
        let status = f.status.and_then(|field| memory.u32(field.of(addr)).ok());
        // Of the 32 bits no version uses more than 11.
        let status = status.filter(|status| *status >> 16 == 0);
        let bit = |number: u8| status.map(|status| status >> number & 1 == 1);
        let bits = layout.kinds.status;
        let word = |field: Option<Field>| field.and_then(|f| memory.u32(f.of(addr)).ok());
        let marks = [
            bits.and_then(|bits| bit(bits.active)),
            bits.and_then(|bits| bit(bits.holds_gil?)),
            word(f.holds_gil).map(|holds| holds == 1),
            word(f.state).map(|state| state == ATTACHED),
        ];
        let ident = memory.u64(f.thread_id.of(addr)).ok();
        let native_id = f
            .native_thread_id
            .and_then(|field| memory.u64(field.of(addr)).ok());
        State {
            addr,
            ident: ident.filter(|ident| *ident != 0),
            blank: ident == Some(0) && (f.status.is_none() || status == Some(0)),
            native_id: native_id
                .and_then(|id| i32::try_from(id).ok())
                .filter(|id| *id > 0),
            attachment: f
                .state
                .and_then(|field| match memory.i32(field.of(addr)).ok()? {
                    0 => Some(Attachment::Detached),
                    1 => Some(Attachment::Attached),
                    2 => Some(Attachment::Suspended),
                    3 => Some(Attachment::ShuttingDown),
                    _ => None,
                }),
            active: agreeing(marks.into_iter().flatten()),
            requests_gil: word(f.gil_requested).map(|requests| requests == 1),
            cleared: bits.is_some_and(|bits| {
                let marked = bit(bits.cleared) == Some(true) || bit(bits.finalized) == Some(true);
                marked && !runs(memory, layout, addr)
            }),
        }
    }
}

/// Whether a thread state of a version with status bits has a frame of a function.
fn runs(memory: &dyn Memory, layout: &Layout, addr: Addr) -> bool {
    let thread = &layout.fields.thread;
    let ptr = |at: Addr| memory.ptr(at).ok().filter(|to| !to.is_null());
    let cframe = || {
        let cframe = ptr(thread.cframe?.of(addr))?;
        ptr(layout.fields.cframe?.current_frame?.of(cframe))
    };
    let frame = match thread.frame {
        Some(frame) => ptr(frame.of(addr)),
        None => cframe(),
    };
    let base = thread.base_frame.and_then(|base| ptr(base.of(addr)));
    frame.is_some() && frame != base
}

/// `tstate->state` of a thread that is attached to its interpreter (3.13+).
const ATTACHED: u32 = 1;

/// What all marks say, if they say the same.
fn agreeing(mut marks: impl Iterator<Item = bool>) -> Option<bool> {
    let first = marks.next()?;
    marks.all(|mark| mark == first).then_some(first)
}

/// Finds the native thread of a thread state.
pub(super) struct Matcher<'a> {
    memory: &'a dyn Memory,
    by_pointer: FxHashMap<u64, i32>,
    tids: FxHashSet<i32>,
}

/// Offset of `tid` in glibc's `struct pthread` on x86-64, the same from 2.31 to 2.43.
const PTHREAD_TID: u64 = 720;

impl<'a> Matcher<'a> {
    /// Knows the native threads of `target`.
    pub(super) fn new(target: &'a Target) -> Matcher<'a> {
        let pointer = |thread: &TargetThread| {
            let pointer = thread.registers?.thread_pointer?;
            (pointer != 0).then_some((pointer, thread.tid))
        };
        Matcher {
            memory: &*target.memory,
            by_pointer: target.threads.iter().filter_map(pointer).collect(),
            tids: target.threads.iter().map(|thread| thread.tid).collect(),
        }
    }

    /// The LWP id of the thread that `state` belongs to: the one whose thread pointer is the
    /// ident, else the one that the thread state or glibc names. Two thread states of a reused
    /// ident are told apart by the LWP id that 3.11 and later remember.
    pub(super) fn tid(&self, state: &State) -> Option<i32> {
        let ident = state.ident?;
        if let Some(tid) = self.by_pointer.get(&ident) {
            let reused = state
                .native_id
                .filter(|id| id != tid && self.tids.contains(id));
            return reused.is_none().then_some(*tid);
        }
        let named = state.native_id.filter(|id| self.tids.contains(id));
        named.or_else(|| {
            let tid = self.memory.i32(Addr(ident).add(PTHREAD_TID)).ok()?;
            // A thread that has a thread pointer of its own is not this one.
            self.tids.contains(&tid).then_some(tid)
        })
    }
}

/// Bytes of a stack that are searched for a lost thread state.
const SEARCHED: u64 = 256 << 10;

/// The thread state of a native thread: a word in its registers or on its stack that is the address
/// of something with the thread's ident, and of which `fits` holds.
pub(super) fn find_on_stack(
    target: &Target,
    layout: &Layout,
    thread: &TargetThread,
    fits: impl Fn(Addr) -> bool,
) -> Option<Addr> {
    let memory = &*target.memory;
    let registers = thread.registers?;
    let ident = registers.thread_pointer.filter(|pointer| *pointer != 0)?;
    let sp = registers.sp()?;
    let stack = target.mapping(sp)?;
    let end = stack.end.min(sp.add(SEARCHED));
    let raw = memory
        .bytes(sp, end.since(sp)? as usize)
        .unwrap_or_default();
    let mut tried = FxHashSet::default();
    let words = raw
        .chunks_exact(8)
        .filter_map(|word| crate::bytes::u64_at(word, 0))
        .map(Addr);
    let registers = registers.general.into_iter().flatten().map(Addr);
    registers.chain(words).find(|word| {
        word.0 % 8 == 0
            && !stack.contains(*word)
            && tried.insert(*word)
            && memory.u64(layout.fields.thread.thread_id.of(*word)) == Ok(ident)
            && fits(*word)
    })
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
