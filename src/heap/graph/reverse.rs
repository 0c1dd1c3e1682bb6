//! The same edges the other way round, by a counting sort on all processors.
//!
//! Each of a few pieces counts how many of its edges lead to each node; the sums say where each
//! piece writes its share of each row. So every row is in the order of its sources, whatever the
//! number of threads. The shared array is of atomics only because the pieces write into it in
//! turn; relaxed stores are plain moves.

use super::{Csr, Stopped, Watch};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// The most pieces: each takes four bytes for each node.
const MOST_PIECES: usize = 4;

/// How many nodes one thread adds up at a time.
const BLOCK: usize = 1 << 16;

impl Csr {
    /// Who refers to each node: for each edge one the other way round, the sources of each node in
    /// ascending order. Takes `4n` bytes for each of at most four threads beside the answer while
    /// it works.
    pub fn reversed(&self, watch: &Watch<'_>) -> Result<Csr, Stopped> {
        let nodes = self.nodes() as usize;
        let pieces = self.pieces(rayon::current_num_threads().clamp(1, MOST_PIECES));
        let count = |piece: &Range<u32>| self.counted(piece.clone(), watch);
        let mut places: Vec<Vec<u32>> = pieces.par_iter().map(count).collect::<Result<_, _>>()?;
        let starts = places_from_counts(nodes, &mut places);
        watch.go_on()?;
        let slots = vec![0; self.targets.len()].into_iter().map(AtomicU32::new);
        let targets: Vec<AtomicU32> = slots.collect();
        pieces
            .into_par_iter()
            .zip(places)
            .try_for_each(|(piece, place)| self.scatter(piece, place, &targets, watch))?;
        let targets = targets.into_iter().map(AtomicU32::into_inner).collect();
        Ok(Csr { starts, targets })
    }

    /// Ranges of nodes with about as many edges each.
    fn pieces(&self, count: usize) -> Vec<Range<u32>> {
        let mut first = 0;
        let mut pieces = Vec::with_capacity(count);
        for index in 1..=count {
            let edges = (self.targets.len() as u64 * index as u64 / count as u64) as u32;
            let last = match index == count {
                true => self.nodes(),
                false => self.starts.partition_point(|start| *start < edges) as u32,
            };
            let last = last.clamp(first, self.nodes());
            pieces.push(first..last);
            first = last;
        }
        pieces
    }

    /// How many edges of the nodes of a piece lead to each node, and one more: memory that is
    /// zero from the start would be mapped at the first reading and once again at the first
    /// writing, which was seen to take a fifth of the time.
    fn counted(&self, piece: Range<u32>, watch: &Watch<'_>) -> Result<Vec<u32>, Stopped> {
        let mut counts = vec![1; self.nodes() as usize];
        let edges = self.edges_of(piece);
        for some in self.targets[edges].chunks(1 << 20) {
            watch.go_on()?;
            for &target in some {
                counts[target as usize] += 1;
            }
        }
        Ok(counts)
    }

    /// Where the edges of neighbouring nodes lie.
    fn edges_of(&self, piece: Range<u32>) -> Range<usize> {
        let start = |node: u32| self.starts[node as usize] as usize;
        start(piece.start)..start(piece.end)
    }

    /// Writes the sources of a piece to their places.
    fn scatter(
        &self,
        piece: Range<u32>,
        mut place: Vec<u32>,
        targets: &[AtomicU32],
        watch: &Watch<'_>,
    ) -> Result<(), Stopped> {
        let mut start = self.starts[piece.start as usize];
        for node in piece {
            if (node as usize).is_multiple_of(BLOCK) {
                watch.go_on()?;
            }
            let end = self.starts[node as usize + 1];
            for &target in &self.targets[start as usize..end as usize] {
                let place = &mut place[target as usize];
                targets[*place as usize].store(node, Ordering::Relaxed);
                *place += 1;
            }
            start = end;
        }
        Ok(())
    }
}

/// Turns the counts of each piece into the place of its first edge to each node, and tells the
/// starts of all rows.
fn places_from_counts(nodes: usize, places: &mut [Vec<u32>]) -> Vec<u32> {
    let mut starts = vec![0; nodes + 1];
    let mut blocks = Vec::new();
    let mut left: Vec<&mut [u32]> = places.iter_mut().map(Vec::as_mut_slice).collect();
    for row in starts[1..].chunks_mut(BLOCK) {
        let mut counts = Vec::with_capacity(left.len());
        for rest in &mut left {
            let (own, tail) = std::mem::take(rest).split_at_mut(row.len());
            counts.push(own);
            *rest = tail;
        }
        blocks.push((row, counts));
    }
    let sum = |(row, counts): &(&mut [u32], Vec<&mut [u32]>)| -> u32 {
        let added = (row.len() * counts.len()) as u32;
        let counts = counts.iter().flat_map(|own| own.iter());
        counts
            .fold(0, |sum: u32, count| sum.wrapping_add(*count))
            .wrapping_sub(added)
    };
    let sums: Vec<u32> = blocks.par_iter().map(sum).collect();
    let before = |total: &mut u32, sum: u32| {
        *total += sum;
        Some(*total - sum)
    };
    let bases: Vec<u32> = sums.into_iter().scan(0, before).collect();
    blocks
        .into_par_iter()
        .zip(bases)
        .for_each(|((row, mut counts), mut at)| {
            for (index, end) in row.iter_mut().enumerate() {
                for own in &mut counts {
                    let count = std::mem::replace(&mut own[index], at) - 1;
                    at += count;
                }
                *end = at;
            }
        });
    starts
}
