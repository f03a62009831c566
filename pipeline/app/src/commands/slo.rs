//! `sendtally slo check`: validates objectives and tells which tiers can fire.

use std::io::Write;

use super::{stdout, written};
use crate::cli::SloCommand;
use crate::failure::{Failure, Outcome};

pub(crate) fn run(command: &SloCommand) -> Outcome<()> {
    let SloCommand::Check { files } = command;
    let mut out = stdout();
    let mut bad = 0;
    for file in files {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
        let name = file.display().to_string();
        match std::str::from_utf8(text.as_bytes()) {
            Ok(report) => written(writeln!(out, "{report}"))?,
            Err(error) => {
                bad += 1;
                let text = crate::failure::chain(&error);
                written(writeln!(out, "{name}: {text}"))?;
            }
        }
    }
    written(out.flush())?;
    if bad > 0 {
        return Err(Failure::check(format!("{bad} of {} files are wrong", files.len())));
    }
    Ok(())
}
