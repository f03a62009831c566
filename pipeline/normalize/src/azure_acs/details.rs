//! `deliveryStatusDetails` of an SMS report: a number of Microsoft's table, or words.
//! <https://learn.microsoft.com/azure/communication-services/concepts/troubleshooting-info>

use model::vocabulary::{ErrorClass, Status};

/// The number that the text begins with, else the text; `None` where it says no error.
pub(super) fn code(details: &str) -> Option<&str> {
    let digits = details.bytes().take_while(u8::is_ascii_digit).count();
    let code = if digits == 4 { details.get(..digits)? } else { details };
    let is_success =
        code == "2000" || code.trim().trim_end_matches('.').eq_ignore_ascii_case("no error");
    (!is_success && !code.trim().is_empty()).then_some(code)
}

/// What `Failed` means with these details. 5002: the carrier gives no receipts at all.
pub(super) fn status(code: &str) -> Status {
    match code {
        "4004" | "4005" | "4006" => Status::Undelivered,
        "5002" => Status::Unknown,
        _ => match class(code) {
            Some(ErrorClass::Expired) => Status::Expired,
            Some(ErrorClass::Unreachable) => Status::Undelivered,
            Some(ErrorClass::UnknownRecipient) if !is_number(code) => Status::Undelivered,
            _ => Status::Failed,
        },
    }
}

/// Class of a number or of words.
pub(super) fn class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "4000" | "4005" | "4009" => ErrorClass::Blocked,
        "4001" | "4003" => ErrorClass::InvalidRequest,
        "4002" | "4004" => ErrorClass::UnknownRecipient,
        "4006" => ErrorClass::Unreachable,
        "4007" => ErrorClass::OptedOut,
        "4008" => ErrorClass::Throttled,
        "4010" => ErrorClass::Configuration,
        "5000" | "5001" => ErrorClass::VendorInternal,
        _ if is_number(code) => return None,
        words => {
            let (_, class) = WORDS.iter().find(|(word, _)| holds(words, word))?;
            *class
        }
    })
}

/// Words of texts, the more telling first.
const WORDS: &[(&str, ErrorClass)] = &[
    ("opted out", ErrorClass::OptedOut),
    ("opt-out", ErrorClass::OptedOut),
    ("expired", ErrorClass::Expired),
    ("timeout", ErrorClass::Expired),
    ("blocked", ErrorClass::Blocked),
    ("fraud", ErrorClass::Blocked),
    ("spam", ErrorClass::Spam),
    ("reachable", ErrorClass::Unreachable),
    ("unavailable", ErrorClass::Unreachable),
    ("doesn't exist", ErrorClass::UnknownRecipient),
    ("does not exist", ErrorClass::UnknownRecipient),
    ("invalid", ErrorClass::InvalidRequest),
    ("segments", ErrorClass::InvalidRequest),
];

fn is_number(code: &str) -> bool {
    code.bytes().all(|byte| byte.is_ascii_digit())
}

fn holds(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_give_a_number_else_words_else_no_error() {
        assert_eq!(code("4006"), Some("4006"));
        assert_eq!(code("4007: The number has opted out"), Some("4007"));
        assert_eq!(code("InsufficientSegments"), Some("InsufficientSegments"));
        for none in ["No error.", "No error", "2000", "2000 Message Delivered", " "] {
            assert_eq!(code(none), None, "{none}");
        }
    }

    #[test]
    fn failed_is_split_by_its_details() {
        for (details, expected, of_class) in [
            ("4000", Status::Failed, Some(ErrorClass::Blocked)),
            ("4002", Status::Failed, Some(ErrorClass::UnknownRecipient)),
            ("4004", Status::Undelivered, Some(ErrorClass::UnknownRecipient)),
            ("4005", Status::Undelivered, Some(ErrorClass::Blocked)),
            ("4006", Status::Undelivered, Some(ErrorClass::Unreachable)),
            ("4007", Status::Failed, Some(ErrorClass::OptedOut)),
            ("4010", Status::Failed, Some(ErrorClass::Configuration)),
            ("5002", Status::Unknown, None),
            ("9999", Status::Failed, None),
            ("The number is unreachable", Status::Undelivered, Some(ErrorClass::Unreachable)),
            ("Message expired", Status::Expired, Some(ErrorClass::Expired)),
            ("InsufficientSegments", Status::Failed, Some(ErrorClass::InvalidRequest)),
        ] {
            assert_eq!((status(details), class(details)), (expected, of_class), "{details}");
        }
    }
}
