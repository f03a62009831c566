//! Every fixture against its `.expected.jsonl`: the canonical lines, the charge lines, then one
//! line of counts and dead letters. `SENDTALLY_BLESS=1` rewrites them; read what it wrote.

use std::path::Path;

use normalize::Normalized;
use serde_json::json;

use crate::fixtures::{Case, charge_text, files, run, text};

fn actual(normalized: &Normalized) -> String {
    let dead: Vec<_> = normalized
        .dead
        .iter()
        .map(|dead| json!([dead.element, dead.reason.as_str(), dead.detail]))
        .collect();
    let tally = &normalized.tallies[0];
    let mut counts = json!({
        "elements": tally.elements,
        "events": tally.events,
        "ignored": tally.ignored,
        "dead": dead,
    });
    if tally.charges > 0 {
        counts["charges"] = json!(tally.charges);
    }
    format!("{}{}{counts}\n", text(normalized), charge_text(normalized))
}

fn expected_path(path: &Path) -> std::path::PathBuf {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let stem = name.split('.').next().unwrap();
    path.with_file_name(format!("{stem}.expected.jsonl"))
}

#[test]
fn fixtures_give_their_expected_lines() {
    let bless = std::env::var_os("SENDTALLY_BLESS").is_some();
    let mut wrong = Vec::new();
    let files = files();
    assert!(files.len() > 60, "fixtures are missing: {}", files.len());
    for (source, path) in files {
        let actual = actual(&run(Some(source), &[Case::file(&path)]));
        let expected_path = expected_path(&path);
        if bless {
            std::fs::write(&expected_path, &actual).unwrap();
        }
        if std::fs::read_to_string(&expected_path).unwrap_or_default() != actual {
            wrong.push(format!("{}\n{actual}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
