//! Processor time, as the kernel accounts it: of this process, and of each thread of another.
//!
//! `/proc/<pid>/task/<tid>/schedstat` holds nanoseconds on a processor. Threads are sampled while
//! the process runs and the last value counts, so what a thread does between its last sample and
//! its end is missing from its line; the total comes from the parent's account and misses nothing.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Ticks of a second in `/proc/<pid>/stat` (USER_HZ, 100 on Linux).
const TICKS: f64 = 100.0;
/// Between two samples.
pub(crate) const SAMPLE: Duration = Duration::from_millis(20);

/// Fields `utime stime cutime cstime` of this process, in seconds.
fn stat() -> [f64; 4] {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the name in parentheses and may hold spaces.
    let after = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<f64> = after.split_whitespace().map(|f| f.parse().unwrap_or(0.0)).collect();
    std::array::from_fn(|at| fields.get(11 + at).copied().unwrap_or(0.0) / TICKS)
}

/// Processor seconds of this process, its threads included.
pub(crate) fn own_s() -> f64 {
    let [user, system, ..] = stat();
    user + system
}

/// Processor seconds of the children that were waited for.
pub(crate) fn children_s() -> f64 {
    let [.., user, system] = stat();
    user + system
}

/// Adds the current seconds of each thread of a process, by the thread's id.
pub(crate) fn sample(pid: u32, threads: &mut BTreeMap<u64, (String, f64)>) {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return };
    for task in tasks.flatten() {
        let place = task.path();
        let Some(id) = task.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let (Ok(name), Ok(stat)) =
            (fs::read_to_string(place.join("comm")), fs::read_to_string(place.join("schedstat")))
        else {
            continue;
        };
        let ns: f64 = stat.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
        threads.insert(id, (name.trim().to_owned(), ns / 1e9));
    }
}

/// Seconds by thread name, numbers at its end dropped.
pub(crate) fn by_name(threads: &BTreeMap<u64, (String, f64)>) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for (name, seconds) in threads.values() {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        *sums.entry(stem.to_owned()).or_default() += seconds;
    }
    sums
}
