//! Which socket within the machine is connected with which: the kernel tells it through a netlink
//! socket of NETLINK_SOCK_DIAG (Linux net/unix/diag.c, include/uapi/linux/unix_diag.h), and nothing
//! in /proc does. It tells of the network namespace that pydbg itself is in.

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

/// `UNIX_DIAG_PEER`: an attribute with the inode of the other end.
const PEER: u16 = 2;

/// The inodes of connected sockets, each with that of its other end; nothing where the kernel does
/// not tell, or the process is in another network namespace than pydbg.
pub fn unix(task: Task) -> Option<FxHashMap<u64, u64>> {
    let own = std::fs::read_link("/proc/self/ns/net").ok()?;
    let theirs = std::fs::read_link(task.path("ns/net")).ok()?;
    (own == theirs).then(ask)?
}

fn ask() -> Option<FxHashMap<u64, u64>> {
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )
    .ok()?;
    let fd = netlink.as_raw_fd();
    send(fd, &request(), MsgFlags::empty()).ok()?;
    let mut peers = FxHashMap::default();
    let mut buffer = vec![0; AT_ONCE];
    let mut read = 0;
    while read < MOST_READ {
        let length = recv(fd, &mut buffer, MsgFlags::empty()).ok()?;
        read += length.max(1);
        if take(buffer.get(..length)?, &mut peers)? {
            return Some(peers);
        }
    }
    None
}

/// `struct unix_diag_req` behind its header: all sockets in all states, with their peers.
fn request() -> Vec<u8> {
    /// `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST | NLM_F_DUMP` and `UDIAG_SHOW_PEER`.
    const BY_FAMILY: u16 = 20;
    const REQUEST_DUMP: u16 = 0x301;
    const SHOW_PEER: u32 = 4;
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
    for word in [u32::MAX, 0, SHOW_PEER, u32::MAX, u32::MAX] {
        out.extend(word.to_ne_bytes());
    }
    out
}

/// Takes the sockets out of a piece of the answer; whether it was the last one. `None` when the
/// kernel refuses or what it says cannot be understood.
fn take(mut piece: &[u8], peers: &mut FxHashMap<u64, u64>) -> Option<bool> {
    while piece.len() >= HEADER {
        let length = bytes::u32_at(piece, 0)? as usize;
        let message = piece.get(HEADER..length)?;
        match bytes::u16_at(piece, 4)? {
            DONE => return Some(true),
            ERROR => return None,
            _ => {
                let inode = bytes::u32_at(message, 4)?;
                if let Some(peer) = peer(message.get(MESSAGE..)?) {
                    peers.insert(inode.into(), peer.into());
                }
            }
        }
        piece = piece.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(false)
}

/// The inode of the other end, among the attributes of a socket.
fn peer(mut attributes: &[u8]) -> Option<u32> {
    while attributes.len() >= ATTRIBUTE {
        let length = usize::from(bytes::u16_at(attributes, 0)?).max(ATTRIBUTE);
        if bytes::u16_at(attributes, 2)? == PEER {
            return bytes::u32_at(attributes, ATTRIBUTE).filter(|inode| *inode != 0);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::fs::MetadataExt;
    use std::os::unix::net::UnixStream;

    #[test]
    fn both_ends_of_a_pair_know_each_other() {
        let (left, right) = UnixStream::pair().unwrap();
        let inode = |end: &UnixStream| {
            let path = format!("/proc/self/fd/{}", end.as_raw_fd());
            std::fs::metadata(path).unwrap().st_ino()
        };
        let peers = unix(Task::leader(std::process::id() as i32)).unwrap();
        assert_eq!(peers.get(&inode(&left)), Some(&inode(&right)));
        assert_eq!(peers.get(&inode(&right)), Some(&inode(&left)));
    }

    #[test]
    fn a_torn_answer_is_none() {
        let mut peers = FxHashMap::default();
        assert_eq!(take(&[0; 20], &mut peers), None);
        assert_eq!(take(&[255; 20], &mut peers), None);
        assert_eq!(take(&[], &mut peers), Some(false));
        assert_eq!(peer(&[0; 64]), None);
        assert!(peers.is_empty());
    }
}
