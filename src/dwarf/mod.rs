//! Lines and inlined functions, from DWARF (gimli through addr2line): parsed when an address of
//! the image is first looked up, one compilation unit at a time.

mod paths;

use crate::addr::Svma;
use crate::image::{Image, Section, elf};
use addr2line::{Context, LookupResult};
use gimli::{Dwarf, DwarfFileType, EndianReader, LittleEndian, SectionId};
use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// A reader that keeps the bytes it reads alive.
type Reader = EndianReader<LittleEndian, Section>;

/// The most functions reported for one address; deeper inlining is damage.
const MOST_INLINED: usize = 256;

/// One function at an address; of several, each but the last is inlined into the next.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LineFrame {
    /// The name as in the DWARF: mangled where the language mangles.
    pub function: Option<String>,
    /// The source file as gdb names it: relative where the compiler was given a relative path.
    pub file: Option<String>,
    /// The folder in which the compiler ran, to which a relative `file` belongs.
    pub directory: Option<String>,
    /// The line; for all but the first frame that of the call.
    pub line: Option<u32>,
    /// Whether this function is inlined into the next one.
    pub inlined: bool,
}

/// The line information of one image.
pub struct Lines {
    /// addr2line caches without locks.
    context: Mutex<Context<Reader>>,
}

impl Lines {
    /// Reads the line information of `image`, from its file or its separate debug file; `None`
    /// when there is none.
    pub fn new(image: &Image) -> Option<Lines> {
        image.debug_section(".debug_info")?;
        let mut dwarf = dwarf(|name| image.debug_section(name));
        if let Some(shared) = image.supplementary_file() {
            let mut shared = self::dwarf(|name| elf::section(&shared, name));
            shared.file_type = DwarfFileType::Main;
            dwarf.set_sup(shared);
        }
        let context = Context::from_dwarf(dwarf).ok()?;
        Some(Lines {
            context: Mutex::new(context),
        })
    }

    /// The functions at a stated address, innermost first; empty when the DWARF does not cover
    /// it. For a return address give the byte before.
    pub fn frames(&self, svma: Svma) -> Vec<LineFrame> {
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        let unit = loaded(context.find_dwarf_and_unit(svma.0));
        let mut found = Vec::new();
        let Ok(mut frames) = loaded(context.find_frames(svma.0)) else {
            return found;
        };
        while let Ok(Some(frame)) = frames.next() {
            if found.len() >= MOST_INLINED {
                break;
            }
            let location = frame.location.as_ref();
            let path = location.and_then(|location| location.file);
            let file = path.map(|path| match &unit {
                Some(unit) => paths::as_gdb_prints(unit, path),
                None => paths::Printed {
                    file: path.to_owned(),
                    directory: None,
                },
            });
            let (file, directory) = match file {
                Some(printed) => (Some(printed.file), printed.directory),
                None => (None, None),
            };
            let name = frame.function.as_ref();
            found.push(LineFrame {
                function: name.and_then(|name| Some(name.raw_name().ok()?.into_owned())),
                file,
                directory,
                line: location.and_then(|location| location.line),
                inlined: true,
            });
        }
        if let Some(last) = found.last_mut() {
            last.inlined = false;
        }
        found
    }
}

/// The sections that lines and inlined functions need. Variables and macros are left out, because
/// uncompressing them takes long.
const SECTIONS: [SectionId; 11] = [
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugAbbrev,
    SectionId::DebugStr,
    SectionId::DebugRngLists,
    SectionId::DebugRanges,
    SectionId::DebugLineStr,
    SectionId::DebugAranges,
    SectionId::DebugAddr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];

/// The DWARF whose sections `load` gives. Debian's debug files are compressed and half of their
/// bytes are `.debug_info`, so a second thread loads the rest. (Not a thread of rayon's: one that
/// waits there takes up other work, and that may wait for this very DWARF.)
fn dwarf(load: impl Fn(&str) -> Option<Section> + Sync) -> Dwarf<Reader> {
    let load = |section: &SectionId| load(section.name());
    let found: Vec<Option<Section>> = std::thread::scope(|scope| {
        let (info, others) = SECTIONS.split_at(1);
        let others = scope.spawn(|| others.iter().map(load).collect::<Vec<_>>());
        let mut found: Vec<_> = info.iter().map(load).collect();
        found.extend(others.join().unwrap_or_default());
        found
    });
    let section = |id: SectionId| {
        let mut both = SECTIONS.iter().zip(&found);
        let bytes = both.find(|(known, _)| **known == id);
        let bytes = bytes.and_then(|(_, bytes)| bytes.clone());
        let reader = EndianReader::new(bytes.unwrap_or_else(Section::empty), LittleEndian);
        Ok::<_, std::convert::Infallible>(reader)
    };
    match Dwarf::load(section) {
        Ok(dwarf) => dwarf,
        Err(never) => match never {},
    }
}

/// The result of a look-up. Split DWARF (`.dwo` files) is not loaded: those files lie beside the
/// objects on the build machine.
fn loaded<L: addr2line::LookupContinuation>(mut result: LookupResult<L>) -> L::Output {
    loop {
        result = match result {
            LookupResult::Output(output) => return output,
            LookupResult::Load { continuation, .. } => continuation.resume(None),
        };
    }
}
