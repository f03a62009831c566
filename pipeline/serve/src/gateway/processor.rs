//! Processor time of the whole process, as Linux accounts it: threads that ended are in it.

/// Microseconds of a tick in `/proc/<pid>/stat` (USER_HZ, 100 on Linux).
const TICK_US: i64 = 10_000;

/// User and system time of this process; `None` where there is no `/proc`.
pub(super) fn own_us() -> Option<i64> {
    of_stat(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Fields 14 and 15, `utime` and `stime`. The second is the name in parentheses, which may hold
/// spaces and parentheses itself, so they are counted from behind it.
fn of_stat(stat: &str) -> Option<i64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_ascii_whitespace().skip(11).map(str::parse::<i64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    user.checked_add(system)?.checked_mul(TICK_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_behind_any_name() {
        let fields = "S 1 2 3 0 -1 4194560 100 200 0 0 12 34 56 78 20 0 9 0 1000 1 2 3";
        for name in ["sendtally", "a b", "a) 1 (b"] {
            assert_eq!(of_stat(&format!("4711 ({name}) {fields}\n")), Some(460_000), "{name}");
        }
        for text in ["", "4711 (a", "4711 (a) S 1 2", "4711 (a) S 1 2 3 0 -1 4 1 2 0 0 x 34"] {
            assert_eq!(of_stat(text), None, "{text}");
        }
    }
}
