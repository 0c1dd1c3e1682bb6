//! What is written when the process runs on: what was kept in memory, headers, what /proc told. Then the
//! core is changed as was asked for, packed, and given its name.

use super::blocks::Block;
use super::copy;
use super::layout::Layout;
use super::pack;
use super::pass::{Blanked, Pass};
use super::place::Unfinished;
use super::{DumpError, Saved, Work, notes};
use crate::diag::{Note, Notes};
use crate::target::Options;
use crate::target::proc_note::Gathered;
use std::time::{Duration, Instant};

/// A core whose memory is written, or kept to be written.
pub(super) struct Core<'w> {
    pub(super) work: &'w Work<'w>,
    pub(super) out: Unfinished<'w>,
    pub(super) layout: Layout,
    pub(super) blocks: Vec<Block>,
    /// The bytes of the notes.
    pub(super) head: Vec<u8>,
    /// What /proc told.
    pub(super) gathered: Option<Gathered>,
    /// Where the files of the process are.
    pub(super) options: Options,
    pub(super) copied: u64,
    pub(super) threads: usize,
    pub(super) pid: i32,
    pub(super) notes: Vec<Note>,
}

impl Core<'_> {
    /// Writes what is left, and gives the file its name.
    pub(super) fn finish(
        mut self,
        pause: Option<Duration>,
        begun: Instant,
    ) -> Result<Saved, DumpError> {
        let Work {
            request,
            before,
            place,
            stage,
        } = self.work;
        // What /proc still tells changes meanwhile; what was copied does not.
        let of_proc = |gathered| notes::of_proc(gathered, request.pass.is_some());
        let mut at_end = self.gathered.take().map_or_else(Vec::new, of_proc);
        copy::write_kept(&self.out, stage, &self.blocks, &request.cancel)?;
        let mut len = self.write_frame(&at_end)?;
        let said = Notes::default();
        let mut left_out = 0;
        if let Some(survey) = request.survey {
            let left = survey.apply(&self.out, &mut self.layout, &self.options, &said)?;
            at_end.extend(left.0);
            left_out = left.1;
            len = self.write_frame(&at_end)?;
        }
        let blanked = match request.pass {
            Some(pass) => Some(self.blank(pass)?),
            None => None,
        };
        let mut out = self.out;
        if let Some(packing) = request.packing {
            let packed = place.begin()?;
            let (cancel, progress) = (&request.cancel, &request.progress);
            pack::pack(&out.file, len, packing, &packed, cancel, progress)?;
            out = packed;
        }
        if request.cancel.is_cancelled() {
            return Err(DumpError::Interrupted);
        }
        let of_blanks = blanked.iter().flat_map(|blanked| blanked.notes.clone());
        let notes = self.notes.into_iter().chain(said.all()).chain(of_blanks);
        let (bytes, on_disk) = out.sizes();
        out.finish()?;
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Ok(Saved {
            file: std::path::absolute(&place.path).unwrap_or_else(|_| place.path.clone()),
            pid: self.pid,
            bytes,
            on_disk,
            packing: request.packing,
            filter: before.filter,
            threads: self.threads,
            copied: self.copied.saturating_sub(left_out),
            left_out,
            notes: notes.collect(),
            blanked,
            pause_us: pause.map(micros),
            took_us: micros(begun.elapsed()),
        })
    }

    /// Writes headers and notes, and gives the length of the file.
    fn write_frame(&self, at_end: &[u8]) -> Result<u64, DumpError> {
        let end = self.layout.end();
        let tail = self.layout.tail(at_end);
        self.out.write(&tail, end)?;
        let head = self.layout.head(&self.head, at_end.len() as u64);
        self.out.write(&head, 0)?;
        Ok(end + tail.len() as u64)
    }

    /// Has the data blanked.
    fn blank(&self, Pass(change): Pass) -> Result<Blanked, DumpError> {
        change(&self.out.file, &self.options).map_err(|why| {
            match self.work.request.cancel.is_cancelled() {
                true => DumpError::Interrupted,
                false => DumpError::Pass(why),
            }
        })
    }
}
