//! All objects and their references in arrays: objects have ids, in the order of their addresses.

use super::graph::{Chunk, Csr, Malformed};
use super::marks::{Ids, Marks};
use super::pieces::{Pieces, Words};
use super::trace::{Follow, Tracer};
use super::types::{Cache, Kind, Types};
use crate::addr::Addr;
use crate::python::Python;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Objects that one task reads.
const BATCH: usize = 1 << 14;

/// All objects and their references.
pub(super) struct Index {
    /// Addresses by id, in order.
    pub(super) addresses: Vec<u64>,
    /// The number of the type by id.
    pub(super) types: Vec<u32>,
    /// Sizes by id, in bytes; the largest possible one stands for what is in `large`.
    pub(super) sizes: Vec<u32>,
    /// The sizes that do not fit.
    pub(super) large: FxHashMap<u32, u64>,
    /// The types by number.
    pub(super) kinds: Vec<Arc<Kind>>,
    /// What each object refers to.
    pub(super) references: Csr,
}

/// What one task read.
struct Part {
    types: Vec<u32>,
    sizes: Vec<u32>,
    large: Vec<(u32, u64)>,
    chunk: Chunk,
}

impl Index {
    /// The id of the object at an address.
    pub(super) fn id(&self, addr: Addr) -> Option<u32> {
        self.addresses
            .binary_search(&addr.0)
            .ok()
            .map(|id| id as u32)
    }

    /// The size of an object, in bytes.
    pub(super) fn size(&self, id: u32) -> u64 {
        match self.sizes.get(id as usize) {
            Some(&u32::MAX) => self.large.get(&id).copied().unwrap_or(0),
            Some(&size) => size.into(),
            None => 0,
        }
    }

    /// Reads all objects that `found` has.
    pub(super) fn read(
        python: &Python,
        pieces: &Pieces<'_>,
        types: Types<'_>,
        marks: Marks,
        tell: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Index, Malformed> {
        let ranks = marks.ranked();
        let addresses = ranks.addresses(pieces);
        let total = addresses.len() as u64;
        let done = AtomicU64::new(0);
        let ids = Ids {
            pieces,
            ranks: &ranks,
        };
        let tracer = Tracer::new(&python.objects, pieces, Follow::Everything);
        let ob_type = python.layout.fields.object.ob_type;
        let parts: Vec<Part> = addresses
            .par_chunks(BATCH)
            .enumerate()
            .map_init(
                || Cache::new(&types),
                |cache, (number, addresses)| {
                    let first = (number * BATCH) as u32;
                    let mut part = Part {
                        types: Vec::with_capacity(addresses.len()),
                        sizes: Vec::with_capacity(addresses.len()),
                        large: Vec::new(),
                        chunk: Chunk::with_capacity(first, addresses.len(), addresses.len() * 2),
                    };
                    for (id, addr) in (first..).zip(addresses) {
                        let addr = Addr(*addr);
                        let ty = pieces.u64(ob_type.of(addr)).unwrap_or(0);
                        let number = cache.number(ty).unwrap_or(u32::MAX);
                        part.types.push(number);
                        let mut size = 0;
                        if let Some(kind) = cache.kind(number) {
                            size = tracer.size(addr, kind.size).map_or(0, |(size, _)| size);
                            let mut tell = |referent| {
                                if let Some(id) = ids.of(referent) {
                                    part.chunk.edge(id);
                                }
                            };
                            // What cannot be read was counted by the closure.
                            let _ = tracer.referents(addr, &kind.keeping, &mut tell);
                        }
                        part.chunk.close();
                        let fits = u32::try_from(size).ok().filter(|size| *size != u32::MAX);
                        if fits.is_none() {
                            part.large.push((id, size));
                        }
                        part.sizes.push(fits.unwrap_or(u32::MAX));
                    }
                    let read = addresses.len() as u64;
                    tell(done.fetch_add(read, Ordering::Relaxed) + read, total);
                    part
                },
            )
            .collect();
        let mut numbers = Vec::with_capacity(addresses.len());
        let mut sizes = Vec::with_capacity(addresses.len());
        let mut large = FxHashMap::default();
        let mut chunks = Vec::with_capacity(parts.len());
        for part in parts {
            numbers.extend(part.types);
            sizes.extend(part.sizes);
            large.extend(part.large);
            chunks.push(part.chunk);
        }
        Ok(Index {
            references: Csr::from_chunks(total, chunks)?,
            kinds: types.into_kinds(),
            types: numbers,
            addresses,
            sizes,
            large,
        })
    }
}
