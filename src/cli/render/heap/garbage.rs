//! Garbage as `garbage` shows it: a table of the shapes of its cycles, or one cycle in full.

use super::one::thing;
use crate::cli::{Out, Report, Style};
use pydbg::diag::{Note, counted};
use pydbg::heap::{GarbageCycle, GarbageSummary, Link};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// All garbage, and why it is still there.
pub struct All {
    /// The numbers.
    pub summary: GarbageSummary,
    /// In sentences.
    pub reasons: Vec<String>,
}

/// One cycle.
pub struct One(pub GarbageCycle);

/// `2 __main__.Node, 1 dict`.
fn types(out: &mut Out<'_>, types: &[(Arc<str>, u64)]) -> io::Result<()> {
    const MOST: usize = 6;
    for (position, (name, count)) in types.iter().take(MOST).enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        out.put(format_args!("{comma}{count} "))?;
        out.target(name)?;
    }
    match types.len().saturating_sub(MOST) {
        0 => Ok(()),
        more => out.put(format_args!(", {}", counted(more, "more type"))),
    }
}

impl Report for All {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.summary;
        if found.objects == 0 {
            out.put(format_args!(
                "No garbage: gc.collect() would find nothing.\n"
            ))?;
        } else {
            let cycles = usize::try_from(found.cycles).unwrap_or(usize::MAX);
            out.put(format_args!(
                "gc.collect() would find {} of {} bytes, in {}.\n",
                counted(found.objects, "object"),
                found.bytes,
                counted(cycles, "cycle")
            ))?;
        }
        if found.hanging > 0 {
            out.put(format_args!(
                "{} of {} bytes that only these hold would be freed with them.\n",
                counted(found.hanging, "object"),
                found.hanging_bytes
            ))?;
        }
        if found.finalizers > 0 {
            out.put(format_args!(
                "{} of them have a finalizer, which may keep them alive.\n",
                found.finalizers
            ))?;
        }
        if found.callbacks > 0 {
            let calls = usize::try_from(found.callbacks).unwrap_or(usize::MAX);
            let calls = counted(calls, "callback");
            out.put(format_args!(
                "{calls} of weak references would be called.\n"
            ))?;
        }
        for reason in &self.reasons {
            out.put(format_args!("Why: {reason}.\n"))?;
        }
        if found.shapes.is_empty() {
            return Ok(());
        }
        out.put(format_args!(
            "{:>4} {:>8} {:>9} {:>11} {:>9} {:>11}  {}\n",
            "#", "Cycles", "Objects", "Bytes", "Hanging", "Bytes", "One cycle"
        ))?;
        for (number, shape) in (1..).zip(&found.shapes) {
            out.put(format_args!(
                "{number:>4} {:>8} {:>9} {:>11} {:>9} {:>11}  ",
                shape.cycles, shape.objects, shape.bytes, shape.hanging, shape.hanging_bytes
            ))?;
            types(out, &shape.types)?;
            out.end()?;
        }
        if found.left_out > 0 {
            let more = counted(found.left_out, "more kind");
            out.put(format_args!("… {more} of cycles left out; see -n\n"))?;
        }
        if found.shared.0 > 0 {
            out.put(format_args!(
                "{} of {} bytes hang on several cycles, or on none.\n",
                counted(found.shared.0, "object"),
                found.shared.1
            ))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({ "garbage": self.summary, "why": self.reasons })
    }

    fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        if self.summary.contradictions > 0 {
            let text = format!(
                "{} objects are referred to more often than they count; they are taken to be alive",
                self.summary.contradictions
            );
            notes.push(Note::partial(text));
        }
        if self.summary.unsure > 0 {
            let text = format!(
                "of {} objects it is not sure that they are garbage: types of extensions, of which it \
                 is not known what they tell the collector, refer to them",
                self.summary.unsure
            );
            notes.push(Note::info(text));
        }
        notes
    }
}

/// `0x7f…  attribute other -> 0x7f…`, without the end of the line.
fn link(out: &mut Out<'_>, link: &Link) -> io::Result<()> {
    out.styled(Style::Address, &link.from.to_string())?;
    out.put(format_args!("  "))?;
    out.target(&link.words)?;
    out.put(format_args!(" -> "))?;
    out.styled(Style::Address, &link.to.to_string())
}

impl Report for One {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let cycle = &self.0;
        out.put(format_args!(
            "A cycle of {}, {} bytes.\n",
            counted(cycle.objects, "object"),
            cycle.bytes
        ))?;
        for member in &cycle.members {
            out.put(format_args!("  "))?;
            thing(out, member)?;
            out.end()?;
        }
        out.put(format_args!("Around it:\n"))?;
        for step in &cycle.around {
            out.put(format_args!("  "))?;
            link(out, step)?;
            out.end()?;
        }
        let others = cycle
            .links
            .iter()
            .filter(|link| !cycle.around.contains(link));
        let others: Vec<&Link> = others.collect();
        if !others.is_empty() {
            out.put(format_args!("Other references within:\n"))?;
        }
        for step in others {
            out.put(format_args!("  "))?;
            link(out, step)?;
            out.end()?;
        }
        if cycle.left_out {
            out.put(format_args!("  … more left out; see -n\n"))?;
        }
        if cycle.hanging > 0 {
            let (hanging, bytes) = (counted(cycle.hanging, "object"), cycle.hanging_bytes);
            out.put(format_args!("On it hang {hanging} of {bytes} bytes: "))?;
            types(out, &cycle.hanging_types)?;
            out.end()?;
        }
        if cycle.held_by > 0 {
            let held = counted(cycle.held_by, "object");
            out.put(format_args!("It is held by other garbage: {held}.\n"))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}
