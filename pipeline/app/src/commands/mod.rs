//! One module a command.

mod dead_letters;

mod demo;

mod gateway;

mod load;

mod normalize;

mod run;

mod schemas;

mod score;

mod simulate;

mod slo;

mod sql;

mod verify;

use std::io::Write;
use std::path::Path;

use ::normalize::{Normalizer, Settings};
use ingest::FileShape;
use model::record::Input;

use crate::cli::Command;
use crate::failure::{Failure, Outcome};

/// Runs a command.
pub(crate) fn dispatch(command: Command) -> Outcome<()> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Gateway(args) => gateway::run(&args),
        Command::Normalize(args) => normalize::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Sql(args) => sql::run(&args),
        Command::DeadLetters(command) => dead_letters::run(&command),
        Command::Score(args) => score::run(&args),
        Command::Slo(command) => slo::run(&command),
        Command::Verify(args) => verify::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Schemas(args) => schemas::run(&args),
    }
}

/// Standard output, locked and buffered.
fn stdout() -> std::io::BufWriter<std::io::StdoutLock<'static>> {
    std::io::BufWriter::new(std::io::stdout().lock())
}

/// A closed pipe (`| head`) is no failure of ours.
fn written(result: std::io::Result<()>) -> Outcome<()> {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::dependency(format!("cannot write the output: {error}")))
        }
        _ => Ok(()),
    }
}

/// One line on standard error; that it may be closed does not matter.
fn note(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// A source by its word.
fn source(word: Option<&str>) -> Outcome<Option<model::vocabulary::Source>> {
    let Some(word) = word else { return Ok(None) };
    let source = model::vocabulary::Source::parse(word);
    source.map(Some).ok_or_else(|| {
        let known = model::vocabulary::Source::WORDS.join(", ");
        Failure::usage(format!("the source `{word}` is unknown; known: {known}"))
    })
}

/// Refuses files whose records no adapter would read: without a source every one of them would be a
/// dead letter.
fn needs_source(
    source: Option<model::vocabulary::Source>,
    shape: &crate::cli::Shape,
) -> Outcome<()> {
    match source {
        None if !shape.records => {
            Err(Failure::usage("--source is needed: only --records name one in their headers"))
        }
        _ => Ok(()),
    }
}

/// What is to be said of a file that gave nothing line by line, where it is one payload.
fn whole_advice(
    file: &Path,
    bytes: &[u8],
    settings: &Settings,
    (input, inputs): (u32, &[Input]),
) -> Outcome<Option<String>> {
    let mut looking = Normalizer::new(settings.clone());
    let mut gives = false;
    ingest::read_bytes(bytes, FileShape::Whole, input, |batch| -> Outcome<()> {
        let normalized = looking.batch(&batch, inputs)?;
        gives |= normalized.tallies.iter().any(|tally| tally.events + tally.charges > 0);
        Ok(())
    })?;
    let advice = || format!("{} is one payload and not one a line: give --whole", file.display());
    Ok(gives.then(advice))
}

/// How files hold their records.
const fn shape(args: &crate::cli::Shape) -> FileShape {
    match (args.whole, args.records) {
        (true, _) => FileShape::Whole,
        (false, true) => FileShape::Records,
        (false, false) => FileShape::Lines,
    }
}
