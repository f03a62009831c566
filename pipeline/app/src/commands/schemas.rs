//! `sendtally schemas`: prints what is generated from `schemas/*.toml`.

use std::io::Write;

use super::{stdout, written};
use crate::cli::SchemasArgs;
use crate::failure::{Failure, Outcome};

pub(crate) fn run(args: &SchemasArgs) -> Outcome<()> {
    let page = match (args.markdown, args.clickhouse) {
        (true, _) => model::schema::documentation(),
        (false, true) => sink::clickhouse::page(),
        (false, false) => return Err(Failure::usage("say --markdown or --clickhouse")),
    };
    let mut out = stdout();
    written(out.write_all(page.as_bytes()).and_then(|()| out.flush()))
}
