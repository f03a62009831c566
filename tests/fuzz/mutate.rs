//! Mutations that know what payloads look like: words of the adapters, values for values, and
//! parts repeated until the text is long. Beside libFuzzer's own bytewise ones.

/// Small and repeatable (Marsaglia's xorshift64*): a seed is printed and found again.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From a seed; 0 would stay 0.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(if seed == 0 { 0x9e37_79b9_7f4a_7c15 } else { seed })
    }

    /// A number below `end`, 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(high).unwrap_or(0) % end.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// What stands for a value where another was.
const VALUES: [&str; 22] = [
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "-0.0000000001",
    "99999999999999999999999999",
    "9223372036854775807",
    "-9223372036854775808",
    "253402300800000",
    "\"\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"+447700900143\"",
    "\"0001-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:59.999999999+14:00\"",
    "\"2026-02-30 25:61:61\"",
    "\"é\\\"\\\\\"",
    "[]",
    "{}",
    "[[[[{\"a\":[]}]]]]",
    "%00%ff%zz",
];
/// Where values and elements begin and end, in JSON, forms, CSV and receipts.
const BORDERS: &[u8] = b"{}[]:,=&\"\n\t ;?";

/// Changes the bytes once; the result has at most `bytes_max`.
pub fn mutate(bytes: &mut Vec<u8>, words: &[String], bytes_max: usize, dice: &mut Dice) {
    match dice.below(8) {
        0 => insert_word(bytes, words, dice),
        1 | 2 => replace_value(bytes, words, dice),
        3 => repeat(bytes, bytes_max, dice),
        4 => {
            let part = part(bytes, dice);
            bytes.drain(part);
        }
        5 => {
            let from = part(bytes, dice);
            let copied = bytes.get(from).unwrap_or_default().to_vec();
            let at = dice.below(bytes.len() + 1);
            bytes.splice(at..at, copied);
        }
        6 => bytes.truncate(dice.below(bytes.len() + 1)),
        _ => {
            let (at, bits) = (dice.below(bytes.len()), dice.below(256));
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= u8::try_from(bits).unwrap_or(1);
            }
        }
    }
    bytes.truncate(bytes_max);
}

fn insert_word(bytes: &mut Vec<u8>, words: &[String], dice: &mut Dice) {
    let Some(word) = dice.pick(words) else { return };
    let at = border(bytes, dice);
    bytes.splice(at..at, word.bytes());
}

fn replace_value(bytes: &mut Vec<u8>, words: &[String], dice: &mut Dice) {
    let part = part(bytes, dice);
    let value = match dice.below(3) {
        0 => dice.pick(words).map_or("", String::as_str),
        _ => dice.pick(&VALUES).copied().unwrap_or(""),
    };
    bytes.splice(part, value.bytes());
}

/// One part many times over: what grows faster than the payload shows here.
fn repeat(bytes: &mut Vec<u8>, bytes_max: usize, dice: &mut Dice) {
    let part = part(bytes, dice);
    let room = bytes_max.saturating_sub(bytes.len());
    let copied = bytes.get(part.clone()).unwrap_or_default().to_vec();
    if copied.is_empty() {
        return;
    }
    let times_max = room / copied.len();
    let times = [3, 70, 700, times_max][dice.below(4)].min(times_max);
    bytes.splice(part.end..part.end, copied.repeat(times));
}

/// A position behind a border.
fn border(bytes: &[u8], dice: &mut Dice) -> usize {
    let start = dice.below(bytes.len() + 1);
    let behind = bytes.get(start..).unwrap_or_default();
    let next = behind.iter().position(|byte| BORDERS.contains(byte));
    next.map_or(start, |next| start + next + 1)
}

/// From behind a border to one of the next.
fn part(bytes: &[u8], dice: &mut Dice) -> std::ops::Range<usize> {
    let start = border(bytes, dice);
    let behind = bytes.get(start..).unwrap_or_default().iter().enumerate();
    let mut ends = behind.filter(|(_, byte)| BORDERS.contains(byte)).map(|(at, _)| at);
    let end = ends.nth([0, 1, 4, 30][dice.below(4)]).unwrap_or(bytes.len() - start);
    start..start + end
}
