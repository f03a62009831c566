//! Vendors' words, compared without case and without allocation.

use model::vocabulary::{Channel, TrafficClass};

/// Longest word that any table holds.
const WORD_BYTES_MAX: usize = 40;

/// A word in lower case: most are told so, others are made on the stack, in their place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folded<'w> {
    told: &'w str,
    made: [u8; WORD_BYTES_MAX],
    is_made: bool,
}

impl<'w> Folded<'w> {
    /// Folds ASCII; a longer word than any table holds becomes the empty one.
    #[inline]
    pub(crate) fn new(word: &'w str) -> Self {
        let told = if word.len() > WORD_BYTES_MAX { "" } else { word };
        let mut folded = Self { told, made: [0; WORD_BYTES_MAX], is_made: false };
        if told.bytes().any(|byte| byte.is_ascii_uppercase()) {
            for (to, byte) in folded.made.iter_mut().zip(told.bytes()) {
                *to = byte.to_ascii_lowercase();
            }
            folded.is_made = true;
        }
        folded
    }

    #[inline]
    pub(crate) fn as_str(&self) -> &str {
        if !self.is_made {
            return self.told;
        }
        let made = self.made.get(..self.told.len()).unwrap_or(&[]);
        std::str::from_utf8(made).unwrap_or("")
    }
}

/// What stands before and behind a mark, where it stands first. As `split_once`, which takes longer
/// to make its searcher than most texts to search.
pub(crate) fn cut<'t>(text: &'t str, mark: &str) -> Option<(&'t str, &'t str)> {
    let first = *mark.as_bytes().first()?;
    let mut places = memchr::memchr_iter(first, text.as_bytes());
    let at = places.find(|at| holds_at(text, mark, *at))?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

/// The same where it stands last.
pub(crate) fn cut_last<'t>(text: &'t str, mark: &str) -> Option<(&'t str, &'t str)> {
    let first = *mark.as_bytes().first()?;
    let mut places = memchr::memrchr_iter(first, text.as_bytes());
    let at = places.find(|at| holds_at(text, mark, *at))?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

fn holds_at(text: &str, mark: &str, at: usize) -> bool {
    text.as_bytes().get(at..).is_some_and(|rest| rest.starts_with(mark.as_bytes()))
}

/// Channel of the words that vendors use for it.
pub(crate) fn channel(word: &str) -> Channel {
    match Folded::new(word).as_str() {
        "sms" => Channel::Sms,
        "mms" => Channel::Mms,
        "rcs" => Channel::Rcs,
        "whatsapp" => Channel::Whatsapp,
        "viber" | "viber_bm" | "viber_bot" | "viber_service" | "viberbm" | "viber_service_msg" => {
            Channel::Viber
        }
        "messenger" | "facebook" => Channel::Messenger,
        "imessage" | "apple_mb" | "apple_messages" | "applebc" => Channel::Imessage,
        "push_apns" | "apns" => Channel::PushApns,
        "push_fcm" | "fcm" => Channel::PushFcm,
        "push_web" | "webpush" | "web_push" => Channel::PushWeb,
        "push" | "mobile_push" => Channel::Push,
        "in_app" | "inapp" | "in-app" => Channel::InApp,
        "voice" => Channel::Voice,
        "email" => Channel::Email,
        _ => Channel::Unknown,
    }
}

/// Whether a code says that there is no error: zeros, `NO_ERROR`.
pub(crate) fn is_no_error(code: &str) -> bool {
    code.bytes().all(|byte| byte == b'0') || code.eq_ignore_ascii_case("NO_ERROR")
}

/// Traffic class of Meta's pricing categories, whichever vendor relays them.
pub(crate) fn meta_category(category: &str) -> TrafficClass {
    match Folded::new(category).as_str() {
        "authentication" | "authentication-international" | "authentication_international" => {
            TrafficClass::Otp
        }
        "utility" => TrafficClass::Transactional,
        "marketing" | "marketing_lite" => TrafficClass::Marketing,
        "service" | "referral_conversion" | "general_purpose_ai" | "user_initiated" => {
            TrafficClass::Conversation
        }
        _ => TrafficClass::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_split_once_cuts_it() {
        for text in ["", "/m/", "a/m/b/m/c", "/m", "//m//m/", "ä/m/ö", "p/m/x/mm/", "aaab"] {
            for mark in ["/m/", "m", "aab", "ö"] {
                assert_eq!(cut(text, mark), text.split_once(mark), "{text} {mark}");
                assert_eq!(cut_last(text, mark), text.rsplit_once(mark), "{text} {mark}");
            }
        }
    }
}
