//! The exceptions of a chain as Python walks them (Lib/traceback.py `TracebackException.__init__`):
//! which one is printed above which, each where it is met first.

use super::dialect::{Dialect, Order};
use pydbg::python::Version;
use pydbg::python::exceptions::Chain;

/// The most exceptions that are visited; a group may hold the same one many times.
const MOST_VISITS: usize = 5_000;

/// `max_group_width`.
const GROUP_WIDTH: usize = 15;

/// The words between an exception and its cause or context.
const CAUSE: &str = "The above exception was the direct cause of the following exception:";
const CONTEXT: &str = "During handling of the above exception, another exception occurred:";

/// The exceptions that Python prints of `chain`, that at its head first, then those above it.
pub fn line(chain: &Chain, version: &Version) -> Vec<usize> {
    let tree = Tree::of(chain, Dialect::of(version));
    let mut line = Vec::new();
    let mut next = Some(0);
    while let Some(node) = next.and_then(|at| tree.nodes.get(at)) {
        line.push(node.exception);
        next = tree.above(chain, node).map(|(to, _)| to);
    }
    line
}

/// The exceptions of a chain as Python walks it: each is printed where it is met first.
pub struct Tree {
    /// The node at the head first.
    pub nodes: Vec<Node>,
}

/// One exception in its place; others are indices of nodes.
#[derive(Default)]
pub struct Node {
    /// Index into the chain.
    pub exception: usize,
    cause: Option<usize>,
    context: Option<usize>,
    /// Of a group the first of its exceptions.
    pub members: Option<Vec<usize>>,
}

impl Tree {
    /// Walks a chain as a version does.
    pub fn of(chain: &Chain, dialect: Dialect) -> Tree {
        let mut tree = Tree {
            nodes: vec![Node::default()],
        };
        let mut seen = vec![false; chain.all.len()];
        if let Some(first) = seen.first_mut() {
            *first = true;
        }
        let mut queue = vec![0];
        while let Some(at) = queue.pop() {
            let Some(exception) = tree.nodes.get(at).and_then(|n| chain.all.get(n.exception))
            else {
                continue;
            };
            match dialect.order {
                Order::Unchained => {}
                Order::Deep => tree.deep(chain, &mut seen, at),
                Order::Wide => {
                    let cause = tree.add(exception.cause, &mut seen);
                    let wanted = cause.is_none() && !exception.suppress_context;
                    let context = exception.context.filter(|_| wanted);
                    let context = tree.add(context, &mut seen);
                    let members = exception.members.as_ref().filter(|_| dialect.groups);
                    let members = members.map(|members| tree.members(&members.known, &mut seen));
                    queue.extend(cause.into_iter().chain(context));
                    queue.extend(members.iter().flatten());
                    if let Some(node) = tree.nodes.get_mut(at) {
                        (node.cause, node.context) = (cause, context);
                        node.members = members;
                    }
                }
            }
        }
        tree
    }

    /// The node that is printed above another one, and the words between them.
    pub fn above(&self, chain: &Chain, node: &Node) -> Option<(usize, &'static str)> {
        let exception = chain.all.get(node.exception)?;
        match (node.cause, node.context) {
            (Some(cause), _) => Some((cause, CAUSE)),
            (None, Some(context)) if !exception.suppress_context => Some((context, CONTEXT)),
            _ => None,
        }
    }

    /// A node for an exception that was not met before.
    fn add(&mut self, exception: Option<usize>, seen: &mut [bool]) -> Option<usize> {
        let exception = exception?;
        let seen = seen.get_mut(exception)?;
        if std::mem::replace(seen, true) || self.nodes.len() >= MOST_VISITS {
            return None;
        }
        self.nodes.push(Node {
            exception,
            ..Node::default()
        });
        Some(self.nodes.len() - 1)
    }

    /// Nodes for the exceptions of a group, which are printed whether they were met or not.
    fn members(&mut self, known: &[usize], seen: &mut [bool]) -> Vec<usize> {
        let mut members = Vec::new();
        for exception in known {
            if let Some(seen) = seen.get_mut(*exception) {
                *seen = true;
            }
            if members.len() >= GROUP_WIDTH || self.nodes.len() >= MOST_VISITS {
                continue;
            }
            self.nodes.push(Node {
                exception: *exception,
                ..Node::default()
            });
            members.push(self.nodes.len() - 1);
        }
        members
    }

    /// Up to 3.9: the cause with all that it leads to, then the context likewise. A list of what
    /// is still to be done stands in for the recursion.
    fn deep(&mut self, chain: &Chain, seen: &mut [bool], top: usize) {
        let mut open = vec![(top, false)];
        while let Some((at, is_context)) = open.pop() {
            let exception = self.nodes.get(at).and_then(|n| chain.all.get(n.exception));
            let Some(exception) = exception else { continue };
            let wanted = match is_context {
                false => exception.cause,
                true => exception.context,
            };
            if !is_context {
                open.push((at, true));
            }
            let added = self.add(wanted, seen);
            if let (Some(added), Some(node)) = (added, self.nodes.get_mut(at)) {
                match is_context {
                    false => node.cause = Some(added),
                    true => node.context = Some(added),
                }
                open.push((added, false));
            }
        }
    }
}
