//! `_Py_DebugOffsets`, the first member of `_PyRuntime` from 3.13 on: CPython's own statement of
//! its offsets (Include/internal/pycore_debug_offsets.h). Each minor version inserts members in
//! the middle, so every row below has one position for each of 3.13, 3.14 and 3.15.

use super::{Field, Fingerprint, Layout, Source};
use crate::addr::Addr;
use crate::bytes;
use crate::target::{Fault, Memory};

/// The first eight bytes.
pub const COOKIE: &[u8; 8] = b"xdebugpy";

/// The position of a member within `_Py_DebugOffsets` in 3.13, 3.14, 3.15; 0 where it is missing.
type Position = [u16; 3];

/// The minor versions of the columns, the struct's size in each.
const VERSIONS: [(u8, usize); 3] = [(13, 584), (14, 760), (15, 888)];

/// Which field of the layout each member gives.
#[rustfmt::skip]
const MEMBERS: &[(&str, &str, Position)] = &[
    ("runtime", "size", [24, 24, 24]),
    ("runtime", "finalizing", [32, 32, 32]),
    ("runtime", "interpreters_head", [40, 40, 40]),
    ("interpreter", "size", [48, 48, 48]),
    ("interpreter", "id", [56, 56, 56]),
    ("interpreter", "next", [64, 64, 64]),
    ("interpreter", "threads", [72, 72, 72]),
    ("interpreter", "modules", [88, 96, 96]),
    ("interpreter", "sysdict", [96, 104, 104]),
    ("interpreter", "builtins", [104, 112, 112]),
    ("interpreter", "gil", [112, 120, 120]),
    ("interpreter", "embedded_gil", [120, 128, 128]),
    ("interpreter", "gc", [80, 88, 88]),
    ("gc", "size", [568, 648, 752]),
    ("gc", "collecting", [576, 656, 760]),
    ("thread", "size", [152, 176, 176]),
    ("thread", "prev", [160, 184, 184]),
    ("thread", "next", [168, 192, 192]),
    ("thread", "interp", [176, 200, 200]),
    ("thread", "frame", [184, 208, 208]),
    ("thread", "base_frame", [0, 0, 216]),
    ("thread", "thread_id", [192, 216, 240]),
    ("thread", "native_thread_id", [200, 224, 248]),
    ("thread", "datastack_chunk", [208, 232, 256]),
    ("thread", "status", [216, 240, 264]),
    ("thread", "holds_gil", [0, 0, 272]),
    ("thread", "gil_requested", [0, 0, 280]),
    ("frame", "size", [224, 248, 312]),
    ("frame", "previous", [232, 256, 320]),
    ("frame", "code", [240, 264, 328]),
    ("frame", "instruction", [248, 272, 336]),
    ("frame", "localsplus", [256, 280, 344]),
    ("frame", "owner", [264, 288, 352]),
    ("frame", "stack_top", [0, 296, 360]),
    ("code", "size", [272, 312, 376]),
    ("code", "filename", [280, 320, 384]),
    ("code", "name", [288, 328, 392]),
    ("code", "qualname", [296, 336, 400]),
    ("code", "linetable", [304, 344, 408]),
    ("code", "firstlineno", [312, 352, 416]),
    ("code", "argcount", [320, 360, 424]),
    ("code", "localsplusnames", [328, 368, 432]),
    ("code", "localspluskinds", [336, 376, 440]),
    ("code", "adaptive", [344, 384, 448]),
    ("object", "size", [352, 400, 464]),
    ("object", "ob_type", [360, 408, 472]),
    ("type_object", "size", [368, 416, 480]),
    ("type_object", "name", [376, 424, 488]),
    ("type_object", "flags", [392, 440, 504]),
    ("type_object", "basicsize", [0, 0, 512]),
    ("type_object", "dictoffset", [0, 0, 520]),
    ("type_object", "cached_keys", [0, 0, 536]),
    ("tuple", "items", [408, 456, 552]),
    ("object", "ob_size", [416, 464, 560]),
    ("list", "items", [432, 480, 576]),
    ("dict", "size", [448, 528, 624]),
    ("dict", "keys", [456, 536, 632]),
    ("dict", "values", [464, 544, 640]),
    ("int", "tag", [496, 576, 672]),
    ("int", "digits", [504, 584, 680]),
    ("bytes", "data", [528, 608, 704]),
    ("str", "state", [544, 624, 720]),
    ("str", "length", [552, 632, 728]),
    ("str", "ascii_data", [560, 640, 736]),
    ("str", "compact_data", [0, 0, 744]),
    ("generator", "name", [0, 672, 800]),
    ("generator", "frame", [0, 680, 808]),
    ("generator", "state", [0, 688, 816]),
];

/// Members that only free-threaded builds fill in.
#[rustfmt::skip]
const FREE_THREADED_MEMBERS: &[(&str, &str, Position)] = &[
    ("frame", "tlbc_index", [0, 304, 368]),
    ("code", "tlbc", [0, 392, 456]),
];

/// `_Py_DebugOffsets` as read from the process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DebugOffsets {
    /// `PY_VERSION_HEX`.
    pub version: u32,
    /// A free-threaded build.
    pub free_threaded: bool,
    column: Option<usize>,
    raw: Vec<u8>,
}

impl DebugOffsets {
    /// Reads it from the start of `_PyRuntime`. `Ok(None)` when no cookie is there (before 3.13).
    pub fn read(memory: &dyn Memory, runtime: Addr) -> Result<Option<DebugOffsets>, Fault> {
        let head = memory.array::<24>(runtime)?;
        if !head.starts_with(COOKIE) {
            return Ok(None);
        }
        let version = bytes::u64_at(&head, 8).unwrap_or(0);
        let free_threaded = bytes::u64_at(&head, 16).unwrap_or(0);
        // A read-only template of the runtime and mere copies of the cookie fail here.
        let Ok(version) = u32::try_from(version) else {
            return Ok(None);
        };
        if version >> 24 != 3 || free_threaded > 1 {
            return Ok(None);
        }
        let minor = (version >> 16) as u8;
        let column = VERSIONS.iter().position(|(m, _)| *m == minor);
        let raw = match column.and_then(|c| VERSIONS.get(c)) {
            Some((_, size)) => memory.bytes(runtime, *size)?.into_owned(),
            None => Vec::new(),
        };
        Ok(Some(DebugOffsets {
            version,
            free_threaded: free_threaded == 1,
            column,
            raw,
        }))
    }

    /// Major and minor version.
    pub fn minor_version(&self) -> (u8, u8) {
        ((self.version >> 24) as u8, (self.version >> 16) as u8)
    }

    /// The sizes that identify the build.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let size = |group: &str| {
            let row = MEMBERS
                .iter()
                .find(|(g, n, _)| (*g, *n) == (group, "size"))?;
            self.value(row.2)
        };
        Some(Fingerprint {
            runtime: size("runtime")?,
            interpreter: size("interpreter")?,
            thread: size("thread")?,
            gc: size("gc")?,
        })
    }

    /// Overrides the fields that this process states itself. Returns in words where the table
    /// says something else.
    pub fn apply(&self, layout: &mut Layout) -> Vec<String> {
        let mut differing = Vec::new();
        let special = FREE_THREADED_MEMBERS.iter().filter(|_| self.free_threaded);
        for (group, name, position) in MEMBERS.iter().chain(special) {
            let Some(value) = self.value(*position) else {
                continue;
            };
            let old = layout.fields.get(group, name);
            if let Some(old) = old.filter(|old| old.offset != value) {
                differing.push(format!("{group}.{name} is {value}, not {}", old.offset));
            }
            let field = Field {
                offset: value,
                source: Source::DebugOffsets,
            };
            layout.fields.set(group, name, field);
        }
        differing
    }

    /// The value at a position, when this version has it and it can be an offset at all.
    fn value(&self, position: Position) -> Option<u32> {
        const MOST: u64 = 16 << 20;
        let at = *position.get(self.column?)?;
        if at == 0 {
            return None;
        }
        let value = bytes::u64_at(&self.raw, usize::from(at))?;
        (value < MOST).then_some(value as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_field_and_grows_with_the_versions() {
        for (group, name, position) in MEMBERS.iter().chain(FREE_THREADED_MEMBERS) {
            let mut fields = Layout::tables((3, 15), true).next().unwrap().fields;
            let field = Field {
                offset: 1,
                source: Source::DebugOffsets,
            };
            assert!(fields.set(group, name, field), "{group}.{name}");
            for (at, (_, size)) in position.iter().zip(VERSIONS) {
                assert!(
                    usize::from(*at) + 8 <= size && at % 8 == 0,
                    "{group}.{name}"
                );
            }
        }
    }
}
