//! Threads with the same stack, shown once: the frames are the same when function, file and line
//! are.

use super::number::compact;
use super::row::Row;
use super::thread::ThreadView;
use crate::cli::{Out, Style};
use pydbg::diag::thousands;
use pydbg::python::PyFrame;
use rustc_hash::FxHashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

/// What of `items` is shown as one: to `merge`, those with the same key, in the order of the first
/// of each; else each alone.
pub fn of<T, K: Hash + Eq>(items: &[T], merge: bool, key: impl Fn(&T) -> K) -> Vec<Vec<&T>> {
    if !merge {
        return items.iter().map(|item| vec![item]).collect();
    }
    let mut groups: Vec<Vec<&T>> = Vec::new();
    let mut known: FxHashMap<K, usize> = FxHashMap::default();
    for item in items {
        let group = *known.entry(key(item)).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

/// What of Python frames must be the same.
pub fn python_key<'f>(frames: impl Iterator<Item = &'f PyFrame>) -> u128 {
    key(frames, |frame, hasher| {
        (
            &frame.function,
            &frame.file,
            frame.position.line,
            &frame.problem,
        )
            .hash(hasher);
    })
}

/// What of the rows of a stack must be the same.
pub fn row_key<'r>(rows: impl Iterator<Item = &'r Row>) -> u128 {
    key(rows, |row, hasher| match row {
        Row::Python(row) => (&row.function, &row.file, row.position.line).hash(hasher),
        Row::Native(row) => {
            let unnamed = row.function.is_none().then_some(row.pc.0);
            (&row.function, &row.module, unnamed).hash(hasher);
        }
    })
}

/// Two hashes with different beginnings: stacks are many and long, and two that differ must not
/// be taken for one.
fn key<T>(items: impl Iterator<Item = T>, hash: impl Fn(T, &mut DefaultHasher)) -> u128 {
    let (mut all, mut count) = (DefaultHasher::new(), 0_u64);
    let mut second = DefaultHasher::new();
    0xa5_u8.hash(&mut second);
    for item in items {
        count += 1;
        hash(item, &mut all);
        (all.finish(), count).hash(&mut second);
    }
    u128::from(all.finish()) << 64 | u128::from(second.finish())
}

/// Prints the header of a group: `Threads 2-65,70 (65 threads):`; that of a single thread is its
/// own.
pub fn header(out: &mut Out<'_>, threads: &[&ThreadView]) -> io::Result<()> {
    if let [thread] = threads {
        return thread.header(out);
    }
    let mut ids: Vec<usize> = threads.iter().filter_map(|thread| thread.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let ended = threads.iter().filter(|thread| thread.id.is_none()).count();
    let title = match ids.is_empty() {
        true => "Threads".to_owned(),
        false => format!("Threads {}", compact(&ids)),
    };
    out.styled(Style::Strong, &title)?;
    let count = thousands(threads.len());
    let ended = match ended {
        0 => String::new(),
        all if all == threads.len() => " that have ended".to_owned(),
        some => format!(", {some} of them ended"),
    };
    out.put(format_args!(" ({count} threads{ended}):\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_keep_the_order_of_their_first_members() {
        let items = [("b", 0), ("a", 1), ("b", 2), ("c", 3), ("a", 4)];
        let [b, a, again, c, last] = &items;
        let groups = of(&items, true, |(text, _)| *text);
        assert_eq!(groups, [vec![b, again], vec![a, last], vec![c]]);
        assert_eq!(of(&items, false, |(text, _)| *text).len(), 5);
    }
}
