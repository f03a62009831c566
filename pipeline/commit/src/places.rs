//! For tests: a data directory on disk, and the same on a store in memory, where each process has
//! a directory of its own.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::memory::InMemory;

use crate::datadir::{Access, DataDir, random_hex};
use crate::remote::Remote;

/// Where a test's processes meet.
pub(crate) struct Place {
    root: PathBuf,
    store: Option<Arc<InMemory>>,
    made: RefCell<usize>,
}

/// Runs a test on a shared directory, and on a store.
pub(crate) fn both(name: &str, test: impl Fn(&Place)) {
    for store in [None, Some(Arc::new(InMemory::new()))] {
        let root = std::env::temp_dir().join(format!("sendtally-{name}-{}", random_hex().unwrap()));
        let place = Place { root, store, made: RefCell::new(0) };
        test(&place);
        drop(fs::remove_dir_all(&place.root));
    }
}

impl Place {
    pub(crate) fn is_stored(&self) -> bool {
        self.store.is_some()
    }

    pub(crate) fn remote(&self) -> Remote {
        let store = self.store.clone().unwrap();
        Remote::over(store, "a/prefix", "memory").unwrap()
    }

    /// As another process opens it: the same directory, or an empty one on the same store.
    pub(crate) fn dir(&self) -> DataDir {
        if self.store.is_none() {
            return DataDir::open(&self.root).unwrap();
        }
        let number = self.made.replace_with(|made| *made + 1);
        let root = self.root.join(number.to_string());
        fs::create_dir_all(&self.root).unwrap();
        DataDir::open_on(&root, self.remote(), Access::Write).unwrap()
    }

    /// Whether a file is there, for everybody.
    pub(crate) fn has(&self, dir: &DataDir, key: &str) -> bool {
        match &self.store {
            None => dir.root().join(key).exists(),
            Some(_) => self.remote().size(key).unwrap().is_some(),
        }
    }

    /// Another process deletes a file.
    pub(crate) fn delete(&self, dir: &DataDir, key: &str) {
        match &self.store {
            None => fs::remove_file(dir.root().join(key)).unwrap(),
            Some(_) => self.remote().delete(key).unwrap(),
        }
    }
}
