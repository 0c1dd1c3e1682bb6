//! Names as people write them: C++ (Itanium ABI) and Rust symbols demangled.

use cpp_demangle::{DemangleOptions, Symbol};
use std::fmt::{self, Write};

/// The longest name that is demangled: nested substitutions can make a short name huge.
const MOST_MANGLED: usize = 4096;
/// The longest demangled name.
const MOST_DEMANGLED: usize = 64 << 10;
/// How deeply nested a name may be.
const MOST_NESTED: u32 = 128;

/// Whether a name should have its parameters, as gdb prints names of symbols (`f(int)`), or not,
/// as it prints names of functions with debug information (`f`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parameters {
    /// `f(int)`
    Shown,
    /// `f`
    Left,
}

/// The name demangled, or as it is when it is not mangled.
pub fn demangle(name: &str, parameters: Parameters) -> String {
    let mangled = name.starts_with("_Z") || name.starts_with("_R");
    if !mangled || name.len() > MOST_MANGLED {
        return name.to_owned();
    }
    // A stub of the procedure linkage table.
    if let Some(function) = name.strip_suffix("@plt") {
        return format!("{}@plt", demangle(function, parameters));
    }
    rust(name)
        .or_else(|| cpp(name, parameters))
        .unwrap_or_else(|| name.to_owned())
}

fn rust(name: &str) -> Option<String> {
    let demangled = rustc_demangle::try_demangle(name).ok()?;
    let mut out = Bounded::default();
    // The alternate form leaves the hash out.
    write!(out, "{demangled:#}").ok()?;
    Some(out.0)
}

fn cpp(name: &str, parameters: Parameters) -> Option<String> {
    let options = DemangleOptions::new().recursion_limit(MOST_NESTED);
    let options = match parameters {
        Parameters::Shown => options,
        Parameters::Left => options.no_params().no_return_type(),
    };
    let mut out = Bounded::default();
    Symbol::new(name)
        .ok()?
        .structured_demangle(&mut out, &options)
        .ok()?;
    Some(out.0)
}

/// Text that refuses to grow beyond [`MOST_DEMANGLED`].
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MOST_DEMANGLED {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_demangled_as_gdb_does() {
        let shown = |name| demangle(name, Parameters::Shown);
        let left = |name| demangle(name, Parameters::Left);
        assert_eq!(shown("_ZN3foo3barEi"), "foo::bar(int)");
        assert_eq!(left("_ZN3foo3barEi"), "foo::bar");
        assert_eq!(
            left("_ZNKSt6vectorIiSaIiEE4sizeEv"),
            "std::vector<int, std::allocator<int> >::size"
        );
        assert_eq!(
            shown("_ZN4core3fmt5write17h0123456789abcdefE"),
            "core::fmt::write"
        );
        assert_eq!(
            shown("_PyEval_EvalFrameDefault"),
            "_PyEval_EvalFrameDefault"
        );
        assert_eq!(shown("_Z"), "_Z");
        assert_eq!(shown("_ZN3foo3barEi@plt"), "foo::bar(int)@plt");
    }
}
