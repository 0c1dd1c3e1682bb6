//! Pipes and sockets between processes: who can end a wait for data or for room. A reader waits for
//! everybody who has the writing end open, also when that is the reader itself or a child that only
//! inherited it; a pipe without any writer would have ended.

use super::call::{self, Fd};
use super::{Ends, Member, sharers};
use crate::target::ends::{self, End};
use crate::target::proc::Task;
use crate::target::socket_peers::{self, UnixSockets};
use crate::target::tcp_peers::TcpSockets;
use std::cell::OnceCell;

/// What connects the processes of the machine.
#[derive(Default)]
pub(super) struct Wires {
    ends: OnceCell<ends::Ends>,
    unix: OnceCell<Option<UnixSockets>>,
    tcp: OnceCell<TcpSockets>,
}

/// A descriptor that leads to other processes.
pub(super) struct Wire {
    /// Which: `pipe:[77]`.
    pub(super) link: String,
    /// Who has the other end open; of a connection that nobody has accepted yet, who listens.
    pub(super) others: Vec<End>,
    /// Whether nobody has accepted it yet.
    pub(super) pending: bool,
}

/// The other end of a socket.
enum Other {
    Socket(u64),
    /// A socket that listens, whose owner has still to accept the connection.
    Listening(u64),
}

impl Wires {
    /// Who has the other end of what a thread waits for; why that is not known, or may be anybody.
    pub(super) fn wire(&self, task: Task, fd: Fd) -> Result<Wire, String> {
        let Some(link) = ends::link(task, fd.fd) else {
            return Err(format!(
                "fd {} is no pipe and no socket between processes",
                fd.fd
            ));
        };
        let (other, pending) = match link.starts_with("pipe:") {
            true => (link.clone(), false),
            false => {
                let inode = ends::inode(&link).unwrap_or_default();
                match self.other(task, inode) {
                    Some(Other::Socket(peer)) => (format!("socket:[{peer}]"), false),
                    Some(Other::Listening(socket)) => (format!("socket:[{socket}]"), true),
                    None => {
                        return Err(format!(
                            "who is at the other end of fd {} ({link}) is not known",
                            fd.fd
                        ));
                    }
                }
            }
        };
        self.held(task, fd, link, &other, pending)
    }

    /// Who listens where a thread wants to be connected with a Unix socket of this name.
    pub(super) fn listener(&self, task: Task, fd: i32, name: &[u8]) -> Result<Wire, String> {
        let unix = self.unix.get_or_init(|| socket_peers::unix(task));
        let listening = unix.as_ref().and_then(|unix| unix.listening(name));
        let Some(listening) = listening else {
            return Err(format!(
                "who listens where fd {fd} is to be connected is not known"
            ));
        };
        let link = format!("socket:[{listening}]");
        let fd = Fd {
            fd,
            reads: true,
            writes: true,
        };
        self.held(task, fd, link.clone(), &link, true)
    }

    /// A wire whose other end is `other`, with those who have that open.
    fn held(
        &self,
        task: Task,
        fd: Fd,
        link: String,
        other: &str,
        pending: bool,
    ) -> Result<Wire, String> {
        let all = self.ends.get_or_init(ends::Ends::of_all);
        let session = task.stat().map(|stat| stat.session);
        let near = |(_, other): &&(i32, i32)| session.is_none_or(|session| session == *other);
        if let Some((pid, _)) = all.unreadable.iter().find(near) {
            return Err(format!(
                "process {pid}, which may not be looked at, could have the other end of fd {}",
                fd.fd
            ));
        }
        let is_pipe = link.starts_with("pipe:");
        let uses = |end: &End| !is_pipe || (fd.reads && end.writes) || (fd.writes && end.reads);
        let others: Vec<End> = all.of(other).into_iter().filter(uses).collect();
        match others.is_empty() {
            true => Err(format!(
                "nobody has the other end of fd {}, so the wait ends",
                fd.fd
            )),
            false => Ok(Wire {
                link,
                others,
                pending,
            }),
        }
    }

    /// The socket at the other end of a connection, if it is on this machine.
    fn other(&self, task: Task, inode: u64) -> Option<Other> {
        let unix = self.unix.get_or_init(|| socket_peers::unix(task));
        if let Some(unix) = unix {
            if let Some(peer) = unix.peer(inode) {
                return Some(Other::Socket(peer));
            }
            if let Some(listening) = unix.awaited(inode) {
                return Some(Other::Listening(listening));
            }
        }
        let tcp = self.tcp.get_or_init(|| TcpSockets::of(task));
        let accepted = tcp.peer(inode).map(Other::Socket);
        accepted.or_else(|| tcp.awaited(inode).map(Other::Listening))
    }
}

/// A process that a descriptor stands for, as the process that has it counts.
pub(super) fn process_of(task: Task, fd: i32) -> Option<i32> {
    call::child_of_fd(task, fd)
}

/// Everybody who has one of these ends: all threads of those processes but `waiter` itself, or the one
/// thread of a process that alone uses it. A process that is no member may do anything.
pub(super) fn ends_of(members: &[Member], others: &[End], waiter: i32) -> Ends {
    let mut tids = Vec::new();
    for end in others {
        let Some(member) = members.iter().find(|member| member.pid == end.pid) else {
            return Ends::open(format!(
                "process {}, which is not of the family, has the other end",
                end.pid
            ));
        };
        let tids_of = match sharers::server(member, end.fd) {
            Some(server) => vec![server],
            None => member.tids(),
        };
        tids.extend(tids_of.into_iter().filter(|tid| *tid != waiter));
    }
    Ends::of(tids)
}
