//! Addresses hold no login: they are shown in logs, errors and `/readyz`.

use crate::failure::{Failure, Outcome};

/// Where Kafka's login belongs.
const OF_KAFKA: &str = "the user belongs into [kafka] sasl_username, the password into the file of \
                        sasl_password_file or into SENDTALLY_KAFKA_PASSWORD";

/// Refuses an address with a login and does not show it; `instead` says where that belongs. A
/// password may hold any sign, so one `@` anywhere is enough.
pub(super) fn without_login(key: &str, address: &str, instead: &str) -> Outcome<()> {
    if !address.contains('@') {
        return Ok(());
    }
    Err(Failure::usage(format!("{key} has a login in it (NAME:PASSWORD@): take it out; {instead}")))
}

/// The same of a list of brokers.
pub(crate) fn brokers_without_login(key: &str, brokers: &str) -> Outcome<()> {
    without_login(key, brokers, OF_KAFKA)?;
    if brokers.contains("://") {
        return Err(Failure::usage(format!(
            "{key} are HOST:PORT, separated by commas; {OF_KAFKA}"
        )));
    }
    Ok(())
}
