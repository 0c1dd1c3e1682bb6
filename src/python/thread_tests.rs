//! Lists of thread states, whole and damaged, and the native threads they belong to.

use super::*;
use crate::python::world::{AT_START, World};
use crate::target::Registers;
use crate::target::synth::TargetBuilder;

/// An interpreter with three thread states.
fn three(layout: &Layout) -> (World, Addr, [Addr; 3]) {
    let mut world = World::new(layout);
    let f = layout.fields;
    let size = f.thread.size.offset.into();
    let interpreter = world.room(f.interpreter.size.offset.into());
    let states = [world.room(size), world.room(size), world.room(size)];
    world.piece_at(interpreter, f.interpreter.size.offset.into(), |piece| {
        piece.set(f.interpreter.threads, states[0].0);
    });
    for (index, state) in states.iter().enumerate() {
        let at = |index: Option<usize>| index.and_then(|i| states.get(i)).map_or(0, |s| s.0);
        world.piece_at(*state, size, |piece| {
            piece.set(f.thread.interp, interpreter.0);
            piece.set(f.thread.next, at(Some(index + 1)));
            if f.thread.prev.is_some() {
                piece.set(f.thread.prev, at(index.checked_sub(1)));
            }
        });
    }
    (world, interpreter, states)
}

fn overlay(world: &mut World, at: Addr, value: u64) {
    world.piece_at(at, 8, |piece| piece.set(AT_START, value));
}

#[test]
fn a_whole_list_is_read() {
    for layout in Layout::all_tables() {
        let (world, interpreter, states) = three(layout);
        let list = list(&*world.objects().memory, layout, interpreter);
        assert_eq!(list.all, states, "{}", layout.measured);
        assert_eq!(
            (list.problem, list.odd),
            (None, None),
            "{}",
            layout.measured
        );
    }
}

#[test]
fn a_list_that_comes_back_or_leads_nowhere_is_cut() {
    for layout in Layout::all_tables() {
        for next in [0, 1, 2].map(Some).into_iter().chain([None]) {
            let (mut world, interpreter, states) = three(layout);
            let to = next.map_or(0xdead_0000, |index: usize| states[index].0);
            overlay(&mut world, layout.fields.thread.next.of(states[2]), to);
            let list = list(&*world.objects().memory, layout, interpreter);
            assert_eq!(list.all, states, "{}", layout.measured);
            assert!(list.problem.is_some(), "{}", layout.measured);
        }
    }
}

#[test]
fn one_damaged_thread_state_does_not_cost_those_behind_it() {
    for layout in Layout::all_tables().filter(|l| l.fields.thread.prev.is_some()) {
        let (mut world, interpreter, states) = three(layout);
        overlay(
            &mut world,
            layout.fields.thread.interp.of(states[1]),
            0xdead_0000,
        );
        let list = list(&*world.objects().memory, layout, interpreter);
        assert_eq!(list.all, states, "{}", layout.measured);
        assert_eq!(list.problem, None);
        assert!(list.odd.unwrap().contains("0xdead0000"));
    }
}

fn state(ident: u64, native_id: Option<i32>) -> State {
    State {
        addr: Addr(1),
        ident: Some(ident),
        native_id,
        active: None,
        requests_gil: None,
        blank: false,
        cleared: false,
        attachment: None,
    }
}

fn thread(tid: i32, pointer: Option<u64>) -> TargetThread {
    TargetThread {
        tid,
        registers: pointer.map(|pointer| Registers {
            thread_pointer: Some(pointer),
            ..Registers::default()
        }),
        ..TargetThread::default()
    }
}

#[test]
fn thread_states_find_their_native_threads() {
    let target = TargetBuilder::new()
        .whole_thread(thread(7, Some(0x7000)))
        .whole_thread(thread(8, None))
        .whole_thread(thread(9, None))
        .memory(0x9000 + PTHREAD_TID, 9i32.to_le_bytes().to_vec())
        .build();
    let matcher = Matcher::new(&target);
    let tid = |ident, native_id| matcher.tid(&state(ident, native_id));
    assert_eq!(tid(0x7000, None), Some(7), "by the thread pointer");
    assert_eq!(
        tid(0x7000, Some(77)),
        Some(7),
        "numbers of another namespace"
    );
    assert_eq!(tid(0x7000, Some(8)), None, "an ident that was used again");
    assert_eq!(
        tid(0x8000, Some(8)),
        Some(8),
        "by the id, without registers"
    );
    assert_eq!(tid(0x9000, None), Some(9), "by what glibc remembers");
    assert_eq!(tid(0xa000, None), None, "a thread that has ended");
    assert_eq!(tid(0xa000, Some(77)), None);
}
