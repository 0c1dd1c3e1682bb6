//! Source paths as gdb prints them. addr2line joins the compilation folder, the folder of the line
//! table and the file name; gdb leaves the compilation folder out (`./nptl/futex-internal.c`,
//! `Python/ceval.c`), unless the compiler was given an absolute path.

use super::Reader;
use gimli::UnitRef;

/// A source path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Printed {
    /// As gdb prints it.
    pub(super) file: String,
    /// The compilation folder, when `file` is relative to it.
    pub(super) directory: Option<String>,
}

/// Takes the compilation folder of `unit` off the joined path.
pub(super) fn as_gdb_prints(unit: &UnitRef<'_, Reader>, path: &str) -> Printed {
    let text = |reader: &Reader| String::from_utf8_lossy(reader.bytes()).into_owned();
    let directory = unit.comp_dir.as_ref().map(text).unwrap_or_default();
    let name = unit.name.as_ref().map(text).unwrap_or_default();
    relative(path, &directory, &name)
}

fn relative(path: &str, directory: &str, unit_name: &str) -> Printed {
    let absolute = || Printed {
        file: path.to_owned(),
        directory: None,
    };
    // The main file of a unit that was compiled by its absolute path.
    if path == unit_name || directory.is_empty() {
        return absolute();
    }
    let rest = path.strip_prefix(directory).and_then(|rest| {
        rest.strip_prefix('/')
            .or(directory.ends_with('/').then_some(rest))
    });
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Printed {
            file: rest.to_owned(),
            directory: Some(directory.to_owned()),
        },
        _ => absolute(),
    }
}

#[cfg(test)]
mod tests {
    use super::relative;

    #[test]
    fn the_compilation_folder_is_left_out() {
        let file = |path, directory, unit| relative(path, directory, unit).file;
        assert_eq!(
            file("/b/py/Python/ceval.c", "/b/py", "Python/ceval.c"),
            "Python/ceval.c"
        );
        assert_eq!(file("/b/py/./a.c", "/b/py", "./a.c"), "./a.c");
        assert_eq!(file("/b/py/a.c", "/b/py", "/b/py/a.c"), "/b/py/a.c");
        assert_eq!(file("/usr/include/x.h", "/b/py", "a.c"), "/usr/include/x.h");
        assert_eq!(file("/b/python/x.h", "/b/py", "a.c"), "/b/python/x.h");
        assert_eq!(file("/b/py/../x.h", "/b/py", "a.c"), "../x.h");
        assert_eq!(file("a.c", "", "a.c"), "a.c");
    }
}
