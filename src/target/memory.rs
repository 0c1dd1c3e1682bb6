//! Reading the target's memory: the one trait everything above stands on, and checked typed
//! reads over it.

use crate::addr::Addr;
use crate::bytes;
use std::borrow::Cow;
use std::fmt;

/// Why bytes could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// No mapping is there.
    Unmapped,
    /// The core left the page out, and no matching file on disk supplies it.
    NotDumped,
    /// The core file is cut before these bytes.
    Cut,
    /// The kernel refused (errno).
    Refused(i32),
    /// The size asked for is absurd.
    TooLarge,
    /// A string had no end within its limit, or a structure did not make sense.
    Malformed,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Unmapped => write!(f, "nothing is mapped there"),
            Why::NotDumped => write!(f, "the core leaves it out and no matching file has it"),
            Why::Cut => write!(f, "the core file is cut before it"),
            Why::Refused(errno) => write!(f, "the kernel refused (errno {errno})"),
            Why::TooLarge => write!(f, "the size is absurd"),
            Why::Malformed => write!(f, "what is there makes no sense"),
        }
    }
}

/// A failed read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot read {addr}: {why}")]
pub struct Fault {
    /// The first address that could not be read.
    pub addr: Addr,
    /// Why.
    pub why: Why,
}

/// The most bytes one read may ask for: a damaged size must not make pydbg allocate gigabytes.
pub const MOST_BYTES: usize = 64 << 20;

/// The memory of a target.
pub trait Memory: Send + Sync {
    /// Fills `buf` from `addr`, whole or not at all.
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault>;

    /// The bytes without a copy, where the backing store has them in one piece.
    fn borrow(&self, _addr: Addr, _len: usize) -> Option<&[u8]> {
        None
    }

    /// The runs of bytes between two addresses that can be lent in one piece each, by address.
    /// None for what is fetched only when it is read.
    fn runs(&self, _start: Addr, _end: Addr) -> Vec<(Addr, Addr)> {
        Vec::new()
    }

    /// Says that these bytes are about to be read, so that a backing store that needs a system
    /// call for each read (a live process) can get them together.
    fn prefetch(&self, _ranges: &[(Addr, usize)]) {}

    /// Says that most of what there is will be read, in no order, so that a backing store on disk can
    /// be read in its own.
    fn expect_all(&self) {}
}

impl dyn Memory + '_ {
    /// `len` bytes at `addr`, borrowed where possible.
    pub fn bytes(&self, addr: Addr, len: usize) -> Result<Cow<'_, [u8]>, Fault> {
        if len > MOST_BYTES {
            return Err(Fault {
                addr,
                why: Why::TooLarge,
            });
        }
        if let Some(slice) = self.borrow(addr, len) {
            return Ok(Cow::Borrowed(slice));
        }
        let mut buf = vec![0; len];
        self.read(addr, &mut buf)?;
        Ok(Cow::Owned(buf))
    }

    /// `N` bytes at `addr`.
    pub fn array<const N: usize>(&self, addr: Addr) -> Result<[u8; N], Fault> {
        let mut buf = [0; N];
        match self
            .borrow(addr, N)
            .and_then(|slice| bytes::array_at(slice, 0))
        {
            Some(array) => Ok(array),
            None => self.read(addr, &mut buf).map(|()| buf),
        }
    }

    /// The unsigned byte at `addr`.
    pub fn u8(&self, addr: Addr) -> Result<u8, Fault> {
        self.array::<1>(addr).map(|[byte]| byte)
    }

    /// The unsigned 16-bit word at `addr`.
    pub fn u16(&self, addr: Addr) -> Result<u16, Fault> {
        self.array(addr).map(u16::from_le_bytes)
    }

    /// The unsigned 32-bit word at `addr`.
    pub fn u32(&self, addr: Addr) -> Result<u32, Fault> {
        self.array(addr).map(u32::from_le_bytes)
    }

    /// The signed 32-bit word at `addr`.
    pub fn i32(&self, addr: Addr) -> Result<i32, Fault> {
        self.array(addr).map(i32::from_le_bytes)
    }

    /// The unsigned 64-bit word at `addr`.
    pub fn u64(&self, addr: Addr) -> Result<u64, Fault> {
        self.array(addr).map(u64::from_le_bytes)
    }

    /// The signed 64-bit word at `addr`.
    pub fn i64(&self, addr: Addr) -> Result<i64, Fault> {
        self.array(addr).map(i64::from_le_bytes)
    }

    /// The pointer at `addr`.
    pub fn ptr(&self, addr: Addr) -> Result<Addr, Fault> {
        self.u64(addr).map(Addr)
    }

    /// The bytes of the C string at `addr`, without its NUL. Longer than `most` is malformed.
    pub fn cstr(&self, addr: Addr, most: usize) -> Result<Vec<u8>, Fault> {
        const STEP: u64 = 256;
        let mut out: Vec<u8> = Vec::new();
        let mut at = addr;
        while out.len() < most {
            // Steps end at multiples of 256, so that a string at the end of a mapping is read.
            let len = (STEP - at.0 % STEP) as usize;
            let (chunk, fault) = match self.bytes(at, len) {
                Ok(chunk) => (chunk, None),
                // The core may be cut behind the string: take what lies before the fault.
                Err(fault) => {
                    let before = fault.addr.since(at).unwrap_or(0).min(len as u64);
                    (self.bytes(at, before as usize)?, Some(fault))
                }
            };
            if let Some(nul) = chunk.iter().position(|&b| b == 0) {
                out.extend(chunk.iter().take(nul));
                return Ok(out);
            }
            if let Some(fault) = fault {
                return Err(fault);
            }
            out.extend_from_slice(&chunk);
            at = at.add(len as u64);
        }
        Err(Fault {
            addr,
            why: Why::Malformed,
        })
    }
}
