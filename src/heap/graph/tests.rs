//! The algorithms against naive ones on random graphs.

mod searches;
mod shapes;

use super::*;
use crate::diag::Cancel;
use proptest::prelude::*;

/// A graph and its roots.
#[derive(Clone, Debug)]
struct Case {
    nodes: u32,
    edges: Vec<(u32, u32)>,
    roots: Vec<u32>,
}

impl Case {
    fn graph(&self) -> Csr {
        csr(self.nodes, &self.edges)
    }

    fn size(&self, node: u32) -> u64 {
        16 + u64::from(node * 7 % 13)
    }

    fn analysis(&self) -> Analysis {
        let cancel = Cancel::default();
        let watch = Watch::quiet(&cancel);
        let size = |node| self.size(node);
        analyse(&self.graph(), &self.roots, size, &watch).expect("not cancelled")
    }

    /// What `from` reaches, when `without` does not exist.
    fn reached(&self, from: &[u32], without: Option<u32>) -> Vec<bool> {
        let mut met = vec![false; self.nodes as usize];
        let mut open: Vec<u32> = from.to_vec();
        while let Some(node) = open.pop() {
            if Some(node) == without || std::mem::replace(&mut met[node as usize], true) {
                continue;
            }
            open.extend(self.edges.iter().filter(|e| e.0 == node).map(|e| e.1));
        }
        met
    }
}

/// A graph from a list of edges, in several chunks.
fn csr(nodes: u32, edges: &[(u32, u32)]) -> Csr {
    let mut lists = vec![Vec::new(); nodes as usize];
    for &(source, target) in edges {
        lists[source as usize].push(target);
    }
    let mut chunks = Vec::new();
    for (index, lists) in lists.chunks(7).enumerate() {
        let mut chunk = Chunk::new(index as u32 * 7);
        for list in lists {
            list.iter().for_each(|target| chunk.edge(*target));
            chunk.close();
        }
        chunks.push(chunk);
    }
    chunks.reverse();
    Csr::from_chunks(u64::from(nodes), chunks).expect("a graph")
}

fn cases() -> impl Strategy<Value = Case> {
    (1_u32..40, 0_usize..4).prop_flat_map(|(nodes, density)| {
        let edges = prop::collection::vec((0..nodes, 0..nodes), 0..=nodes as usize * density);
        let roots = prop::collection::vec(0..nodes, 0..4);
        (edges, roots).prop_map(move |(edges, roots)| Case {
            nodes,
            edges,
            roots,
        })
    })
}

/// Dominators by their definition: what cannot be reached from the starts without it.
fn naive_dominated(case: &Case, starts: &[u32], among: &[bool]) -> Vec<Vec<bool>> {
    let without = |node| case.reached(starts, Some(node));
    (0..case.nodes)
        .map(|node| {
            let reached = without(node);
            let lost = |other: u32| among[other as usize] && !reached[other as usize];
            (0..case.nodes)
                .map(|other| among[node as usize] && lost(other))
                .collect()
        })
        .collect()
}

/// Whether the trees say the same as the definition.
fn check(case: &Case, analysis: &Analysis, starts: &[u32], among: &[bool], top: Parent) {
    let dominated = naive_dominated(case, starts, among);
    for node in (0..case.nodes).filter(|node| among[*node as usize]) {
        let mut chain: Vec<u32> = analysis.dominators.chain(node).collect();
        let last = chain.last().copied().unwrap_or(node);
        assert_eq!(analysis.dominators.parent(last), top, "of {node}");
        chain.sort_unstable();
        let expected: Vec<u32> = (0..case.nodes)
            .filter(|other| *other != node && dominated[*other as usize][node as usize])
            .collect();
        assert_eq!(chain, expected, "dominators of {node}");
        let size: u64 = (0..case.nodes)
            .filter(|other| dominated[node as usize][*other as usize])
            .map(|other| case.size(other))
            .sum();
        assert_eq!(analysis.retained.of(node), size, "retained by {node}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn edges_are_kept_and_reversed(case in cases()) {
        let cancel = Cancel::default();
        let forward = case.graph();
        let reverse = forward.reversed(&Watch::quiet(&cancel)).expect("not cancelled");
        for node in 0..case.nodes {
            let targets: Vec<u32> =
                case.edges.iter().filter(|e| e.0 == node).map(|e| e.1).collect();
            prop_assert_eq!(forward.targets_of(node), targets);
            let mut sources: Vec<u32> =
                case.edges.iter().filter(|e| e.1 == node).map(|e| e.0).collect();
            sources.sort_unstable();
            prop_assert_eq!(reverse.targets_of(node), sources);
        }
        prop_assert_eq!(forward.targets_of(case.nodes), &[] as &[u32]);
        prop_assert_eq!(forward.targets_of(u32::MAX), &[] as &[u32]);
    }

    #[test]
    fn dominators_are_those_of_the_definition(case in cases()) {
        let analysis = case.analysis();
        let alive = case.reached(&case.roots, None);
        check(&case, &analysis, &case.roots, &alive, Parent::Root);
        let set = NodeSet::filled(case.nodes, |node| alive[node as usize]);
        prop_assert_eq!(analysis.dominators.reachable(), &set);
        let total = |wanted: bool| -> u64 {
            (0..case.nodes).filter(|n| alive[*n as usize] == wanted).map(|n| case.size(n)).sum()
        };
        prop_assert_eq!(analysis.retained.reachable(), total(true));
        prop_assert_eq!(analysis.retained.unreachable(), total(false));
    }

    #[test]
    fn unreachable_nodes_hang_under_one_of_each_group_that_nothing_refers_to(case in cases()) {
        let analysis = case.analysis();
        let alive = case.reached(&case.roots, None);
        let dead: Vec<bool> = alive.iter().map(|alive| !alive).collect();
        // A group that nothing outside refers to: whoever reaches a member is reached by it.
        let reach: Vec<Vec<bool>> =
            (0..case.nodes).map(|node| case.reached(&[node], None)).collect();
        let is_first = |node: u32| (0..case.nodes).filter(|other| dead[*other as usize])
            .all(|other| !reach[other as usize][node as usize] || reach[node as usize][other as usize]);
        // Of each group the member that dominates the others is the start.
        let mut starts: Vec<u32> = Vec::new();
        for node in (0..case.nodes).filter(|node| dead[*node as usize] && is_first(*node)) {
            let group: Vec<u32> = (0..case.nodes).filter(|other| dead[*other as usize]
                && reach[node as usize][*other as usize] && reach[*other as usize][node as usize])
                .collect();
            let tops: Vec<u32> = group.iter().copied()
                .filter(|n| analysis.dominators.parent(*n) == Parent::Unreachable).collect();
            prop_assert_eq!(tops.len(), 1, "of group {:?}", group);
            if !starts.contains(&tops[0]) {
                starts.push(tops[0]);
            }
        }
        check(&case, &analysis, &starts, &dead, Parent::Unreachable);
    }

    #[test]
    fn children_are_the_dominators_the_other_way_round(case in cases()) {
        let dominators = case.analysis().dominators;
        let children = dominators.children();
        let nodes = (0..case.nodes).map(Parent::Node);
        for parent in nodes.chain([Parent::Root, Parent::Unreachable]) {
            let expected: Vec<u32> =
                (0..case.nodes).filter(|node| dominators.parent(*node) == parent).collect();
            prop_assert_eq!(children.of(parent), expected);
        }
        prop_assert_eq!(children.of(Parent::Node(case.nodes)), &[] as &[u32]);
    }
}
