//! glibc's malloc as `info malloc` and `info arenas` show it.

pub mod arenas;
pub mod figures;
pub mod picture;

use crate::cli::{Out, Session};
use pydbg::diag::{Note, human, thousands};
use pydbg::heap::alloc::glibc::Glibc;
use pydbg::heap::alloc::recognise::{self, Server};
use pydbg::heap::pieces::Pieces;
use std::io;

/// What is known of the malloc of a process.
pub struct Malloc {
    /// Whose it is.
    pub server: Option<Server>,
    /// glibc's own, if it was ever used.
    pub glibc: Option<Glibc>,
}

impl Malloc {
    /// Reads it, and makes something of glibc's own while its memory is at hand.
    pub fn of<T>(
        session: &Session,
        make: impl FnOnce(&Glibc, &Pieces<'_>) -> T,
    ) -> anyhow::Result<(Malloc, Option<T>)> {
        let process = session.process()?;
        let target = &process.target;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let server = recognise::server(process);
        let glibc = Glibc::find(process, &pieces);
        let made = glibc.as_ref().map(|glibc| make(glibc, &pieces));
        Ok((Malloc { server, glibc }, made))
    }

    /// Says who serves malloc, and whether there is anything of glibc's to tell.
    fn heading(&self, out: &mut Out<'_>) -> io::Result<()> {
        if let Some(server) = &self.server {
            out.put(format_args!(
                "malloc is served by {} (",
                server.library.name()
            ))?;
            out.target(&server.path)?;
            out.put(format_args!(").\n"))?;
        }
        match self.glibc {
            None => out.put(format_args!("No arena of glibc's malloc was found.\n")),
            Some(_) => Ok(()),
        }
    }

    /// What is doubtful.
    fn notes(&self) -> Vec<Note> {
        let partial = |text: &String| Note::partial(text.clone());
        let unknown = self
            .server
            .iter()
            .filter_map(|server| server.unknown.as_ref());
        let unseen = self.server.is_none().then(|| recognise::UNSEEN.to_owned());
        let problems = self.glibc.iter().flat_map(|glibc| &glibc.problems);
        let torn = self.glibc.as_ref().and_then(Glibc::torn);
        let all = unknown.chain(&unseen).chain(problems).chain(&torn);
        all.map(partial).collect()
    }
}

/// Bytes for people: `1.2 MB`.
fn size(bytes: u64) -> String {
    human(bytes)
}

/// Bytes in a cell of a table, in which what is not there does not catch the eye.
fn cell(bytes: u64) -> String {
    match bytes {
        0 => "-".to_owned(),
        bytes => size(bytes),
    }
}

/// A number in a cell of a table.
fn count(number: u64) -> String {
    match number {
        0 => "-".to_owned(),
        number => thousands(number),
    }
}
