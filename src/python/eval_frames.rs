//! Which native frames are activations of the evaluation loop where nothing marks them (up to
//! 3.9): by the function's name, and in a stripped binary by what its frames hold. And which
//! frame object each of them runs (up to 3.10), where that is in doubt: in 3.9 and 3.10 a frame
//! may be in the chain without running, while `throw()` passes through it, and end the chain.

use super::layout::Layout;
use crate::addr::Addr;
use crate::bytes;
use crate::native::Process;
use crate::target::Memory;
use crate::unwind::NativeFrame;
use rustc_hash::{FxHashMap, FxHashSet};

/// The most stack that one native frame is searched for a pointer, in bytes.
const MOST_SEARCHED: u64 = 4096;

/// The positions of the activations in `native`, innermost first. `python` are the addresses of
/// the Python frames, innermost first.
pub(super) fn find(
    process: &Process,
    layout: &Layout,
    native: &[NativeFrame],
    python: &[Addr],
) -> Vec<usize> {
    let wanted = layout.kinds.eval_function;
    // Names are looked up once for each function: a stack has many frames of few.
    let mut known: FxHashMap<Addr, bool> = FxHashMap::default();
    let named = |frame: &NativeFrame| {
        let pc = frame.pc.lookup();
        *known
            .entry(frame.function_start.unwrap_or(pc))
            .or_insert_with(|| {
                let name = process.symbol(pc).and_then(|symbol| symbol.function);
                name.is_some_and(|name| is_part_of(&name, wanted))
            })
    };
    let by_name = positions(native, named);
    if !by_name.is_empty() || python.is_empty() {
        return by_name;
    }
    by_pointers(&*process.target.memory, native, python)
}

/// Whether a symbol is the function or a part that the compiler split off it, such as
/// `_PyEval_EvalFrameDefault.cold`.
pub(super) fn is_part_of(symbol: &str, function: &str) -> bool {
    let rest = symbol.strip_prefix(function);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ' ', '[']))
}

fn positions(native: &[NativeFrame], mut is_loop: impl FnMut(&NativeFrame) -> bool) -> Vec<usize> {
    let indexed = native.iter().enumerate();
    indexed
        .filter(|(_, frame)| is_loop(frame))
        .map(|(index, _)| index)
        .collect()
}

/// The function that has as many frames as there are Python frames, each of which holds the
/// address of its Python frame in a register or on the stack.
fn by_pointers(memory: &dyn Memory, native: &[NativeFrame], python: &[Addr]) -> Vec<usize> {
    let mut functions: FxHashMap<Addr, Vec<usize>> = FxHashMap::default();
    for (index, frame) in native.iter().enumerate() {
        if let Some(start) = frame.function_start {
            functions.entry(start).or_default().push(index);
        }
    }
    let candidates = functions.into_values().filter(|positions| {
        positions.len() == python.len()
            && Loops::new(memory, native, positions)
                .match_frames(python)
                .len()
                == python.len()
    });
    // Of functions that pass the frame on, one inside the other, the innermost is the loop.
    candidates.min().unwrap_or_default()
}

/// Activations of the evaluation loop, each with the words that it holds.
pub(super) struct Loops(Vec<(usize, FxHashSet<u64>)>);

impl Loops {
    /// The native frames at `positions`.
    pub(super) fn new(memory: &dyn Memory, native: &[NativeFrame], positions: &[usize]) -> Loops {
        let words = |index: &usize| Some((*index, held_words(memory, native.get(*index)?)));
        Loops(positions.iter().filter_map(words).collect())
    }

    /// Pairs of a Python frame and the native frame that runs it, both by position and innermost
    /// first. An activation also holds addresses of frames that it called, but those are inner.
    pub(super) fn match_frames(&self, python: &[Addr]) -> Vec<(usize, usize)> {
        let mut next = 0;
        let mut pairs = Vec::new();
        for (index, words) in &self.0 {
            let mut rest = python.iter().skip(next);
            if let Some(distance) = rest.position(|frame| words.contains(&frame.0)) {
                pairs.push((next + distance, *index));
                next += distance + 1;
            }
        }
        pairs
    }
}

/// The words in the frame's registers and its part of the stack.
fn held_words(memory: &dyn Memory, frame: &NativeFrame) -> FxHashSet<u64> {
    let size = frame.cfa.and_then(|cfa| cfa.since(frame.sp)).unwrap_or(0);
    let raw = memory
        .bytes(frame.sp, size.min(MOST_SEARCHED) as usize)
        .unwrap_or_default();
    let stack = raw
        .chunks_exact(8)
        .filter_map(|word| bytes::u64_at(word, 0));
    stack
        .chain(frame.registers.general.into_iter().flatten())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_matched_by_the_frames_they_hold() {
        let holding = |words: &[u64]| words.iter().copied().collect::<FxHashSet<u64>>();
        let python = [Addr(10), Addr(11), Addr(12)];
        // The middle frame does not run; the outer loops hold addresses of inner frames too, and
        // the outermost runs a frame that the chain does not lead to.
        let loops = Loops(vec![
            (3, holding(&[10])),
            (7, holding(&[10, 12])),
            (9, holding(&[11])),
        ]);
        assert_eq!(loops.match_frames(&python), [(0, 3), (2, 7)]);
    }

    #[test]
    fn parts_of_the_loop_are_known_by_name() {
        let is = |symbol| is_part_of(symbol, "_PyEval_EvalFrameDefault");
        assert!(is("_PyEval_EvalFrameDefault"));
        assert!(is("_PyEval_EvalFrameDefault.cold"));
        assert!(is("_PyEval_EvalFrameDefault.lto_priv.0"));
        assert!(is("_PyEval_EvalFrameDefault [clone .cold]"));
        assert!(!is("_PyEval_EvalFrameDefault2"));
        assert!(!is("_PyEval_EvalFrame"));
    }
}
