//! The references that a frame on a thread's stack holds, each with what it is to the frame: its
//! function, its namespaces, a variable, a value on its evaluation stack.

use super::layout::{Field, FrameChain, References};
use super::variables::is_cell;
use super::{Attachment, PyFrame, PyThread, Python};
use crate::addr::Addr;
use crate::target::Fault;
use serde::Serialize;
use std::sync::Arc;

/// Bytes of a slot.
const WORD: u64 = 8;

/// What a reference is to the frame that holds it; `N` stands for the name of a variable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FramePart<N> {
    /// The frame is itself an object (up to 3.10): this is the reference to it.
    Frame,
    /// The code object.
    Code,
    /// The function, from 3.11 on.
    Function,
    /// The namespace of the module.
    Globals,
    /// The namespace of `builtins`.
    Builtins,
    /// The namespace of a module or class body, or of `exec`'d code.
    Namespace,
    /// The frame object that was made of the frame, from 3.11 on.
    FrameObject,
    /// The value of a variable.
    Variable(N),
    /// The cell that holds the value of a variable.
    Cell(N),
    /// A value on the evaluation stack, that many values above its bottom.
    Stack(u32),
}

impl<N> FramePart<N> {
    /// The same with something else for the names of variables.
    pub fn map<M>(&self, name: impl FnOnce(&N) -> M) -> FramePart<M> {
        match self {
            FramePart::Frame => FramePart::Frame,
            FramePart::Code => FramePart::Code,
            FramePart::Function => FramePart::Function,
            FramePart::Globals => FramePart::Globals,
            FramePart::Builtins => FramePart::Builtins,
            FramePart::Namespace => FramePart::Namespace,
            FramePart::FrameObject => FramePart::FrameObject,
            FramePart::Variable(variable) => FramePart::Variable(name(variable)),
            FramePart::Cell(variable) => FramePart::Cell(name(variable)),
            FramePart::Stack(index) => FramePart::Stack(*index),
        }
    }
}

/// One reference of a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameReference {
    /// What it is.
    pub part: FramePart<Arc<str>>,
    /// Where it stands.
    pub at: Addr,
    /// The object.
    pub object: Addr,
    /// `false` for a value on the evaluation stack that may be a leftover: how deep the stack is
    /// while a function in C runs, most versions do not tell.
    pub certain: bool,
}

impl Python {
    /// The references that frame `level` of a thread's stack holds (0 is the innermost); words
    /// that are no objects are left out.
    pub fn held_by_frame(
        &self,
        thread: &PyThread,
        frame: &PyFrame,
        level: usize,
    ) -> Result<Vec<FrameReference>, Fault> {
        let mut found = Vec::new();
        self.frame_parts(frame, &mut found)?;
        self.frame_variables(frame, &mut found)?;
        let exact = level > 0 || thread.attachment != Some(Attachment::Attached);
        self.frame_stack(frame, exact, &mut found)?;
        Ok(found)
    }

    fn frame_parts(&self, frame: &PyFrame, found: &mut Vec<FrameReference>) -> Result<(), Fault> {
        let f = &self.layout.fields.frame;
        if self.layout.kinds.frame_chain == FrameChain::Object {
            found.push(FrameReference {
                part: FramePart::Frame,
                at: Addr::NULL,
                object: frame.addr,
                certain: true,
            });
        }
        let parts: [(FramePart<Arc<str>>, Option<Field>); 6] = [
            (FramePart::Code, Some(f.code)),
            (FramePart::Function, f.function),
            (FramePart::Globals, Some(f.globals)),
            (FramePart::Builtins, Some(f.builtins)),
            (FramePart::Namespace, Some(f.locals)),
            (FramePart::FrameObject, f.frame_obj),
        ];
        for (part, field) in parts {
            if let Some(field) = field {
                let at = field.of(frame.addr);
                self.push(found, part, at, self.objects.memory.ptr(at)?, true);
            }
        }
        Ok(())
    }

    fn frame_variables(
        &self,
        frame: &PyFrame,
        found: &mut Vec<FrameReference>,
    ) -> Result<(), Fault> {
        for (name, at, word) in self.variable_slots(frame)? {
            let object = Addr(self.layout.kinds.references.untag(word.0));
            let part = match is_cell(&self.objects, object) {
                Ok(true) => FramePart::Cell(name),
                _ => FramePart::Variable(name),
            };
            self.push(found, part, at, word, true);
        }
        Ok(())
    }

    /// The values on the evaluation stack. A thread that runs bytecode has written down a depth that
    /// was true a moment ago.
    fn frame_stack(
        &self,
        frame: &PyFrame,
        at_rest: bool,
        found: &mut Vec<FrameReference>,
    ) -> Result<(), Fault> {
        let slots = self.evaluation_words(frame)?;
        let base = self.evaluation_base(frame)?;
        let kinds = &self.layout.kinds;
        // Up to 3.10 a frame that runs does not tell, and up to 3.13 one that called a function in C
        // says that it does not; from 3.14 on the depth is written before every call, and stays.
        let depth = match kinds.frame_chain {
            FrameChain::Object => None,
            _ => self.suspended_depth(frame, slots.len()),
        };
        let is_true = kinds.references == References::Plain || at_rest;
        for (index, word) in slots.into_iter().enumerate() {
            let certain = match depth {
                Some(depth) if is_true && index >= depth => break,
                depth => depth.is_some() && is_true,
            };
            let at = base.add((index as u64).wrapping_mul(WORD));
            self.push(found, FramePart::Stack(index as u32), at, word, certain);
        }
        Ok(())
    }

    fn push(
        &self,
        found: &mut Vec<FrameReference>,
        part: FramePart<Arc<str>>,
        at: Addr,
        word: Addr,
        certain: bool,
    ) {
        let references = self.layout.kinds.references;
        let object = Addr(references.untag(word.0));
        if !references.is_int(word.0) && self.objects.is_object(object) {
            found.push(FrameReference {
                part,
                at,
                object,
                certain,
            });
        }
    }
}
