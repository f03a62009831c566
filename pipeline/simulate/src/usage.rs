//! Twilio's usage records: what each account has used of its day so far, fetched again and again.
//!
//! ```text
//!  day      ├──────────────────────────┤
//!  fetched     1     2     3     4       one record, two elements: each replaces its elder
//! ```
//! `sms-outbound` is a total of the day's messages; `phonenumbers-local` is a charge of its own
//! whose figures stay and whose `as_of` moves.

use crate::event::{Event, Flaw, Message, Outcome, Step, Variant};
use crate::text::DAY;

/// What is told of, in the order of a record's elements.
pub(crate) const CATEGORIES: [Category; 2] = [
    Category { name: "sms-outbound", unit: "segments" },
    Category { name: "phonenumbers-local", unit: "numbers" },
];
/// Numbers that an account rents, and what one costs a day, millionths.
const NUMBERS: u64 = 2;
const NUMBER_MICROS: i64 = 1_150_000;

/// A category and the unit of its usage.
#[derive(Debug)]
pub(crate) struct Category {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
}

/// What one account has used since its day began.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    day: i64,
    segments: u64,
    micros: i64,
}

impl Account {
    fn turn_to(&mut self, time_us: i64) {
        let day = time_us.div_euclid(DAY);
        if day > self.day {
            *self = Self { day, ..Self::default() };
        }
    }
}

/// All accounts.
#[derive(Debug)]
pub(crate) struct Usage {
    accounts: Vec<Account>,
    fetches: u64,
}

impl Usage {
    pub(crate) fn new(accounts: u8) -> Self {
        Self { accounts: vec![Account::default(); usize::from(accounts)], fetches: 0 }
    }

    /// A message of this account was billed.
    pub(crate) fn add(&mut self, account: u8, time_us: i64, segments: u8, micros: i64) {
        let account = &mut self.accounts[usize::from(account)];
        account.turn_to(time_us);
        account.segments += u64::from(segments);
        account.micros += micros;
    }

    /// The account's records as of now, an element a category.
    pub(crate) fn fetch(&mut self, account: u8, now_us: i64) -> [Event; CATEGORIES.len()] {
        let today = &mut self.accounts[usize::from(account)];
        today.turn_to(now_us);
        let figures = [(today.segments, today.micros), (NUMBERS, NUMBERS as i64 * NUMBER_MICROS)];
        self.fetches += 1;
        let message = Message {
            seq: self.fetches,
            submit_us: now_us,
            end_us: now_us,
            recipient: 0,
            price_micros: 0,
            flow: 0,
            carrier: 0,
            account,
            segments: 1,
            detail: 0,
            outcome: Outcome::Accepted,
        };
        std::array::from_fn(|category| {
            let (recipient, price_micros) = figures[category];
            Event {
                message: Message { recipient, price_micros, detail: category as u8, ..message },
                variant: Variant::TwilioUsage,
                step: Step::Accepted,
                time_us: now_us,
                flaw: Flaw::Intact,
                future_clock: false,
                row_id: 0,
                duplicate_of: None,
            }
        })
    }
}

impl Event {
    /// Of a usage record: its category, its units, and the day that it is of.
    pub(crate) fn usage(&self) -> Option<(&'static Category, u64, i64)> {
        let category = CATEGORIES.get(usize::from(self.message.detail));
        let category = category.filter(|_| self.variant == Variant::TwilioUsage)?;
        Some((category, self.message.recipient, self.time_us.div_euclid(DAY) * DAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_nothing_and_grows() {
        let mut usage = Usage::new(2);
        usage.add(1, DAY - 2, 2, 500);
        let last = usage.fetch(1, DAY - 1);
        assert_eq!((last[0].message.recipient, last[0].message.price_micros), (2, 500));
        assert_eq!(usage.fetch(0, DAY - 1)[0].message.recipient, 0, "another account");
        let next = usage.fetch(1, DAY);
        assert_eq!((next[0].message.recipient, next[0].message.price_micros), (0, 0));
        assert_eq!(next[0].usage().map(|(_, _, day)| day), Some(DAY));
        usage.add(1, DAY + 1, 1, 250);
        usage.add(1, DAY + 2, 1, 250);
        let grown = usage.fetch(1, DAY + 3).map(|event| event.message.price_micros);
        assert_eq!(grown, [500, 2_300_000]);
    }
}
