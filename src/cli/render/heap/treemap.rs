//! The heap as a treemap: who retains how many bytes, as areas within areas.

use super::{doubts, percent};
use crate::cli::render::drawing::treemap::{Tile, Tint, svg};
use crate::cli::render::drawing::write;
use crate::cli::{Out, Report};
use pydbg::diag::{Note, Unit, thousands};
use pydbg::heap::{Area, Heap, Thing, What};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::io;
use std::path::Path;

/// A treemap that was written.
pub struct Treemap {
    area: Area,
    objects: u32,
    drawn: usize,
    written: String,
    notes: Vec<Note>,
}

impl Treemap {
    /// Draws a treemap of the whole heap.
    pub fn write(heap: &Heap, file: &Path) -> anyhow::Result<Treemap> {
        let area = heap.areas()?;
        let whole = area.bytes;
        let tile = |part: &Area| tile(part, whole, &[]);
        let tiles: Vec<Tile> = area.parts.iter().map(tile).collect();
        let caption = [
            format!(
                "{}, {}, by what keeps them alive",
                Unit::Things("objects").amount(heap.count().into()),
                Unit::Bytes.amount(whole)
            ),
            "An area is what dies with an object; within it are those that die with it. Point at \
             one to read it all."
                .to_owned(),
        ];
        write(file, &svg(&caption, &tiles))?;
        Ok(Treemap {
            drawn: tiles.iter().map(count).sum(),
            objects: heap.count(),
            area,
            written: file.display().to_string(),
            notes: doubts(&heap.doubts),
        })
    }
}

fn count(tile: &Tile) -> usize {
    tile.parts.iter().map(count).sum::<usize>() + 1
}

/// An area below others, whose labels are `above`.
fn tile(area: &Area, whole: u64, above: &[String]) -> Tile {
    let full = label(&area.what);
    let short = match &area.what {
        What::Object { via, object } => {
            let via = via.as_ref().map(|via| format!("{}: ", bare(via)));
            format!("{}{}", via.unwrap_or_default(), brief(object))
        }
        _ => full.clone(),
    };
    let mut title: Vec<String> = above.to_vec();
    title.push(full);
    let path = title.clone();
    let amount = usize::try_from(area.bytes).unwrap_or(usize::MAX);
    title.push(format!(
        "{} bytes, {:.1} %",
        thousands(amount),
        percent(area.bytes, whole)
    ));
    let parts: Vec<Tile> = (unwrapped(area).into_iter())
        .map(|part| tile(part, whole, &path))
        .collect();
    Tile {
        label: short,
        below: Unit::Bytes.amount(area.bytes),
        title,
        size: area.bytes,
        tint: match &area.what {
            What::Others { .. } => Tint::Grey,
            _ => Tint::Own,
        },
        alarm: area.what == What::Nothing,
        parts,
    }
}

/// The parts of an area. What a module is made of is its namespace, which is not drawn as an area
/// of its own, but taken apart.
fn unwrapped(area: &Area) -> Vec<&Area> {
    let mut parts: Vec<&Area> = area.parts.iter().collect();
    if !matches!(&area.what, What::Roots { .. }) {
        return parts;
    }
    let is_wrapper = |part: &Area| match &part.what {
        What::Object { object, .. } => {
            part.bytes > area.bytes / 10 * 9
                && part.parts.len() > 1
                && matches!(&*object.class, "module" | "dict")
        }
        _ => false,
    };
    while let Some(at) = parts.iter().position(|part| is_wrapper(part)) {
        let wrapper = parts.remove(at);
        parts.extend(&wrapper.parts);
    }
    parts.sort_by_key(|part| Reverse(part.bytes));
    parts
}

/// An object in few words: its class, and its value where that does not tell the class itself.
fn brief(object: &Thing) -> String {
    let class = object.class.rsplit('.').next().unwrap_or(&object.class);
    let repr = &object.repr;
    match repr.strip_prefix("<class '") {
        Some(name) => format!("class {}", name.trim_end_matches("'>")),
        None if repr.starts_with('<') => class.to_owned(),
        None if repr.starts_with(class) => repr.clone(),
        None => format!("{class} {repr}"),
    }
}

/// A way without what is clear from where it stands: `cache` for `attribute cache`.
fn bare(via: &str) -> &str {
    let words = ["value of ", "attribute ", "slot ", "local "];
    let stripped = words.iter().find_map(|word| via.strip_prefix(word));
    stripped.unwrap_or(via)
}

fn label(what: &What) -> String {
    let many = |count: u64| thousands(count);
    match what {
        What::Heap => "all objects".to_owned(),
        What::Roots { words } => words.clone(),
        What::Several => "kept alive by several of these".to_owned(),
        What::Nothing => "no root leads to it: garbage, or held by native memory".to_owned(),
        What::Object { via, object } => {
            let via = via.as_ref().map(|via| format!("{via}: "));
            let (class, address) = (&object.class, object.address);
            let via = via.unwrap_or_default();
            format!("{via}{class} at {address} {}", object.repr)
        }
        What::Own => "itself".to_owned(),
        What::Instances { class, count } => format!("{} × {class}", many(*count)),
        What::Others { count: 1 } => "1 other object".to_owned(),
        What::Others { count } => format!("{} other objects", many(*count)),
    }
}

impl Report for Treemap {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.put(format_args!(
            "{} objects, {} bytes, as a treemap of {} areas: ",
            self.objects, self.area.bytes, self.drawn
        ))?;
        out.target(&self.written)?;
        out.end()
    }

    fn json(&self) -> Value {
        json!({ "objects": self.objects, "treemap": self.area, "written": [self.written] })
    }

    fn notes(&self) -> Vec<Note> {
        self.notes.clone()
    }
}
