//! Sizes of picklers and unpicklers (Modules/_pickle.c). Their structs change even between patch
//! releases, so they are known by their sizes.

use super::{Sized, WORD};
use crate::target::Fault;

/// Where the output is in a `PicklerObject`, by the size of what follows the object header.
const OUTPUTS: &[(u64, u64)] = &[
    // 3.6, 3.7
    (120, 40),
    // 3.13.0
    (128, 40),
    // 3.8 to 3.12, 3.13.1+
    (136, 48),
];

/// Where parts of an `UnpicklerObject` are behind the header: the line that is read, and the
/// encoding, which the errors' handling, the marks and their numbers follow.
struct Unpickler {
    /// The size of what follows the object header.
    size: u64,
    line: u64,
    encoding: u64,
}

const UNPICKLERS: &[Unpickler] = &[
    // 3.6, 3.7
    Unpickler {
        size: 240,
        line: 136,
        encoding: 192,
    },
    // 3.13.0
    Unpickler {
        size: 248,
        line: 128,
        encoding: 200,
    },
    // 3.8 to 3.12, 3.13.1+
    Unpickler {
        size: 256,
        line: 136,
        encoding: 208,
    },
    // The last of 3.13, 3.14
    Unpickler {
        size: 280,
        line: 136,
        encoding: 224,
    },
    // 3.15
    Unpickler {
        size: 288,
        line: 144,
        encoding: 232,
    },
];

impl Sized<'_> {
    /// `None` for a patch release whose struct is not known, as for the other.
    pub(super) fn pickler_size(&self) -> Result<Option<u64>, Fault> {
        const MEMO: u64 = 0;
        // PyMemoTable { mt_mask; mt_used; mt_allocated; mt_table }
        const ALLOCATED: u64 = 16;
        const MEMO_SIZE: u64 = 32;
        const MEMO_ENTRY: u64 = 16;
        let size = self.struct_behind_header();
        let Some((_, output)) = OUTPUTS.iter().find(|(known, _)| *known == size) else {
            return Ok(None);
        };
        let memo = self.pointer(MEMO)?;
        let memo = match memo.is_null() {
            true => 0,
            false => {
                let allocated = self.objects.memory.u64(memo.add(ALLOCATED))?;
                allocated
                    .saturating_mul(MEMO_ENTRY)
                    .saturating_add(MEMO_SIZE)
            }
        };
        let output = self.pointer(*output)?;
        let output = match output.is_null() {
            true => 0,
            false => self.objects.byte_object_size(output)?,
        };
        self.sum(&[self.plan.basic, memo, output]).map(Some)
    }

    pub(super) fn unpickler_size(&self) -> Result<Option<u64>, Fault> {
        const MEMO: u64 = 8;
        const ERRORS: u64 = WORD;
        const MARKS: u64 = 2 * WORD;
        const MARKS_SIZE: u64 = 4 * WORD;
        let size = self.struct_behind_header();
        let Some(known) = UNPICKLERS.iter().find(|known| known.size == size) else {
            return Ok(None);
        };
        let words = |pointer: u64, count: u64| match self.pointer(pointer)?.is_null() {
            true => Ok(0),
            false => Ok(self.word(count)?.saturating_mul(WORD)),
        };
        let string = |offset: u64| self.c_string(self.pointer(offset)?);
        let encoding = known.encoding;
        let parts = [
            self.plan.basic,
            words(MEMO, MEMO + WORD)?,
            words(encoding + MARKS, encoding + MARKS_SIZE)?,
            string(known.line)?,
            string(encoding)?,
            string(encoding + ERRORS)?,
        ];
        self.sum(&parts).map(Some)
    }

    fn struct_behind_header(&self) -> u64 {
        let header = self.objects.layout.fields.object.size.offset;
        self.plan.base.saturating_sub(header.into())
    }
}
