//! Paths inside another root directory: a sysroot, or a container's /proc/PID/root. Symbolic links
//! are followed as the target would follow them, so an absolute link stays inside the root.
//! Mirrors path_resolution(7) and the kernel's RESOLVE_IN_ROOT, which kernels before 5.6 lack.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The most links followed, as in the kernel.
const MOST_LINKS: usize = 40;

/// Where `path` of the world under `root` lies in ours. `None` when links go in circles.
pub(super) fn resolve(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut todo: VecDeque<OsString> = names(path).collect();
    let mut inside: Vec<OsString> = Vec::new();
    let mut links = 0;
    let place = |inside: &[OsString]| {
        inside
            .iter()
            .fold(root.to_owned(), |at, name| at.join(name))
    };
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            // The parent of the root is the root.
            inside.pop();
            continue;
        }
        inside.push(name);
        let Ok(target) = std::fs::read_link(place(&inside)) else {
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            return None;
        }
        inside.pop();
        if target.is_absolute() {
            inside.clear();
        }
        for name in names(&target).rev() {
            todo.push_front(name);
        }
    }
    Some(place(&inside))
}

/// The names in a path, without `/` and `.`.
fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_stay_inside_the_root() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        std::fs::create_dir_all(at("usr/lib")).unwrap();
        symlink("/usr/lib", at("lib")).unwrap();
        symlink("../../../../usr/lib/libx.so.1", at("usr/lib/libx.so")).unwrap();
        symlink("/loop", at("loop")).unwrap();
        let found = |path: &str| resolve(root.path(), Path::new(path));
        assert_eq!(found("/lib/libx.so"), Some(at("usr/lib/libx.so.1")));
        assert_eq!(found("/../etc/passwd"), Some(at("etc/passwd")));
        assert_eq!(found("/loop"), None);
    }
}
