//! Paths, reachability, neighbourhoods and components against naive algorithms.

use super::*;
use std::collections::BTreeSet;

/// Edges that do not count, in the tests of filters.
fn is_weak(source: u32, target: u32) -> bool {
    (source + 2 * target).is_multiple_of(5)
}

/// The length in nodes of the shortest path from a root to a node; roots that the path would lead
/// through count only as its start, and nodes of `without` not at all.
fn distance(
    case: &Case,
    edges: &[(u32, u32)],
    node: u32,
    without: &BTreeSet<u32>,
) -> Option<usize> {
    let mut met = BTreeSet::from([node]);
    let mut level = vec![node];
    for length in 1.. {
        let is_end = |n: &u32| *n != node && case.roots.contains(n);
        if level.is_empty() {
            return None;
        }
        if level.iter().any(is_end) {
            return Some(length);
        }
        let before = |to: u32| edges.iter().filter(move |e| e.1 == to).map(|e| e.0);
        level = level.into_iter().flat_map(before).collect();
        level.retain(|n| !without.contains(n) && met.insert(*n));
    }
    None
}

fn found(case: &Case, node: u32, budget: Budget) -> Found {
    let cancel = Cancel::default();
    let watch = Watch::quiet(&cancel);
    let reverse = case.graph().reversed(&watch).expect("not cancelled");
    let roots = NodeSet::of(case.nodes, case.roots.iter().copied());
    let follow = |source, target| !is_weak(source, target);
    paths(&reverse, node, &roots, follow, budget, &watch).expect("not cancelled")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn paths_are_shortest_and_apart(case in cases(), node in 0_u32..40) {
        let node = node % case.nodes;
        let strong: Vec<(u32, u32)> =
            case.edges.iter().copied().filter(|e| !is_weak(e.0, e.1)).collect();
        let all = found(&case, node, Budget { paths: 50, edges: 1 << 20 });
        prop_assert!(all.complete);
        let mut paths = &all.paths[..];
        if case.roots.contains(&node) {
            prop_assert_eq!(&paths[0].nodes, &vec![node]);
            paths = &paths[1..];
        }
        let (mut used, mut steps) = (BTreeSet::new(), BTreeSet::new());
        let mut kind = Apart::Everywhere;
        for path in paths {
            let nodes = &path.nodes;
            prop_assert!(case.roots.contains(&nodes[0]));
            prop_assert_eq!(nodes.last(), Some(&node));
            prop_assert!(nodes[1..nodes.len() - 1].iter().all(|n| !case.roots.contains(n)));
            prop_assert!(nodes.windows(2).all(|two| strong.contains(&(two[0], two[1]))));
            if path.apart != kind {
                // The first search for other last steps began when nothing else was left.
                prop_assert_eq!(distance(&case, &strong, node, &used), None);
                kind = path.apart;
            }
            let without = match path.apart {
                Apart::Everywhere => &used,
                Apart::LastStep => &steps,
            };
            prop_assert_eq!(Some(nodes.len()), distance(&case, &strong, node, without));
            prop_assert!(nodes[..nodes.len() - 1].iter().all(|n| !without.contains(n)));
            used.extend(nodes[..nodes.len() - 1].iter().copied());
            steps.insert(nodes[nodes.len() - 2]);
        }
        prop_assert_eq!(distance(&case, &strong, node, &steps), None);
        let few = found(&case, node, Budget { paths: 1, edges: 1 << 20 });
        prop_assert_eq!(&few.paths[..], &all.paths[..all.paths.len().min(1)]);
        let poor = found(&case, node, Budget { paths: 50, edges: 2 });
        prop_assert!(poor.paths.len() <= all.paths.len());
        prop_assert!(!poor.complete || poor == all);
    }

    #[test]
    fn what_is_reached_is_reached(case in cases(), without in prop::collection::vec(0_u32..40, 0..3)) {
        let cancel = Cancel::default();
        let watch = Watch::quiet(&cancel);
        let graph = case.graph();
        let set = |met: Vec<bool>| NodeSet::filled(case.nodes, |node| met[node as usize]);
        let all = reachable(&graph, case.roots.iter().copied(), &watch).expect("not cancelled");
        prop_assert_eq!(&all, &set(case.reached(&case.roots, None)));
        prop_assert_eq!(all.len() as usize, all.iter().count());
        prop_assert!(all.iter().all(|node| all.contains(node)));
        let cut = Case {
            edges: case.edges.iter().copied()
                .filter(|e| !without.contains(&e.0) && !without.contains(&e.1)).collect(),
            roots: case.roots.iter().copied().filter(|r| !without.contains(r)).collect(),
            ..case.clone()
        };
        let without = NodeSet::of(case.nodes, without);
        let rest = reachable_without(&graph, case.roots.iter().copied(), &without, &watch)
            .expect("not cancelled");
        prop_assert_eq!(rest, set(cut.reached(&cut.roots, None)));
    }

    #[test]
    fn components_reach_each_other(case in cases(), among in prop::collection::vec(any::<bool>(), 40)) {
        let cancel = Cancel::default();
        let watch = Watch::quiet(&cancel);
        let is_in = |node: u32| among[node as usize];
        let found = components(&case.graph(), is_in, &watch).expect("not cancelled");
        let cut = Case {
            edges: case.edges.iter().copied().filter(|e| is_in(e.0) && is_in(e.1)).collect(),
            ..case.clone()
        };
        let reach: Vec<Vec<bool>> = (0..case.nodes).map(|n| cut.reached(&[n], None)).collect();
        for one in 0..case.nodes {
            for other in 0..case.nodes {
                let (there, back) =
                    (reach[one as usize][other as usize], reach[other as usize][one as usize]);
                prop_assert_eq!(found.of(one) == found.of(other), there && back);
                prop_assert!(!there || found.of(one) >= found.of(other));
            }
        }
        prop_assert_eq!(found.sizes().iter().sum::<u32>(), case.nodes);
        prop_assert!(found.sizes().iter().all(|size| *size > 0));
    }

    #[test]
    fn neighbourhoods_keep_to_their_bounds(
        case in cases(), node in 0_u32..40, depth in 0_u32..4, fan_out in 0_usize..5, most in 0_usize..50
    ) {
        let node = node % case.nodes;
        let graph = case.graph();
        let bounds = Bounds { depth, fan_out, nodes: most };
        let follow = |source, target| !is_weak(source, target);
        let rank = |node: u32| u64::from(node) % 7;
        let picture = neighbourhood(&graph, node, bounds, follow, rank);
        prop_assert!(picture.nodes.len() <= most);
        let place = |at: u32| picture.nodes[at as usize];
        let distinct: BTreeSet<u32> = picture.nodes.iter().map(|n| n.node).collect();
        prop_assert_eq!(distinct.len(), picture.nodes.len());
        let pairs: BTreeSet<(u32, u32)> = picture.edges.iter().copied().collect();
        prop_assert_eq!(pairs.len(), picture.edges.len());
        for &(source, target) in &picture.edges {
            prop_assert!(graph.targets_of(place(source).node).contains(&place(target).node));
            prop_assert!(follow(place(source).node, place(target).node));
        }
        for (index, one) in picture.nodes.iter().enumerate() {
            prop_assert!(one.depth <= depth);
            let shown: Vec<u32> = picture.edges.iter()
                .filter(|e| e.0 as usize == index).map(|e| place(e.1).node).collect();
            prop_assert!(shown.len() <= fan_out);
            let left_out: BTreeSet<u32> = graph.targets_of(one.node).iter().copied()
                .filter(|target| follow(one.node, *target) && !shown.contains(target)).collect();
            prop_assert_eq!(one.left_out as usize, left_out.len());
            // Where only the breadth is short, what is left out is what ranks lowest.
            let lowest = shown.iter().map(|node| rank(*node)).min();
            if index == 0 && depth > 0 && most > case.nodes as usize && fan_out > 0 {
                prop_assert!(left_out.iter().all(|node| *node == one.node
                    || shown.contains(&one.node) || Some(rank(*node)) <= lowest));
            }
            prop_assert!(index == 0 || picture.edges.iter().any(|e|
                e.1 as usize == index && place(e.0).depth + 1 == one.depth));
        }
    }
}

#[test]
fn a_search_that_is_too_large_says_so() {
    let edges: Vec<(u32, u32)> = (1..100).map(|source| (source, 0)).collect();
    let case = Case {
        nodes: 100,
        edges,
        roots: vec![99],
    };
    let budget = Budget {
        paths: 3,
        edges: 50,
    };
    let none = found(&case, 0, budget);
    assert!(none.paths.is_empty() && !none.complete);
    let budget = Budget {
        edges: 1000,
        ..budget
    };
    let one = found(&case, 0, budget);
    assert_eq!(one.paths.len(), 1);
    assert!(one.complete);
}

#[test]
fn a_node_that_does_not_exist_has_no_paths() {
    let case = Case {
        nodes: 2,
        edges: vec![(0, 1)],
        roots: vec![0, 7],
    };
    let budget = Budget {
        paths: 3,
        edges: 10,
    };
    assert_eq!(found(&case, 2, budget).paths, []);
    assert_eq!(found(&case, 1, budget).paths[0].nodes, [0, 1]);
}
