//! What `heap` showed last: the partition whose rows can be drilled into, and how far its table or
//! the list of one row's objects was shown.

use super::PAGE;
use super::list::Listing;
use anyhow::{anyhow, bail};
use pydbg::heap::partition::{By, Grouping, Partition, Row};
use pydbg::heap::parts::Blocks;
use pydbg::heap::{Census, Doubts, Heap};
use pydbg::python::Python;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// A partition that was shown, and what followed.
#[derive(Clone)]
pub struct Browsing {
    /// Whose objects they are.
    pub python: Arc<Python>,
    /// The partition.
    pub partition: Arc<Partition>,
    /// The rows drilled into on the way here.
    pub path: Vec<String>,
    /// The objects that were put into groups, by id; `None` for all.
    pub set: Option<Arc<[u32]>>,
    /// The objects of a row, if they were listed last.
    pub listing: Option<Arc<Listing>>,
    /// What belongs to the objects of each group, by its key, if that was asked for.
    pub blocks: Option<Arc<HashMap<u64, Blocks>>>,
    /// What the counts may lack.
    pub doubts: Doubts,
    /// How many rows were shown.
    pub shown: usize,
}

impl Browsing {
    /// All objects by kind, counted without a graph.
    pub fn counted(python: &Arc<Python>) -> Browsing {
        let census = Census::of(python);
        Browsing {
            python: Arc::clone(python),
            partition: Arc::new(Partition::of(&census)),
            path: Vec::new(),
            set: None,
            listing: None,
            blocks: None,
            doubts: census.doubts,
            shown: 0,
        }
    }

    /// All objects of a graph in groups.
    pub fn grouped(heap: &Heap, by: By) -> Browsing {
        Browsing {
            python: Arc::clone(&heap.python),
            partition: Arc::new(Grouping::of(heap, by).partition(None)),
            path: Vec::new(),
            set: None,
            listing: None,
            blocks: None,
            doubts: heap.doubts.clone(),
            shown: 0,
        }
    }

    /// Finds out what belongs to the objects of each group.
    pub fn measure(&mut self, heap: &Heap) {
        let grouping = Grouping::of(heap, self.partition.by);
        let blocks = grouping.blocks(self.set.as_deref());
        self.blocks = Some(Arc::new(blocks.into_iter().collect()));
    }

    /// What belongs to the objects of a row, if that was asked for.
    pub fn blocks_of(&self, row: &Row) -> Option<Blocks> {
        let blocks = self.blocks.as_ref()?;
        Some(blocks.get(&row.key).copied().unwrap_or_default())
    }

    /// The row with a number.
    pub fn row(&self, number: usize) -> anyhow::Result<&Row> {
        let rows = &self.partition.rows;
        match (rows.get(number), rows.len().checked_sub(1)) {
            (Some(row), _) => Ok(row),
            (None, None) => bail!("there is no row {number}: the partition is empty"),
            (None, Some(last)) => Err(anyhow!(
                "there is no row {number}: the rows are 0 to {last}"
            )),
        }
    }

    /// The objects of a row, by id.
    pub fn objects(&self, heap: &Heap, number: usize) -> anyhow::Result<Vec<u32>> {
        let key = self.row(number)?.key;
        let grouping = Grouping::of(heap, self.partition.by);
        Ok(grouping.select(self.set.as_deref(), key))
    }

    /// The objects of a row in groups.
    pub fn within(&self, heap: &Heap, number: usize, by: By) -> anyhow::Result<Browsing> {
        let set: Arc<[u32]> = self.objects(heap, number)?.into();
        let mut path = self.path.clone();
        path.push(self.row(number)?.name.clone());
        Ok(Browsing {
            python: Arc::clone(&heap.python),
            partition: Arc::new(Grouping::of(heap, by).partition(Some(&set))),
            path,
            set: Some(set),
            listing: None,
            blocks: None,
            doubts: heap.doubts.clone(),
            shown: 0,
        })
    }

    /// The objects of a row as a list.
    pub fn list(&self, heap: &Heap, number: usize) -> anyhow::Result<Browsing> {
        let objects = self.objects(heap, number)?;
        let mut path = self.path.clone();
        path.push(self.row(number)?.name.clone());
        Ok(Browsing {
            listing: Some(Arc::new(Listing::of(heap, path, objects))),
            shown: 0,
            ..self.clone()
        })
    }

    /// The rows to be shown next, `count` or a page of them; they count as shown then.
    pub fn page(&mut self, count: Option<usize>) -> Range<usize> {
        let all = match &self.listing {
            Some(listing) => listing.objects.len(),
            None => self.partition.rows.len(),
        };
        let start = self.shown.min(all);
        self.shown = start.saturating_add(count.unwrap_or(PAGE)).min(all);
        start..self.shown
    }
}
