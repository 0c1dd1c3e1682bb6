//! Shapes that are hard for graph algorithms: chains of a million nodes, stars, complete graphs,
//! and what is no graph at all.

use super::*;
use std::sync::Mutex;

const MANY: u32 = 1_000_000;

/// A graph whose edges a function adds for each node in turn.
fn made(nodes: u32, add: impl Fn(u32, &mut Chunk)) -> Csr {
    let mut chunk = Chunk::new(0);
    for node in 0..nodes {
        add(node, &mut chunk);
        chunk.close();
    }
    Csr::from_chunks(u64::from(nodes), vec![chunk]).expect("a graph")
}

fn analysed(graph: &Csr, roots: &[u32]) -> Analysis {
    let cancel = Cancel::default();
    analyse(graph, roots, |_| 1, &Watch::quiet(&cancel)).expect("not cancelled")
}

#[test]
fn a_chain_of_a_million() {
    let graph = made(MANY, |node, chunk| {
        if node + 1 < MANY {
            chunk.edge(node + 1);
        }
    });
    for root in [&[0_u32][..], &[]] {
        let analysis = analysed(&graph, root);
        for node in [1, 2, MANY / 2, MANY - 1] {
            let parent = analysis.dominators.parent(node);
            assert_eq!(parent, Parent::Node(node - 1));
            assert_eq!(analysis.retained.of(node), u64::from(MANY - node));
        }
    }
    let cancel = Cancel::default();
    let watch = Watch::quiet(&cancel);
    let found = components(&graph, |_| true, &watch).expect("not cancelled");
    assert_eq!(found.count(), MANY);
    let budget = Budget {
        paths: 2,
        edges: u64::MAX,
    };
    let reverse = analysed(&graph, &[0]).reverse;
    let roots = NodeSet::of(MANY, [0]);
    let way = paths(&reverse, MANY - 1, &roots, |_, _| true, budget, &watch);
    let way = way.expect("not cancelled").paths;
    assert_eq!(way.len(), 1);
    assert!(way[0].nodes.iter().copied().eq(0..MANY));
}

#[test]
fn a_chain_both_ways_and_a_ring() {
    let both = made(MANY, |node, chunk| {
        if node > 0 {
            chunk.edge(node - 1);
        }
        if node + 1 < MANY {
            chunk.edge(node + 1);
        }
    });
    let middle = MANY / 2;
    let analysis = analysed(&both, &[middle]);
    let parent = |node| analysis.dominators.parent(node);
    assert_eq!(parent(0), Parent::Node(1));
    assert_eq!(parent(MANY - 1), Parent::Node(MANY - 2));
    assert_eq!(parent(middle), Parent::Root);
    assert_eq!(analysis.retained.of(middle), u64::from(MANY));
    // From both ends, nothing keeps the others but the two roots together.
    let analysis = analysed(&both, &[0, MANY - 1]);
    assert_eq!(analysis.dominators.parent(middle), Parent::Root);

    let ring = made(MANY, |node, chunk| chunk.edge((node + 1) % MANY));
    let analysis = analysed(&ring, &[]);
    assert_eq!(analysis.retained.unreachable(), u64::from(MANY));
    let children = analysis.dominators.children();
    assert_eq!(children.of(Parent::Unreachable).len(), 1);
    let cancel = Cancel::default();
    let found = components(&ring, |_| true, &Watch::quiet(&cancel)).expect("not cancelled");
    assert_eq!(found.sizes(), [MANY]);
}

/// The path that is made short is as long as the graph, again and again.
#[test]
fn a_chain_whose_end_refers_to_all_of_it() {
    let graph = made(MANY, |node, chunk| match node + 1 < MANY {
        true => chunk.edge(node + 1),
        false => (0..MANY).for_each(|target| chunk.edge(target)),
    });
    let analysis = analysed(&graph, &[0]);
    assert_eq!(analysis.dominators.parent(MANY - 1), Parent::Node(MANY - 2));
    assert_eq!(
        analysis.dominators.chain(MANY - 1).count(),
        MANY as usize - 1
    );
}

#[test]
fn stars_loops_and_edges_that_are_there_twice() {
    let star = made(MANY, |node, chunk| {
        if node == 0 {
            (0..MANY).for_each(|target| chunk.edge(target));
        }
        chunk.edge(node);
        chunk.edge(MANY - 1);
        chunk.edge(MANY - 1);
    });
    let analysis = analysed(&star, &[0, 0]);
    assert_eq!(analysis.dominators.parent(0), Parent::Root);
    assert_eq!(analysis.dominators.parent(5), Parent::Node(0));
    assert_eq!(analysis.dominators.parent(MANY - 1), Parent::Node(0));
    assert_eq!(analysis.retained.of(0), u64::from(MANY));
    assert_eq!(
        analysis.reverse.targets_of(MANY - 1).len(),
        2 * MANY as usize + 2
    );
    let children = analysis.dominators.children();
    assert_eq!(children.of(Parent::Root), [0]);
    assert_eq!(children.of(Parent::Node(0)).len(), MANY as usize - 1);
}

#[test]
fn nothing_and_no_edges() {
    let empty = made(0, |_, _| {});
    let analysis = analysed(&empty, &[0, 3]);
    assert_eq!(analysis.retained.reachable(), 0);
    assert_eq!(analysis.dominators.parent(0), Parent::Unreachable);
    let alone = made(3, |_, _| {});
    let analysis = analysed(&alone, &[1, u32::MAX]);
    assert_eq!(analysis.dominators.parent(0), Parent::Unreachable);
    assert_eq!(analysis.dominators.parent(1), Parent::Root);
    assert_eq!(analysis.retained.unreachable(), 2);
}

#[test]
fn sizes_that_do_not_fit_stay_at_the_highest_number() {
    let graph = csr(3, &[(0, 1), (0, 2)]);
    let cancel = Cancel::default();
    let sizes = |node| u64::MAX - u64::from(node);
    let analysis = analyse(&graph, &[0], sizes, &Watch::quiet(&cancel)).expect("not cancelled");
    assert_eq!(analysis.retained.of(0), u64::MAX);
    assert_eq!(analysis.retained.of(2), u64::MAX - 2);
}

#[test]
fn what_is_no_graph_is_refused() {
    let chunk = |first, nodes: u32, target| {
        let mut chunk = Chunk::new(first);
        for _ in 0..nodes {
            chunk.edge(target);
            chunk.close();
        }
        chunk
    };
    let built = |nodes, chunks| Csr::from_chunks(nodes, chunks);
    let outside = Malformed::Target {
        target: 4,
        nodes: 4,
    };
    assert_eq!(built(4, vec![chunk(0, 4, 4)]), Err(outside));
    let gap = built(4, vec![chunk(0, 2, 0), chunk(3, 1, 0)]);
    assert_eq!(gap, Err(Malformed::Cover(2)));
    let twice = built(4, vec![chunk(0, 3, 0), chunk(2, 2, 0)]);
    assert_eq!(twice, Err(Malformed::Cover(2)));
    assert_eq!(built(4, vec![chunk(0, 3, 0)]), Err(Malformed::Cover(3)));
    assert_eq!(built(4, vec![chunk(0, 5, 0)]), Err(Malformed::Cover(0)));
    assert_eq!(
        built(u64::from(u32::MAX), vec![]),
        Err(Malformed::Nodes(u64::from(u32::MAX)))
    );
    let mut open = chunk(0, 4, 1);
    open.edge(2);
    let graph = built(4, vec![open, Chunk::new(9)]).expect("a graph");
    assert_eq!((graph.edges(), graph.targets_of(3)), (4, &[1_u32][..]));
}

#[test]
fn work_is_told_of_and_can_be_stopped() {
    let graph = made(MANY, |node, chunk| chunk.edge((node * 7 + 1) % MANY));
    let cancel = Cancel::default();
    let stages = Mutex::new(Vec::new());
    let hear = |what, done, total| {
        assert!(done <= total, "{what}: {done} of {total}");
        stages.lock().expect("no panic").push(what);
    };
    let watch = Watch::new(&cancel, &hear);
    assert!(analyse(&graph, &[0], |_| 1, &watch).is_ok());
    let mut heard = stages.lock().expect("no panic").clone();
    heard.dedup();
    assert_eq!(
        heard,
        ["numbering objects", "finding dominators", "adding up sizes"]
    );
    let stop = |what, _, _| {
        if what == "finding dominators" {
            cancel.cancel();
        }
    };
    let watch = Watch::new(&cancel, &stop);
    let analysis = analyse(&graph, &[0], |_| 1, &watch);
    assert_eq!(analysis.map(|_| ()), Err(Stopped));
    assert!(graph.reversed(&watch).is_err());
}
