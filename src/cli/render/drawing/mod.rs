//! Graphs as pictures: in the language of Graphviz, or as SVG. Names of the target go into both, so
//! they are cut, and control characters are written out.

mod svg;

use pydbg::escape::escape;
use std::fmt::Write;

/// The longest line of a label, in characters.
const LONGEST_LINE: usize = 60;

/// How much something stands out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// A part of what is wrong.
    Alarm,
    /// Everything else.
    Plain,
}

impl Mark {
    /// Colours of the line and of the inside.
    fn colours(self) -> (&'static str, &'static str) {
        match self {
            Mark::Alarm => ("#c00000", "#ffe9e6"),
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

/// Something in the picture.
#[derive(Clone, Debug)]
pub struct Node {
    /// What stands in it, line by line; may quote the target.
    pub label: Vec<String>,
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
}

/// A directed graph that is to be drawn.
#[derive(Clone, Default, Debug)]
pub struct Drawing {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The arrows.
    pub edges: Vec<Edge>,
}

/// A label as it may stand in a picture.
fn clean(text: &str) -> String {
    let text = escape(text);
    match text.chars().count() > LONGEST_LINE {
        true => text.chars().take(LONGEST_LINE - 1).chain(['…']).collect(),
        false => text.into_owned(),
    }
}

impl Drawing {
    /// In the language of Graphviz.
    pub fn dot(&self, name: &str) -> String {
        let quoted = |text: &str| clean(text).replace('\\', "\\\\").replace('"', "\\\"");
        let mut dot = format!("digraph {name} {{\n  node [fontname=monospace];\n");
        for (at, node) in self.nodes.iter().enumerate() {
            let lines: Vec<String> = node.label.iter().map(|line| quoted(line)).collect();
            let shape = match node.shape {
                Shape::Box => "box",
                Shape::Ellipse => "ellipse",
            };
            let (line, fill) = node.mark.colours();
            _ = writeln!(
                dot,
                "  n{at} [shape={shape}, style=filled, color=\"{line}\", fillcolor=\"{fill}\", \
                 label=\"{}\"];",
                lines.join("\\n")
            );
        }
        for edge in &self.edges {
            let style = if edge.dashed { "dashed" } else { "solid" };
            _ = writeln!(
                dot,
                "  n{} -> n{} [label=\"{}\", color=\"{}\", style={style}];",
                edge.from,
                edge.to,
                quoted(&edge.label),
                edge.mark.colours().0
            );
        }
        dot + "}\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawing(count: usize, edges: &[(usize, usize)]) -> Drawing {
        let node = |at| Node {
            label: vec![format!("node {at}"), "a\u{1b}[2J<b>&\"\\\n".to_owned()],
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
        };
        Drawing {
            nodes: (0..count).map(node).collect(),
            edges: edges.iter().map(edge).collect(),
        }
    }

    #[test]
    fn names_cannot_break_out_of_a_picture() {
        let drawing = drawing(2, &[(0, 1), (1, 0), (0, 0)]);
        let (svg, dot) = (drawing.svg(), drawing.dot("locks"));
        assert!(!svg.contains('\u{1b}') && !dot.contains('\u{1b}'));
        assert!(svg.contains("&lt;b&gt;&amp;&quot;"), "{svg}");
        assert_eq!(svg.matches("<ellipse").count(), 1);
        assert!(dot.contains("n0 -> n1"), "{dot}");
        let quotes = dot.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(quotes.matches('"').count() % 2, 0, "{dot}");
        assert!(Drawing::default().svg().ends_with("</svg>\n"));
    }

    proptest! {
        /// Whatever the graph, every node is drawn, and apart from the others.
        #[test]
        fn every_node_has_a_place_of_its_own(
            count in 1usize..25,
            edges in proptest::collection::vec((0usize..25, 0usize..25), 0..60),
        ) {
            let drawing = drawing(count, &edges);
            let svg = drawing.svg();
            prop_assert_eq!(svg.matches(">node ").count(), count);
            prop_assert!(!svg.contains("NaN"));
        }
    }
}
