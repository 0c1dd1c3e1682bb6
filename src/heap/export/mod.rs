//! The graph of objects as an SQLite file: objects, edges, types, generations and roots, each row
//! written as it is read, so that nothing is held in memory beside the graph.

mod file;

use super::Heap;
use super::graph::{Parent, Stopped};
use super::pieces::Pieces;
use super::tracked;
use crate::diag::{Step, Unit};
use crate::escape::escape;
use crate::target::Origin;
use file::Unfinished;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, params};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// The version of the schema, which is also the file's `user_version`.
pub const SCHEMA: i64 = 1;

/// The `application_id` of the files: `pydb`.
pub const APPLICATION: i64 = 0x7079_6462;

/// Stands for: in no list of the collector.
const NO_LIST: u16 = u16::MAX;

/// How many rows are written between two looks at the flag that stops it.
const PAUSE: u32 = 1 << 14;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The user asked for it.
    #[error("interrupted; nothing was written")]
    Stopped,
    /// It is there already.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The file cannot be made.
    #[error("cannot write {path}: {1}", path = .0.display())]
    File(PathBuf, io::Error),
    /// SQLite cannot write it.
    #[error("cannot write the database: {0}")]
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for ExportError {
    fn from(error: rusqlite::Error) -> ExportError {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => ExportError::Stopped,
            _ => ExportError::Sql(error),
        }
    }
}

impl From<Stopped> for ExportError {
    fn from(_: Stopped) -> ExportError {
        ExportError::Stopped
    }
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Exported {
    /// Rows of objects.
    pub objects: u64,
    /// Rows of edges: pairs of objects.
    pub edges: u64,
    /// Rows of types.
    pub types: u64,
    /// Rows of roots.
    pub roots: u64,
    /// The bytes of the file.
    pub bytes: u64,
}

impl Heap {
    /// Writes the graph as an SQLite file, which is there as a whole or not at all. One that is
    /// there already is only written over with `replace`.
    pub fn export(&self, path: &Path, replace: bool) -> Result<Exported, ExportError> {
        let unfinished = Unfinished::new(path, replace)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&unfinished.path, flags)?;
        // Until it is whole it is nobody's, so nothing has to survive a crash.
        connection.execute_batch(
            "PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
             PRAGMA foreign_keys = OFF; PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA cache_size = -65536;",
        )?;
        connection.pragma_update(None, "application_id", APPLICATION)?;
        connection.pragma_update(None, "user_version", SCHEMA)?;
        let cancel = self.python.process.cancel.clone();
        connection.progress_handler(100_000, Some(move || cancel.is_cancelled()))?;
        let transaction = connection.transaction()?;
        transaction.execute_batch(include_str!("schema.sql"))?;
        let mut export = Export {
            heap: self,
            sql: &transaction,
            numbers: FxHashMap::default(),
        };
        let types = export.types()?;
        let objects = export.objects()?;
        let edges = export.edges()?;
        let roots = export.roots()?;
        export.meta()?;
        export.tell("making indexes of the database", 0, 1)?;
        transaction.execute_batch(include_str!("indexes.sql"))?;
        transaction.commit()?;
        export_done(self);
        connection
            .close()
            .map_err(|(_, error)| ExportError::from(error))?;
        let written = std::fs::metadata(&unfinished.path);
        let bytes = written.map_or(0, |file| file.len());
        unfinished.finish()?;
        Ok(Exported {
            objects,
            edges,
            types,
            roots,
            bytes,
        })
    }
}

/// Wipes the line of progress.
fn export_done(heap: &Heap) {
    let progress = &heap.python.process.target.files.options.progress;
    progress.tell(&Step {
        what: "making indexes of the database",
        done: 1,
        total: Some(1),
        unit: Unit::Things("steps"),
    });
}

/// A file that is being written.
struct Export<'h> {
    heap: &'h Heap,
    sql: &'h Transaction<'h>,
    /// The rows of types, by their numbers in the heap.
    numbers: FxHashMap<u32, i64>,
}

impl Export<'_> {
    /// Says how far it is, and whether to go on.
    fn tell(&self, what: &str, done: u64, total: u64) -> Result<(), ExportError> {
        let progress = &self.heap.python.process.target.files.options.progress;
        progress.tell(&Step {
            what,
            done,
            total: Some(total),
            unit: Unit::Things("objects"),
        });
        match self.heap.python.process.cancel.is_cancelled() {
            true => Err(ExportError::Stopped),
            false => Ok(()),
        }
    }

    /// The same once in a while.
    fn tell_some(&self, what: &str, id: u32) -> Result<(), ExportError> {
        match id.is_multiple_of(PAUSE) {
            true => self.tell(what, id.into(), self.heap.count().into()),
            false => Ok(()),
        }
    }

    /// The types that have instances, by name.
    fn types(&mut self) -> Result<u64, ExportError> {
        let heap = self.heap;
        let mut sums = vec![(0_u64, 0_u64); heap.kinds().len()];
        for id in 0..heap.count() {
            if let Some((count, bytes)) = sums.get_mut(heap.kind_number(id) as usize) {
                *count += 1;
                *bytes = bytes.saturating_add(heap.size(id));
            }
        }
        let types = (0..).zip(heap.kinds()).zip(&sums);
        let mut types: Vec<_> = types
            .filter(|(_, (count, _))| *count > 0)
            .map(|((number, kind), sums)| {
                let ty = &kind.keeping.ty;
                (heap.python.objects.full_name(ty), ty.addr, number, sums)
            })
            .collect();
        types.sort();
        let mut insert = self
            .sql
            .prepare("INSERT INTO types VALUES (?, ?, ?, ?, ?, ?)")?;
        for (row, (name, address, number, (count, bytes))) in (0_i64..).zip(&types) {
            let object = heap.id(*address);
            let (count, bytes) = (count.cast_signed(), bytes.cast_signed());
            let at = address.0.cast_signed();
            insert.execute(params![row, escape(name), at, object, count, bytes])?;
            self.numbers.insert(*number, row);
        }
        Ok(types.len() as u64)
    }

    /// All objects, and the lists of the collector they are in.
    fn objects(&self) -> Result<u64, ExportError> {
        const WHAT: &str = "writing objects";
        let heap = self.heap;
        let lists = self.lists()?;
        let mut insert = self
            .sql
            .prepare("INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?;
        for id in 0..heap.count() {
            self.tell_some(WHAT, id)?;
            let dominator = match heap.dominators.parent(id) {
                Parent::Node(above) => Some(above),
                Parent::Root | Parent::Unreachable => None,
            };
            let list = lists.get(id as usize).copied();
            insert.execute(params![
                id,
                heap.address(id).0.cast_signed(),
                self.numbers.get(&heap.kind_number(id)),
                heap.size(id).cast_signed(),
                heap.retained.of(id).cast_signed(),
                dominator,
                list.filter(|list| *list != NO_LIST),
                heap.reachable().contains(id),
            ])?;
        }
        self.tell(WHAT, heap.count().into(), heap.count().into())?;
        Ok(heap.count().into())
    }

    /// Writes the lists of the collector; the list of each object.
    fn lists(&self) -> Result<Vec<u16>, ExportError> {
        let heap = self.heap;
        let python = &heap.python;
        let target = &python.process.target;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let mut lists = vec![NO_LIST; heap.count() as usize];
        let mut put = |address, list: u8| {
            let id = heap.id(address);
            if let Some(entry) = id.and_then(|id| lists.get_mut(id as usize)) {
                *entry = list.into();
            }
        };
        let tracked = tracked::each(python, &pieces, &python.process.cancel, &mut put);
        let mut counts = vec![0_i64; tracked.generations.len()];
        for list in &lists {
            if let Some(count) = counts.get_mut(usize::from(*list)) {
                *count += 1;
            }
        }
        let mut insert = self
            .sql
            .prepare("INSERT INTO generations VALUES (?, ?, ?, ?, ?)")?;
        for (row, (list, count)) in (0_i64..).zip(tracked.generations.iter().zip(counts)) {
            let problem = list.problem.as_deref().map(escape);
            insert.execute(params![row, list.name, list.interpreter, count, problem])?;
        }
        Ok(lists)
    }

    /// Which object refers to which, each pair once.
    fn edges(&self) -> Result<u64, ExportError> {
        const WHAT: &str = "writing references";
        let heap = self.heap;
        let mut insert = self.sql.prepare("INSERT INTO edges VALUES (?, ?, ?)")?;
        let (mut rows, mut row) = (0_u64, Vec::new());
        for id in 0..heap.count() {
            self.tell_some(WHAT, id)?;
            row.clear();
            row.extend_from_slice(heap.references().targets_of(id));
            row.sort_unstable();
            for (number, same) in (1_u32..).zip(row.chunk_by(|a, b| a == b)) {
                if let Some(target) = same.first() {
                    insert.execute(params![id, target, same.len() as i64])?;
                    rows += 1;
                }
                // One object may refer to very many.
                if number.is_multiple_of(PAUSE) {
                    self.tell(WHAT, id.into(), heap.count().into())?;
                }
            }
        }
        self.tell(WHAT, heap.count().into(), heap.count().into())?;
        Ok(rows)
    }

    /// What holds objects from outside.
    fn roots(&self) -> Result<u64, ExportError> {
        const WHAT: &str = "writing roots";
        let heap = self.heap;
        let total = heap.roots.all.len() as u64;
        let mut insert = self
            .sql
            .prepare("INSERT INTO roots VALUES (?, ?, ?, ?, ?, ?)")?;
        let mut rows = 0;
        for (id, root) in heap.held() {
            if rows % u64::from(PAUSE) == 0 {
                self.tell(WHAT, rows, total)?;
            }
            let view = heap.roots.view(&heap.python, root);
            let at = view.at.map(|at| at.0.cast_signed());
            let expression = view.expression.as_deref().map(escape);
            let words = escape(&view.words);
            insert.execute(params![id, view.kind, words, expression, at, view.certain])?;
            rows += 1;
        }
        self.tell(WHAT, total, total)?;
        Ok(rows)
    }

    /// What the file is about.
    fn meta(&self) -> Result<(), ExportError> {
        let heap = self.heap;
        let origin = match &heap.python.process.target.origin {
            Origin::Core(path) => format!("core {}", escape(&path.to_string_lossy())),
            Origin::Live(pid) => format!("process {pid}"),
            Origin::Snapshot(taken) => format!("snapshot of process {}", taken.pid),
            Origin::Synthetic => "synthetic".to_owned(),
        };
        let bytes = heap.retained.reachable();
        let bytes = bytes.saturating_add(heap.retained.unreachable());
        let doubts = &heap.doubts;
        let texts = [
            ("pydbg", env!("CARGO_PKG_VERSION").to_owned()),
            (
                "python",
                escape(&heap.python.version.to_string()).into_owned(),
            ),
            ("target", origin),
        ];
        let numbers = [
            ("schema", SCHEMA),
            ("objects", heap.count().into()),
            ("bytes", bytes.cast_signed()),
            ("unsure_sizes", doubts.unsure.cast_signed()),
            ("broken_objects", doubts.broken.cast_signed()),
            ("dangling_references", doubts.dangling.cast_signed()),
            ("damaged_lists", doubts.lists.len() as i64),
        ];
        let mut insert = self.sql.prepare("INSERT INTO meta VALUES (?, ?)")?;
        for (key, value) in texts {
            insert.execute(params![key, value])?;
        }
        for (key, value) in numbers {
            insert.execute(params![key, value])?;
        }
        Ok(())
    }
}
