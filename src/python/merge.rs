//! Native and Python frames in one list: each native activation of the evaluation loop is
//! replaced by the Python frames it runs.
//!
//! From 3.10 on the activation keeps a marker among its C locals, so exactly one native frame
//! has `sp ≤ marker < CFA`, whatever the compiler made of the function and its name. Up to 3.9
//! the activations are found by the function's name. Up to 3.10 each runs one frame object, whose
//! address lies in its registers or its part of the stack.

use super::eval_frames::{self, Loops};
use super::layout::{FrameChain, Markers};
use super::{PyFrame, PyStack, Python};
use crate::addr::Addr;
use crate::unwind::{End, NativeFrame, NativeStack};
use serde::Serialize;
use std::sync::Arc;

/// One frame of a merged stack.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MergedFrame {
    /// A native frame.
    Native(Box<NativeFrame>),
    /// A Python frame.
    Python(PyFrame),
}

/// A merged stack, innermost first.
#[derive(Clone, Debug, Serialize)]
pub struct MergedStack {
    /// Innermost first.
    pub frames: Vec<MergedFrame>,
    /// Whether each activation of the evaluation loop was found among the native frames; if not,
    /// the note says how the frames are placed.
    pub matched: bool,
    /// What could not be matched and why.
    pub note: Option<String>,
}

/// Python frames of one native activation of the evaluation loop.
struct Activation<'a> {
    /// Address of the marker on the C stack; NULL where the version has none.
    marker: Addr,
    /// Innermost first.
    frames: &'a [PyFrame],
}

/// Where an activation is among the native frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// It is this native frame.
    Is(usize),
    /// It lies before this native frame; which one it is, is not known.
    Before(usize),
    /// The frame does not run, because `throw()` passes through it (3.9, 3.10); it belongs before
    /// this native frame, which runs its caller.
    Passing(usize),
}

impl Python {
    /// Native and Python frames of a native thread (gdb number) in one list, innermost first.
    pub fn merged(&self, id: usize) -> MergedStack {
        let empty = NativeStack {
            frames: Vec::new(),
            end: End::Lost("there is no such thread".into()),
        };
        let native = self.process.stack(id).unwrap_or_else(|| Arc::new(empty));
        let tid = id
            .checked_sub(1)
            .and_then(|index| self.process.threads().get(index));
        let threads = tid.map_or(&[][..], |thread| self.threads_of(thread.tid));
        let stacks: Vec<Arc<PyStack>> = threads.iter().map(|thread| self.stack(thread)).collect();
        let objects = self.layout.kinds.frame_chain == FrameChain::Object;
        let mut activations: Vec<Activation<'_>> = stacks
            .iter()
            .flat_map(|stack| activations(stack, objects))
            .collect();
        let places = if objects {
            let markers = stacks
                .iter()
                .flat_map(|stack| &stack.markers)
                .map(|m| m.addr)
                .collect();
            self.places_by_object(&native, &activations, markers)
        } else {
            if stacks.len() > 1 {
                // One thread in several interpreters: the C stack tells who called whom.
                activations.sort_by_key(|activation| activation.marker);
            }
            let marker = |activation: &Activation<'_>| place(&native.frames, activation.marker);
            activations.iter().map(marker).collect()
        };
        let mut merged = merge(&native, &activations, &places);
        self.hide_opcode_functions(&mut merged);
        merged
    }

    /// Up to 3.10: each activation runs one frame object.
    fn places_by_object(
        &self,
        native: &NativeStack,
        activations: &[Activation<'_>],
        markers: Vec<Addr>,
    ) -> Vec<Place> {
        let frames: Vec<Addr> = activations
            .iter()
            .filter_map(|a| a.frames.first())
            .map(|frame| frame.addr)
            .collect();
        let loops = match self.layout.kinds.markers {
            Markers::None => {
                eval_frames::find(&self.process, &self.layout, &native.frames, &frames)
            }
            _ => loops_at(&native.frames, &markers),
        };
        if loops.len() == frames.len() {
            return loops.into_iter().map(Place::Is).collect();
        }
        let memory = &*self.process.target.memory;
        let held = Loops::new(memory, &native.frames, &loops).match_frames(&frames);
        place_held(&held, frames.len(), native.frames.len())
    }

    /// Removes the function that handles the current opcode, where the evaluation loop is made of
    /// such functions: it belongs to the loop.
    fn hide_opcode_functions(&self, merged: &mut MergedStack) {
        let Some(prefix) = self.layout.kinds.opcode_functions else {
            return;
        };
        let is_handler = |frame: &NativeFrame| {
            let symbol = self.process.symbol(frame.pc.lookup());
            let name = symbol.and_then(|symbol| symbol.function);
            name.is_some_and(|name| name.starts_with(prefix))
        };
        let hidden: Vec<bool> = merged
            .frames
            .windows(2)
            .map(|pair| match pair {
                [MergedFrame::Native(inner), MergedFrame::Python(_)] => is_handler(inner),
                _ => false,
            })
            .collect();
        let mut hidden = hidden.into_iter();
        merged.frames.retain(|_| !hidden.next().unwrap_or(false));
    }
}

/// Splits a Python stack at its markers; `objects`: each frame is an activation of its own.
fn activations(stack: &PyStack, objects: bool) -> Vec<Activation<'_>> {
    if objects {
        let single = |frame| Activation {
            marker: Addr::NULL,
            frames: std::slice::from_ref(frame),
        };
        return stack.frames.iter().map(single).collect();
    }
    let mut start = 0;
    let mut out = Vec::with_capacity(stack.markers.len() + 1);
    for marker in &stack.markers {
        out.push(Activation {
            marker: marker.addr,
            frames: stack.frames.get(start..marker.frames).unwrap_or_default(),
        });
        start = marker.frames;
    }
    // A torn chain has frames without a marker behind them.
    let rest = stack.frames.get(start..).unwrap_or_default();
    if !rest.is_empty() {
        out.push(Activation {
            marker: Addr(u64::MAX),
            frames: rest,
        });
    }
    out
}

/// The native frame whose part of the stack holds the marker.
fn place(native: &[NativeFrame], marker: Addr) -> Place {
    // Stack pointers rise from the innermost frame outwards.
    let behind = native.partition_point(|frame| frame.sp <= marker);
    let holder = behind
        .checked_sub(1)
        .and_then(|index| Some((index, native.get(index)?)));
    match holder {
        Some((index, frame)) if frame.cfa.is_some_and(|cfa| marker < cfa) => Place::Is(index),
        _ => Place::Before(behind),
    }
}

/// The positions of the native frames that hold a marker each.
fn loops_at(native: &[NativeFrame], markers: &[Addr]) -> Vec<usize> {
    let holder = |marker: &Addr| match place(native, *marker) {
        Place::Is(index) => Some(index),
        Place::Before(_) | Place::Passing(_) => None,
    };
    markers.iter().filter_map(holder).collect()
}

/// Places for frame objects of which only some were found in an activation: `held` are pairs of
/// frame and native frame. A frame in between does not run itself; one at the outer end goes behind
/// the native frames that are known to be inner to it.
fn place_held(held: &[(usize, usize)], frames: usize, native: usize) -> Vec<Place> {
    let end = held.last().map_or(0, |(_, index)| index + 1);
    let mut held = held.iter().copied().peekable();
    let place = |frame: usize| match held.peek() {
        Some((found, index)) if *found == frame => {
            let place = Place::Is(*index);
            held.next();
            place
        }
        Some((_, index)) => Place::Passing(*index),
        None => Place::Before(end.min(native)),
    };
    (0..frames).map(place).collect()
}

/// Puts the frames together.
fn merge(native: &NativeStack, activations: &[Activation<'_>], places: &[Place]) -> MergedStack {
    let mut frames = Vec::with_capacity(native.frames.len() + activations.len());
    let mut placed = activations.iter().zip(places).peekable();
    let mut lost = 0;
    for (index, frame) in native.frames.iter().enumerate() {
        let mut is_loop = false;
        while let Some((activation, place)) = placed.next_if(|(_, place)| match place {
            Place::Is(at) | Place::Before(at) | Place::Passing(at) => *at <= index,
        }) {
            frames.extend(activation.frames.iter().cloned().map(MergedFrame::Python));
            match place {
                Place::Is(_) => is_loop = true,
                Place::Passing(_) => {}
                Place::Before(_) => lost += usize::from(!activation.frames.is_empty()),
            }
        }
        if !is_loop {
            frames.push(MergedFrame::Native(Box::new(*frame)));
        }
    }
    for (activation, _) in placed {
        frames.extend(activation.frames.iter().cloned().map(MergedFrame::Python));
        lost += usize::from(!activation.frames.is_empty());
    }
    MergedStack {
        frames,
        matched: lost == 0,
        note: (lost > 0).then(|| note(native, lost, activations)),
    }
}

/// Says what could not be matched.
fn note(native: &NativeStack, lost: usize, activations: &[Activation<'_>]) -> String {
    let all = activations
        .iter()
        .filter(|activation| !activation.frames.is_empty())
        .count();
    let cut = match &native.end {
        End::Outermost => String::new(),
        End::Lost(why) => format!("; the native stack is cut: {why}"),
        End::Loop => "; the native stack runs into itself".into(),
        End::Limit | End::Cancelled => "; the native stack was not read to its end".into(),
    };
    format!(
        "where {lost} of {all} activations of the evaluation loop are among the native frames is \
         not known; their Python frames are placed as near as possible{cut}"
    )
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
