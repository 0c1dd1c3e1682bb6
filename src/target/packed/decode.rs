//! Frame after frame of a packed file, each by the decoder of its format. What a decoder has read
//! and whether it wanted more than there was is seen from outside, so that a cut file and a
//! damaged one are told apart the same way for every format.

use super::{Format, skippable};
use flate2::bufread::GzDecoder;
use lz4_flex::frame::FrameDecoder as Lz4Decoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder as ZstdDecoder};
use std::cell::Cell;
use std::io::{self, BufRead, Read};

/// Bytes that are handed on at once; what comes out of the piece where a file is cut may be lost.
const CHUNK: usize = 64 << 10;
/// The most memory for an xz dictionary, in KiB: four times what `xz -9` takes.
const XZ_MEMORY: u32 = 256 << 10;
/// The largest zstd window: what `zstd -d` itself allows, that of `zstd --long` and `-22`.
const ZSTD_WINDOW: u64 = 128 << 20;

/// How a packed file ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// With its last frame.
    Whole,
    /// So many bytes behind the last frame are something else.
    Trailing(usize),
    /// In the middle of a frame.
    Cut,
    /// By bytes that make no sense.
    Damaged {
        /// Where they are, about.
        at: usize,
        /// What the decoder says.
        why: String,
    },
}

/// Unpacks all frames of `packed`. `sink` gets the bytes in pieces, each with the number of packed
/// bytes read so far; what it fails with ends the work.
pub(super) fn decode<E>(
    format: Format,
    packed: &[u8],
    mut sink: impl FnMut(&[u8], usize) -> Result<(), E>,
) -> Result<End, E> {
    let at = Cell::new(0);
    let starved = Cell::new(false);
    let source = Source {
        bytes: packed,
        at: &at,
        starved: &starved,
    };
    let mut buffer = vec![0; CHUNK];
    while let Some(mut frame) = source.frame(format) {
        loop {
            match frame.read(&mut buffer) {
                Ok(0) if starved.get() => return Ok(End::Cut),
                Ok(0) => break,
                Ok(len) => sink(buffer.get(..len).unwrap_or_default(), at.get())?,
                Err(_) if starved.get() => return Ok(End::Cut),
                Err(error) => {
                    return Ok(End::Damaged {
                        at: at.get(),
                        why: error.to_string(),
                    });
                }
            }
        }
        // A file of a million empty frames can be interrupted too.
        sink(&[], at.get())?;
    }
    // Tapes and `xz` pad with zeros.
    let rest = source.rest();
    Ok(match rest.iter().all(|byte| *byte == 0) {
        true => End::Whole,
        false => End::Trailing(rest.len()),
    })
}

/// A packed file that is read by one decoder after the other.
#[derive(Clone, Copy)]
struct Source<'a> {
    bytes: &'a [u8],
    at: &'a Cell<usize>,
    /// More was wanted than there was.
    starved: &'a Cell<bool>,
}

impl<'a> Source<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at.get()..).unwrap_or_default()
    }

    fn skip(&self, len: usize) {
        let end = self.at.get().saturating_add(len);
        self.at.set(end.min(self.bytes.len()));
    }

    /// The decoder of the next frame; `None` when what comes next is none.
    fn frame(self, format: Format) -> Option<Box<dyn Read + 'a>> {
        let mut padding = 0;
        loop {
            let rest = self.rest().get(padding..)?;
            if let Some(len) = skippable(rest) {
                self.starved.set(len > rest.len());
                self.skip(padding.saturating_add(len));
                padding = 0;
                if self.starved.get() {
                    return Some(Box::new(io::empty()));
                }
            } else if Format::of(rest) == Some(format) {
                self.skip(padding);
                break;
            } else if rest.get(..4) == Some(&[0; 4]) {
                // The padding between two xz streams.
                padding += 4;
            } else {
                return None;
            }
        }
        Some(match format {
            Format::Zstd => Box::new(ZstdFrame::new(self)),
            Format::Lz4 => Box::new(Lz4Decoder::new(self)),
            Format::Gzip => Box::new(GzDecoder::new(self)),
            Format::Xz => Box::new(XzReader::new_mem_limit(self, false, XZ_MEMORY)),
        })
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.rest();
        let len = rest.len().min(buf.len());
        if let (Some(slot), Some(part)) = (buf.get_mut(..len), rest.get(..len)) {
            slot.copy_from_slice(part);
        }
        if len < buf.len() {
            self.starved.set(true);
        }
        self.skip(len);
        Ok(len)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let rest = self.rest();
        if rest.is_empty() {
            self.starved.set(true);
        }
        Ok(rest)
    }

    fn consume(&mut self, len: usize) {
        self.skip(len);
    }
}

/// One zstd frame. The decoder keeps back the last window, because later bytes may repeat it; when
/// the frame breaks off, that too is given out before the error.
struct ZstdFrame<'a> {
    source: Source<'a>,
    decoder: ZstdDecoder,
    begun: bool,
    broken: Option<io::Error>,
}

impl<'a> ZstdFrame<'a> {
    fn new(source: Source<'a>) -> ZstdFrame<'a> {
        let mut decoder = ZstdDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW);
        ZstdFrame {
            source,
            decoder,
            begun: false,
            broken: None,
        }
    }

    /// Ends the frame where it is by an empty last block (RFC 8878, 3.1.1.2), with a checksum in
    /// case the frame has one.
    fn break_off(&mut self, error: io::Error) {
        const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];
        self.broken = Some(error);
        // That this fails too means that there is nothing to give out.
        let _ = self
            .decoder
            .decode_blocks(&LAST_BLOCK[..], BlockDecodingStrategy::All);
    }

    fn check(&self) -> io::Result<()> {
        let stored = self.decoder.get_checksum_from_data();
        match stored.is_none() || stored == self.decoder.get_calculated_checksum() {
            true => Ok(()),
            false => Err(io::Error::other("the checksum is not that of the content")),
        }
    }
}

impl Read for ZstdFrame<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.begun {
            self.begun = true;
            self.decoder
                .init(&mut self.source)
                .map_err(io::Error::other)?;
        }
        let more = |decoder: &ZstdDecoder| decoder.can_collect() == 0 && !decoder.is_finished();
        while self.broken.is_none() && more(&self.decoder) {
            let one = BlockDecodingStrategy::UptoBlocks(1);
            if let Err(error) = self.decoder.decode_blocks(&mut self.source, one) {
                self.break_off(io::Error::other(error));
            }
        }
        match self.decoder.read(buf)? {
            0 => match self.broken.take() {
                Some(error) => Err(error),
                None => self.check().map(|()| 0),
            },
            len => Ok(len),
        }
    }
}
