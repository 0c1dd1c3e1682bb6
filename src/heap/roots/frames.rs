//! The Python frames of every thread. Frames of suspended generators are not among them: they are
//! parts of the generators.

use super::{Part, RootKind, Roots, number};
use crate::addr::Addr;
use crate::python::{FramePart, Python};
use rustc_hash::FxHashSet;

impl Roots {
    pub(super) fn add_frames(&mut self, python: &Python) {
        for (position, thread) in python.threads().enumerate() {
            let stack = python.stack(thread);
            // What the frames of one thread have in common is told once.
            let mut shared: FxHashSet<(Part, Addr)> = FxHashSet::default();
            let mut lost = 0;
            for (level, frame) in stack.frames.iter().enumerate() {
                let Ok(held) = python.held_by_frame(thread, frame, level) else {
                    lost += 1;
                    continue;
                };
                for reference in held {
                    let part = match &reference.part {
                        FramePart::Frame => Part::Frame,
                        FramePart::Code => Part::Code,
                        FramePart::Function => Part::Function,
                        FramePart::Globals => Part::Globals,
                        FramePart::Builtins => Part::Builtins,
                        FramePart::Namespace => Part::Namespace,
                        FramePart::FrameObject => Part::FrameObject,
                        FramePart::Variable(name) => Part::Variable(self.names.number(name)),
                        FramePart::Cell(name) => Part::Cell(self.names.number(name)),
                        FramePart::Stack(index) => Part::Stack(*index),
                    };
                    let is_shared = matches!(
                        part,
                        Part::Code | Part::Function | Part::Globals | Part::Builtins
                    );
                    if is_shared && !shared.insert((part, reference.object)) {
                        continue;
                    }
                    let kind = RootKind::Frame {
                        thread: number(position),
                        level: number(level),
                        part,
                    };
                    self.push(kind, reference.at, reference.object, reference.certain);
                }
            }
            if lost > 0 {
                python.notes.partial(format!(
                    "what {lost} frames of the thread state at {} refer to cannot be read",
                    thread.tstate
                ));
            }
        }
    }
}
