//! Parameters of a request, checked: each mistake names its parameter, what was sent and what is
//! allowed. Unknown and repeated parameters are mistakes, because a misspelt filter that is
//! silently ignored answers another question.

use model::time;
use model::vocabulary::{Channel, Source, TrafficClass};
use model::window::WINDOWS_S;

use crate::failure::BadParameter;
use crate::view::SeriesKey;

/// Rows of `/v1/windows` without `limit`: 15 one-minute windows of some 60 series.
pub const WINDOW_LIMIT_DEFAULT: usize = 1_000;
/// Most rows of `/v1/windows`: at about 600 bytes a row, 6 MB an answer.
pub const WINDOW_LIMIT_MAX: usize = 10_000;
/// Rows of `/v1/alerts` without `limit`.
pub const ALERT_LIMIT_DEFAULT: usize = 100;
/// Most rows of `/v1/alerts`: evidence makes a row about 2 KB, so 2 MB an answer.
pub const ALERT_LIMIT_MAX: usize = 1_000;
/// Word that asks for rows whose carrier or country is null.
pub const NULL_WORD: &str = "__null__";
/// Word of the series into which the cardinality guard folds.
const OTHER_WORD: &str = "__other__";
/// Longest carrier that is looked for, in bytes; the longest operator name known has 60.
const CARRIER_BYTES_MAX: usize = 128;

/// Wish for a dimension whose values are open and may be null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TextFilter {
    /// Every value, null included.
    #[default]
    Any,
    /// Null only.
    Null,
    /// This value only.
    Is(String),
}

impl TextFilter {
    /// The value fulfils the wish.
    #[must_use]
    pub fn admits(&self, value: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Null => value.is_none(),
            Self::Is(wanted) => value == Some(wanted),
        }
    }
}

/// A checked request for windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowQuery {
    /// Length of the windows: one of [`WINDOWS_S`].
    pub window_s: u32,
    /// Only this vendor.
    pub source: Option<Source>,
    /// Only this channel.
    pub channel: Option<Channel>,
    /// Only this carrier.
    pub carrier: TextFilter,
    /// Only this country.
    pub country: TextFilter,
    /// Only this class.
    pub traffic_class: Option<TrafficClass>,
    /// Window start at or after this.
    pub from_us: Option<i64>,
    /// Window start before this.
    pub to_us: Option<i64>,
    /// Most rows, 1 to [`WINDOW_LIMIT_MAX`].
    pub limit: usize,
}

impl Default for WindowQuery {
    fn default() -> Self {
        Self {
            window_s: 60,
            source: None,
            channel: None,
            carrier: TextFilter::Any,
            country: TextFilter::Any,
            traffic_class: None,
            from_us: None,
            to_us: None,
            limit: WINDOW_LIMIT_DEFAULT,
        }
    }
}

impl WindowQuery {
    /// A window that starts then lies in the asked range.
    #[must_use]
    pub fn admits_start(&self, start_us: i64) -> bool {
        self.from_us.is_none_or(|from| start_us >= from)
            && self.to_us.is_none_or(|to| start_us < to)
    }

    /// The series passes all filters.
    #[must_use]
    pub fn admits_series(&self, series: &SeriesKey<'_>) -> bool {
        self.source.is_none_or(|wanted| series.source == wanted.as_str())
            && self.channel.is_none_or(|wanted| series.channel == wanted.as_str())
            && self.traffic_class.is_none_or(|wanted| series.traffic_class == wanted.as_str())
            && self.carrier.admits(series.carrier)
            && self.country.admits(series.country)
    }

    /// Reads the pairs of a query string; an empty value is no wish.
    pub(crate) fn parse(pairs: &[(String, String)]) -> Result<Self, BadParameter> {
        let mut query = Self::default();
        for (name, value) in distinct(pairs)? {
            if value.is_empty() && WINDOW_PARAMETERS.contains(&name) {
                continue;
            }
            match name {
                "window_s" => query.window_s = window_length(value)?,
                "source" => query.source = Some(word(name, value, Source::parse, Source::WORDS)?),
                "channel" => {
                    query.channel = Some(word(name, value, Channel::parse, Channel::WORDS)?);
                }
                "traffic_class" => {
                    let class = word(name, value, TrafficClass::parse, TrafficClass::WORDS)?;
                    query.traffic_class = Some(class);
                }
                "carrier" => query.carrier = carrier(value)?,
                "country" => query.country = country(value)?,
                "from" => query.from_us = Some(instant(name, value)?),
                "to" => query.to_us = Some(instant(name, value)?),
                "limit" => query.limit = limit(value, WINDOW_LIMIT_MAX)?,
                _ => return Err(unknown(name, WINDOW_PARAMETERS)),
            }
        }
        match (query.from_us, query.to_us) {
            (Some(from), Some(to)) if from >= to => {
                Err(BadParameter::new("to", &time::format_us(to), "a time after `from`"))
            }
            _ => Ok(query),
        }
    }
}

const WINDOW_PARAMETERS: &[&str] = &[
    "window_s",
    "source",
    "channel",
    "carrier",
    "country",
    "traffic_class",
    "from",
    "to",
    "limit",
];
const ALERT_PARAMETERS: &[&str] = &["after", "limit"];

/// A checked request for alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AlertQuery {
    pub(crate) after: u64,
    pub(crate) limit: usize,
}

impl AlertQuery {
    pub(crate) fn parse(pairs: &[(String, String)]) -> Result<Self, BadParameter> {
        let mut query = Self { after: 0, limit: ALERT_LIMIT_DEFAULT };
        for (name, value) in distinct(pairs)? {
            match name {
                "after" | "limit" if value.is_empty() => {}
                "after" => {
                    let allowed = "a whole number from 0: the `next` of the answer before";
                    query.after =
                        value.parse().map_err(|_| BadParameter::new(name, value, allowed))?;
                }
                "limit" => query.limit = limit(value, ALERT_LIMIT_MAX)?,
                _ => return Err(unknown(name, ALERT_PARAMETERS)),
            }
        }
        Ok(query)
    }
}

/// Refuses every parameter: for endpoints that have none.
pub(crate) fn none(pairs: &[(String, String)]) -> Result<(), BadParameter> {
    match pairs.first() {
        Some((name, _)) => Err(BadParameter::new(name, "", "no parameters here")),
        None => Ok(()),
    }
}

fn distinct(pairs: &[(String, String)]) -> Result<Vec<(&str, &str)>, BadParameter> {
    let mut seen: Vec<(&str, &str)> = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        if seen.iter().any(|(other, _)| other == name) {
            return Err(BadParameter::new(name, value, "each parameter once"));
        }
        seen.push((name, value));
    }
    Ok(seen)
}

fn unknown(name: &str, allowed: &[&str]) -> BadParameter {
    BadParameter::new(name, "", &format!("the parameters {}", allowed.join(", ")))
}

fn window_length(value: &str) -> Result<u32, BadParameter> {
    let known = value.parse().ok().filter(|length| WINDOWS_S.contains(length));
    let words: Vec<String> = WINDOWS_S.iter().map(ToString::to_string).collect();
    known.ok_or_else(|| BadParameter::new("window_s", value, &one_of(&words)))
}

fn word<T>(
    name: &str,
    value: &str,
    parse: fn(&str) -> Option<T>,
    words: &[&str],
) -> Result<T, BadParameter> {
    parse(value).ok_or_else(|| BadParameter::new(name, value, &one_of(words)))
}

fn one_of<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    format!("one of {}", words.join(", "))
}

fn carrier(value: &str) -> Result<TextFilter, BadParameter> {
    let strange = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    if value.len() > CARRIER_BYTES_MAX || value.contains(strange) {
        let allowed = format!("text of at most {CARRIER_BYTES_MAX} bytes, or {NULL_WORD}");
        return Err(BadParameter::new("carrier", value, &allowed));
    }
    Ok(match value {
        NULL_WORD => TextFilter::Null,
        _ => TextFilter::Is(value.to_owned()),
    })
}

fn country(value: &str) -> Result<TextFilter, BadParameter> {
    match value {
        NULL_WORD => Ok(TextFilter::Null),
        OTHER_WORD => Ok(TextFilter::Is(value.to_owned())),
        _ if value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            Ok(TextFilter::Is(value.to_ascii_uppercase()))
        }
        _ => {
            let allowed = format!("two letters (ISO 3166), {OTHER_WORD} or {NULL_WORD}");
            Err(BadParameter::new("country", value, &allowed))
        }
    }
}

fn instant(name: &str, value: &str) -> Result<i64, BadParameter> {
    // A `+` of a zone that was not escaped arrives as a space.
    time::parse_rfc3339(value)
        .or_else(|| time::parse_rfc3339(&unspaced_zone(value)?))
        .ok_or_else(|| BadParameter::new(name, value, "RFC 3339, like 2026-01-31T12:00:00Z"))
}

fn unspaced_zone(value: &str) -> Option<String> {
    let (local, zone) = value.rsplit_once(' ')?;
    Some(format!("{local}+{zone}"))
}

fn limit(value: &str, max: usize) -> Result<usize, BadParameter> {
    let number = value.parse().ok().filter(|rows| (1..=max).contains(rows));
    number.ok_or_else(|| BadParameter::new("limit", value, &format!("1 to {max}")))
}
