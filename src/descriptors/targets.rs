//! Descriptors by what they lead to: connections to one peer are one group, whatever their own ports
//! are, and those that one port of the process has accepted are one.

use super::{Descriptor, Kind};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;

/// How many descriptors lead to each thing, the most frequent first.
pub fn by_target(all: &[Descriptor]) -> Vec<(String, usize)> {
    let mut counts: FxHashMap<String, usize> = FxHashMap::default();
    for descriptor in all {
        for name in names(descriptor) {
            *counts.entry(name).or_insert(0) += 1;
        }
    }
    let mut groups: FxHashMap<String, usize> = FxHashMap::default();
    for descriptor in all {
        let best = names(descriptor).into_iter();
        let best = best.max_by_key(|name| counts.get(name).copied());
        *groups.entry(best.unwrap_or_default()).or_insert(0) += 1;
    }
    let mut groups: Vec<(String, usize)> = groups.into_iter().collect();
    groups.sort_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
    groups
}

/// The groups that a descriptor may belong to; of two that are as large, the later one.
fn names(descriptor: &Descriptor) -> Vec<String> {
    let kind = descriptor.kind.words();
    let Some(target) = &descriptor.target else {
        return vec![format!("{kind}, not known which")];
    };
    if let Some((own, peer)) = target.split_once(" to ")
        && matches!(descriptor.kind, Kind::Tcp | Kind::Udp)
    {
        return vec![format!("{own} to others"), format!("{kind} to {peer}")];
    }
    // Numbers of inodes say nothing.
    let numbered = ["pipe:[", "socket:[", "anon_inode:", "unix socket:["];
    match numbered.iter().any(|start| target.starts_with(start)) {
        true if descriptor.kind.is_socket() => vec![format!("{kind}, without an address")],
        true => vec![kind.to_owned()],
        false => vec![target.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_told_by_the_end_they_share() {
        let one = |kind, target: String| Descriptor {
            fd: 0,
            kind,
            target: Some(target),
            access: None,
            flags: Vec::new(),
            position: None,
            detail: None,
            owners: Vec::new(),
        };
        let mut all: Vec<Descriptor> = (0..5)
            .map(|n| {
                one(
                    Kind::Tcp,
                    format!("TCP 10.0.0.1:{} to 10.0.0.2:443", 5000 + n),
                )
            })
            .collect();
        all.extend((0..4).map(|n| one(Kind::Tcp, format!("TCP 10.0.0.1:80 to 10.0.0.9:{n}"))));
        all.extend((0..3).map(|n| one(Kind::Pipe, format!("pipe:[{n}]"))));
        all.push(one(Kind::File, "/a to b".to_owned()));
        let groups = by_target(&all);
        let told = [
            ("TCP to 10.0.0.2:443", 5),
            ("TCP 10.0.0.1:80 to others", 4),
            ("pipe", 3),
            ("/a to b", 1),
        ];
        let told = told.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(groups, told);
    }
}
