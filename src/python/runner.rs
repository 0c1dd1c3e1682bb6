//! Which native thread really runs a thread state. Its ident is that of the thread that made it
//! (Python/pystate.c, `new_threadstate`), and that is another one where an interpreter was made in
//! one thread and is run in another: `_xxsubinterpreters` up to 3.12, and programs that embed
//! CPython. What cannot lie is on which stack its frames run.

use super::layout::{FrameChain, Layout};
use super::thread::State;
use crate::addr::Addr;
use crate::bytes;
use crate::native::Process;
use crate::target::{Memory, TargetThread};
use rustc_hash::FxHashMap;

/// The most frames that are followed to the first one on the C stack.
const MOST_FRAMES: usize = 1 << 20;
/// Bytes of a stack that are searched for a frame's address.
const SEARCHED: u64 = 256 << 10;
/// `FRAME_OWNED_BY_INTERPRETER`: a frame on the C stack (3.13+).
const ON_C_STACK: u8 = 3;

/// The part of a native thread's stack that is in use.
struct Stack {
    start: Addr,
    end: Addr,
    tid: i32,
}

/// Puts those thread states right whose native thread is in doubt, because several thread states
/// say that they are its, or because there is none. `tids` are the LWP ids that idents lead to.
pub(super) fn put_right(
    process: &Process,
    layout: &Layout,
    states: &[Vec<State>],
    tids: &mut [Vec<Option<i32>>],
) {
    let mut claims: FxHashMap<i32, usize> = FxHashMap::default();
    for tid in tids.iter().flatten().flatten() {
        *claims.entry(*tid).or_default() += 1;
    }
    let doubtful = |tid: &Option<i32>| tid.is_none_or(|tid| claims.get(&tid) != Some(&1));
    if !tids.iter().flatten().any(doubtful) {
        return;
    }
    let stacks: Vec<Stack> = process
        .target
        .threads
        .iter()
        .filter_map(|thread| stack(process, thread))
        .collect();
    let pairs = states.iter().flatten().zip(tids.iter_mut().flatten());
    for (state, tid) in pairs.filter(|(_, tid)| doubtful(tid)) {
        if let Some(runner) = runner(process, layout, &stacks, state) {
            *tid = Some(runner);
        }
    }
}

fn stack(process: &Process, thread: &TargetThread) -> Option<Stack> {
    let sp = thread.registers?.sp()?;
    Some(Stack {
        start: sp,
        end: process.target.mapping(sp)?.end,
        tid: thread.tid,
    })
}

/// The thread on whose stack the frames of a thread state run.
fn runner(process: &Process, layout: &Layout, stacks: &[Stack], state: &State) -> Option<i32> {
    let memory = &*process.target.memory;
    let fields = &layout.fields.thread;
    let owner = |at: Addr| {
        let holds = |stack: &&Stack| stack.start <= at && at < stack.end;
        let nearest = stacks.iter().filter(holds).max_by_key(|stack| stack.start);
        nearest.map(|stack| stack.tid)
    };
    match (fields.cframe, layout.kinds.frame_chain) {
        (Some(cframe), _) => owner(memory.ptr(cframe.of(state.addr)).ok()?),
        (None, FrameChain::Interpreter) => owner(entry_frame(memory, layout, state)?),
        (None, _) => {
            let frame = memory.ptr(fields.frame?.of(state.addr)).ok()?;
            if frame.is_null() {
                return None;
            }
            let mut holders = stacks
                .iter()
                .filter(|stack| holds_word(memory, stack, frame));
            let holder = holders.next()?;
            holders.next().is_none().then_some(holder.tid)
        }
    }
}

/// The innermost frame on the C stack.
fn entry_frame(memory: &dyn Memory, layout: &Layout, state: &State) -> Option<Addr> {
    let frame = &layout.fields.frame;
    let mut at = memory
        .ptr(layout.fields.thread.frame?.of(state.addr))
        .ok()?;
    for _ in 0..MOST_FRAMES {
        if at.is_null() {
            return None;
        }
        let [owner] = memory.array::<1>(frame.owner?.of(at)).ok()?;
        if owner >= ON_C_STACK {
            return Some(at);
        }
        at = memory.ptr(frame.previous.of(at)).ok()?;
    }
    None
}

fn holds_word(memory: &dyn Memory, stack: &Stack, word: Addr) -> bool {
    let length = stack.end.since(stack.start).unwrap_or(0).min(SEARCHED);
    let Ok(raw) = memory.bytes(stack.start, length as usize) else {
        return false;
    };
    let mut words = raw
        .chunks_exact(8)
        .filter_map(|word| bytes::u64_at(word, 0));
    words.any(|found| found == word.0)
}
