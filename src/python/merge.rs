//! Native and Python frames in one list: each native activation of the evaluation loop is
//! replaced by the Python frames it runs.
//!
//! From 3.10 on the activation keeps a marker among its C locals, so exactly one native frame
//! has `sp ≤ marker < CFA`, whatever the compiler made of the function and its name. Before, each
//! Python frame has one activation, which is found by the function's name, else by the function
//! whose frames hold the addresses of the Python frames.

use super::layout::Markers;
use super::{PyFrame, PyStack, Python, eval_frames};
use crate::addr::Addr;
use crate::unwind::{End, NativeFrame, NativeStack};
use serde::Serialize;
use std::sync::Arc;

/// One frame of a merged stack.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MergedFrame {
    /// A native frame.
    Native(NativeFrame),
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
        let threads = self
            .threads()
            .filter(|thread| thread.tid == tid.map(|thread| thread.tid));
        let stacks: Vec<Arc<PyStack>> = threads.map(|thread| self.stack(thread)).collect();
        let markers = self.layout.kinds.markers;
        let mut activations: Vec<Activation<'_>> = stacks
            .iter()
            .flat_map(|stack| activations(stack, markers))
            .collect();
        if stacks.len() > 1 {
            // One thread in several interpreters: the C stack tells who called whom.
            activations.sort_by_key(|activation| activation.marker);
        }
        let places = match markers {
            Markers::None => self.places_by_function(&native, &activations),
            _ => places_by_marker(&native.frames, &activations),
        };
        let mut merged = merge(&native, &activations, &places);
        self.hide_opcode_functions(&mut merged);
        merged
    }

    /// Up to 3.9: by the function that is the evaluation loop.
    fn places_by_function(
        &self,
        native: &NativeStack,
        activations: &[Activation<'_>],
    ) -> Vec<Place> {
        let frames: Vec<Addr> = activations
            .iter()
            .filter_map(|a| a.frames.first())
            .map(|frame| frame.addr)
            .collect();
        let loops = eval_frames::find(&self.process, &self.layout, &native.frames, &frames);
        let whole = native.end == End::Outermost;
        align(&loops, activations.len(), native.frames.len(), whole)
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

/// Splits a Python stack at its markers.
fn activations(stack: &PyStack, markers: Markers) -> Vec<Activation<'_>> {
    if markers == Markers::None {
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

/// From 3.10 on: the native frame whose part of the stack holds the marker.
fn places_by_marker(native: &[NativeFrame], activations: &[Activation<'_>]) -> Vec<Place> {
    let place = |activation: &Activation<'_>| {
        let marker = activation.marker;
        // Stack pointers rise from the innermost frame outwards.
        let behind = native.partition_point(|frame| frame.sp <= marker);
        let holder = behind
            .checked_sub(1)
            .and_then(|index| Some((index, native.get(index)?)));
        match holder {
            Some((index, frame)) if frame.cfa.is_some_and(|cfa| marker < cfa) => Place::Is(index),
            _ => Place::Before(behind),
        }
    };
    activations.iter().map(place).collect()
}

/// Up to 3.9: the native frames in `loops` are activations of the evaluation loop, one for each
/// Python frame. Where the native stack is whole, both are aligned at the outermost, as the
/// innermost may just begin or end; where it is cut, at the innermost.
fn align(loops: &[usize], frames: usize, native: usize, whole: bool) -> Vec<Place> {
    let differ = loops.len().abs_diff(frames);
    if whole && differ > 1 {
        return vec![Place::Before(0); frames];
    }
    let missing = if whole {
        frames.saturating_sub(loops.len())
    } else {
        0
    };
    let beginning = if whole {
        loops.len().saturating_sub(frames)
    } else {
        0
    };
    let rest = loops.iter().skip(beginning).map(|index| Place::Is(*index));
    std::iter::repeat_n(Place::Before(0), missing)
        .chain(rest)
        .chain(std::iter::repeat(Place::Before(native)))
        .take(frames)
        .collect()
}

/// Puts the frames together.
fn merge(native: &NativeStack, activations: &[Activation<'_>], places: &[Place]) -> MergedStack {
    let mut frames = Vec::with_capacity(native.frames.len() + activations.len());
    let mut placed = activations.iter().zip(places).peekable();
    let mut lost = 0;
    for (index, frame) in native.frames.iter().enumerate() {
        let mut is_loop = false;
        while let Some((activation, place)) = placed.next_if(|(_, place)| match place {
            Place::Is(at) | Place::Before(at) => *at <= index,
        }) {
            frames.extend(activation.frames.iter().cloned().map(MergedFrame::Python));
            match place {
                Place::Is(_) => is_loop = true,
                Place::Before(_) => lost += usize::from(!activation.frames.is_empty()),
            }
        }
        if !is_loop {
            frames.push(MergedFrame::Native(*frame));
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
    let by_address = activations
        .iter()
        .all(|activation| !activation.marker.is_null());
    let cut = match &native.end {
        End::Outermost => String::new(),
        End::Lost(why) => format!("; the native stack is cut: {why}"),
        End::Loop => "; the native stack runs into itself".into(),
        End::Limit | End::Cancelled => "; the native stack was not read to its end".into(),
    };
    let placed = match by_address {
        true => "they are placed by their address on the stack",
        false => "their frames are shown apart from the native ones",
    };
    format!(
        "{lost} of {all} activations of the evaluation loop were not found among the native \
         frames; {placed}{cut}"
    )
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
