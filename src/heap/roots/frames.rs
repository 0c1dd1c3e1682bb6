//! The Python frames of every thread. Frames of suspended generators are not among them: they are
//! parts of the generators.

use super::{Part, RootKind, Roots, number};
use crate::addr::Addr;
use crate::native::spread;
use crate::python::{PyThread, Python};
use rustc_hash::FxHashSet;

/// How many frames are read at once, on all processors.
const BATCH: usize = 1 << 13;

/// The most references of the frames of all threads; more are damage.
const MOST: usize = 100_000_000;

impl Roots {
    pub(super) fn add_frames(&mut self, python: &Python) {
        for (position, thread) in python.threads().enumerate() {
            let lost = self.add_stack(python, thread, number(position));
            if lost > 0 {
                python.notes.partial(format!(
                    "what {lost} frames of the thread state at {} refer to cannot be read",
                    thread.tstate
                ));
            }
        }
    }

    /// Adds the references of one thread's frames; gives how many of them cannot be read.
    fn add_stack(&mut self, python: &Python, thread: &PyThread, position: u32) -> usize {
        let stack = python.stack(thread);
        // What the frames of one thread have in common is told once.
        let mut shared: FxHashSet<(Part, Addr)> = FxHashSet::default();
        let mut lost = 0;
        let levels: Vec<usize> = (0..stack.frames.len()).collect();
        for batch in levels.chunks(BATCH) {
            if python.process.cancel.is_cancelled() || self.all.len() > MOST {
                return lost + stack.frames.len() - batch.first().unwrap_or(&0);
            }
            let held = spread::map(batch, |level| {
                let frame = stack.frames.get(*level)?;
                python.held_by_frame(thread, frame, *level).ok()
            });
            for (level, held) in batch.iter().zip(held) {
                let Some(held) = held else {
                    lost += 1;
                    continue;
                };
                for reference in held {
                    let part = reference.part.map(|name| self.names.number(name));
                    let is_shared = matches!(
                        part,
                        Part::Code | Part::Function | Part::Globals | Part::Builtins
                    );
                    if is_shared && !shared.insert((part, reference.object)) {
                        continue;
                    }
                    let kind = RootKind::Frame {
                        thread: position,
                        level: number(*level),
                        part,
                    };
                    self.push(kind, reference.at, reference.object, reference.certain);
                }
            }
        }
        lost
    }
}
