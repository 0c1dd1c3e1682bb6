//! Graphs as pictures: in the language of Graphviz, or as SVG. Names of the target go into both, so
//! they are cut, and control characters are written out.

mod arrow;
mod layout;
pub mod squares;
mod svg;
pub mod treemap;

use anyhow::Context;
use pydbg::escape::escape;
use std::fmt::Write;
use std::path::Path;

/// The longest line of a label, in characters.
const LONGEST_LINE: usize = 60;

/// How much something stands out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// A part of what is wrong.
    Alarm,
    /// What the picture is about.
    Focus,
    /// What holds others from outside.
    Anchor,
    /// Everything else.
    Plain,
}

impl Mark {
    /// Colours of the line and of the inside.
    fn colours(self) -> (&'static str, &'static str) {
        match self {
            Mark::Alarm => ("#c00000", "#ffe9e6"),
            Mark::Focus => ("#0b5cad", "#dcecfb"),
            Mark::Anchor => ("#2e7d32", "#e6f4e7"),
            Mark::Plain => ("#404040", "#ffffff"),
        }
    }
}

/// A node's outline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// A rectangle.
    Box,
    /// An ellipse.
    Ellipse,
}

/// How a line of a label is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// As it is read first.
    Strong,
    /// As most is.
    Plain,
    /// As it is read last.
    Faint,
}

/// A line of a label; may quote the target.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// How it is written.
    pub weight: Weight,
}

impl From<String> for Line {
    fn from(text: String) -> Line {
        Line {
            text,
            weight: Weight::Plain,
        }
    }
}

/// Something in the picture.
#[derive(Clone, Debug)]
pub struct Node {
    /// What stands in it, line by line.
    pub label: Vec<Line>,
    /// What is shown of it where it is pointed at, if that is more; may quote the target.
    pub title: String,
    /// Its outline.
    pub shape: Shape,
    /// How much it stands out.
    pub mark: Mark,
}

/// An arrow between two nodes.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The positions of the nodes.
    pub from: usize,
    /// See `from`.
    pub to: usize,
    /// What stands beside it.
    pub label: String,
    /// How much it stands out.
    pub mark: Mark,
    /// Whether it is less sure than others.
    pub dashed: bool,
    /// Whether it leads where the nodes stand anyway, and says nothing of their order.
    pub free: bool,
}

/// Which way the arrows of a picture lead, on the whole.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Flow {
    /// Downwards.
    #[default]
    Down,
    /// To the right, which leaves room for many nodes with long labels.
    Right,
    /// The same, but each node stands as near to the right end as it can.
    FromRight,
}

/// A directed graph that is to be drawn.
#[derive(Clone, Default, Debug)]
pub struct Drawing {
    /// What the picture shows, line by line; may quote the target.
    pub caption: Vec<String>,
    /// Which way it goes.
    pub flow: Flow,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The arrows.
    pub edges: Vec<Edge>,
}

/// A label as it may stand in a picture.
fn clean(text: &str) -> String {
    cut(&escape(text), LONGEST_LINE)
}

/// At most so many characters of a text.
pub fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => (text.chars().take(most.saturating_sub(1)))
            .chain(['…'])
            .collect(),
        false => text.to_owned(),
    }
}

/// Writes a picture, over one that may be there.
pub fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Text as it may stand in XML, its length as it is.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // These two are characters that XML does not have.
            '\u{fffe}' => out.push_str("\\ufffe"),
            '\u{ffff}' => out.push_str("\\uffff"),
            c => out.push(c),
        }
    }
    out
}

impl Drawing {
    /// In the language of Graphviz.
    pub fn dot(&self, name: &str) -> String {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let quoted = |text: &str| escaped(&clean(text));
        let mut dot = format!("digraph {name} {{\n  node [fontname=monospace];\n");
        if self.flow != Flow::Down {
            dot.push_str("  rankdir=LR;\n");
        }
        if !self.caption.is_empty() {
            let lines: Vec<String> = self.caption.iter().map(|line| quoted(line)).collect();
            _ = writeln!(
                dot,
                "  label=\"{}\"; labelloc=t; fontname=monospace;",
                lines.join("\\n")
            );
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let lines: Vec<String> = node.label.iter().map(|line| quoted(&line.text)).collect();
            let shape = match node.shape {
                Shape::Box => "box",
                Shape::Ellipse => "ellipse",
            };
            let (line, fill) = node.mark.colours();
            _ = writeln!(
                dot,
                "  n{at} [shape={shape}, style=filled, color=\"{line}\", fillcolor=\"{fill}\", \
                 label=\"{}\", tooltip=\"{}\"];",
                lines.join("\\n"),
                escaped(&escape(&node.title))
            );
        }
        for edge in &self.edges {
            let style = if edge.dashed { "dashed" } else { "solid" };
            _ = writeln!(
                dot,
                "  n{} -> n{} [label=\"{}\", color=\"{}\", style={style}{}];",
                edge.from,
                edge.to,
                quoted(&edge.label),
                edge.mark.colours().0,
                if edge.free { ", constraint=false" } else { "" }
            );
        }
        dot + "}\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawing(flow: Flow, count: usize, edges: &[(usize, usize)]) -> Drawing {
        let node = |at| Node {
            label: vec![
                format!("node {at}").into(),
                "a\u{1b}[2J<b>&\"\\\n".to_owned().into(),
            ],
            title: "</title><script>\u{ffff}\"\\".to_owned(),
            shape: if at % 2 == 0 {
                Shape::Box
            } else {
                Shape::Ellipse
            },
            mark: if at % 3 == 0 {
                Mark::Alarm
            } else {
                Mark::Plain
            },
        };
        let edge = |(from, to): &(usize, usize)| Edge {
            from: *from,
            to: *to,
            label: "waits < for".to_owned(),
            mark: Mark::Plain,
            dashed: from > to,
            free: from + 3 < *to,
        };
        Drawing {
            caption: vec!["<script>\u{7}".to_owned()],
            flow,
            nodes: (0..count).map(node).collect(),
            edges: edges.iter().map(edge).collect(),
        }
    }

    #[test]
    fn names_cannot_break_out_of_a_picture() {
        for flow in [Flow::Down, Flow::Right, Flow::FromRight] {
            let drawing = drawing(flow, 2, &[(0, 1), (1, 0), (0, 0)]);
            let (svg, dot) = (drawing.svg(), drawing.dot("locks"));
            for hostile in ['\u{1b}', '\u{7}', '\u{ffff}'] {
                assert!(!svg.contains(hostile), "{hostile:?}");
            }
            assert!(!dot.contains('\u{1b}') && !dot.contains('\u{7}'));
            assert!(svg.contains("&lt;b&gt;&amp;&quot;"), "{svg}");
            assert!(!svg.contains("<script"), "{svg}");
            assert_eq!(svg.matches("</title>").count(), 2);
            assert_eq!(svg.matches("<ellipse").count(), 1);
            assert!(dot.contains("n0 -> n1"), "{dot}");
            let quotes = dot.replace("\\\\", "").replace("\\\"", "");
            assert_eq!(quotes.matches('"').count() % 2, 0, "{dot}");
        }
        assert!(Drawing::default().svg().ends_with("</svg>\n"));
    }

    proptest! {
        /// Whatever the graph, every node is drawn, and none over another.
        #[test]
        fn every_node_has_a_place_of_its_own(
            flow in 0_usize..3,
            count in 1usize..25,
            edges in proptest::collection::vec((0usize..25, 0usize..25), 0..60),
        ) {
            let flow = [Flow::Down, Flow::Right, Flow::FromRight][flow];
            let drawing = drawing(flow, count, &edges);
            let svg = drawing.svg();
            prop_assert_eq!(svg.matches(">node ").count(), count);
            prop_assert!(!svg.contains("NaN"));
            prop_assert_eq!(&svg, &drawing.svg());
            let placed = layout::place(&drawing);
            for (at, one) in placed.iter().enumerate() {
                for other in &placed[at + 1..] {
                    let apart = (one.centre.x - other.centre.x).abs() > (one.width + other.width) / 2.0
                        || (one.centre.y - other.centre.y).abs() > (one.height + other.height) / 2.0;
                    prop_assert!(apart, "{one:?} {other:?}");
                }
            }
        }
    }
}
