//! Where nodes stand: in layers by Sugiyama's method, from top to bottom or from left to right.

use super::{Drawing, Edge, Flow, Node, Shape, clean};
use rust_sugiyama::configure::{Config, RankingType};

/// Pixels that a character is wide, that a line is high, and around the text of a node.
pub(super) const CHARACTER: f64 = 8.5;
pub(super) const LINE: f64 = 18.0;
const PADDING: f64 = 12.0;
/// Pixels that a character is wide in what stands beside an arrow.
pub(super) const SMALL_CHARACTER: f64 = 7.3;
/// Pixels between nodes, between separate parts of the graph, and around it all.
const GAP: f64 = 60.0;
pub(super) const MARGIN: f64 = 24.0;
/// The same between nodes below each other.
const LOW_GAP: f64 = 22.0;

/// A place, or a distance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// A node with its place.
#[derive(Debug)]
pub(super) struct Placed<'d> {
    pub(super) node: &'d Node,
    pub(super) centre: Point,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Its layer, among those of its part of the graph.
    pub(super) layer: usize,
}

impl Placed<'_> {
    pub(super) fn left(&self) -> f64 {
        self.centre.x - self.width / 2.0
    }

    pub(super) fn right(&self) -> f64 {
        self.centre.x + self.width / 2.0
    }
}

/// Gives every node its size and place; parts without a connection stand side by side, or below
/// each other.
pub(super) fn place(drawing: &Drawing) -> Vec<Placed<'_>> {
    let mut placed: Vec<Placed<'_>> = drawing.nodes.iter().map(unplaced).collect();
    // The layout is made downwards, and laid on its side in the end.
    let is_right = drawing.flow != Flow::Down;
    let is_mirrored = drawing.flow == Flow::FromRight;
    if is_right {
        turn(&mut placed);
    }
    let vertices: Vec<(u32, (f64, f64))> = (placed.iter().enumerate())
        .map(|(at, node)| (at as u32, (node.width, node.height)))
        .collect();
    let count = drawing.nodes.len();
    let is_drawn =
        |edge: &&Edge| edge.from < count && edge.to < count && edge.from != edge.to && !edge.free;
    let edges: Vec<(u32, u32)> = (drawing.edges.iter().filter(is_drawn))
        .map(|edge| match is_mirrored {
            true => (edge.to as u32, edge.from as u32),
            false => (edge.from as u32, edge.to as u32),
        })
        .collect();
    let config = Config {
        vertex_spacing: if is_right { LOW_GAP } else { GAP },
        // The other way, which makes arrows shortest, was seen never to end on some graphs.
        ranking_type: RankingType::Up,
        ..Config::default()
    };
    let mut left = MARGIN;
    for (part, _, _) in rust_sugiyama::from_vertices_and_edges(&vertices, &edges, &config) {
        let member = |(at, (x, y)): &(usize, (f64, f64))| {
            let node = placed.get(*at)?;
            let half = node.width / 2.0;
            Some((x - half, x + half, y - node.height / 2.0))
        };
        let members = || part.iter().filter_map(member);
        let first = members()
            .map(|(start, _, _)| start)
            .fold(f64::MAX, f64::min);
        let last = members().map(|(_, end, _)| end).fold(f64::MIN, f64::max);
        let top = members().map(|(_, _, top)| top).fold(f64::MAX, f64::min);
        let mut layers: Vec<f64> = part.iter().map(|(_, (_, y))| *y).collect();
        layers.sort_by(f64::total_cmp);
        layers.dedup();
        for (at, (x, y)) in &part {
            if let Some(node) = placed.get_mut(*at) {
                node.layer = layers.partition_point(|layer| layer < y);
                node.centre = Point {
                    x: left + x - first,
                    y: MARGIN + y - top,
                };
            }
        }
        left += last - first + GAP;
    }
    if is_right {
        turn(&mut placed);
        if is_mirrored {
            let last = placed.iter().map(|node| node.layer).max().unwrap_or(0);
            for node in &mut placed {
                node.layer = last - node.layer;
            }
        }
        make_room(drawing, &mut placed);
    }
    placed
}

/// Turns width into height and across into down.
fn turn(placed: &mut [Placed<'_>]) {
    for node in placed {
        (node.width, node.height) = (node.height, node.width);
        let Point { x, y } = node.centre;
        node.centre = Point { x: y, y: x };
    }
}

/// Moves layers that stand side by side apart, so far that what stands beside arrows has room.
fn make_room(drawing: &Drawing, placed: &mut [Placed<'_>]) {
    /// Pixels of an arrow that its text leaves free.
    const FREE: f64 = 64.0;
    let layers = placed.iter().map(|node| node.layer + 1).max().unwrap_or(0);
    let mut widths: Vec<f64> = vec![0.0; layers];
    for node in &*placed {
        if let Some(width) = widths.get_mut(node.layer) {
            *width = width.max(node.width);
        }
    }
    let mut gaps = vec![FREE; layers];
    for edge in &drawing.edges {
        let (Some(from), Some(to)) = (placed.get(edge.from), placed.get(edge.to)) else {
            continue;
        };
        // The text stands beside the node with fewer arrows; both gaps may have to hold it.
        let text = clean(&edge.label).chars().count() as f64 * SMALL_CHARACTER + FREE;
        let (low, high) = (from.layer.min(to.layer), from.layer.max(to.layer));
        for layer in [low, high.saturating_sub(1)] {
            if let Some(gap) = gaps.get_mut(layer).filter(|_| low < high) {
                *gap = gap.max(text);
            }
        }
    }
    let mut lefts = Vec::with_capacity(layers);
    let mut left = MARGIN;
    for (width, gap) in widths.iter().zip(&gaps) {
        lefts.push(left + width / 2.0);
        left += width + gap;
    }
    for node in placed {
        if let Some(centre) = lefts.get(node.layer) {
            node.centre.x = *centre;
        }
    }
}

/// A node with its size.
fn unplaced(node: &Node) -> Placed<'_> {
    let longest = node
        .label
        .iter()
        .map(|line| clean(&line.text).chars().count());
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
        layer: 0,
    }
}
