//! Detection quality on labelled series: `cargo run --release -p score --example quality -- DIR`.
//!
//! DIR holds a folder a group, each with files `TimeStamp,Value,Label`. The first 15 % of each
//! series are not judged. One threshold serves a whole group: the best one, found afterwards, which
//! is what the published tables do too. An event (a run of labelled rows) counts as found when an
//! alarm falls on it no later than three rows after its start; each run of alarm rows that touches
//! no event is one false alarm.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::fs;
use std::path::Path;

use score::anomaly::score_rows;

const DELAY: usize = 3;
const WARM_UP: f64 = 0.15;

struct Series {
    scores: Vec<f64>,
    labels: Vec<bool>,
}

#[derive(Default)]
struct Counts {
    found: f64,
    missed: f64,
    false_alarms: f64,
}

impl Counts {
    fn f1(&self) -> f64 {
        2.0 * self.found / (2.0 * self.found + self.missed + self.false_alarms).max(1.0)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::args().nth(1).unwrap_or("../shared/data/labelled-series".into());
    let mut groups: Vec<_> = fs::read_dir(root)?.collect::<Result<_, _>>()?;
    groups.sort_by_key(fs::DirEntry::file_name);
    println!(
        "{:38} {:>8} {:>8} {:>9} {:>14}",
        "group", "event F1", "point F1", "threshold", "alarms/1k rows"
    );
    let mut pooled = Vec::new();
    for group in groups.iter().filter(|group| group.path().is_dir()) {
        let series = read_group(&group.path())?;
        let name = group.file_name().to_string_lossy().into_owned();
        report(&name, &series);
        pooled.extend(series);
    }
    report("all, one threshold", &pooled);
    Ok(())
}

fn report(name: &str, series: &[Series]) {
    let thresholds = (1..200).map(|step| f64::from(step) * 0.04);
    let best = |judge: fn(&Series, f64) -> Counts| {
        thresholds
            .clone()
            .map(|threshold| (total(series, threshold, judge).f1(), threshold))
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .unwrap_or_default()
    };
    let (event, threshold) = best(by_event);
    let (point, _) = best(by_point);
    let rows: usize = series.iter().map(|series| series.scores.len()).sum();
    let alarms = total(series, threshold, by_event).false_alarms * 1000.0 / rows as f64;
    println!("{name:38} {event:8.3} {point:8.3} {threshold:9.2} {alarms:14.2}");
}

fn total(series: &[Series], threshold: f64, judge: fn(&Series, f64) -> Counts) -> Counts {
    let mut sum = Counts::default();
    for series in series {
        let counts = judge(series, threshold);
        sum.found += counts.found;
        sum.missed += counts.missed;
        sum.false_alarms += counts.false_alarms;
    }
    sum
}

fn by_point(series: &Series, threshold: f64) -> Counts {
    let mut counts = Counts::default();
    for (score, label) in series.scores.iter().zip(&series.labels) {
        match (*score >= threshold, label) {
            (true, true) => counts.found += 1.0,
            (true, false) => counts.false_alarms += 1.0,
            (false, true) => counts.missed += 1.0,
            (false, false) => {}
        }
    }
    counts
}

fn by_event(series: &Series, threshold: f64) -> Counts {
    let mut counts = Counts::default();
    for (start, end) in runs(&series.labels) {
        let timely = &series.scores[start..end.min(start + DELAY + 1)];
        if timely.iter().any(|score| *score >= threshold) {
            counts.found += 1.0;
        } else {
            counts.missed += 1.0;
        }
    }
    let alarms: Vec<bool> = series.scores.iter().map(|score| *score >= threshold).collect();
    for (start, end) in runs(&alarms) {
        if !series.labels[start..end].iter().any(|label| *label) {
            counts.false_alarms += 1.0;
        }
    }
    counts
}

/// Runs of `true` as half-open ranges.
fn runs(flags: &[bool]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in flags.iter().enumerate().filter(|(_, flag)| **flag) {
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end += 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

fn read_group(folder: &Path) -> Result<Vec<Series>, Box<dyn std::error::Error>> {
    let mut files: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    files.iter().map(|file| read_series(&file.path())).collect()
}

fn read_series(file: &Path) -> Result<Series, Box<dyn std::error::Error>> {
    let text = fs::read_to_string(file)?;
    let mut rows = Vec::new();
    let mut labels = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').map(|field| field.trim_matches('"')).collect();
        let [time, value, label] = fields[..] else { continue };
        rows.push((time_us(time)?, value.parse::<f64>().unwrap_or(f64::NAN)));
        labels.push(label == "1");
    }
    let skip = (rows.len() as f64 * WARM_UP) as usize;
    let scores: Vec<f64> = score_rows(rows).skip(skip).collect();
    Ok(Series { scores, labels: labels.split_off(skip) })
}

/// `YYYY-MM-DD hh:mm:ss` or the same with `T`, as microseconds of a calendar whose months have
/// their true lengths (days from civil after Howard Hinnant).
fn time_us(text: &str) -> Result<i64, Box<dyn std::error::Error>> {
    let part = |range: std::ops::Range<usize>| -> Result<i64, Box<dyn std::error::Error>> {
        Ok(text.get(range).ok_or("short time")?.parse()?)
    };
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    let seconds = days * 86_400 + part(11..13)? * 3_600 + part(14..16)? * 60 + part(17..19)?;
    Ok(seconds * 1_000_000)
}
