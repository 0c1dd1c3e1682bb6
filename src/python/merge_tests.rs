//! Synthetic stacks of each kind. A native frame is written as (sp, cfa); it is named by its
//! position.

use super::*;
use crate::addr::Pc;
use crate::python::{FrameKind, Marker, Position};
use crate::target::Registers;
use crate::unwind::Trust;

fn native(ranges: &[(u64, u64)], end: End) -> NativeStack {
    let frames = ranges
        .iter()
        .enumerate()
        .map(|(index, (sp, cfa))| NativeFrame {
            pc: Pc::Return(Addr(index as u64)),
            sp: Addr(*sp),
            cfa: Some(Addr(*cfa)),
            trust: Trust::Cfi,
            registers: Registers::default(),
            function_start: None,
            signal_trampoline: false,
        });
    NativeStack {
        frames: frames.collect(),
        end,
    }
}

fn python(names: &[&str], markers: &[(u64, usize)]) -> PyStack {
    let frame = |name: &&str| PyFrame {
        addr: Addr::NULL,
        code: Addr::NULL,
        function: (*name).into(),
        qualname: None,
        file: "f".into(),
        position: Position::default(),
        first_line: 1,
        lasti: 0,
        kind: FrameKind::Function,
        origin: crate::python::FrameOrigin::Chain,
        problem: None,
    };
    let marker = |(addr, frames): &(u64, usize)| Marker {
        addr: Addr(*addr),
        frames: *frames,
    };
    PyStack {
        frames: names.iter().map(frame).collect(),
        markers: markers.iter().map(marker).collect(),
        problem: None,
    }
}

/// The merged stack in words: native frames as `#N`, Python frames by name.
fn shown(merged: &MergedStack) -> String {
    let word = |frame: &MergedFrame| match frame {
        MergedFrame::Native(native) => format!("#{}", native.pc.addr().0),
        MergedFrame::Python(python) => python.function.to_string(),
    };
    merged.frames.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn by_marker(native: &NativeStack, python: &PyStack) -> MergedStack {
    let activations = activations(python, false);
    let places: Vec<Place> = activations
        .iter()
        .map(|activation| place(&native.frames, activation.marker))
        .collect();
    merge(native, &activations, &places)
}

fn by_object(native: &NativeStack, python: &PyStack, held: &[(usize, usize)]) -> MergedStack {
    let activations = activations(python, true);
    let places = place_held(held, activations.len(), native.frames.len());
    merge(native, &activations, &places)
}

const RANGES: [(u64, u64); 5] = [(100, 120), (120, 200), (200, 230), (230, 300), (300, 400)];

#[test]
fn python_frames_take_the_place_of_their_loop() {
    let native = native(&RANGES, End::Outermost);
    let python = python(&["a", "b", "c"], &[(150, 2), (299, 3)]);
    let merged = by_marker(&native, &python);
    assert_eq!(shown(&merged), "#0 a b #2 c #4");
    assert!(merged.matched);
}

#[test]
fn an_activation_without_frames_is_hidden_too() {
    let native = native(&RANGES, End::Outermost);
    let merged = by_marker(&native, &python(&["a"], &[(150, 0), (230, 1)]));
    assert_eq!(shown(&merged), "#0 #2 a #4");
    assert!(merged.matched);
}

#[test]
fn a_thread_without_python_is_native() {
    let native = native(&RANGES, End::Outermost);
    let merged = by_marker(&native, &python(&[], &[]));
    assert_eq!(shown(&merged), "#0 #1 #2 #3 #4");
    assert!(merged.matched);
}

#[test]
fn a_cut_native_stack_still_has_all_python_frames() {
    let native = native(&RANGES[..2], End::Lost("no unwind information".into()));
    let merged = by_marker(&native, &python(&["a", "b", "c"], &[(150, 2), (299, 3)]));
    assert_eq!(shown(&merged), "#0 a b c");
    assert!(!merged.matched);
    assert!(merged.note.unwrap().contains("1 of 2"));
}

#[test]
fn a_marker_in_a_gap_is_placed_by_its_address() {
    let ranges = [(100, 120), (200, 230), (300, 400)];
    let native = native(&ranges, End::Outermost);
    let merged = by_marker(&native, &python(&["a", "b"], &[(150, 1), (250, 2)]));
    assert_eq!(shown(&merged), "#0 a #1 b #2");
    assert!(!merged.matched);
}

#[test]
fn frames_behind_the_last_marker_are_kept() {
    let native = native(&RANGES, End::Outermost);
    let merged = by_marker(&native, &python(&["a", "b"], &[(150, 1)]));
    assert_eq!(shown(&merged), "#0 a #2 #3 #4 b");
    assert!(!merged.matched);
}

#[test]
fn each_frame_object_is_one_activation() {
    let native = native(&RANGES, End::Outermost);
    let merged = by_object(&native, &python(&["a", "b"], &[]), &[(0, 1), (1, 3)]);
    assert_eq!(shown(&merged), "#0 a #2 b #4");
    assert!(merged.matched);
}

#[test]
fn a_frame_object_that_does_not_run_is_shown_between() {
    let native = native(&RANGES, End::Outermost);
    let merged = by_object(&native, &python(&["a", "b", "c"], &[]), &[(0, 1), (2, 3)]);
    assert_eq!(shown(&merged), "#0 a #2 b c #4");
    assert!(merged.matched);
}

#[test]
fn a_chain_that_ends_early_leaves_native_frames() {
    let native = native(&RANGES, End::Outermost);
    let merged = by_object(&native, &python(&["a", "b"], &[]), &[(0, 1)]);
    assert_eq!(shown(&merged), "#0 a b #2 #3 #4");
    assert!(!merged.matched);
}

#[test]
fn frame_objects_without_any_activation_come_first() {
    let native = native(&RANGES, End::Outermost);
    let merged = by_object(&native, &python(&["a", "b"], &[]), &[]);
    assert_eq!(shown(&merged), "a b #0 #1 #2 #3 #4");
    assert!(!merged.matched);
}
