//! Sizes of containers with room for more than they hold: lists, sets, deques, arrays of bytes
//! and of numbers, queues.

use super::{Sized, WORD};
use crate::addr::Addr;
use crate::target::Fault;

impl Sized<'_> {
    /// Objects/listobject.c `list___sizeof___impl`.
    pub(super) fn list_size(&self) -> Result<u64, Fault> {
        let allocated = self.objects.layout.fields.list.items.of(self.addr);
        let allocated = self.objects.memory.u64(allocated.add(WORD))?;
        self.sum(&[self.plan.basic, allocated.saturating_mul(WORD)])
    }

    /// Objects/setobject.c `set_sizeof`: a small table lies in the object.
    pub(super) fn set_size(&self) -> Result<u64, Fault> {
        const MASK: u64 = 16;
        const TABLE: u64 = 24;
        const ENTRY: u64 = 2 * WORD;
        let slots = match self.is_inside(self.pointer(TABLE)?) {
            true => 0,
            false => self.word(MASK)?.saturating_add(1),
        };
        self.sum(&[self.plan.basic, slots.saturating_mul(ENTRY)])
    }

    /// Modules/_collectionsmodule.c `deque_sizeof`.
    pub(super) fn deque_size(&self) -> Result<u64, Fault> {
        const LINKS: u64 = 2;
        let f = &self.objects.layout.fields;
        let block = &f.deque_block;
        let items = u64::from(block.right.offset.saturating_sub(block.data.offset)) / WORD;
        let length = match f.deque.length {
            Some(length) => self.objects.memory.u64(length.of(self.addr))?,
            None => self.objects.var_size(self.addr)?.unsigned_abs(),
        };
        let first = self.objects.memory.u64(f.deque.left_index.of(self.addr))?;
        let blocks = self.sum(&[first, length])?.div_ceil(items.max(1));
        let bytes = blocks.saturating_mul((items + LINKS) * WORD);
        self.sum(&[self.plan.basic, bytes])
    }

    /// Objects/bytearrayobject.c `bytearray_sizeof`.
    pub(super) fn bytearray_size(&self) -> Result<u64, Fault> {
        /// `ob_bytes`, `ob_start`, `ob_exports`, from 3.15 on the bytes object that has the data.
        const WITH_HOLDER: u64 = 24;
        let fields = &self.objects.layout.fields;
        let start = fields.bytearray.start;
        // `ob_alloc` precedes `ob_bytes`, which precedes `ob_start` where there is one.
        let behind = self.plan.base.saturating_sub(start.offset.into());
        let alloc = match behind {
            WORD => start.of(self.addr).sub(WORD),
            _ => start.of(self.addr).sub(2 * WORD),
        };
        let alloc = self.objects.memory.u64(alloc)?;
        let holder = match (behind, alloc) {
            // The empty one is shared by all.
            (WITH_HOLDER, 1..) => u64::from(fields.bytes.data.offset) + 1,
            _ => 0,
        };
        self.sum(&[self.plan.basic, holder, alloc])
    }

    /// Modules/arraymodule.c `array_array___sizeof___impl`.
    pub(super) fn array_size(&self) -> Result<u64, Fault> {
        // arrayobject { header; ob_size; ob_item; allocated; ob_descr; … }
        const ALLOCATED: u64 = 16;
        const DESCR: u64 = 24;
        // arraydescr { typecode; itemsize; … }
        const ITEM_SIZE: u64 = 4;
        let allocated = self.word(ALLOCATED)?;
        let item = self.pointer(DESCR)?.add(ITEM_SIZE);
        let item = u64::from(self.objects.memory.u32(item)?);
        self.sum(&[self.plan.basic, allocated.saturating_mul(item)])
    }

    /// Modules/_queuemodule.c (3.15).
    pub(super) fn simple_queue_size(&self) -> Result<u64, Fault> {
        const CAPACITY: u64 = 32;
        let capacity = self.word(CAPACITY)?;
        self.sum(&[self.plan.basic, capacity.saturating_mul(WORD)])
    }

    /// Modules/_elementtree.c: some children lie in the struct that has the attributes.
    pub(super) fn element_size(&self) -> Result<u64, Fault> {
        // ElementObject { header; tag; text; tail; extra; … }
        const EXTRA: u64 = 24;
        // ElementObjectExtra { attrib; length; allocated; children; _children[4] }
        const ALLOCATED: u64 = 16;
        const CHILDREN: u64 = 24;
        const OWN_CHILDREN: u64 = 32;
        const SIZE: u64 = 64;
        let extra = self.pointer(EXTRA)?;
        if extra.is_null() {
            return Ok(self.plan.basic);
        }
        let word = |offset: u64| self.objects.memory.u64(extra.add(offset));
        let apart = Addr(word(CHILDREN)?) != extra.add(OWN_CHILDREN);
        let children = if apart { word(ALLOCATED)? } else { 0 };
        self.sum(&[self.plan.basic, SIZE, children.saturating_mul(WORD)])
    }
}
