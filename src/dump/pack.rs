//! Packs a finished core by zstd or lz4: pieces of it at once, each a frame of its own, which every
//! decoder of these formats reads one behind the other. Long runs of zeros are not even read.

use super::DumpError;
use super::place::Unfinished;
use crate::diag::{Cancel, Progress, Step, Unit};
use lz4_flex::frame::FrameEncoder;
use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use rayon::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::str::FromStr;

/// Bytes of a piece.
const PIECE: u64 = 4 << 20;
/// How many pieces are packed at once.
const AT_ONCE: u64 = 16;

/// How a core is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// Smaller.
    Zstd,
    /// Faster.
    Lz4,
}

impl Packing {
    /// The end of the names of such files.
    pub fn suffix(self) -> &'static str {
        match self {
            Packing::Zstd => ".zst",
            Packing::Lz4 => ".lz4",
        }
    }

    /// One frame.
    fn frame(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Packing::Zstd => Ok(compress_to_vec(bytes, CompressionLevel::Fastest)),
            Packing::Lz4 => {
                let mut encoder = FrameEncoder::new(Vec::new());
                encoder.write_all(bytes)?;
                Ok(encoder.finish()?)
            }
        }
    }
}

impl FromStr for Packing {
    type Err = String;

    fn from_str(text: &str) -> Result<Packing, String> {
        match text {
            "zstd" => Ok(Packing::Zstd),
            "lz4" => Ok(Packing::Lz4),
            _ => Err(format!("\"{text}\" is none of zstd and lz4")),
        }
    }
}

/// Packs a core of this length into an empty file.
pub(super) fn pack(
    core: &File,
    len: u64,
    packing: Packing,
    out: &Unfinished<'_>,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<(), DumpError> {
    let failed = |error: io::Error| DumpError::Pack(error.to_string());
    let zeros = packing.frame(&vec![0; PIECE as usize]).map_err(failed)?;
    let mut written = 0;
    for start in (0..len).step_by((PIECE * AT_ONCE) as usize) {
        if cancel.is_cancelled() {
            return Err(DumpError::Interrupted);
        }
        progress.tell(&Step {
            what: "packing the core",
            done: start,
            total: Some(len),
            unit: Unit::Bytes,
        });
        let end = len.min(start.saturating_add(PIECE * AT_ONCE));
        let pieces: Vec<u64> = (start..end).step_by(PIECE as usize).collect();
        let frames = pieces.into_par_iter().map(|at| {
            let size = (end - at).min(PIECE);
            if size == PIECE && is_hole(core, at, size) {
                return Ok(zeros.clone());
            }
            let mut bytes = vec![0; size as usize];
            core.read_exact_at(&mut bytes, at)?;
            packing.frame(&bytes)
        });
        let frames: Vec<io::Result<Vec<u8>>> = frames.collect();
        for frame in frames {
            let frame = frame.map_err(failed)?;
            out.write(&frame, written)?;
            written += frame.len() as u64;
        }
    }
    progress.tell(&Step {
        what: "packing the core",
        done: len,
        total: Some(len),
        unit: Unit::Bytes,
    });
    Ok(())
}

/// Whether the file has nothing there.
fn is_hole(file: &File, at: u64, len: u64) -> bool {
    let Ok(from) = i64::try_from(at) else {
        return false;
    };
    match lseek(file, from, Whence::SeekData) {
        Ok(data) => data as u64 >= at.saturating_add(len),
        // There is no more.
        Err(errno) => errno == Errno::ENXIO,
    }
}
