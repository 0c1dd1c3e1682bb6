//! Lists of thread states that were cut, under every layout.

use super::*;
use crate::python::thread::list;
use crate::target::Registers;
use crate::target::synth::TargetBuilder;

const INTERPRETER: u64 = 0x10_0000;
const STATES: [u64; 3] = [0x50_0000, 0x51_0000, 0x52_0000];
const POINTERS: [u64; 3] = [0x7000_1000, 0x7000_2000, 0x7000_3000];

fn words(size: u64, words: &[(Field, u64)]) -> Vec<u8> {
    let mut bytes = vec![0; size as usize];
    for (field, value) in words {
        bytes[field.index()..field.index() + 8].copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

/// A process with three threads, of which the last began it; the first state's `next` is `cut`.
fn target(layout: &Layout, cut: u64) -> Target {
    let links = [
        Some((cut, 0)),
        Some((STATES[2], STATES[0])),
        Some((0, STATES[1])),
    ];
    linked(layout, STATES[0], links)
}

/// A process with such threads: the head of the list, and `next` and `prev` of each state; nothing
/// where the state is zero.
fn linked(layout: &Layout, head: u64, links: [Option<(u64, u64)>; 3]) -> Target {
    let f = &layout.fields.thread;
    let size = u64::from(layout.fields.interpreter.threads.offset) + 8;
    let head = (layout.fields.interpreter.threads, head);
    let mut builder = TargetBuilder::new().memory(INTERPRETER, words(size, &[head]));
    for (index, state) in STATES.iter().enumerate() {
        let fields = links[index].map_or(Vec::new(), |(next, prev)| {
            let mut fields = vec![
                (f.interp, INTERPRETER),
                (f.next, next),
                (f.thread_id, POINTERS[index]),
            ];
            fields.extend(f.prev.map(|field| (field, prev)));
            fields
        });
        builder = builder.memory(*state, words(f.size.offset.into(), &fields));
        let sp = 0x7fff_0000 + index as u64 * 0x1_0000;
        let mut registers = Registers {
            thread_pointer: Some(POINTERS[index]),
            ..Registers::default()
        };
        registers.general[7] = Some(sp);
        builder = builder
            .words(sp, &[1, *state, 2])
            .whole_thread(TargetThread {
                tid: 30 - index as i32,
                registers: Some(registers),
                ..TargetThread::default()
            });
    }
    let mut target = builder.build();
    target.process.pid = 28;
    target
}

fn found(target: &Target, layout: &Layout) -> Option<Vec<u64>> {
    let list = list(&*target.memory, layout, Addr(INTERPRETER));
    let (mut found, _) = find(target, layout, Addr(INTERPRETER), &list, true)?;
    found.sort();
    Some(found.iter().map(|addr| addr.0).collect())
}

#[test]
fn a_whole_list_lacks_nothing() {
    for layout in Layout::all_tables() {
        let target = target(layout, STATES[1]);
        assert_eq!(found(&target, layout), None, "{}", layout.measured);
    }
}

#[test]
fn a_cut_list_is_completed_from_stacks() {
    for layout in Layout::all_tables() {
        for cut in [STATES[0], 0x4141_4141_4140] {
            let target = target(layout, cut);
            let found = found(&target, layout).expect("a problem");
            assert_eq!(found, STATES[1..], "{} {cut:#x}", layout.measured);
        }
    }
}

#[test]
fn without_stacks_memory_and_links_lead_to_them() {
    for layout in Layout::all_tables().filter(|layout| layout.fields.thread.prev.is_some()) {
        let mut target = target(layout, STATES[0]);
        for thread in &mut target.threads {
            let registers = thread.registers.as_mut().expect("given");
            registers.general = Registers::default().general;
        }
        // One of the threads has ended; only a link leads to its state.
        target.threads.remove(1);
        let found = found(&target, layout).expect("a problem");
        assert_eq!(found, STATES[1..], "{}", layout.measured);
    }
}

#[test]
fn a_list_that_is_cut_without_a_trace_lacks_the_first_thread() {
    for layout in Layout::all_tables().filter(|layout| layout.fields.thread.prev.is_some()) {
        let target = target(layout, 0);
        assert_eq!(
            found(&target, layout),
            Some(STATES[1..].to_vec()),
            "{}",
            layout.measured
        );
    }
}

#[test]
fn a_thread_tells_that_the_list_is_cut_where_the_first_one_cannot() {
    for layout in Layout::all_tables().filter(|layout| layout.fields.thread.prev.is_some()) {
        let links = [Some((0, 0)), Some((STATES[2], STATES[0])), None];
        let target = linked(layout, STATES[0], links);
        let found = found(&target, layout).expect("a problem");
        assert_eq!(found, STATES[1..2], "{}", layout.measured);
    }
}

#[test]
fn of_an_empty_list_all_are_found_once_one_tells() {
    const NOWHERE: u64 = 0x4141_4141_4140;
    for layout in Layout::all_tables().filter(|layout| layout.fields.thread.prev.is_some()) {
        let links = [
            Some((STATES[1], 0)),
            Some((STATES[2], STATES[0])),
            Some((0, NOWHERE)),
        ];
        let target = linked(layout, 0, links);
        assert_eq!(
            found(&target, layout),
            Some(STATES.to_vec()),
            "{}",
            layout.measured
        );
        // The only thread there is.
        let alone = linked(layout, 0, [None, None, Some((0, 0))]);
        assert_eq!(
            found(&alone, layout),
            Some(STATES[2..].to_vec()),
            "{}",
            layout.measured
        );
        // What was freed has other words in place of its links.
        let freed = linked(layout, 0, [None, None, Some((NOWHERE, NOWHERE))]);
        assert_eq!(found(&freed, layout), None, "{}", layout.measured);
    }
}
