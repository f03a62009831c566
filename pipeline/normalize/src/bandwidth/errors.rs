//! Bandwidth's two code tables: four digits in the v2 API, the mobile network's in the
//! international one. <https://dev.bandwidth.com/docs/messaging/errors>

use model::vocabulary::{ErrorClass, Status};

/// What a failure with this code says of the message.
pub(super) fn failure(code: Option<&str>) -> Status {
    match code.and_then(|code| code.parse::<u32>().ok()) {
        // 9902: no receipt came within two hours; 9999: the carrier's code is not known.
        Some(9902 | 9999) => Status::Unknown,
        Some(4720..=4775) => Status::Undelivered,
        _ => Status::Failed,
    }
}

/// Class of a v2 code.
pub(super) fn class(code: &str) -> Option<ErrorClass> {
    Some(match code.parse::<u32>().ok()? {
        4303 | 4406 | 4720 | 4721 => ErrorClass::UnknownRecipient,
        4360 | 4793 | 9902 => ErrorClass::Expired,
        4408 | 4409 | 4434 | 4700 => ErrorClass::NotCapable,
        4404 | 4482 | 4492 | 4750 | 4753 | 4772 | 4790 | 4791 => ErrorClass::Blocked,
        4470 | 4481 | 4770 | 4771 => ErrorClass::Spam,
        4775 => ErrorClass::OptedOut,
        4780 | 4781 | 4785 | 5600 => ErrorClass::Throttled,
        4701 | 4702 | 4730 | 5650 => ErrorClass::Unreachable,
        4301 | 4302 | 4350 | 4410..=4412 | 4435 | 4711 | 4712 | 4751 | 4752 => {
            ErrorClass::InvalidRequest
        }
        4001 | 4403 | 4405 | 4407 | 4420..=4433 | 4451 | 4452 | 4493 => ErrorClass::Configuration,
        4740 | 4773 | 4774 | 4792 | 4795 => ErrorClass::Configuration,
        4401 | 5100..=5599 | 5610..=5630 => ErrorClass::VendorInternal,
        _ => return None,
    })
}

/// Class of an international code.
pub(super) fn international_class(code: &str) -> Option<ErrorClass> {
    Some(match code.parse::<u32>().ok()? {
        1 | 83 | 87 | 89 | 90 => ErrorClass::UnknownRecipient,
        9 | 13 | 15 | 44 | 82 | 989 | 993 | 997 => ErrorClass::Blocked,
        11 | 19 | 21 | 992 => ErrorClass::NotCapable,
        20 | 22 | 29 | 30 | 60 | 75 | 80 | 81 | 84..=86 | 88 | 995 | 998 => ErrorClass::Unreachable,
        36 | 61 | 63 | 64 | 70 | 72 | 114 | 988 | 990 => ErrorClass::VendorInternal,
        112 | 994 => ErrorClass::Configuration,
        991 => ErrorClass::Spam,
        996 => ErrorClass::Expired,
        999 => ErrorClass::InvalidRequest,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_without_a_known_outcome_is_unknown() {
        for (code, status) in [
            (Some("9902"), Status::Unknown),
            (Some("9999"), Status::Unknown),
            (Some("4720"), Status::Undelivered),
            (Some("4775"), Status::Undelivered),
            (Some("4719"), Status::Failed),
            (Some("4776"), Status::Failed),
            (Some("4432"), Status::Failed),
            (Some("x"), Status::Failed),
            (None, Status::Failed),
        ] {
            assert_eq!(failure(code), status, "{code:?}");
        }
    }

    #[test]
    fn codes_have_the_class_of_their_own_table() {
        assert_eq!(class("4432"), Some(ErrorClass::Configuration));
        assert_eq!(class("4470"), Some(ErrorClass::Spam));
        assert_eq!(class("4775"), Some(ErrorClass::OptedOut));
        assert_eq!(class("9902"), Some(ErrorClass::Expired));
        assert_eq!(class("9999"), None);
        assert_eq!(class("991"), None, "international");
        assert_eq!(international_class("991"), Some(ErrorClass::Spam));
        assert_eq!(international_class("996"), Some(ErrorClass::Expired));
        assert_eq!(international_class("29"), Some(ErrorClass::Unreachable));
        assert_eq!(international_class("500"), None);
    }
}
