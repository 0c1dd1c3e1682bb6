//! Pipes and sockets between processes: who can end a wait for data or for room. A reader waits for
//! everybody who has the writing end open, also when that is the reader itself or a child that only
//! inherited it; a pipe without any writer would have ended.

use super::call::{self, Fd};
use super::{Ends, Member};
use crate::target::ends::{self, End};
use crate::target::proc::Task;
use crate::target::{socket_peers, sockets};
use rustc_hash::FxHashMap;
use std::cell::OnceCell;
use std::net::SocketAddr;

/// The two addresses of connections, by inode.
type Connections = FxHashMap<u64, (SocketAddr, SocketAddr)>;

/// What connects the processes of the machine.
#[derive(Default)]
pub(super) struct Wires {
    ends: OnceCell<ends::Ends>,
    unix: OnceCell<Option<FxHashMap<u64, u64>>>,
    tcp: OnceCell<Connections>,
}

/// A descriptor that leads to other processes.
pub(super) struct Wire {
    /// Which: `pipe:[77]`.
    pub(super) link: String,
    /// Who has the other end open.
    pub(super) others: Vec<End>,
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
        let other = match link.starts_with("pipe:") {
            true => link.clone(),
            false => {
                let inode = ends::inode(&link).unwrap_or_default();
                let peer = self.peer(task, inode);
                let peer = peer.ok_or_else(|| {
                    format!(
                        "who is at the other end of fd {} ({link}) is not known",
                        fd.fd
                    )
                })?;
                format!("socket:[{peer}]")
            }
        };
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
        let others: Vec<End> = all.of(&other).into_iter().filter(uses).collect();
        match others.is_empty() {
            true => Err(format!(
                "nobody has the other end of fd {}, so the wait ends",
                fd.fd
            )),
            false => Ok(Wire { link, others }),
        }
    }

    /// The inode of the socket at the other end of a connection, if it is on this machine.
    fn peer(&self, task: Task, inode: u64) -> Option<u64> {
        let unix = self.unix.get_or_init(|| socket_peers::unix(task));
        if let Some(peer) = unix.as_ref().and_then(|unix| unix.get(&inode)) {
            return Some(*peer);
        }
        let tcp = self.tcp.get_or_init(|| sockets::connections(task));
        let (local, remote) = tcp.get(&inode)?;
        let mut all = tcp.iter();
        let (peer, _) = all.find(|(_, (from, to))| (from, to) == (remote, local))?;
        Some(*peer)
    }
}

/// A process that a descriptor stands for, as the process that has it counts.
pub(super) fn process_of(task: Task, fd: i32) -> Option<i32> {
    call::child_of_fd(task, fd)
}

/// Everybody who has one of these ends: all threads of those processes but `waiter` itself. A process
/// that is no member may do anything.
pub(super) fn ends_of(members: &[Member], others: &[End], waiter: i32) -> Ends {
    let mut tids = Vec::new();
    for end in others {
        let Some(member) = members.iter().find(|member| member.pid == end.pid) else {
            return Ends::open(format!(
                "process {}, which is not of the family, has the other end",
                end.pid
            ));
        };
        tids.extend(member.tids().into_iter().filter(|tid| *tid != waiter));
    }
    Ends::of(tids)
}
