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
use pydbg::heap::{Around, Direction, Nearby};
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// The most objects of a picture: more of them cannot be looked at.
const MOST_OBJECTS: usize = 80;

/// The longest lines of nodes and of arrows, in characters.
const LONGEST_LINE: usize = 36;
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
        flow: Flow::Right,
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
        let words = reference.way.as_ref().map_or("", |way| &way.words);
        let more = if reference.more_ways { ", …" } else { "" };
        drawing.edges.push(Edge {
            from: reference.from,
            to: reference.to,
            label: format!("{}{more}", cut(words, LONGEST_WAY)),
            mark: Mark::Plain,
            dashed: !reference.certain(),
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
    let line = |text: String, weight| Line {
        text: cut(&text, LONGEST_LINE),
        weight,
    };
    let size = size(object);
    let mut label = vec![
        line(thing.class.to_string(), Weight::Strong),
        line(thing.repr.clone(), Weight::Plain),
        line(format!("{}, {size}", thing.address), Weight::Faint),
    ];
    if object.left_out > 0 {
        let more = many(object.left_out as usize, &format!("more {noun}"));
        label.push(line(format!("… {more}"), Weight::Faint));
    }
    Node {
        title: format!(
            "{} at {}: {}; {} bytes, retains {} bytes",
            thing.class,
            thing.address,
            thing.repr,
            thousands(usize::try_from(thing.size).unwrap_or(usize::MAX)),
            thousands(usize::try_from(object.retained).unwrap_or(usize::MAX)),
        ),
        label,
        shape: Shape::Box,
        mark: if place == 0 { Mark::Focus } else { Mark::Plain },
    }
}

/// The object's own size, and what it retains where that is more.
fn size(object: &Nearby) -> String {
    let own = Unit::Bytes.amount(object.thing.size);
    match object.retained > object.thing.size {
        true => format!("{own} of {}", Unit::Bytes.amount(object.retained)),
        false => own,
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
        let mut label = vec![Line {
            text: cut(&words, LONGEST_LINE),
            weight: Weight::Plain,
        }];
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
        });
    }
}
