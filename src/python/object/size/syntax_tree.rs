//! Sizes of the trees of 2.7's to 3.9's module `parser` (Parser/node.c `_PyNode_SizeOf`).

use super::super::malformed;
use super::Sized;
use crate::addr::Addr;
use crate::target::Fault;

/// The most nodes, and bytes of all of it, of a tree that is believed.
const MOST_NODES: u64 = 1 << 20;
const MOST_BYTES: u64 = 1 << 28;

/// Bytes of a node; from 3.8 on it knows where its text ends.
const OLD_NODE: u64 = 40;
const NODE: u64 = 48;

/// How many children there is room for.
fn room(count: u64) -> u64 {
    match count {
        0 | 1 => count,
        2..=128 => count.next_multiple_of(4),
        _ => count.next_power_of_two(),
    }
}

impl Sized<'_> {
    pub(super) fn syntax_tree_size(&self) -> Result<u64, Fault> {
        // node { n_type; n_str; n_lineno; n_col_offset; n_nchildren; n_child; … }
        const TEXT: u64 = 8;
        const COUNT: u64 = 24;
        const CHILDREN: u64 = 32;
        let memory = &self.objects.memory;
        let node = match self.objects.layout.fields.code.posonlyargcount {
            None => OLD_NODE,
            Some(_) => NODE,
        };
        let root = self.pointer(0)?;
        let (mut bytes, mut nodes) = (self.plan.basic.saturating_add(node), 1u64);
        let mut todo: Vec<(Addr, u64)> = vec![(root, 1)];
        while let Some((at, count)) = todo.pop() {
            if count > 1 {
                todo.push((at.add(node), count - 1));
            }
            bytes = self.sum(&[bytes, self.c_string(memory.ptr(at.add(TEXT))?)?])?;
            let children = memory.ptr(at.add(CHILDREN))?;
            let count = u64::from(memory.u32(at.add(COUNT))?);
            if !children.is_null() {
                bytes = self.sum(&[bytes, room(count).saturating_mul(node)])?;
                nodes = nodes.saturating_add(count);
                if count > 0 {
                    todo.push((children, count));
                }
            }
            if nodes > MOST_NODES || bytes > MOST_BYTES {
                return Err(malformed(self.addr));
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn arrays_of_children_have_room() {
        let rooms = [0, 1, 2, 4, 5, 128, 129, 256, 257].map(room);
        assert_eq!(rooms, [0, 1, 4, 4, 8, 128, 256, 256, 512]);
    }
}
