//! Broken chains of frames on a data stack, under every layout that has one.

use super::*;
use crate::python::code::Codes;
use crate::python::frame::read_stack;
use crate::python::layout::Layout;
use crate::python::world::{AT_START, World};
use crate::python::{FrameOrigin, PyStack};

/// No address of anything.
const GARBAGE: u64 = 0x1234_5678_9ab8;

/// A thread whose data stack holds `d`, `c`, `b` and `a`, which is the innermost.
struct Thread {
    world: World,
    state: Addr,
    /// `a` to `d`.
    frames: [Addr; 4],
}

impl Thread {
    fn new(layout: &Layout) -> Thread {
        let mut world = World::new(layout);
        let f = layout.fields;
        let step = u64::from(f.frame.localsplus.offset);
        let chunk = world.room(4096);
        let at = |index: u64| chunk.add(32 + index * step);
        let frames = [at(3), at(2), at(1), at(0)];
        let top = at(4);
        world.piece_at(chunk, 4096, |_| {});
        world.piece_at(chunk, 16, |piece| {
            piece.bytes(
                AT_START,
                &[0u64.to_le_bytes(), 4096u64.to_le_bytes()].concat(),
            );
        });
        let mut previous = Addr::NULL;
        for (frame, name) in frames.iter().rev().zip(["d", "c", "b", "a"]) {
            let code = world.code(name, 1);
            world.frame(*frame, previous, code, 12, 0);
            previous = *frame;
        }
        let state = world.thread(frames[0]);
        let field = f.thread.datastack_chunk.expect("3.11").of(state);
        world.piece_at(field, 16, |piece| {
            piece.bytes(
                AT_START,
                &[chunk.0.to_le_bytes(), top.0.to_le_bytes()].concat(),
            );
        });
        let mut thread = Thread {
            world,
            state,
            frames,
        };
        if let Some(base) = f.thread.base_frame {
            let outermost = thread.world.piece(128, |_| {});
            thread.set(base.of(state), outermost.0);
            thread.link(3, outermost);
        }
        thread
    }

    fn set(&mut self, at: Addr, value: u64) {
        self.world
            .piece_at(at, 8, |piece| piece.set(AT_START, value));
    }

    /// Makes `previous` the caller of a frame.
    fn link(&mut self, frame: usize, previous: Addr) {
        let field = self.world.layout.fields.frame.previous;
        self.set(field.of(self.frames[frame]), previous.0);
    }

    fn stack(&self) -> (PyStack, Notes) {
        let notes = Notes::default();
        let codes = Codes::default();
        let stack = read_stack(&self.world.objects(), &codes, self.state, &notes);
        (stack, notes)
    }
}

/// The functions of a stack; those that the data stack led to in capitals.
fn shown(stack: &PyStack) -> String {
    let name = |frame: &crate::python::PyFrame| match frame.origin {
        FrameOrigin::Chain => frame.function.to_string(),
        FrameOrigin::DataStack => frame.function.to_uppercase(),
        FrameOrigin::Traceback => String::new(),
    };
    stack.frames.iter().map(name).collect()
}

fn layouts() -> impl Iterator<Item = &'static Layout> {
    Layout::all_tables().filter(|layout| layout.fields.thread.datastack_chunk.is_some())
}

#[test]
fn a_whole_chain_needs_no_data_stack() {
    for layout in layouts() {
        let (stack, notes) = Thread::new(layout).stack();
        assert_eq!((shown(&stack).as_str(), stack.problem), ("abcd", None));
        assert!(notes.is_empty());
    }
}

#[test]
fn a_broken_link_costs_no_frame() {
    for layout in layouts() {
        let callee = |thread: &Thread| thread.frames[0];
        let links: [&dyn Fn(&Thread) -> Addr; 5] = [
            &|_| Addr(GARBAGE),
            &|_| Addr::NULL,
            &|thread| thread.frames[1],
            &callee,
            &|thread| thread.frames[2].add(8),
        ];
        for (index, link) in links.iter().enumerate() {
            let mut thread = Thread::new(layout);
            let previous = link(&thread);
            thread.link(1, previous);
            let (stack, _) = thread.stack();
            assert_eq!(shown(&stack), "abCD", "{} {index}", layout.measured);
            assert!(
                stack
                    .problem
                    .is_some_and(|why| why.contains("2 outer frames"))
            );
        }
    }
}

#[test]
fn each_activation_goes_on_by_itself() {
    for layout in layouts() {
        let mut thread = Thread::new(layout);
        thread.link(0, Addr(GARBAGE));
        thread.link(2, Addr(GARBAGE));
        assert_eq!(shown(&thread.stack().0), "aBCD", "{}", layout.measured);
    }
}

#[test]
fn generators_between_functions_are_found() {
    for layout in layouts() {
        let mut thread = Thread::new(layout);
        let field = layout.fields.generator.frame;
        let generator = thread.world.object(("generator", 0), 256, |_| {});
        let code = thread.world.code("g", 1);
        let outer = thread.frames[3];
        thread
            .world
            .frame(field.of(generator), outer, code, 12, OWNED_BY_GENERATOR);
        thread.link(2, field.of(generator));
        thread.link(0, Addr(GARBAGE));
        assert_eq!(shown(&thread.stack().0), "aBCGD", "{}", layout.measured);
    }
}

#[test]
fn the_data_stack_may_be_all_there_is() {
    for layout in layouts().filter(|layout| layout.fields.thread.frame.is_some()) {
        let mut thread = Thread::new(layout);
        let field = layout.fields.thread.frame.expect("filtered");
        thread.set(field.of(thread.state), GARBAGE);
        assert_eq!(shown(&thread.stack().0), "ABCD", "{}", layout.measured);
    }
}

#[test]
fn a_damaged_code_costs_its_frame() {
    for layout in layouts() {
        let mut thread = Thread::new(layout);
        let field = layout.fields.frame.code;
        thread.set(field.of(thread.frames[2]), GARBAGE);
        thread.link(0, Addr(GARBAGE));
        let (stack, _) = thread.stack();
        assert_eq!(shown(&stack), "aB<UNREADABLE CODE>D", "{}", layout.measured);
    }
}

#[test]
fn stacks_that_the_core_writer_left_out_are_told_once() {
    for layout in layouts() {
        let mut thread = Thread::new(layout);
        let zeros = Addr(0x70_0000);
        thread.world.piece_at(zeros, 8192, |_| {});
        thread.link(1, zeros.add(256));
        thread.link(3, zeros.add(1024));
        let (stack, notes) = thread.stack();
        assert_eq!(shown(&stack), "abCD", "{}", layout.measured);
        assert_eq!(stack.problem, None, "the note says it for all threads");
        let notes = notes.all();
        assert!(notes.len() == 1 && notes[0].text.contains("guard pages"));
        if layout.fields.frame.is_entry.is_none() {
            let markers: Vec<u64> = stack.markers.iter().map(|marker| marker.addr.0).collect();
            assert_eq!(markers, [0x70_0100, 0x70_0400], "{}", layout.measured);
        }
    }
}

#[test]
fn a_data_stack_of_zeros_is_damaged_and_was_not_left_out() {
    for layout in layouts() {
        let mut thread = Thread::new(layout);
        let zeros = Addr(0x70_0000);
        thread.world.piece_at(zeros, 8192, |_| {});
        thread.state = thread.world.thread(zeros.add(256));
        let chunk = layout.fields.thread.datastack_chunk.expect("3.11");
        let words = [zeros.0, zeros.add(1024).0, zeros.add(8192).0];
        for (at, word) in (0..).step_by(8).zip(words) {
            thread.set(chunk.of(thread.state).add(at), word);
        }
        let (stack, notes) = thread.stack();
        assert_eq!(shown(&stack), "", "{}", layout.measured);
        let problem = stack.problem.expect(layout.measured);
        assert!(problem.contains("where there is no frame"), "{problem}");
        let left_out = |note: &crate::diag::Note| note.text.contains("guard pages");
        assert!(!notes.all().iter().any(left_out), "{}", layout.measured);
    }
}
