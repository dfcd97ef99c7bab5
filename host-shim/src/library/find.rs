//! Which library is loaded, and how it was found: named, else beside the binary, else by SONAME.

use std::fmt;
use std::path::{Path, PathBuf};

/// What the dynamic linker looks for where nothing nearer was found.
pub const SONAME: &str = "libmultipop.so.1";
/// As installed, then as cargo names it.
const BESIDE: [&str; 2] = [SONAME, "libmultipop.so"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Named(PathBuf),
    Beside(PathBuf),
    Soname,
}

impl Found {
    pub fn library(named: Option<&Path>) -> Found {
        let program = std::env::current_exe().ok();
        Found::near(named, program.as_deref())
    }

    fn near(named: Option<&Path>, program: Option<&Path>) -> Found {
        if let Some(path) = named {
            return Found::Named(path.to_path_buf());
        }
        let folder = program.and_then(Path::parent);
        let beside =
            folder.and_then(|folder| BESIDE.iter().map(|name| folder.join(name)).find(|path| path.is_file()));
        beside.map_or(Found::Soname, Found::Beside)
    }

    /// What `dlopen` is given. A name without a slash is searched for, so a named file always gets one.
    pub fn path(&self) -> PathBuf {
        match self {
            Found::Named(path) if path.components().count() == 1 => Path::new(".").join(path),
            Found::Named(path) | Found::Beside(path) => path.clone(),
            Found::Soname => PathBuf::from(SONAME),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Named(path) => write!(f, "{} (as named)", path.display()),
            Found::Beside(path) => write!(f, "{} (beside this program)", path.display()),
            Found::Soname => write!(f, "{SONAME} (by name, from the system's library path)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_wins_then_beside_then_soname() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("multipop-host");
        let named = Path::new("libother.so");
        assert_eq!(Found::near(None, Some(&program)), Found::Soname);
        let built = folder.path().join("libmultipop.so");
        std::fs::write(&built, "").unwrap();
        assert_eq!(Found::near(None, Some(&program)), Found::Beside(built));
        let installed = folder.path().join(SONAME);
        std::fs::write(&installed, "").unwrap();
        assert_eq!(Found::near(None, Some(&program)), Found::Beside(installed));
        let found = Found::near(Some(named), Some(&program));
        assert_eq!(found, Found::Named(named.to_path_buf()));
        assert_eq!(found.path(), Path::new("./libother.so"));
    }
}
