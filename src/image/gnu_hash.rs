//! Looking a name up in a DT_GNU_HASH table (binutils bfd/elflink.c, glibc elf/dl-lookup.c):
//! four words of header, a Bloom filter, buckets, and one hash per symbol.

use crate::bytes;

/// The longest chain followed: a damaged table may have no end marks.
const MOST_CHAIN: usize = 1 << 20;

struct Table<'a> {
    bytes: &'a [u8],
    buckets: u32,
    base: u32,
    buckets_at: usize,
    chains_at: usize,
}

fn table(bytes: &[u8]) -> Option<Table<'_>> {
    let buckets = bytes::u32_at(bytes, 0)?;
    let bloom_words = bytes::u32_at(bytes, 8)? as usize;
    let buckets_at = bloom_words.checked_mul(8)?.checked_add(16)?;
    (buckets != 0).then_some(Table {
        bytes,
        buckets,
        base: bytes::u32_at(bytes, 4)?,
        buckets_at,
        chains_at: buckets_at.checked_add((buckets as usize).checked_mul(4)?)?,
    })
}

impl Table<'_> {
    fn bucket(&self, number: u32) -> Option<u32> {
        let at = self.buckets_at.checked_add(number as usize * 4)?;
        bytes::u32_at(self.bytes, at)
    }

    fn hash(&self, symbol: u32) -> Option<u32> {
        let number = symbol.checked_sub(self.base)? as usize;
        bytes::u32_at(
            self.bytes,
            self.chains_at.checked_add(number.checked_mul(4)?)?,
        )
    }
}

/// The numbers of the symbols whose hash is that of `name`.
pub(super) fn candidates(section: &[u8], name: &[u8]) -> impl Iterator<Item = u32> {
    let wanted = name.iter().fold(5381u32, |hash, &byte| {
        hash.wrapping_mul(33).wrapping_add(u32::from(byte))
    });
    let mut out = Vec::new();
    if let Some(table) = table(section)
        && let Some(first) = table.bucket(wanted % table.buckets).filter(|&n| n != 0)
    {
        let chain = (first..).take(MOST_CHAIN);
        for (symbol, hash) in chain.map_while(|symbol| Some((symbol, table.hash(symbol)?))) {
            if hash | 1 == wanted | 1 {
                out.push(symbol);
            }
            if hash & 1 != 0 {
                break;
            }
        }
    }
    out.into_iter()
}

/// How many symbols the dynamic symbol table has: one more than the last of the last chain. The
/// dynamic section does not say.
pub(super) fn symbol_count(section: &[u8]) -> Option<u32> {
    let table = table(section)?;
    let last = (0..table.buckets)
        .map_while(|number| table.bucket(number))
        .max()?;
    if last < table.base {
        return Some(table.base);
    }
    (last..)
        .take(MOST_CHAIN)
        .map_while(|symbol| Some((symbol, table.hash(symbol)?)))
        .find(|(_, hash)| hash & 1 != 0)
        .and_then(|(symbol, _)| symbol.checked_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(candidates(&bytes, b"malloc").count() <= bytes.len());
            let _ = symbol_count(&bytes);
        }
    }
}
