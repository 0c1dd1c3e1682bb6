//! Arrows from one outline to another, as curves that keep apart.

use super::layout::{Placed, Point, SMALL_CHARACTER};
use super::{Drawing, Flow, Shape, clean};

/// An arrow: a curve with two control points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrow {
    pub(super) start: Point,
    pub(super) first: Point,
    pub(super) second: Point,
    pub(super) tip: Point,
    /// Where on the curve its text stands, from 0 to 1.
    text: f64,
}

/// How many arrows there are on one side of a node, and where each is among them.
struct Side {
    /// For each edge its place from the top, if it is on such a side.
    places: Vec<Option<(usize, usize)>>,
}

/// The arrows of all edges whose ends are there.
pub(super) fn arrows(drawing: &Drawing, placed: &[Placed<'_>]) -> Vec<Option<Arrow>> {
    let between = |at: usize| {
        let edge = drawing.edges.get(at)?;
        Some((placed.get(edge.from)?, placed.get(edge.to)?))
    };
    let count = drawing.edges.len();
    if drawing.flow == Flow::Down {
        return (0..count)
            .map(|at| between(at).map(|(from, to)| Arrow::bowed(from, to)))
            .collect();
    }
    let is_straight = |at: usize| between(at).is_some_and(|(from, to)| from.right() < to.left());
    let leaving = Side::of(
        count,
        |at| {
            drawing
                .edges
                .get(at)
                .filter(|_| is_straight(at))
                .map(|edge| edge.from)
        },
        |at| between(at).map_or(0.0, |(_, to)| to.centre.y),
    );
    let coming = Side::of(
        count,
        |at| {
            drawing
                .edges
                .get(at)
                .filter(|_| is_straight(at))
                .map(|edge| edge.to)
        },
        |at| between(at).map_or(0.0, |(from, _)| from.centre.y),
    );
    let arrow = |at: usize| {
        let (from, to) = between(at)?;
        let ends = leaving.at(at).zip(coming.at(at));
        let text = drawing.edges.get(at).map_or("", |edge| &edge.label);
        let text = clean(text).chars().count() as f64 * SMALL_CHARACTER;
        Some(match ends {
            Some((leaving, coming)) => Arrow::across(from, to, leaving, coming).holding(text),
            None if from.layer == to.layer => Arrow::around(from, to),
            None => Arrow::bowed(from, to),
        })
    };
    (0..count).map(arrow).collect()
}

impl Side {
    /// Puts the edges of each node in the order of their other ends.
    fn of(
        count: usize,
        node: impl Fn(usize) -> Option<usize>,
        other: impl Fn(usize) -> f64,
    ) -> Side {
        let mut edges: Vec<(usize, usize)> =
            (0..count).filter_map(|at| Some((node(at)?, at))).collect();
        edges.sort_by(|a, b| (a.0.cmp(&b.0)).then(other(a.1).total_cmp(&other(b.1))));
        let mut places = vec![None; count];
        for group in edges.chunk_by(|a, b| a.0 == b.0) {
            for (position, (_, at)) in group.iter().enumerate() {
                if let Some(place) = places.get_mut(*at) {
                    *place = Some((position, group.len()));
                }
            }
        }
        Side { places }
    }

    fn at(&self, edge: usize) -> Option<(usize, usize)> {
        self.places.get(edge).copied().flatten()
    }
}

impl Arrow {
    /// From the right side of a node to the left side of another.
    fn across(
        from: &Placed<'_>,
        to: &Placed<'_>,
        leaving: (usize, usize),
        coming: (usize, usize),
    ) -> Arrow {
        let end = |node: &Placed<'_>, (position, count): (usize, usize), right: bool| {
            let part = (position as f64 + 1.0) / (count as f64 + 1.0) - 0.5;
            let part = part * 0.8;
            let y = node.centre.y + node.height * part;
            // On an ellipse the border is nearer to the middle there.
            let half = match node.node.shape {
                Shape::Box => node.width / 2.0,
                Shape::Ellipse => node.width / 2.0 * (1.0 - 4.0 * part * part).max(0.0).sqrt(),
            };
            let x = node.centre.x + if right { half } else { -half };
            Point { x, y }
        };
        let (start, tip) = (end(from, leaving, true), end(to, coming, false));
        // The text stands where arrows are further apart: beside the node that has fewer.
        let text = match leaving.1.cmp(&coming.1) {
            std::cmp::Ordering::Greater => 0.68,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.32,
        };
        let bend = ((tip.x - start.x) * 0.45).min(160.0);
        Arrow {
            start,
            first: Point {
                x: start.x + bend,
                y: start.y,
            },
            second: Point {
                x: tip.x - bend,
                y: tip.y,
            },
            tip,
            text,
        }
    }

    /// Between two nodes that stand below each other, or from one to itself: from one right side to
    /// the other.
    fn around(from: &Placed<'_>, to: &Placed<'_>) -> Arrow {
        let point = |node: &Placed<'_>, part: f64| Point {
            x: node.right(),
            y: node.centre.y + node.height * part,
        };
        let below = from.centre.y < to.centre.y;
        let (start, tip) = match below {
            true => (point(from, 0.35), point(to, -0.35)),
            false => (point(from, -0.35), point(to, 0.35)),
        };
        let reach = 36.0 + ((tip.y - start.y).abs() / 6.0).min(60.0);
        let out = |end: Point| Point {
            x: end.x + reach,
            y: end.y,
        };
        Arrow {
            start,
            first: out(start),
            second: out(tip),
            tip,
            text: 0.5,
        }
    }

    /// The same arrow with a text of this width where there is room for it beside the nodes.
    fn holding(mut self, width: f64) -> Arrow {
        /// Pixels of an arrow's head.
        const HEAD: f64 = 16.0;
        let low = self.start.x + width / 2.0 + HEAD / 2.0;
        let high = self.tip.x - width / 2.0 - HEAD;
        let wanted = self.place().x.min(high).max(low.min(high));
        // The curve leads from left to right, so halving finds the place.
        let (mut least, mut most) = (0.0, 1.0);
        for _ in 0..30 {
            self.text = (least + most) / 2.0;
            match self.place().x < wanted {
                true => least = self.text,
                false => most = self.text,
            }
        }
        self
    }

    /// From anywhere to anywhere, bowed, so that two between the same nodes keep apart.
    fn bowed(from: &Placed<'_>, to: &Placed<'_>) -> Arrow {
        /// How far an arrow is bowed, as a part of its length.
        const BOW: f64 = 0.16;
        let (start, end) = (from.centre, to.centre);
        let (dx, dy) = (end.x - start.x, end.y - start.y);
        let control = Point {
            x: (start.x + end.x) / 2.0 - dy * BOW,
            y: (start.y + end.y) / 2.0 + dx * BOW,
        };
        let (start, tip) = (border(from, control), border(to, control));
        // Two thirds of the way to the one control point of the same curve.
        let towards = |end: Point| Point {
            x: end.x + (control.x - end.x) * 2.0 / 3.0,
            y: end.y + (control.y - end.y) * 2.0 / 3.0,
        };
        Arrow {
            start,
            first: towards(start),
            second: towards(tip),
            tip,
            text: 0.5,
        }
    }

    /// Where its text stands.
    pub(super) fn place(&self) -> Point {
        let (t, s) = (self.text, 1.0 - self.text);
        let at = |of: fn(&Point) -> f64| {
            s * s * s * of(&self.start)
                + 3.0 * s * s * t * of(&self.first)
                + 3.0 * s * t * t * of(&self.second)
                + t * t * t * of(&self.tip)
        };
        Point {
            x: at(|point| point.x),
            y: at(|point| point.y),
        }
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
