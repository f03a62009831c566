//! `sendtally sql`: one read-only statement over the tables of a data directory.

use std::io::Write;

use window::{OutputFormat, Session};

use super::stdout;
use crate::cli::{SqlArgs, SqlFormat};
use crate::failure::Outcome;
use crate::place;
use crate::tables::snapshot;

/// The view over `charges`.
const SPEND: &str = "spend";

pub(crate) fn run(args: &SqlArgs) -> Outcome<()> {
    let dir = place::read_named(&args.place)?;
    // A table that the text does not name is not read.
    let text = args.query.to_lowercase();
    let names = |table: &str| text.contains(table) || (table == "charges" && text.contains(SPEND));
    let session = Session::open(snapshot(&dir, names)?.tables)?;
    let format = match args.format {
        SqlFormat::Table => OutputFormat::Table,
        SqlFormat::Csv => OutputFormat::Csv,
        SqlFormat::Json => OutputFormat::Json,
        SqlFormat::Arrow => OutputFormat::Arrow,
    };
    let mut out = stdout();
    session.write(&args.query, format, &mut out)?;
    super::written(out.flush())
}
