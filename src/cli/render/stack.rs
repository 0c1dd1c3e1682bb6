//! The merged stack of one thread as the commands walk it. Where there is no Python, it holds the
//! native frames alone.

use super::row::{NativeRow, PythonRow, Row};
use super::source::{self, Sources};
use crate::cli::{Needs, Session};
use anyhow::{Context, anyhow};
use pydbg::native::Process;
use pydbg::python::{MergedFrame, MergedStack, PyFrame, Python};
use pydbg::unwind::{End, NativeFrame, NativeStack};
use std::path::PathBuf;
use std::sync::Arc;

/// Reads the stacks of all threads at once; the engine remembers them. Worth doing before a
/// command that shows every thread.
pub fn prefetch(session: &Session) -> anyhow::Result<()> {
    session.process()?;
    session.compute_stacks(Needs::NativeStacks);
    Ok(())
}

/// The merged stack of one thread.
pub struct Stack {
    /// The thread's number.
    pub thread: usize,
    /// Native and Python frames, innermost first.
    pub merged: MergedStack,
    /// The native frames as unwound; `None` when the thread's registers are not known.
    pub native: Option<Arc<NativeStack>>,
    process: Arc<Process>,
    python: Option<Arc<Python>>,
    roots: Vec<PathBuf>,
}

impl Stack {
    /// The stack of thread `id` (gdb number).
    pub fn of(session: &Session, id: usize) -> anyhow::Result<Stack> {
        let process = session.process()?;
        if id == 0 || id > process.threads().len() {
            return Err(anyhow!("Unknown thread {id}."));
        }
        let python = session.inferior.found().cloned();
        let native = process.stack(id);
        let merged = match &python {
            Some(python) => python.merged(id),
            None => MergedStack {
                frames: native
                    .iter()
                    .flat_map(|stack| &stack.frames)
                    .map(|frame| MergedFrame::Native(Box::new(*frame)))
                    .collect(),
                matched: true,
                note: None,
            },
        };
        Ok(Stack {
            thread: id,
            merged,
            native,
            process: process.clone(),
            python,
            roots: source::roots(session),
        })
    }

    /// The stack of the selected thread.
    pub fn selected(session: &Session) -> anyhow::Result<Stack> {
        Stack::of(session, session.inferior.thread)
    }

    /// How many frames it has.
    pub fn len(&self) -> usize {
        self.merged.frames.len()
    }

    /// Why the native stack ended, unless that is as it should be.
    pub fn broken(&self) -> Option<String> {
        match &self.native.as_ref()?.end {
            End::Outermost | End::Limit => None,
            End::Loop => Some("the stack leads back to a frame it had passed".to_owned()),
            End::Cancelled => Some("interrupted".to_owned()),
            End::Lost(why) => Some(why.clone()),
        }
    }

    /// A store for the source lines of this stack.
    pub fn sources(&self) -> Option<Sources<'_>> {
        let python = self.python.as_deref()?;
        Some(Sources::new(python, &self.roots))
    }

    /// The rows of frame `index`: its inlined functions, innermost first, then itself.
    pub fn rows(&self, index: usize, sources: &mut Option<Sources<'_>>) -> Vec<Row> {
        match self.merged.frames.get(index) {
            None => Vec::new(),
            Some(MergedFrame::Native(frame)) => self.native_rows(index, frame),
            Some(MergedFrame::Python(frame)) => {
                let text = sources.as_mut().and_then(|sources| sources.line(frame));
                vec![Row::Python(PythonRow::of(index, frame, text))]
            }
        }
    }

    /// The rows of a native frame under number `index`.
    pub fn native_rows(&self, index: usize, frame: &NativeFrame) -> Vec<Row> {
        NativeRow::of(index, frame, self.process.symbolize(frame))
            .into_iter()
            .map(Row::Native)
            .collect()
    }

    /// The rows of frame `index`, with the source line of a Python frame.
    pub fn rows_with_source(&self, index: usize) -> Vec<Row> {
        self.rows(index, &mut self.sources())
    }

    /// The Python frame with number `index`, if it is one.
    pub fn python_frame(&self, index: usize) -> Option<&PyFrame> {
        match self.merged.frames.get(index)? {
            MergedFrame::Python(frame) => Some(frame),
            MergedFrame::Native(_) => None,
        }
    }

    /// The numbers of the Python frames.
    pub fn python_indices(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..self.len()).filter(|index| self.python_frame(*index).is_some())
    }

    /// The Python frame a Python command works on: the selected one, else the next older one.
    pub fn current_python(&self, selected: usize) -> anyhow::Result<usize> {
        self.python_indices()
            .find(|index| *index >= selected)
            .context("Unable to locate python frame")
    }

    /// The native frame behind frame `index`: itself, or the activation of the evaluation loop
    /// that runs the Python frame.
    pub fn native_frame(&self, index: usize) -> Option<&NativeFrame> {
        match self.merged.frames.get(index)? {
            MergedFrame::Native(frame) => Some(frame),
            MergedFrame::Python(_) => {
                let all = &self.native.as_ref()?.frames;
                self.numbered_native()
                    .into_iter()
                    .position(|number| number == Some(index))
                    .and_then(|at| all.get(at))
                    .or_else(|| self.loop_around(index))
            }
        }
    }

    /// For each native frame as unwound its number in the merged stack; an activation of the
    /// evaluation loop has the number of the innermost Python frame it runs. `None` where the
    /// stacks could not be matched.
    pub fn numbered_native(&self) -> Vec<Option<usize>> {
        match &self.native {
            Some(native) => numbers(&self.merged, &native.frames),
            None => Vec::new(),
        }
    }

    /// The activation that runs Python frame `index`, which is not its innermost frame.
    fn loop_around(&self, index: usize) -> Option<&NativeFrame> {
        if !self.merged.matched {
            return None;
        }
        let first = (0..=index)
            .rev()
            .take_while(|at| self.python_frame(*at).is_some())
            .last()?;
        let at = self
            .numbered_native()
            .into_iter()
            .position(|number| number == Some(first))?;
        self.native.as_ref()?.frames.get(at)
    }
}

/// Goes so many steps from the frame `current` along those that are `next`, or as far as there are
/// any; `None` when there are none at all.
pub fn walk(current: usize, steps: usize, next: impl Iterator<Item = usize>) -> Option<usize> {
    match steps {
        0 => Some(current),
        _ => next.take(steps).last(),
    }
}

/// The numbers of `native` frames in `merged`; see [`Stack::numbered_native`].
fn numbers(merged: &MergedStack, native: &[NativeFrame]) -> Vec<Option<usize>> {
    let mut next = 0;
    let number = |frame: &NativeFrame| {
        let rest = merged.frames.get(next..)?;
        let python = rest
            .iter()
            .take_while(|frame| matches!(frame, MergedFrame::Python(_)))
            .count();
        if same(rest.get(python), frame) {
            let number = next + python;
            next = number + 1;
            return Some(number);
        }
        // Not in the merged list: the Python frames before the next native one run in it.
        (merged.matched && python > 0).then_some(next)
    };
    native.iter().map(number).collect()
}

fn same(merged: Option<&MergedFrame>, frame: &NativeFrame) -> bool {
    matches!(merged, Some(MergedFrame::Native(other))
        if other.pc == frame.pc && other.sp == frame.sp && other.cfa == frame.cfa)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pydbg::python::{FrameKind, FrameOrigin, Position};
    use pydbg::target::Registers;
    use pydbg::unwind::Trust;
    use pydbg::{Addr, addr::Pc};

    fn native(at: u64) -> NativeFrame {
        NativeFrame {
            pc: Pc::Return(Addr(at)),
            sp: Addr(at),
            cfa: Some(Addr(at + 8)),
            trust: Trust::Cfi,
            registers: Registers::default(),
            function_start: None,
            signal_trampoline: false,
        }
    }

    fn python() -> MergedFrame {
        MergedFrame::Python(PyFrame {
            addr: Addr(1),
            code: Addr(2),
            function: "f".into(),
            qualname: None,
            file: "f.py".into(),
            position: Position::default(),
            first_line: 1,
            lasti: 0,
            kind: FrameKind::Function,
            origin: FrameOrigin::Chain,
            problem: None,
        })
    }

    #[test]
    fn activations_have_the_number_of_their_innermost_python_frame() {
        let merged = MergedStack {
            frames: vec![
                MergedFrame::Native(Box::new(native(1))),
                python(),
                python(),
                MergedFrame::Native(Box::new(native(3))),
                python(),
                MergedFrame::Native(Box::new(native(5))),
            ],
            matched: true,
            note: None,
        };
        let all: Vec<NativeFrame> = (1..=5).map(native).collect();
        let found = numbers(&merged, &all);
        assert_eq!(found, [Some(0), Some(1), Some(3), Some(4), Some(5)]);
        let unmatched = MergedStack {
            matched: false,
            ..merged
        };
        let found = numbers(&unmatched, &all);
        assert_eq!(found, [Some(0), None, Some(3), None, Some(5)]);
    }
}
