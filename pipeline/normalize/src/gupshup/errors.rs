//! Gupshup's errors: SMS causes with three digits, and WhatsApp failures with Gupshup's own codes
//! (1001 to 1013) or Meta's.

use model::vocabulary::ErrorClass;

use crate::whatsapp;
use crate::words::Folded;

/// Class of an SMS failure: its code, else its cause.
pub(super) fn sms_class(code: Option<&str>, cause: Option<&str>) -> Option<ErrorClass> {
    let by_code = code.and_then(|code| class_of_sms_code(code.trim()));
    by_code.or_else(|| class_of_cause(Folded::new(cause?.trim()).as_str()))
}

fn class_of_sms_code(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "001" => ErrorClass::Unreachable,
        "002" => ErrorClass::Blocked,
        "003" => ErrorClass::UnknownRecipient,
        "004" | "005" | "008" => ErrorClass::VendorInternal,
        // The register of those who want no advertisements.
        "006" | "007" => ErrorClass::OptedOut,
        "009" => ErrorClass::InvalidRequest,
        _ => return None,
    })
}

fn class_of_cause(cause: &str) -> Option<ErrorClass> {
    Some(match cause {
        "absent_subscriber" | "memory_capacity_exceeded" | "mobile_equipment_error" => {
            ErrorClass::Unreachable
        }
        "call_barred" => ErrorClass::Blocked,
        "unknown_subscriber" | "invalid_number" => ErrorClass::UnknownRecipient,
        "service_down" | "system_failure" | "network_error" | "dnd_timeout" => {
            ErrorClass::VendorInternal
        }
        "dnd_fail" | "blocked" => ErrorClass::OptedOut,
        "outside_working_hours" => ErrorClass::InvalidRequest,
        "expired" => ErrorClass::Expired,
        _ => return None,
    })
}

/// Class of a WhatsApp failure.
pub(crate) fn whatsapp_class(code: &str) -> Option<ErrorClass> {
    Some(match code {
        // Not on WhatsApp.
        "1002" => ErrorClass::NotCapable,
        "1003" => ErrorClass::Configuration,
        // No session is open, no template fits, the media cannot be used.
        "1004" | "1005" | "1006" | "1007" | "1010" | "1011" | "1012" | "1013" => {
            ErrorClass::InvalidRequest
        }
        "1008" => ErrorClass::OptedOut,
        other => return whatsapp::class_of_code(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_before_the_cause() {
        assert_eq!(sms_class(Some("003"), Some("BLOCKED")), Some(ErrorClass::UnknownRecipient));
        assert_eq!(sms_class(Some("001"), None), Some(ErrorClass::Unreachable));
        assert_eq!(sms_class(Some("042"), Some(" DND_FAIL")), Some(ErrorClass::OptedOut));
        assert_eq!(sms_class(None, Some("SUCCESS")), None);
    }

    #[test]
    fn whatsapp_failures_have_gupshups_codes_or_metas() {
        assert_eq!(whatsapp_class("1002"), Some(ErrorClass::NotCapable));
        assert_eq!(whatsapp_class("1006"), Some(ErrorClass::InvalidRequest));
        assert_eq!(whatsapp_class("131026"), Some(ErrorClass::NotCapable));
        assert_eq!(whatsapp_class("9"), None);
    }
}
