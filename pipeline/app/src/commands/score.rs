//! `sendtally score`: online anomaly scores of a CSV series, `timestamp,score` rows.

use std::io::Write;

use model::time::{SECOND_US, parse_local, parse_rfc3339};

use super::{note, stdout, written};
use crate::cli::ScoreArgs;
use crate::failure::{Failure, Outcome};

pub(crate) fn run(args: &ScoreArgs) -> Outcome<()> {
    let path = args.file.display();
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| Failure::usage(format!("cannot read {path}: {error}")))?;
    let mut lines = text.lines().enumerate();
    let header = lines.next().map(|(_, line)| fields(line)).unwrap_or_default();
    let column = |name: &str| {
        header.iter().position(|column| column == name).ok_or_else(|| {
            Failure::usage(format!("{path} has no column `{name}`; it has {}", header.join(", ")))
        })
    };
    let (time_at, value_at) = (column(&args.time_column)?, column(&args.value_column)?);
    let mut spelled = Vec::new();
    let mut rows = Vec::new();
    let mut disorder = false;
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let fields = fields(line);
        let bad = |what: &str| {
            Failure::usage(format!("{path}, line {}: {what} cannot be read", number + 1))
        };
        let time = fields.get(time_at).ok_or_else(|| bad("the time"))?;
        let time_us = instant(time).ok_or_else(|| bad("the time"))?;
        if !disorder && rows.last().is_some_and(|(last_us, _)| time_us < *last_us) {
            disorder = true;
            note(&format!(
                "{path}, line {}: {time} is before the line above; each score is from the lines \
                 above it, whatever their times: sort the file by {} for better ones",
                number + 1,
                args.time_column
            ));
        }
        // A gap in the series scores as usual; the detector passes over it.
        let value = match fields.get(value_at).map(|value| value.trim()) {
            None | Some("") => f64::NAN,
            Some(value) => value.parse().map_err(|_| bad(&format!("the value `{value}`")))?,
        };
        spelled.push(time.clone());
        rows.push((time_us, value));
    }
    let mut out = stdout();
    written(writeln!(out, "timestamp,score"))?;
    for (time, score) in spelled.iter().zip(score::anomaly::score_rows(rows)) {
        written(writeln!(out, "{time},{score}"))?;
    }
    written(out.flush())
}

/// Fields of a CSV line; quotes around a field are taken off.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for letter in line.trim_end_matches('\r').chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => {
                if let Some(field) = fields.last_mut() {
                    field.push(other);
                }
            }
        }
    }
    fields
}

/// RFC 3339, a local time or a date taken as UTC, or Unix seconds.
fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    let seconds = || text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(SECOND_US));
    let date = || parse_local(&format!("{text} 00:00:00"));
    parse_rfc3339(text).or_else(|| parse_local(text)).or_else(seconds).or_else(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_three_spellings() {
        let expected = Some(1_732_406_400_000_000);
        assert_eq!(instant("2024-11-24T00:00:00Z"), expected);
        assert_eq!(instant("2024-11-24 00:00:00"), expected);
        assert_eq!(instant("1732406400"), expected);
        assert_eq!(instant("2024-11-24"), expected);
        assert_eq!(instant("yesterday"), None);
    }

    #[test]
    fn a_quoted_comma_is_no_border() {
        assert_eq!(fields("a,\"b,c\",d\r"), ["a", "b,c", "d"]);
    }
}
