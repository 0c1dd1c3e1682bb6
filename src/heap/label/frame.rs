//! References of frames, be they objects of their own (up to 3.10), behind such an object, or part
//! of a generator: variables by name, the evaluation stack, and the frame's namespaces.

use super::Via;
use super::place::Places;
use crate::addr::Addr;
use crate::target::Fault;

/// The most slots of one frame.
const MOST_SLOTS: usize = 1 << 20;

impl Places<'_> {
    /// The frame of a frame object or generator of the type with this name.
    pub(super) fn frame(&mut self, name: &str) -> Result<(), Fault> {
        let f = &self.objects.layout.fields;
        let frame = match (name, &f.frame_object, f.frame.function) {
            ("frame", Some(handle), _) => {
                if self.objects.memory.ptr(handle.back.of(self.from))? == self.to {
                    self.part("f_back");
                }
                self.objects.memory.ptr(handle.frame.of(self.from))?
            }
            ("frame", None, _) => {
                if self.objects.memory.ptr(f.frame.previous.of(self.from))? == self.to {
                    self.part("f_back");
                }
                self.from
            }
            (_, _, Some(_)) => f.generator.frame.of(self.from),
            (_, _, None) => {
                if self.objects.memory.ptr(f.generator.frame.of(self.from))? == self.to {
                    self.part("frame");
                }
                return Ok(());
            }
        };
        self.frame_parts(frame)?;
        self.variables(frame)
    }

    /// Notes a part of the frame.
    fn part(&mut self, name: &str) {
        let name = name.to_owned();
        self.push(Via::Frame { name });
    }

    fn frame_parts(&mut self, frame: Addr) -> Result<(), Fault> {
        let f = &self.objects.layout.fields.frame;
        let parts = [
            ("f_code", Some(f.code)),
            ("f_globals", Some(f.globals)),
            ("f_builtins", Some(f.builtins)),
            ("f_locals", Some(f.locals)),
            ("f_funcobj", f.function),
            ("frame", f.frame_obj),
        ];
        for (name, field) in parts {
            if let Some(field) = field
                && self.reference(field.of(frame))? == Some(self.to)
            {
                self.part(name);
            }
        }
        Ok(())
    }

    /// Variables, and what lies on the evaluation stack.
    fn variables(&mut self, frame: Addr) -> Result<(), Fault> {
        let objects = self.objects;
        let f = &objects.layout.fields;
        let Some(code) = self.reference(f.frame.code.of(frame))? else {
            return Ok(());
        };
        let names = objects.slot_names(code)?;
        let variables = match f.code.nlocalsplus {
            Some(count) => objects.memory.u32(count.of(code))? as usize,
            None => {
                let last = names.iter().map(|(index, ..)| index + 1).max();
                let locals = objects.memory.u32(f.code.nlocals.of(code))? as usize;
                last.unwrap_or(0).max(locals)
            }
        };
        let stack = objects.memory.u32(f.code.stacksize.of(code))? as usize;
        let slots = variables.saturating_add(stack).min(MOST_SLOTS);
        let start = f.frame.localsplus.of(frame);
        for (index, word) in (0..).zip(objects.pointers(start, slots)?) {
            if self.untagged(word) != Some(self.to) {
                continue;
            }
            let name = names.iter().find(|(at, ..)| *at == index);
            let more = self.push(match name {
                Some((_, name, kind)) => Via::Local {
                    name: name.to_string(),
                    kind: *kind,
                },
                None => Via::Stack {
                    index: index.saturating_sub(variables) as u64,
                },
            });
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// The object that the word at `at` refers to.
    fn reference(&self, at: Addr) -> Result<Option<Addr>, Fault> {
        Ok(self.untagged(self.objects.memory.ptr(at)?))
    }

    fn untagged(&self, word: Addr) -> Option<Addr> {
        let references = self.objects.layout.kinds.references;
        let object = Addr(references.untag(word.0));
        (!references.is_int(word.0) && !object.is_null()).then_some(object)
    }
}
