//! A process image with Python objects in it, built in memory for tests, under any layout.

use super::layout::{
    DictKind, Field, FrameChain, LastInstruction, Layout, LineTable, References, Source,
};
use super::object::Objects;
use crate::addr::Addr;
use crate::target::synth::Synth;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bytes of one object, filled in field by field.
pub(super) struct Piece(Vec<u8>);

impl Piece {
    pub(super) fn set(&mut self, field: impl Into<Option<Field>>, value: u64) {
        self.bytes(field, &value.to_le_bytes());
    }

    pub(super) fn set32(&mut self, field: impl Into<Option<Field>>, value: u32) {
        self.bytes(field, &value.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, field: impl Into<Option<Field>>, bytes: &[u8]) {
        let at = field.into().expect("a field of this layout").index();
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// The start of a piece that overlays a part of another.
pub(super) const AT_START: Field = Field {
    offset: 0,
    source: Source::Table,
};

/// What a test builds.
pub(super) struct World {
    pub(super) layout: Layout,
    pieces: BTreeMap<u64, Vec<u8>>,
    next: u64,
    types: BTreeMap<String, Addr>,
}

/// Bytes of bytecode that each code object has.
const CODE_SIZE: u64 = 64;

impl World {
    pub(super) fn new(layout: &Layout) -> World {
        World {
            layout: layout.clone(),
            pieces: BTreeMap::new(),
            next: 0x10_0000,
            types: BTreeMap::new(),
        }
    }

    /// Room for `size` bytes, with some unmapped bytes behind.
    pub(super) fn room(&mut self, size: u64) -> Addr {
        let at = Addr(self.next);
        self.next += (size + 63) & !15;
        at
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> Addr {
        let at = self.room(bytes.len() as u64);
        self.pieces.insert(at.0, bytes.to_vec());
        at
    }

    pub(super) fn words(&mut self, words: &[u64]) -> Addr {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.raw(&bytes)
    }

    /// A piece of memory at a chosen place, which may be a part of another.
    pub(super) fn piece_at(&mut self, at: Addr, size: u64, fill: impl FnOnce(&mut Piece)) {
        let mut piece = Piece(vec![0; size as usize]);
        fill(&mut piece);
        let whole = self.pieces.range_mut(..=at.0).next_back();
        let whole = whole.filter(|(start, bytes)| at.0 + size <= *start + bytes.len() as u64);
        match whole {
            Some((start, bytes)) => {
                let offset = (at.0 - start) as usize;
                bytes[offset..offset + piece.0.len()].copy_from_slice(&piece.0);
            }
            None => {
                self.pieces.insert(at.0, piece.0);
            }
        }
    }

    pub(super) fn piece(&mut self, size: u64, fill: impl FnOnce(&mut Piece)) -> Addr {
        let at = self.room(size);
        self.piece_at(at, size, fill);
        at
    }

    /// A type of this name and with these flags, made once.
    pub(super) fn type_of(&mut self, name: &str, flags: u64) -> Addr {
        if let Some(known) = self.types.get(name) {
            return *known;
        }
        let text = self.raw(format!("{name}\0").as_bytes());
        let f = self.layout.fields.type_object;
        let size = f.cached_keys.map_or(f.size.offset, |keys| keys.offset + 8);
        let at = self.piece(size.into(), |piece| {
            piece.set(f.name, text.0);
            piece.set(f.flags, flags | 1 << 12);
        });
        self.types.insert(name.to_owned(), at);
        at
    }

    /// An object of `size` bytes.
    pub(super) fn object(
        &mut self,
        (name, flags): (&str, u64),
        size: u64,
        fill: impl FnOnce(&mut Piece),
    ) -> Addr {
        let ty = self.type_of(name, flags);
        let ob_type = self.layout.fields.object.ob_type;
        self.piece(size, |piece| {
            piece.set(ob_type, ty.0);
            fill(piece);
        })
    }

    /// A `bytes` object (2.7: `str`).
    pub(super) fn bytes_object(&mut self, bytes: &[u8]) -> Addr {
        let f = self.layout.fields;
        let size = u64::from(f.bytes.data.offset) + bytes.len() as u64 + 1;
        self.object(("bytes", 1 << 27), size, |piece| {
            piece.set(f.object.ob_size, bytes.len() as u64);
            piece.bytes(f.bytes.data, bytes);
        })
    }

    /// A string of one-byte characters, compact where the version knows that.
    pub(super) fn text(&mut self, text: &str) -> Addr {
        use super::layout::StrKind;
        let f = self.layout.fields;
        let shift = match self.layout.kinds.str {
            StrKind::Pointer => return self.bytes_object(text.as_bytes()),
            StrKind::BitsAfterInterned => 8,
            _ => 2,
        };
        // Kind 1, compact, ASCII.
        let state = 0b11001 << shift;
        let data = f.str.ascii_data.expect("PEP 393");
        let size = u64::from(data.offset) + text.len() as u64 + 1;
        self.object(("str", 1 << 28), size, |piece| {
            piece.set(f.str.length, text.len() as u64);
            piece.set32(f.str.state, state);
            piece.bytes(data, text.as_bytes());
        })
    }

    /// An integer of one digit.
    pub(super) fn int(&mut self, value: u32) -> Addr {
        let f = self.layout.fields;
        self.object(
            ("int", 1 << 24),
            u64::from(f.int.digits.offset) + 8,
            |piece| {
                match f.int.tag {
                    Some(tag) => piece.set(tag, 1 << 3),
                    None => piece.set(f.object.ob_size, 1),
                }
                piece.set32(f.int.digits, value);
            },
        )
    }

    /// A dictionary with string keys.
    pub(super) fn dict(&mut self, items: &[(&str, Addr)]) -> Addr {
        let keys: Vec<Addr> = items.iter().map(|(key, _)| self.text(key)).collect();
        let items: Vec<(Addr, Addr)> = keys.into_iter().zip(items.iter().map(|i| i.1)).collect();
        self.dict_of(&items)
    }

    /// A dictionary with any keys.
    pub(super) fn dict_of(&mut self, items: &[(Addr, Addr)]) -> Addr {
        let f = self.layout.fields;
        let count = items.len() as u64;
        let words: Vec<u64> = items.iter().flat_map(|(k, v)| [0, k.0, v.0]).collect();
        let (keys, table) = match self.layout.kinds.dict {
            DictKind::Open => {
                // Eight slots, the first of them free, as a table has holes.
                let mut slots = vec![0; 3];
                slots.extend(words);
                slots.resize(8 * 3, 0);
                (Addr::NULL, self.words(&slots))
            }
            _ => (self.dict_keys(&words, count), Addr::NULL),
        };
        self.object(("dict", 1 << 29), f.dict.size.offset.into(), |piece| {
            piece.set(f.dict.used, count);
            match f.dict.keys {
                Some(field) => piece.set(field, keys.0),
                None => {
                    piece.set(f.dict.mask, 7);
                    piece.set(f.dict.table, table.0);
                }
            }
        })
    }

    /// A keys object with eight slots and these entries of {hash, key, value}.
    fn dict_keys(&mut self, entries: &[u64], count: u64) -> Addr {
        let f = self.layout.fields.dict_keys.expect("no 2.7");
        let entries: Vec<u8> = entries.iter().flat_map(|word| word.to_le_bytes()).collect();
        let size = u64::from(f.indices.offset) + 8 + entries.len() as u64;
        self.piece(size, |piece| {
            match f.slots {
                Some(slots) => piece.set(slots, 8),
                None => {
                    piece.bytes(f.log2_slots, &[3]);
                    piece.bytes(f.log2_index_bytes, &[3]);
                }
            }
            piece.set(f.nentries, count);
            let mut at = f.indices;
            at.offset += 8;
            piece.bytes(at, &entries);
        })
    }

    /// A code object whose line grows by one every ten bytes of bytecode.
    pub(super) fn code(&mut self, name: &str, first_line: u32) -> Addr {
        let f = self.layout.fields;
        let table: Vec<u8> = match self.layout.kinds.line_table {
            // 1, kind 13, five code units; one line more.
            LineTable::Locations => [0x80 | 13 << 3 | 4, 2].repeat(6),
            _ => [10, 1].repeat(6),
        };
        let (table, name) = (self.bytes_object(&table), self.text(name));
        let file = self.text("/x/prog.py");
        let bytecode = self.bytes_object(&[0; CODE_SIZE as usize]);
        let size = u64::from(f.code.size.offset) + CODE_SIZE;
        self.object(("code", 0), size, |piece| {
            piece.set(f.object.ob_size, CODE_SIZE / 2);
            piece.set(f.code.name, name.0);
            piece.set(f.code.filename, file.0);
            piece.set(f.code.linetable, table.0);
            piece.set32(f.code.firstlineno, first_line);
            if f.code.qualname.is_some() {
                piece.set(f.code.qualname, name.0);
            }
            if f.code.bytecode.is_some() {
                piece.set(f.code.bytecode, bytecode.0);
            }
            if f.code.firsttraceable.is_some() {
                piece.set32(f.code.firsttraceable, 1);
            }
        })
    }

    /// A frame at `at` that is at the byte offset `lasti` of its code.
    pub(super) fn frame(&mut self, at: Addr, previous: Addr, code: Addr, lasti: u64, owner: u8) {
        let f = self.layout.fields;
        let instruction = match self.layout.kinds.last_instruction {
            LastInstruction::ByteOffset => lasti,
            LastInstruction::UnitIndex => lasti / 2,
            _ => f.code.adaptive.expect("3.11").of(code).0 + lasti,
        };
        let tag = u64::from(self.layout.kinds.references != References::Plain);
        // Up to 3.10 a frame is an object.
        let ty = match f.frame.owner {
            Some(_) => None,
            None => Some(self.type_of("frame", 0)),
        };
        self.piece_at(at, f.frame.size.offset.into(), |piece| {
            piece.set(f.frame.previous, previous.0);
            piece.set(f.frame.code, code.0 | tag);
            if let Some(ty) = ty {
                piece.set(f.object.ob_type, ty.0);
            }
            match f.frame.owner {
                Some(field) => {
                    piece.set(f.frame.instruction, instruction);
                    piece.bytes(field, &[owner]);
                }
                None => piece.set32(f.frame.instruction, instruction as u32),
            }
        });
    }

    /// A thread state whose innermost frame is `frame`.
    pub(super) fn thread(&mut self, frame: Addr) -> Addr {
        let f = self.layout.fields;
        let cframe = f.cframe.and_then(|cframe| cframe.current_frame);
        let cframe = cframe.map(|field| self.piece(32, |piece| piece.set(field, frame.0)));
        let chain = self.layout.kinds.frame_chain;
        self.piece(f.thread.size.offset.into(), |piece| match (chain, cframe) {
            (FrameChain::CFrame, Some(cframe)) => piece.set(f.thread.cframe, cframe.0),
            _ => piece.set(f.thread.frame, frame.0),
        })
    }

    /// A reader of what was built.
    pub(super) fn objects(&self) -> Objects {
        let mut memory = Synth::default();
        for (start, bytes) in &self.pieces {
            memory.add(*start, bytes.clone());
        }
        Objects::new(Arc::new(memory), Arc::new(self.layout.clone()))
    }
}
