//! `statusErrorCode` and `statusReason`. Codes below 100 are the mobile network's own (GSM 09.02),
//! those above are MessageBird's.

use model::vocabulary::ErrorClass;

use crate::words::Folded;

/// Class of the code, else of the reason's words.
pub(super) fn class(code: Option<&str>, reason: Option<&str>) -> Option<ErrorClass> {
    code.and_then(class_of_code).or_else(|| class_of_reason(Folded::new(reason?).as_str()))
}

fn class_of_code(code: &str) -> Option<ErrorClass> {
    Some(match code.parse::<u32>().ok()? {
        1 | 5 => ErrorClass::UnknownRecipient,
        9 | 12 | 13 => ErrorClass::Blocked,
        11 | 21 => ErrorClass::NotCapable,
        6 | 27 | 31 | 32 | 33 => ErrorClass::Unreachable,
        34 => ErrorClass::VendorInternal,
        35 | 36 => ErrorClass::InvalidRequest,
        // The recipient has sent "stop".
        103 => ErrorClass::OptedOut,
        104 | 105 => ErrorClass::Configuration,
        106 | 107 => ErrorClass::Throttled,
        _ => return None,
    })
}

fn class_of_reason(reason: &str) -> Option<ErrorClass> {
    Some(match reason {
        "unknown subscriber" | "incorrect number" => ErrorClass::UnknownRecipient,
        "unavailable subscriber" => ErrorClass::Unreachable,
        "expired" | "dlr not received" => ErrorClass::Expired,
        "opted out" => ErrorClass::OptedOut,
        "carrier rejected" => ErrorClass::Blocked,
        "insufficient balance" => ErrorClass::Configuration,
        "capacity limit reached" => ErrorClass::Throttled,
        "received network error" => ErrorClass::VendorInternal,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_before_the_reason() {
        assert_eq!(class(Some("103"), Some("unknown subscriber")), Some(ErrorClass::OptedOut));
        assert_eq!(class(Some("1"), None), Some(ErrorClass::UnknownRecipient));
        assert_eq!(class(Some("27"), None), Some(ErrorClass::Unreachable));
        assert_eq!(class(Some("13"), None), Some(ErrorClass::Blocked));
        assert_eq!(class(Some("106"), None), Some(ErrorClass::Throttled));
        assert_eq!(class(Some("999"), Some("Opted Out")), Some(ErrorClass::OptedOut));
        assert_eq!(class(Some("999"), None), None);
        assert_eq!(class(None, Some("successfully delivered")), None);
    }
}
