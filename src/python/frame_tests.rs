//! Chains of frames under every layout: whole, damaged, and with what CPython itself hides.

use super::*;
use crate::diag::Notes;
use crate::python::dis;
use crate::python::layout::Layout;
use crate::python::world::{AT_START, World};

/// The functions on a stack, with lines, innermost first.
fn shown(stack: &PyStack) -> Vec<String> {
    let frames = stack.frames.iter();
    frames
        .map(|f| format!("{}:{}", f.function, f.position.line.unwrap_or(0)))
        .collect()
}

fn read(world: &World, thread: Addr) -> PyStack {
    read_stack(
        &world.objects(),
        &Codes::default(),
        thread,
        &Notes::default(),
    )
}

/// A thread with the frames `a`, `b`, `c`; `change` may build other frames in their places, given
/// their addresses and codes.
fn three_frames(
    layout: &Layout,
    change: impl FnOnce(&mut World, [Addr; 3], [Addr; 3]),
) -> (World, Addr) {
    let mut world = World::new(layout);
    let size = layout.fields.frame.size.offset.into();
    let frames = [world.room(size), world.room(size), world.room(size)];
    let codes = [
        world.code("a", 100),
        world.code("b", 200),
        world.code("c", 300),
    ];
    for (index, frame) in frames.iter().enumerate() {
        let previous = frames.get(index + 1).copied().unwrap_or(Addr::NULL);
        world.frame(*frame, previous, codes[index], 12, 0);
    }
    change(&mut world, frames, codes);
    let thread = world.thread(frames[0]);
    (world, thread)
}

/// The stack of three whole frames: the line grows by one with each entry of the table that
/// begins, so where an entry states its own line there is one more.
fn whole(layout: &Layout) -> [&'static str; 3] {
    use crate::python::layout::LineTable;
    match layout.kinds.line_table {
        LineTable::LnotabUnsigned | LineTable::LnotabSigned => ["a:101", "b:201", "c:301"],
        LineTable::Ranges | LineTable::Locations => ["a:102", "b:202", "c:302"],
    }
}

#[test]
fn every_layout_reads_a_chain() {
    for layout in Layout::all_tables() {
        let (world, thread) = three_frames(layout, |_, _, _| {});
        let stack = read(&world, thread);
        assert_eq!(shown(&stack), whole(layout), "{}", layout.measured);
        assert_eq!(stack.problem, None, "{}", layout.measured);
        assert_eq!(&*stack.frames[0].file, "/x/prog.py");
        assert_eq!(stack.frames[0].lasti, 12);
    }
}

#[test]
fn a_chain_that_comes_back_is_cut_at_the_repeat() {
    for layout in Layout::all_tables() {
        for back_to in 0..3 {
            let (world, thread) = three_frames(layout, |world, frames, codes| {
                world.frame(frames[2], frames[back_to], codes[2], 12, 0);
            });
            let stack = read(&world, thread);
            assert_eq!(
                shown(&stack),
                whole(layout),
                "{} to {back_to}",
                layout.measured
            );
            assert!(
                stack.problem.unwrap().contains("comes back"),
                "{}",
                layout.measured
            );
        }
    }
}

#[test]
fn a_damaged_code_object_costs_one_frame() {
    for layout in Layout::all_tables() {
        for code in [Addr(0xdead_0000), Addr(8)] {
            let (world, thread) = three_frames(layout, |world, frames, _| {
                world.frame(frames[1], frames[2], code, 12, 0);
            });
            let stack = read(&world, thread);
            let [a, _, c] = whole(layout);
            assert_eq!(
                shown(&stack),
                [a, "<unreadable code>:0", c],
                "{}",
                layout.measured
            );
            assert!(stack.frames[1].problem.is_some());
        }
    }
}

#[test]
fn a_code_pointer_to_something_else_is_no_code() {
    for layout in Layout::all_tables() {
        let (world, thread) = three_frames(layout, |world, frames, _| {
            let text =
                world.text("not code, however long it may be, whatever follows it in memory");
            world.frame(frames[1], frames[2], text, 12, 0);
        });
        assert_eq!(
            &*read(&world, thread).frames[1].function,
            "<unreadable code>"
        );
    }
}

#[test]
fn a_link_into_nowhere_keeps_the_frames_before() {
    for layout in Layout::all_tables() {
        let (world, thread) = three_frames(layout, |world, frames, codes| {
            world.frame(frames[1], Addr(0xdead_0000), codes[1], 12, 0);
        });
        let stack = read(&world, thread);
        assert_eq!(shown(&stack), whole(layout)[..2], "{}", layout.measured);
        assert!(stack.problem.unwrap().contains("0xdead0000"));
    }
}

#[test]
fn an_instruction_outside_the_code_has_no_line() {
    for layout in Layout::all_tables() {
        let (world, thread) = three_frames(layout, |world, frames, codes| {
            world.frame(frames[1], frames[2], codes[1], 4000, 0);
        });
        let stack = read(&world, thread);
        let [a, _, c] = whole(layout);
        assert_eq!(shown(&stack), [a, "b:0", c], "{}", layout.measured);
        assert!(stack.frames[1].problem.as_ref().unwrap().contains("4000"));
    }
}

#[test]
fn frames_that_have_not_begun_are_hidden() {
    for layout in Layout::all_tables().filter(|l| l.fields.code.firsttraceable.is_some()) {
        let hidden = |owner| {
            let (world, thread) = three_frames(layout, |world, frames, codes| {
                world.frame(frames[1], frames[2], codes[1], 0, owner);
            });
            read(&world, thread).frames.len() == 2
        };
        assert!(hidden(0), "{}", layout.measured);
        assert!(!hidden(OWNED_BY_GENERATOR), "{}", layout.measured);
    }
}

#[test]
fn where_code_begins_is_what_its_bytecode_says() {
    for layout in Layout::all_tables().filter(|l| l.fields.code.firsttraceable.is_some()) {
        let f = layout.fields.code;
        let resume = (0..=255).find(|byte| dis::beginning(layout.version, &[*byte, 0]) == Some(0));
        let (world, thread) = three_frames(layout, |world, _, codes| {
            let at = f.firsttraceable.unwrap().of(codes[1]);
            world.piece_at(at, 4, |piece| piece.bytes(AT_START, &30u32.to_le_bytes()));
            let second = f.adaptive.unwrap().of(codes[1]).add(2);
            world.piece_at(second, 1, |piece| piece.bytes(AT_START, &[resume.unwrap()]));
        });
        assert_eq!(
            shown(&read(&world, thread)),
            whole(layout),
            "{}",
            layout.measured
        );
    }
}

#[test]
fn shims_are_markers() {
    let shims = [Markers::ShimFrame, Markers::BaseFrame];
    for layout in Layout::all_tables().filter(|l| shims.contains(&l.kinds.markers)) {
        let (world, thread) = three_frames(layout, |world, frames, _| {
            world.frame(frames[1], frames[2], Addr::NULL, 0, OWNED_BY_INTERPRETER);
        });
        let stack = read(&world, thread);
        let [a, _, c] = whole(layout);
        assert_eq!(shown(&stack), [a, c], "{}", layout.measured);
        assert_eq!(stack.markers.len(), 1);
        assert_eq!(stack.markers[0].frames, 1);
    }
}

#[test]
fn a_chain_without_its_base_frame_is_torn() {
    for layout in Layout::all_tables().filter(|l| l.kinds.markers == Markers::BaseFrame) {
        for torn in [false, true] {
            let (mut world, thread) = three_frames(layout, |world, frames, _| {
                world.frame(frames[2], Addr::NULL, Addr::NULL, 0, OWNED_BY_INTERPRETER);
            });
            let frame = layout.fields.thread.frame.unwrap();
            let first = world.objects().memory.ptr(frame.of(thread)).unwrap();
            let link = |world: &World, at| {
                world
                    .objects()
                    .memory
                    .ptr(layout.fields.frame.previous.of(at))
                    .unwrap()
            };
            let last = link(&world, link(&world, first));
            let base = if torn { Addr(0xdead_0000) } else { last };
            let field = layout.fields.thread.base_frame.unwrap().of(thread);
            world.piece_at(field, 8, |piece| {
                piece.bytes(AT_START, &base.0.to_le_bytes())
            });
            let stack = read(&world, thread);
            assert_eq!(shown(&stack), whole(layout)[..2], "{}", layout.measured);
            assert_eq!(stack.problem.is_some(), torn, "{}", layout.measured);
            assert_eq!(
                stack.markers.len(),
                usize::from(torn),
                "the base frame is no marker"
            );
        }
    }
}

#[test]
fn the_copy_of_the_bytecode_that_a_thread_runs_counts() {
    for layout in Layout::all_tables().filter(|l| l.fields.code.tlbc.is_some()) {
        let fields = layout.fields;
        let (world, thread) = three_frames(layout, |world, frames, codes| {
            let copy = world.raw(&[0; 64]);
            let array = world.words(&[2, 0, copy.0]);
            let tlbc = fields.code.tlbc.unwrap().of(codes[1]);
            world.piece_at(tlbc, 8, |piece| {
                piece.bytes(AT_START, &array.0.to_le_bytes())
            });
            world.frame(frames[1], frames[2], codes[1], 12, 0);
            let instruction = fields.frame.instruction.of(frames[1]);
            let at = copy.add(12).0.to_le_bytes();
            world.piece_at(instruction, 8, |piece| piece.bytes(AT_START, &at));
            let index = fields.frame.tlbc_index.unwrap().of(frames[1]);
            world.piece_at(index, 4, |piece| piece.bytes(AT_START, &1u32.to_le_bytes()));
        });
        assert_eq!(
            shown(&read(&world, thread)),
            whole(layout),
            "{}",
            layout.measured
        );
    }
}
