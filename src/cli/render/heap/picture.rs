//! The objects around one object as a picture: objects are boxes, roots are ellipses, and an arrow
//! leads from an object to what it refers to.

use super::named::object;
use super::one::{of_references, thing};
use crate::cli::render::drawing::{
    Drawing, Edge, Flow, Line, Mark, Node, Shape, Weight, cut, write,
};
use crate::cli::{Out, Report, Session};
use pydbg::diag::{Unit, thousands};
use pydbg::heap::graph::Bounds;
use pydbg::heap::label::Via;
use pydbg::heap::{Around, Direction, Nearby, Way};
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// The most objects of a picture: more of them cannot be looked at.
const MOST_OBJECTS: usize = 60;

/// The longest lines of objects, roots and arrows, in characters.
const LONGEST_LINE: usize = 36;
const LONGEST_ROOT: usize = 48;
const LONGEST_WAY: usize = 32;

/// What is drawn, and where to.
#[derive(clap::Args)]
pub struct Picturing {
    /// Write a picture of the objects around it in the language of Graphviz
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Write a picture of the objects around it
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draw objects that are so many steps away
    #[arg(long, value_name = "D", default_value_t = 3)]
    depth: u32,
    /// Draw so many references of each object, those to what retains most
    #[arg(long, value_name = "B", default_value_t = 10)]
    breadth: usize,
}

impl Picturing {
    /// Whether a picture is wanted.
    pub fn is_wanted(&self) -> bool {
        self.dot.is_some() || self.svg.is_some()
    }

    /// Draws what is around the object at an address.
    pub fn draw(
        &self,
        session: &mut Session,
        address: &str,
        direction: Direction,
    ) -> anyhow::Result<Box<dyn Report>> {
        let (heap, id) = object(session, address)?;
        let bounds = Bounds {
            depth: self.depth,
            fan_out: self.breadth.max(1),
            nodes: MOST_OBJECTS,
        };
        let around = heap.around(id, direction, bounds)?;
        let drawing = drawing(&around);
        let mut written = Vec::new();
        let mut put = |file: &Option<PathBuf>, text: &dyn Fn() -> String| -> anyhow::Result<()> {
            if let Some(file) = file {
                write(file, &text())?;
                written.push(shown(file));
            }
            Ok(())
        };
        put(&self.dot, &|| drawing.dot("objects"))?;
        put(&self.svg, &|| drawing.svg())?;
        Ok(of_references(&heap, Picture { around, written }))
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

/// What was drawn.
struct Picture {
    around: Around,
    written: Vec<String>,
}

impl Report for Picture {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let Around {
            objects,
            references,
            ..
        } = &self.around;
        if let Some(first) = objects.first() {
            thing(out, &first.thing)?;
            out.end()?;
        }
        out.put(format_args!(
            "  {} and {}",
            many(objects.len(), "object"),
            many(references.len(), "reference")
        ))?;
        let left_out = left_out(&self.around);
        if left_out > 0 {
            out.put(format_args!(
                "; {} left out, as the picture says; see --depth and --breadth",
                many(left_out, "reference")
            ))?;
        }
        out.end()?;
        for file in &self.written {
            out.put(format_args!("  written to "))?;
            out.target(file)?;
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({ "around": self.around, "written": self.written })
    }
}

fn left_out(around: &Around) -> usize {
    let each = around.objects.iter().map(|object| object.left_out as usize);
    each.fold(0, usize::saturating_add)
}

/// `1 object`, `1,234 objects`.
fn many(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// The graph that is drawn.
fn drawing(around: &Around) -> Drawing {
    let mut drawing = Drawing {
        flow: match around.direction {
            Direction::Referents => Flow::Right,
            Direction::Referrers => Flow::FromRight,
        },
        caption: caption(around),
        ..Drawing::default()
    };
    let noun = match around.direction {
        Direction::Referents => "referent",
        Direction::Referrers => "referrer",
    };
    for (place, object) in around.objects.iter().enumerate() {
        drawing.nodes.push(node(place, object, noun));
    }
    for reference in &around.references {
        let words = reference.way.as_ref().map(way_words).unwrap_or_default();
        let more = if reference.more_ways { ", …" } else { "" };
        let depth = |place: usize| around.objects.get(place).map_or(0, |object| object.depth);
        let (from, to) = (depth(reference.from), depth(reference.to));
        drawing.edges.push(Edge {
            from: reference.from,
            to: reference.to,
            label: format!("{}{more}", cut(&words, LONGEST_WAY)),
            mark: Mark::Plain,
            dashed: !reference.certain(),
            // Objects stand by how far away they are.
            free: match around.direction {
                Direction::Referents => from >= to,
                Direction::Referrers => from <= to,
            },
        });
    }
    for (place, object) in around.objects.iter().enumerate() {
        add_roots(&mut drawing, place, object);
    }
    drawing
}

fn caption(around: &Around) -> Vec<String> {
    let Some(first) = around.objects.first() else {
        return Vec::new();
    };
    let what = match around.direction {
        Direction::Referents => "What this refers to",
        Direction::Referrers => "Who refers to this",
    };
    let depth = around.objects.iter().map(|object| object.depth).max();
    let mut lines = vec![
        format!("{what}: {} at {}", first.thing.class, first.thing.address),
        format!(
            "{} up to {} away",
            many(around.objects.len(), "object"),
            many(depth.unwrap_or(0) as usize, "step")
        ),
    ];
    let left_out = left_out(around);
    if left_out > 0 {
        lines.push(format!("{} left out", many(left_out, "reference")));
    }
    lines
}

fn node(place: usize, object: &Nearby, noun: &str) -> Node {
    let thing = &object.thing;
    let line = |text: &str, weight| Line {
        text: cut(text, LONGEST_LINE),
        weight,
    };
    let mut label = vec![line(&thing.class, Weight::Strong)];
    // The default `repr` says no more than the lines around it.
    if !(thing.repr.starts_with('<') && thing.repr.contains(" object at 0x")) {
        label.push(line(&thing.repr, Weight::Plain));
    }
    let own = Unit::Bytes.amount(thing.size);
    label.push(line(&format!("{}  {own}", thing.address), Weight::Faint));
    if object.retained > thing.size {
        let retained = Unit::Bytes.amount(object.retained);
        label.push(line(&format!("retains {retained}"), Weight::Faint));
    }
    if object.left_out > 0 {
        let more = many(object.left_out as usize, &format!("more {noun}"));
        label.push(line(&format!("… {more}"), Weight::Faint));
    }
    let whole = |number: u64| thousands(number);
    Node {
        title: format!(
            "{} at {}: {}; {} bytes, retains {} bytes",
            thing.class,
            thing.address,
            thing.repr,
            whole(thing.size),
            whole(object.retained),
        ),
        label,
        shape: Shape::Box,
        mark: if place == 0 { Mark::Focus } else { Mark::Plain },
    }
}

/// A way as briefly as Python would write it.
fn way_words(way: &Way) -> String {
    match &way.via {
        Via::Attribute { name } | Via::Slot { name } | Via::Member { name, .. } => {
            format!(".{name}")
        }
        Via::Key { repr, .. } => format!("[{repr}]"),
        _ => way.words.clone(),
    }
}

/// What holds an object from outside.
fn add_roots(drawing: &mut Drawing, place: usize, object: &Nearby) {
    let mut roots: Vec<(String, String, bool)> = (object.roots.iter())
        .map(|root| {
            let title = root.expression.clone().unwrap_or_default();
            (root.words.clone(), title, root.certain)
        })
        .collect();
    if object.roots_left_out > 0 {
        let more = many(object.roots_left_out, "more root");
        roots.push((format!("… {more}"), String::new(), true));
    }
    for (words, title, certain) in roots {
        // `local x of f() in thread 2` is too long for one line.
        let split = words
            .find(" of ")
            .filter(|_| words.len() > LONGEST_LINE / 2);
        let (first, rest) = words.split_at(split.unwrap_or(words.len()));
        let lines = [first, rest.trim_start()].into_iter();
        let mut label: Vec<Line> = (lines.filter(|line| !line.is_empty()))
            .map(|line| cut(line, LONGEST_ROOT).into())
            .collect();
        if !certain {
            label.push(Line {
                text: "a word that looks like it".to_owned(),
                weight: Weight::Faint,
            });
        }
        drawing.nodes.push(Node {
            label,
            title: format!("root: {words} {title}").trim_end().to_owned(),
            shape: Shape::Ellipse,
            mark: Mark::Anchor,
        });
        drawing.edges.push(Edge {
            from: drawing.nodes.len() - 1,
            to: place,
            label: String::new(),
            mark: Mark::Anchor,
            dashed: !certain,
            free: false,
        });
    }
}
