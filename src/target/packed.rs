//! Cores packed by zstd, lz4, gzip or xz: as systemd-coredump stores them, or as somebody packed
//! them to send them. Which it is is told by its first bytes, never by its name. The core is
//! unpacked into a file that has no name, so that nothing of it is left behind whatever happens to
//! pydbg, and that has holes where the core has zeros. What it may grow to is bounded.
//!
//! Mirrors RFC 8878 (zstd), the LZ4 frame format 1.6, RFC 1952 (gzip) and the .xz format 1.2.

mod decode;
#[cfg(test)]
mod tests;

use super::Options;
use super::files::MappedFile;
use super::scratch::Scratch;
use super::sparse::Sparse;
use crate::bytes;
use crate::diag::{Notes, Step, Unit, human};
use decode::End;
use serde::Serialize;
use std::io;
use std::time::Instant;

/// What a core may unpack to unless the user says otherwise: more than any Python process that was
/// seen, less than what holds up an analyst for an hour.
pub const MOST_UNPACKED: u64 = 64_000_000_000;

/// How a file is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 8878; systemd's own choice since version 246.
    Zstd,
    /// The LZ4 frame format; systemd's choice before.
    Lz4,
    /// RFC 1952.
    Gzip,
    /// The .xz format.
    Xz,
}

impl Format {
    /// The format of a file that starts with `start`.
    pub fn of(start: &[u8]) -> Option<Format> {
        const MAGIC: [(&[u8], Format); 4] = [
            (&[0x28, 0xb5, 0x2f, 0xfd], Format::Zstd),
            (&[0x04, 0x22, 0x4d, 0x18], Format::Lz4),
            (&[0x1f, 0x8b, 0x08], Format::Gzip),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Format::Xz),
        ];
        let mut rest = start;
        // `pzstd` puts a frame that is to be skipped before the first real one.
        while let Some(len) = skippable(rest) {
            rest = rest.get(len..).unwrap_or_default();
        }
        let found = MAGIC.iter().find(|(magic, _)| rest.starts_with(magic));
        found.map(|(_, format)| *format)
    }

    /// The command that unpacks it.
    pub fn program(self) -> &'static str {
        match self {
            Format::Zstd => "zstd",
            Format::Lz4 => "lz4",
            Format::Gzip => "gzip",
            Format::Xz => "xz",
        }
    }
}

/// The size of the frame that zstd and lz4 leave room for and skip, if `bytes` start with one.
fn skippable(bytes: &[u8]) -> Option<usize> {
    const HEADER: usize = 8;
    let is_skippable = bytes::u32_at(bytes, 0)? & !0xf == 0x184d_2a50;
    let len = bytes::u32_at(bytes, 4).filter(|_| is_skippable)?;
    (len as usize).checked_add(HEADER)
}

/// Why unpacking was given up.
enum Stop {
    /// Ctrl-C.
    Cancelled,
    /// It has become larger than it may.
    TooLarge,
    /// It has become longer than a file of this user may be.
    TooLong,
    /// There is no room for more.
    NoRoom,
    /// The file that is written cannot be.
    Write(io::Error),
}

/// Unpacks a core. An error is a sentence that follows the path.
pub(super) fn unpack(
    packed: &MappedFile,
    format: Format,
    options: &Options,
    diag: &Notes,
) -> Result<MappedFile, String> {
    let begun = Instant::now();
    let scratch = Scratch::create(options.scratch.as_deref())?;
    let most = options.max_unpacked.unwrap_or(MOST_UNPACKED);
    let what = format!("unpacking {}", packed.path.display());
    let total = packed.bytes().len() as u64;
    let mut out = Sparse::new(&scratch.file);
    let mut done = 0;
    let result = decode::decode(format, packed.bytes(), |chunk, consumed| {
        done = consumed as u64;
        if out.len().saturating_add(chunk.len() as u64) > scratch.longest {
            return Err(Stop::TooLong);
        }
        out.write(chunk).map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Stop::NoRoom,
            _ => Stop::Write(error),
        })?;
        options.progress.tell(&Step {
            what: &what,
            done,
            total: Some(total),
            unit: Unit::Bytes,
        });
        match () {
            () if options.cancel.is_cancelled() => Err(Stop::Cancelled),
            () if out.len() > most => Err(Stop::TooLarge),
            () if out.written() > scratch.room => Err(Stop::NoRoom),
            () => Ok(()),
        }
    });
    let state = State {
        format,
        done,
        total,
        len: out.len(),
    };
    let end = result.map_err(|stop| state.refusal(&stop, &scratch, most))?;
    if state.len == 0 {
        return Err(state.nothing(&end));
    }
    let finished = out.finish();
    finished.map_err(|error| state.refusal(&Stop::Write(error), &scratch, most))?;
    scratch.say(diag);
    state.say(&end, begun, diag);
    let path = packed.path.clone();
    MappedFile::of(&scratch.file, path, packed.place)
        .map_err(|problem| format!("was unpacked, but cannot be mapped: {problem}"))
}

/// How far unpacking came.
struct State {
    format: Format,
    /// Packed bytes that were read.
    done: u64,
    /// Packed bytes in all.
    total: u64,
    /// Bytes of the core.
    len: u64,
}

impl State {
    /// Why the core is not unpacked, and what the user can do.
    fn refusal(&self, stop: &Stop, scratch: &Scratch, most: u64) -> String {
        let program = self.format.program();
        let reached = format!(
            "{} came out of the first {} of {}",
            human(self.len),
            human(self.done),
            human(self.total)
        );
        let by_hand = format!("`{program} -d <FILE >CORE` where there is room, and open CORE");
        match stop {
            Stop::Cancelled => format!("unpacking was interrupted: {reached}"),
            Stop::TooLarge => format!(
                "unpacks to more than the {} that are allowed ({reached}); if you trust it, run \
                 {by_hand}",
                human(most)
            ),
            Stop::TooLong => format!(
                "unpacks to more than the {} that `ulimit -f` allows a file ({reached}); raise \
                 that, or run {by_hand}",
                human(scratch.longest)
            ),
            Stop::NoRoom => format!(
                "unpacks to more than {} has room for: {} were free, {reached}; name another \
                 folder (--scratch, TMPDIR), or run {by_hand}",
                scratch.place,
                human(scratch.room)
            ),
            Stop::Write(error) => format!(
                "cannot be unpacked into {}: {error}; name another folder (--scratch, TMPDIR), \
                 or run {by_hand}",
                scratch.place
            ),
        }
    }

    /// Why nothing at all came out.
    fn nothing(&self, end: &End) -> String {
        let program = self.format.program();
        match end {
            End::Cut => format!(
                "is packed by {program} and cut before anything can be unpacked (at {} bytes): \
                 copy it again",
                self.total
            ),
            End::Damaged { why, .. } => {
                format!(
                    "is packed by {program}, but nothing of it can be unpacked: {why}; if \
                     `{program} -d` can, open what it makes"
                )
            }
            End::Whole | End::Trailing(_) => {
                format!("is packed by {program}, but there is nothing in it")
            }
        }
    }

    /// Says what came out, and what is missing.
    fn say(&self, end: &End, begun: Instant, diag: &Notes) {
        diag.info(format!(
            "unpacked {} to {} in {:.1} s",
            human(self.total),
            human(self.len),
            begun.elapsed().as_secs_f64()
        ));
        let program = self.format.program();
        match end {
            End::Whole => {}
            End::Trailing(len) => {
                diag.info(format!(
                    "{len} bytes behind the packed core are no part of it"
                ));
            }
            End::Cut => diag.partial(format!(
                "the packed file is cut at {} bytes: only the first {} of the core are there",
                self.total,
                human(self.len)
            )),
            End::Damaged { at, why } => diag.partial(format!(
                "the packed file is damaged at about byte {at} of {} ({program}: {why}): only the \
                 first {} of the core are there, and the last of them may be wrong",
                self.total,
                human(self.len)
            )),
        }
    }
}
