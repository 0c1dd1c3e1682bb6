//! Which socket within the machine is connected with which: the kernel tells it through a netlink
//! socket of NETLINK_SOCK_DIAG (Linux net/unix/diag.c, include/uapi/linux/unix_diag.h), and nothing
//! in /proc does: also which listening socket a connection waits for that nobody has accepted. It
//! tells of the network namespace that pydbg itself is in.

use super::proc::Task;
use crate::bytes;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use rustc_hash::FxHashMap;
use std::os::fd::AsRawFd;

/// The most bytes of an answer that are read, and at a time.
const MOST_READ: usize = 64 << 20;
const AT_ONCE: usize = 64 << 10;

/// `struct nlmsghdr`, `struct unix_diag_msg` and `struct nlattr`, in bytes.
const HEADER: usize = 16;
const MESSAGE: usize = 16;
const ATTRIBUTE: usize = 4;

/// `NLMSG_ERROR` and `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// `UNIX_DIAG_NAME`, `UNIX_DIAG_PEER`, `UNIX_DIAG_ICONS`: attributes with the name of a socket, with
/// the inode of the other end, and with those of the other ends of all connections to accept.
const NAME: u16 = 0;
const PEER: u16 = 2;
const ICONS: u16 = 3;

/// `TCP_LISTEN`, which Unix sockets have as well.
const LISTENS: u8 = 10;

/// The Unix sockets of a network namespace, by inode.
#[derive(Default, Debug)]
pub struct UnixSockets {
    /// Connected sockets, each with its other end.
    peers: FxHashMap<u64, u64>,
    /// Sockets whose connection has not been accepted, each with the listening socket.
    pending: FxHashMap<u64, u64>,
    /// Listening sockets by their names, as connect(2) takes them; nothing where several have it.
    listening: FxHashMap<Vec<u8>, Option<u64>>,
}

impl UnixSockets {
    /// The other end of a connected socket.
    pub fn peer(&self, inode: u64) -> Option<u64> {
        self.peers.get(&inode).copied()
    }

    /// The listening socket whose owner has still to accept the connection of this one.
    pub fn awaited(&self, inode: u64) -> Option<u64> {
        self.pending.get(&inode).copied()
    }

    /// The listening socket of this name: a path, or what stands behind a first byte of 0.
    pub fn listening(&self, name: &[u8]) -> Option<u64> {
        self.listening.get(plain(name)).copied()?
    }
}

/// The name without the zeros that may end a path.
fn plain(name: &[u8]) -> &[u8] {
    match name.first() {
        None | Some(0) => name,
        Some(_) => name.split(|byte| *byte == 0).next().unwrap_or_default(),
    }
}

/// The Unix sockets that a process can know of; nothing where the kernel does not tell, or the process
/// is in another network namespace than pydbg.
pub fn unix(task: Task) -> Option<UnixSockets> {
    let own = std::fs::read_link("/proc/self/ns/net").ok()?;
    let theirs = std::fs::read_link(task.path("ns/net")).ok()?;
    (own == theirs).then(ask)?
}

fn ask() -> Option<UnixSockets> {
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )
    .ok()?;
    let fd = netlink.as_raw_fd();
    send(fd, &request(), MsgFlags::empty()).ok()?;
    let mut sockets = UnixSockets::default();
    let mut buffer = vec![0; AT_ONCE];
    let mut read = 0;
    while read < MOST_READ {
        let length = recv(fd, &mut buffer, MsgFlags::empty()).ok()?;
        read += length.max(1);
        if take(buffer.get(..length)?, &mut sockets)? {
            return Some(sockets);
        }
    }
    None
}

/// `struct unix_diag_req` behind its header: all sockets in all states, with what is connected to them.
fn request() -> Vec<u8> {
    /// `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST | NLM_F_DUMP`; `UDIAG_SHOW_NAME`, `_PEER` and `_ICONS`.
    const BY_FAMILY: u16 = 20;
    const REQUEST_DUMP: u16 = 0x301;
    const SHOW: u32 = 1 | 4 | 8;
    const LENGTH: u32 = HEADER as u32 + 24;
    let mut out = Vec::new();
    out.extend(LENGTH.to_ne_bytes());
    out.extend(BY_FAMILY.to_ne_bytes());
    out.extend(REQUEST_DUMP.to_ne_bytes());
    // The sequence number and the sender's port.
    out.extend(1u32.to_ne_bytes());
    out.extend(0u32.to_ne_bytes());
    // The family, no protocol, padding; all states; no inode; what to show; no cookie.
    out.extend([libc::AF_UNIX as u8, 0, 0, 0]);
    for word in [u32::MAX, 0, SHOW, u32::MAX, u32::MAX] {
        out.extend(word.to_ne_bytes());
    }
    out
}

/// Takes the sockets out of a piece of the answer; whether it was the last one. `None` when the
/// kernel refuses or what it says cannot be understood.
fn take(mut piece: &[u8], sockets: &mut UnixSockets) -> Option<bool> {
    while piece.len() >= HEADER {
        let length = bytes::u32_at(piece, 0)? as usize;
        let message = piece.get(HEADER..length)?;
        match bytes::u16_at(piece, 4)? {
            DONE => return Some(true),
            ERROR => return None,
            _ => {
                let listens = *message.get(2)? == LISTENS;
                let inode = bytes::u32_at(message, 4)?;
                sockets.add(inode.into(), listens, message.get(MESSAGE..)?);
            }
        }
        piece = piece.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(false)
}

impl UnixSockets {
    /// Adds what the attributes of a socket tell.
    fn add(&mut self, inode: u64, listens: bool, attributes: &[u8]) {
        let number = |value: &[u8]| bytes::u32_at(value, 0).filter(|inode| *inode != 0);
        for (kind, value) in parts(attributes) {
            match kind {
                PEER => {
                    if let Some(peer) = number(value) {
                        self.peers.insert(inode, peer.into());
                    }
                }
                ICONS => {
                    let clients = value.chunks_exact(4).filter_map(number);
                    self.pending
                        .extend(clients.map(|client| (client.into(), inode)));
                }
                NAME if listens => {
                    let known = self.listening.entry(plain(value).to_vec());
                    known
                        .and_modify(|inode| *inode = None)
                        .or_insert(Some(inode));
                }
                _ => {}
            }
        }
    }
}

/// The attributes of a socket: their kinds and values.
fn parts(mut attributes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(bytes::u16_at(attributes, 0)?).max(ATTRIBUTE);
        let kind = bytes::u16_at(attributes, 2)?;
        let value = attributes.get(ATTRIBUTE..length)?;
        let next = attributes.get(length.next_multiple_of(4)..);
        attributes = next.unwrap_or_default();
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::fs::MetadataExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn inode(end: &impl AsRawFd) -> u64 {
        let path = format!("/proc/self/fd/{}", end.as_raw_fd());
        std::fs::metadata(path).unwrap().st_ino()
    }

    fn all() -> UnixSockets {
        unix(Task::leader(std::process::id() as i32)).unwrap()
    }

    #[test]
    fn both_ends_of_a_pair_know_each_other() {
        let (left, right) = UnixStream::pair().unwrap();
        let sockets = all();
        assert_eq!(sockets.peer(inode(&left)), Some(inode(&right)));
        assert_eq!(sockets.peer(inode(&right)), Some(inode(&left)));
        assert_eq!(sockets.awaited(inode(&left)), None);
    }

    #[test]
    fn a_connection_waits_for_a_listening_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("listener");
        let listener = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        let sockets = all();
        assert_eq!(sockets.peer(inode(&client)), None);
        assert_eq!(sockets.awaited(inode(&client)), Some(inode(&listener)));
        let mut name = path.into_os_string().into_encoded_bytes();
        assert_eq!(sockets.listening(&name), Some(inode(&listener)));
        name.extend([0, 7]);
        assert_eq!(sockets.listening(&name), Some(inode(&listener)));
        let (server, _) = listener.accept().unwrap();
        let sockets = all();
        assert_eq!(sockets.awaited(inode(&client)), None);
        assert_eq!(sockets.peer(inode(&client)), Some(inode(&server)));
    }

    #[test]
    fn a_torn_answer_is_none() {
        let mut sockets = UnixSockets::default();
        assert_eq!(take(&[0; 20], &mut sockets), None);
        assert_eq!(take(&[255; 20], &mut sockets), None);
        assert_eq!(take(&[], &mut sockets), Some(false));
        assert!(parts(&[0; 64]).all(|(_, value)| value.is_empty()));
        assert_eq!(parts(&[9, 0, 2, 0, 1]).count(), 0);
        assert!(sockets.peers.is_empty());
    }
}
