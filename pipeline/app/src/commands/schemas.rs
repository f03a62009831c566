//! `sendtally schemas`: prints what is generated from `schemas/*.toml` and from the adapters.

use std::io::Write;

use super::{stdout, written};
use crate::cli::SchemasArgs;
use crate::failure::{Failure, Outcome};

pub(crate) fn run(args: &SchemasArgs) -> Outcome<()> {
    let page = if args.markdown {
        model::schema::documentation()
    } else if args.clickhouse {
        sink::clickhouse::page()
    } else if args.sources {
        normalize::catalogue::page(&args.fixtures)
            .map_err(|error| Failure::usage(format!("{error}; say --fixtures DIR")))?
    } else {
        return Err(Failure::usage("say --markdown, --clickhouse or --sources"));
    };
    let mut out = stdout();
    written(out.write_all(page.as_bytes()).and_then(|()| out.flush()))
}
