//! Which native frames are activations of the evaluation loop where nothing marks them (up to
//! 3.9): by the function's name, and in a stripped binary by what its frames hold.

use super::layout::Layout;
use crate::addr::Addr;
use crate::native::Process;
use crate::target::Memory;
use crate::unwind::NativeFrame;
use rustc_hash::FxHashMap;

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
    let named = |frame: &NativeFrame| {
        let symbol = process.symbol(frame.pc.lookup());
        symbol
            .and_then(|symbol| symbol.function)
            .is_some_and(|name| is_part_of(&name, wanted))
    };
    let by_name = positions(native, named);
    if !by_name.is_empty() || python.is_empty() {
        return by_name;
    }
    by_pointers(&*process.target.memory, native, python)
}

/// Whether a symbol is the function or a part that the compiler split off it, such as
/// `_PyEval_EvalFrameDefault.cold`.
fn is_part_of(symbol: &str, function: &str) -> bool {
    let rest = symbol.strip_prefix(function);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ' ', '[']))
}

fn positions(native: &[NativeFrame], is_loop: impl Fn(&NativeFrame) -> bool) -> Vec<usize> {
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
    let mut candidates = functions.into_values().filter(|positions| {
        positions.len() == python.len()
            && positions.iter().zip(python).all(|(index, wanted)| {
                native
                    .get(*index)
                    .is_some_and(|frame| holds(memory, frame, *wanted))
            })
    });
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => only,
        // Functions that pass the frame on, one inside the other: the innermost is the loop.
        (Some(one), Some(other)) => {
            candidates.fold(one.min(other), |innermost, more| innermost.min(more))
        }
        _ => Vec::new(),
    }
}

/// Whether a register of the frame or its part of the stack holds `wanted`.
fn holds(memory: &dyn Memory, frame: &NativeFrame, wanted: Addr) -> bool {
    if frame.registers.general.contains(&Some(wanted.0)) {
        return true;
    }
    let size = frame.cfa.and_then(|cfa| cfa.since(frame.sp)).unwrap_or(0);
    let words = memory.bytes(frame.sp, size.min(MOST_SEARCHED) as usize);
    words.is_ok_and(|raw| {
        raw.chunks_exact(8)
            .any(|word| *word == wanted.0.to_le_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
