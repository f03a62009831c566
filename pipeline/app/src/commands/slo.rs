//! `sendtally slo check`: validates objectives and tells which tiers can fire.

use std::io::Write;

use super::{stdout, written};
use crate::aggregate::ARITHMETIC;
use crate::cli::SloCommand;
use crate::failure::{Failure, Outcome};

pub(crate) fn run(command: &SloCommand) -> Outcome<()> {
    let SloCommand::Check { files } = command;
    let mut texts = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
        texts.push((file.display().to_string(), text));
    }
    let report = alert::check::check(&texts, &ARITHMETIC);
    let mut out = stdout();
    written(out.write_all(report.text.as_bytes()).and_then(|()| out.flush()))?;
    if report.errors > 0 {
        return Err(Failure::check(format!("{} errors", report.errors)));
    }
    Ok(())
}
