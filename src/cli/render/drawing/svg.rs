//! Drawings as SVG: nodes are laid out in layers by Sugiyama's method, top down; arrows are bowed, so
//! that two between the same nodes keep apart.

use super::{Drawing, Edge, Mark, Node, Shape, clean};
use rust_sugiyama::configure::{Config, RankingType};
use std::fmt::Write;

/// Pixels that a character is wide, that a line is high, and around the text of a node.
const CHARACTER: f64 = 8.5;
const LINE: f64 = 18.0;
const PADDING: f64 = 12.0;
/// Pixels between nodes, between separate parts of the graph, and around it all.
const GAP: f64 = 60.0;
const MARGIN: f64 = 24.0;

/// A place, or a distance.
#[derive(Clone, Copy, Debug)]
struct Point {
    x: f64,
    y: f64,
}

/// A node with its place.
struct Placed<'d> {
    node: &'d Node,
    centre: Point,
    width: f64,
    height: f64,
}

impl Drawing {
    /// As a picture.
    pub fn svg(&self) -> String {
        let placed = self.place();
        let arrows: Vec<(&Edge, Arrow)> = (self.edges.iter())
            .filter_map(|edge| {
                let arrow = Arrow::between(placed.get(edge.from)?, placed.get(edge.to)?);
                Some((edge, arrow))
            })
            .collect();
        let nodes = placed
            .iter()
            .map(|node| (node.centre, node.width, node.height));
        let labels = arrows.iter().map(|(edge, arrow)| {
            let width = clean(&edge.label).chars().count() as f64 * CHARACTER;
            (arrow.middle(), width, LINE)
        });
        let (mut left, mut right, mut low) = (0.0, 0.0, 0.0);
        for (centre, width, height) in nodes.chain(labels) {
            left = f64::min(left, centre.x - width / 2.0);
            right = f64::max(right, centre.x + width / 2.0);
            low = f64::max(low, centre.y + height / 2.0);
        }
        let (width, height) = (right - left + MARGIN, low + MARGIN);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"{left:.0} 0 {width:.0} {height:.0}\" font-family=\"monospace\" \
             font-size=\"14\">\n\
             <rect x=\"{left:.0}\" width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        for (edge, arrow) in &arrows {
            edge_svg(&mut svg, edge, arrow);
        }
        for node in &placed {
            node_svg(&mut svg, node);
        }
        svg + "</svg>\n"
    }

    /// Gives every node its size and place; parts without a connection stand side by side.
    fn place(&self) -> Vec<Placed<'_>> {
        let mut placed: Vec<Placed<'_>> = self.nodes.iter().map(unplaced).collect();
        let vertices: Vec<(u32, (f64, f64))> = (placed.iter().enumerate())
            .map(|(at, node)| (at as u32, (node.width, node.height)))
            .collect();
        let is_drawn = |edge: &&Edge| {
            let inside = edge.from < self.nodes.len() && edge.to < self.nodes.len();
            inside && edge.from != edge.to
        };
        let edges: Vec<(u32, u32)> = (self.edges.iter().filter(is_drawn))
            .map(|edge| (edge.from as u32, edge.to as u32))
            .collect();
        let config = Config {
            vertex_spacing: GAP,
            // The other way, which makes arrows shortest, was seen never to end on some graphs.
            ranking_type: RankingType::Up,
            ..Config::default()
        };
        let mut left = MARGIN;
        for (part, _, _) in rust_sugiyama::from_vertices_and_edges(&vertices, &edges, &config) {
            let member = |(at, (x, y)): &(usize, (f64, f64))| {
                let node = placed.get(*at)?;
                Some((
                    x - node.width / 2.0,
                    x + node.width / 2.0,
                    y - node.height / 2.0,
                ))
            };
            let members = || part.iter().filter_map(member);
            let first = members()
                .map(|(start, _, _)| start)
                .fold(f64::MAX, f64::min);
            let last = members().map(|(_, end, _)| end).fold(f64::MIN, f64::max);
            let top = members().map(|(_, _, top)| top).fold(f64::MAX, f64::min);
            for (at, (x, y)) in &part {
                if let Some(node) = placed.get_mut(*at) {
                    node.centre = Point {
                        x: left + x - first,
                        y: MARGIN + y - top,
                    };
                }
            }
            left += last - first + GAP;
        }
        placed
    }
}

/// A node with its size.
fn unplaced(node: &Node) -> Placed<'_> {
    let longest = node.label.iter().map(|line| clean(line).chars().count());
    let (width, height) = (
        longest.max().unwrap_or(0) as f64 * CHARACTER + 2.0 * PADDING,
        node.label.len() as f64 * LINE + 2.0 * PADDING,
    );
    // An ellipse around a rectangle is wider and higher by the root of two.
    let factor = match node.shape {
        Shape::Box => 1.0,
        Shape::Ellipse => 1.25,
    };
    Placed {
        node,
        centre: Point { x: 0.0, y: 0.0 },
        width: width * factor,
        height: height * factor,
    }
}

fn stroke(mark: Mark) -> usize {
    match mark {
        Mark::Alarm => 2,
        Mark::Plain => 1,
    }
}

/// Text as it may stand in XML.
fn xml(text: &str) -> String {
    let text = clean(text).replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

fn node_svg(svg: &mut String, node: &Placed<'_>) {
    let (line, fill) = node.node.mark.colours();
    let Point { x, y } = node.centre;
    let (width, height) = (node.width, node.height);
    let outline = match node.node.shape {
        Shape::Box => format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"4\"",
            x - width / 2.0,
            y - height / 2.0
        ),
        Shape::Ellipse => format!(
            "<ellipse cx=\"{x:.1}\" cy=\"{y:.1}\" rx=\"{:.1}\" ry=\"{:.1}\"",
            width / 2.0,
            height / 2.0
        ),
    };
    let stroke = stroke(node.node.mark);
    _ = writeln!(
        svg,
        "{outline} fill=\"{fill}\" stroke=\"{line}\" stroke-width=\"{stroke}\"/>"
    );
    let above = node.node.label.len().saturating_sub(1) as f64 / 2.0;
    for (at, text) in node.node.label.iter().enumerate() {
        _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" \
             dominant-baseline=\"central\">{}</text>",
            y + (at as f64 - above) * LINE,
            xml(text)
        );
    }
}

/// An arrow from one outline to another: a curve with one control point.
struct Arrow {
    start: Point,
    control: Point,
    tip: Point,
}

impl Arrow {
    fn between(from: &Placed<'_>, to: &Placed<'_>) -> Arrow {
        /// How far an arrow is bowed, as a part of its length.
        const BOW: f64 = 0.16;
        let (start, end) = (from.centre, to.centre);
        let (dx, dy) = (end.x - start.x, end.y - start.y);
        let control = Point {
            x: (start.x + end.x) / 2.0 - dy * BOW,
            y: (start.y + end.y) / 2.0 + dx * BOW,
        };
        Arrow {
            start: border(from, control),
            tip: border(to, control),
            control,
        }
    }

    /// The middle of the curve lies half-way to its control point.
    fn middle(&self) -> Point {
        Point {
            x: (self.start.x + 2.0 * self.control.x + self.tip.x) / 4.0,
            y: (self.start.y + 2.0 * self.control.y + self.tip.y) / 4.0,
        }
    }
}

fn edge_svg(svg: &mut String, edge: &Edge, arrow: &Arrow) {
    /// Length and half the width of an arrow's head.
    const HEAD: (f64, f64) = (10.0, 4.5);
    let Arrow {
        start,
        control: middle,
        tip,
    } = arrow;
    let (dx, dy) = (tip.x - middle.x, tip.y - middle.y);
    let length = dx.hypot(dy).max(1.0);
    let (ux, uy) = (dx / length, dy / length);
    let base = Point {
        x: tip.x - ux * HEAD.0,
        y: tip.y - uy * HEAD.0,
    };
    let colour = edge.mark.colours().0;
    let dash = if edge.dashed {
        " stroke-dasharray=\"6 4\""
    } else {
        ""
    };
    _ = writeln!(
        svg,
        "<path d=\"M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}\" fill=\"none\" stroke=\"{colour}\" \
         stroke-width=\"{}\"{dash}/><path d=\"M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}z\" fill=\"{colour}\"/>",
        start.x,
        start.y,
        middle.x,
        middle.y,
        base.x,
        base.y,
        stroke(edge.mark),
        tip.x,
        tip.y,
        base.x - uy * HEAD.1,
        base.y + ux * HEAD.1,
        base.x + uy * HEAD.1,
        base.y - ux * HEAD.1,
    );
    let at = arrow.middle();
    if edge.label.is_empty() {
        return;
    }
    // Below the text lies the same one drawn broadly in white, so that it can be read on the line.
    for style in [
        "fill=\"white\" stroke=\"white\" stroke-width=\"5\"".to_owned(),
        format!("fill=\"{colour}\""),
    ] {
        _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" dominant-baseline=\"central\" \
             font-size=\"12\" {style}>{}</text>",
            at.x,
            at.y,
            xml(&edge.label)
        );
    }
}

/// Where the line from a node's centre to `towards` crosses its outline.
fn border(node: &Placed<'_>, towards: Point) -> Point {
    let (dx, dy) = (towards.x - node.centre.x, towards.y - node.centre.y);
    let (half, high) = (node.width / 2.0, node.height / 2.0);
    let part = match node.node.shape {
        Shape::Box => (half / dx.abs().max(0.001)).min(high / dy.abs().max(0.001)),
        Shape::Ellipse => 1.0 / (dx / half).hypot(dy / high).max(0.001),
    };
    Point {
        x: node.centre.x + dx * part.min(1.0),
        y: node.centre.y + dy * part.min(1.0),
    }
}
