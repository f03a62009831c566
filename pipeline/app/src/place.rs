//! Opens data directories: local ones, and those that are the cache of an object store.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use commit::{Access, DataDir, Remote, StoreSettings};

use crate::cli::Place;
use crate::failure::{Failure, Outcome};
use crate::telemetry::Telemetry;

/// A directory whose chains this process is going to own.
pub(crate) fn open(data: &Path, store: Option<&StoreSettings>) -> Outcome<DataDir> {
    local(data)?;
    let Some(store) = store else { return Ok(DataDir::open(data)?) };
    Ok(DataDir::open_on(data, Remote::new(store)?, Access::Write)?)
}

/// Refuses the address of a store, which may hold a login and is not shown.
fn local(data: &Path) -> Outcome<()> {
    if !data.to_string_lossy().contains("://") {
        return Ok(());
    }
    Err(Failure::usage(
        "--data (`data_dir`) is a directory of this machine: the address of a store goes into \
         --store ([data] store)",
    ))
}

/// What the command line names, to own it.
pub(crate) fn open_named(place: &Place) -> Outcome<DataDir> {
    open(&place.data, place.store.as_deref().map(StoreSettings::at).as_ref())
}

/// What the command line names, to read what is there.
pub(crate) fn read_named(place: &Place) -> Outcome<DataDir> {
    read(&place.data, place.store.as_deref().map(StoreSettings::at).as_ref())
}

/// A directory of which this process reads what is there.
pub(crate) fn read(data: &Path, store: Option<&StoreSettings>) -> Outcome<DataDir> {
    local(data)?;
    if let Some(store) = store {
        return Ok(DataDir::open_on(data, Remote::new(store)?, Access::Read)?);
    }
    if !data.join("FORMAT").exists() {
        return Err(Failure::usage(format!(
            "{} is no data directory; give the one of `run`, `load` or `demo`",
            data.display()
        )));
    }
    Ok(DataDir::open(data)?)
}

/// From here on a store that is away is waited for, as a full disk is, and that is said.
pub(crate) fn wait_for_store(dir: &DataDir, stop: &Arc<AtomicBool>, telemetry: &Arc<Telemetry>) {
    let Some(remote) = dir.remote() else { return };
    let telemetry = Arc::clone(telemetry);
    let told = move |why: Option<&str>| {
        telemetry.lock().paused = why.map(str::to_owned);
        match why {
            Some(error) => tracing::error!(error, "the object store is away: ingest pauses"),
            None => tracing::warn!("the object store answers again: ingest goes on"),
        }
    };
    remote.wait_while(stop, Box::new(told));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_store_is_no_directory_and_is_not_shown() {
        let data = Path::new("s3://AKIA:hunter2@bucket/prefix");
        for refused in [open(data, None), read(data, None)].map(Result::unwrap_err) {
            let told = refused.to_string();
            assert_eq!(refused.code(), 2);
            assert!(told.contains("--store") && !told.contains("hunter2"), "{told}");
        }
    }
}
