//! The order of an `OrderedDict`: the list of nodes beside the table (Objects/odictobject.c), or
//! 2.7's linked lists in Python (Lib/collections.py).

use super::{Objects, malformed};
use crate::addr::Addr;
use crate::target::Fault;
use rustc_hash::{FxHashMap, FxHashSet};

/// The attribute that holds the links of an `OrderedDict` written in Python.
const ROOT: &str = "_OrderedDict__root";

impl Objects {
    /// The first items of the `OrderedDict` at `addr`, at most `most`, in its order.
    pub fn ordered_items(&self, addr: Addr, most: usize) -> Result<Vec<(Addr, Addr)>, Fault> {
        let total = usize::try_from(self.dict_len(addr)?).map_err(|_| malformed(addr))?;
        let most = most.min(total);
        let keys = match self.attribute(addr, ROOT) {
            Ok(Some(root)) => self.linked_keys(root, most)?,
            _ => self.node_keys(addr, most)?,
        };
        // The values are in the table, mostly in the same order.
        let mut values: FxHashMap<Addr, Addr> = FxHashMap::default();
        let mut wanted: FxHashSet<Addr> = keys.iter().copied().collect();
        if wanted.len() < keys.len() {
            // The list of nodes runs in a circle.
            return Err(malformed(addr));
        }
        for item in self.dict_iter(addr)? {
            if wanted.is_empty() {
                break;
            }
            let (key, value) = item?;
            if wanted.remove(&key) {
                values.insert(key, value);
            }
        }
        let joined: Vec<_> = keys
            .into_iter()
            .filter_map(|key| Some((key, *values.get(&key)?)))
            .collect();
        match joined.len() == most {
            true => Ok(joined),
            false => Err(malformed(addr)),
        }
    }

    /// The keys by the nodes {key, hash, next, prev}, whose first one follows the dictionary.
    fn node_keys(&self, addr: Addr, most: usize) -> Result<Vec<Addr>, Fault> {
        const NEXT: u64 = 16;
        let first = self.layout.fields.dict.size.of(addr);
        let mut node = self.memory.ptr(first)?;
        let mut keys = Vec::new();
        while keys.len() < most && !node.is_null() {
            keys.push(self.memory.ptr(node)?);
            node = self.memory.ptr(node.add(NEXT))?;
        }
        Ok(keys)
    }

    /// The keys by a circle of lists [previous, next, key].
    fn linked_keys(&self, root: Addr, most: usize) -> Result<Vec<Addr>, Fault> {
        let mut keys = Vec::new();
        let mut link = root;
        while keys.len() < most {
            let items = self.list_items(link, 3)?;
            link = *items.get(1).ok_or_else(|| malformed(link))?;
            if link == root {
                break;
            }
            let items = self.list_items(link, 3)?;
            keys.push(*items.get(2).ok_or_else(|| malformed(link))?);
        }
        Ok(keys)
    }
}
