//! The waits of a family as a picture: threads are boxes, with their process; an arrow leads from one
//! that waits to those who could end that.

use super::FamilyView;
use crate::cli::render::drawing::{Drawing, Edge, Line, Mark, Node, Shape};
use pydbg::families::Wait;
use rustc_hash::{FxHashMap, FxHashSet};

/// The most waits that are drawn, and the most arrows that leave one.
const MOST_WAITS: usize = 300;
const MOST_ARROWS: usize = 12;

impl FamilyView {
    /// The graph of who waits for whom; how many waits were left out.
    pub fn picture(&self) -> (Drawing, usize) {
        let family = &self.family;
        let bottom = family.verdicts.iter().flat_map(|verdict| &verdict.waits);
        let bottom = bottom.filter_map(|at| Some(family.waits.get(*at)?.tid));
        let stuck: FxHashSet<i32> = bottom.collect();
        let mut drawing = Drawing::default();
        let mut nodes = FxHashMap::default();
        // Who can be ended by nothing that is known waits for nobody in the picture.
        let waits = family.waits.iter();
        let drawn = waits.filter(|wait| wait.ends.tids().is_some());
        let drawn: Vec<&Wait> = drawn.collect();
        for wait in drawn.iter().take(MOST_WAITS) {
            let from = self.node(&mut drawing, &mut nodes, &stuck, wait.tid);
            for tid in wait.ends.tids().into_iter().flatten().take(MOST_ARROWS) {
                let to = self.node(&mut drawing, &mut nodes, &stuck, *tid);
                drawing.edges.push(Edge {
                    from,
                    to,
                    label: String::new(),
                    mark: match stuck.contains(&wait.tid) && stuck.contains(tid) {
                        true => Mark::Alarm,
                        false => Mark::Plain,
                    },
                    dashed: wait.ends.tids().is_some_and(|tids| tids.len() > 1),
                    free: false,
                });
            }
        }
        (drawing, drawn.len().saturating_sub(MOST_WAITS))
    }

    /// The node of a thread, which is made when it is new.
    fn node(
        &self,
        drawing: &mut Drawing,
        nodes: &mut FxHashMap<i32, usize>,
        stuck: &FxHashSet<i32>,
        tid: i32,
    ) -> usize {
        if let Some(node) = nodes.get(&tid) {
            return *node;
        }
        let wait = self.family.waits.iter().find(|wait| wait.tid == tid);
        let label = match wait {
            Some(wait) => vec![self.who(wait), format!("waits for {}", wait.what)],
            None => vec![format!("LWP {tid}"), "does not wait".to_owned()],
        };
        drawing.nodes.push(Node {
            label: label.into_iter().map(Line::from).collect(),
            title: String::new(),
            shape: Shape::Box,
            mark: match stuck.contains(&tid) {
                true => Mark::Alarm,
                false => Mark::Plain,
            },
        });
        nodes.insert(tid, drawing.nodes.len() - 1);
        drawing.nodes.len() - 1
    }
}
