//! Traceback objects (Include/cpython/traceback.h), linked from the outermost frame to the one
//! that raised. Each holds the frame object of a frame that has mostly ended: its variables stay
//! in it, from 3.11 on in the `_PyInterpreterFrame` that was copied into it.

use super::Reader;
use crate::addr::Addr;
use crate::python::layout::LineTable;
use crate::python::{FrameKind, FrameOrigin, Position, PyFrame};
use crate::target::Fault;
use rustc_hash::FxHashSet;

/// Offsets behind the object header, the same in every version.
const TB_FRAME: u64 = 8;
const TB_LASTI: u64 = 16;
const TB_LINENO: u64 = 20;
const TB_SIZE: i64 = 24;

/// More entries than this are not followed.
const MOST_LINKS: usize = 1_000_000;

/// Of a longer traceback so many entries are shown at each end.
const SHOWN_AT_EACH_END: usize = 5_000;

/// The frames that an exception passed.
#[derive(Clone, Default, Debug)]
pub struct Traceback {
    /// Outermost first, as Python prints them.
    pub entries: Vec<PyFrame>,
    /// That so many entries are left out behind the entry with this number.
    pub left_out: Option<(usize, usize)>,
    /// Why the chain ends too early, if it does.
    pub problem: Option<String>,
}

impl Traceback {
    /// The traceback at `first`, which may be NULL; `budget` entries are read at most, and taken
    /// from it.
    pub(super) fn read(reader: &Reader<'_>, first: Addr, budget: &mut usize) -> Traceback {
        let mut traceback = Traceback::default();
        if !reader.is_set(first) {
            return traceback;
        }
        let links = traceback.follow(reader, first);
        let at_end = SHOWN_AT_EACH_END.min(*budget / 2);
        let (head, tail) = match links.len() > 2 * at_end {
            true => (at_end, links.len() - at_end),
            false => (links.len(), links.len()),
        };
        if tail > head {
            traceback.left_out = Some((head, tail - head));
        }
        let ends = [links.get(..head), links.get(tail..)];
        let shown = ends.into_iter().flatten().flatten();
        traceback.entries = shown.map(|at| entry(reader, *at)).collect();
        *budget = budget.saturating_sub(traceback.entries.len());
        traceback
    }

    /// The addresses of all entries.
    fn follow(&mut self, reader: &Reader<'_>, first: Addr) -> Vec<Addr> {
        let objects = reader.objects;
        let size = i64::from(objects.layout.fields.object.size.offset) + TB_SIZE;
        let is_traceback = |at: Addr| {
            let ty = objects.type_of(at);
            ty.is_ok_and(|ty| ty.may_be("traceback") && ty.basicsize >= size)
        };
        let mut links = Vec::new();
        let mut seen = FxHashSet::default();
        let mut at = first;
        while reader.is_set(at) {
            self.problem = if links.len() >= MOST_LINKS {
                Some(format!("it has more than {MOST_LINKS} entries"))
            } else if !seen.insert(at) {
                Some(format!("it comes back to the entry at {at}"))
            } else if !is_traceback(at) {
                Some(format!("{at} is no traceback"))
            } else {
                None
            };
            if self.problem.is_some() {
                break;
            }
            links.push(at);
            match objects.memory.ptr(objects.after(at, 0)) {
                Ok(next) => at = next,
                Err(fault) => {
                    self.problem = Some(format!("its next entry: {fault}"));
                    break;
                }
            }
        }
        links
    }
}

/// The frame of the traceback object at `at`, at the instruction that the exception left.
fn entry(reader: &Reader<'_>, at: Addr) -> PyFrame {
    match read_entry(reader, at) {
        Ok(frame) => frame,
        Err(fault) => PyFrame {
            addr: Addr::NULL,
            code: Addr::NULL,
            function: "<unreadable frame>".into(),
            qualname: None,
            file: "<unknown>".into(),
            position: Position::default(),
            first_line: 0,
            lasti: -1,
            kind: FrameKind::Function,
            origin: FrameOrigin::Traceback,
            problem: Some(format!("the traceback entry at {at}: {fault}").into()),
        },
    }
}

fn read_entry(reader: &Reader<'_>, at: Addr) -> Result<PyFrame, Fault> {
    let objects = reader.objects;
    let memory = &objects.memory;
    let fields = &objects.layout.fields;
    let object = memory.ptr(objects.after(at, TB_FRAME))?;
    let frame = match fields.frame_object {
        Some(handle) => memory.ptr(handle.frame.of(object))?,
        None => object,
    };
    let code = memory.ptr(fields.frame.code.of(frame))?;
    let code = Addr(objects.layout.kinds.references.untag(code.0));
    let code = reader.codes.get(objects, code)?;
    let lasti = memory.i32(objects.after(at, TB_LASTI))?;
    let line = memory.i32(objects.after(at, TB_LINENO))?;
    let line = (line > 0).then_some(line);
    let outside = !(-1..code.size).contains(&i64::from(lasti));
    let told = match outside {
        true => Position::default(),
        false => code.position(objects, lasti),
    };
    // Before columns, what the traceback says counts, as it was noted down when the frame left.
    let position = match (objects.layout.kinds.line_table, line) {
        (LineTable::Locations, _) => Position {
            line: told.line.or(line),
            ..told
        },
        (_, Some(line)) => Position {
            line: Some(line),
            ..Position::default()
        },
        (_, None) => told,
    };
    let problem = outside.then(|| format!("the instruction lies outside the code: {lasti}").into());
    Ok(PyFrame {
        addr: frame,
        code: code.addr,
        function: code.name.clone(),
        qualname: code.qualname.clone(),
        file: code.filename.clone(),
        position,
        first_line: code.first_line,
        lasti: if outside { -1 } else { lasti },
        kind: code.kind,
        origin: FrameOrigin::Traceback,
        problem: problem.or(code.problem.clone()),
    })
}
