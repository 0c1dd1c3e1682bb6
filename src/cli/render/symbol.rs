//! Names for addresses and addresses for names.

use pydbg::Addr;
use pydbg::native::Process;

/// A symbol near an address.
pub struct Near {
    /// The demangled name.
    pub name: String,
    /// Bytes from its start.
    pub offset: u64,
    /// The section it lies in, if known.
    pub section: Option<String>,
    /// The image's path.
    pub module: String,
}

impl Near {
    /// `<name+4>`, as gdb writes it behind an address.
    pub fn bracketed(&self) -> String {
        match self.offset {
            0 => format!("<{}>", self.name),
            offset => format!("<{}+{offset}>", self.name),
        }
    }
}

/// The symbol that covers `addr`.
pub fn near(process: &Process, addr: Addr) -> Option<Near> {
    let image = process.images.at(addr)?;
    let location = process.symbol(addr)?;
    Some(Near {
        name: location.function?,
        offset: location.offset.unwrap_or(0),
        section: image.section_at(addr),
        module: image.path.clone(),
    })
}

/// The address of the symbol `name`: exported ones first, then static ones.
pub fn named(process: &Process, name: &str) -> Option<Addr> {
    let exported = process.images.exported(name).map(|(_, addr, _)| addr);
    exported.or_else(|| {
        let images = &process.images.all;
        let found = images.iter().find_map(|image| image.named(name));
        found.map(|(addr, _)| addr)
    })
}
