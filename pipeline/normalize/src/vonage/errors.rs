//! Vonage's error codes: `err-code` of SMS receipts, codes of the Messages API.
//! <https://developer.vonage.com/api-errors/messages>

use model::vocabulary::ErrorClass;

/// Class of a receipt's code; 1 is "unknown" and 99 "general error", which say nothing.
pub(super) fn class_of_receipt(code: &str) -> Option<ErrorClass> {
    Some(match code {
        // Absent for now; busy; network error; unreachable; the recipient's prepaid ran out.
        "2" | "7" | "8" | "12" | "15" => ErrorClass::Unreachable,
        // Absent for good; illegal number.
        "3" | "9" => ErrorClass::UnknownRecipient,
        "4" | "13" | "14" => ErrorClass::Blocked,
        "5" => ErrorClass::VendorInternal,
        "6" => ErrorClass::Spam,
        "10" => ErrorClass::InvalidRequest,
        // Unroutable; then what regulation asks to be registered (entity, header, content).
        "11" | "50" | "51" | "52" | "54" => ErrorClass::Configuration,
        "53" => ErrorClass::OptedOut,
        "16" => ErrorClass::Throttled,
        _ => return None,
    })
}

/// Class of a Messages code; those from 1180 on repeat the receipts' codes.
pub(super) fn class_of_status(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "1000" | "1460" => ErrorClass::Throttled,
        "1010" | "1020" | "1021" | "1022" | "1040" | "1090" | "1130" | "1150" | "1320" => {
            ErrorClass::InvalidRequest
        }
        "1030" | "1100" | "1200" => ErrorClass::VendorInternal,
        "1050" | "1270" | "1280" => ErrorClass::Blocked,
        "1060" | "1070" | "1080" | "1120" | "1140" | "1160" | "1250" => ErrorClass::Configuration,
        "1170" | "1190" | "1240" | "1370" => ErrorClass::UnknownRecipient,
        "1180" | "1220" | "1230" | "1260" | "1290" => ErrorClass::Unreachable,
        "1210" => ErrorClass::Spam,
        "1340" => ErrorClass::InvalidRequest,
        "1360" => ErrorClass::Expired,
        "1300" | "1310" | "1400" | "1410" => ErrorClass::NotCapable,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipt_codes_have_the_class_of_what_vonage_calls_them() {
        for (code, class) in [
            ("1", None),
            ("2", Some(ErrorClass::Unreachable)),
            ("3", Some(ErrorClass::UnknownRecipient)),
            ("6", Some(ErrorClass::Spam)),
            ("11", Some(ErrorClass::Configuration)),
            ("14", Some(ErrorClass::Blocked)),
            ("16", Some(ErrorClass::Throttled)),
            ("50", Some(ErrorClass::Configuration)),
            ("99", None),
        ] {
            assert_eq!(class_of_receipt(code), class, "{code}");
        }
    }

    #[test]
    fn status_codes_have_the_class_of_what_vonage_calls_them() {
        for (code, class) in [
            ("1000", Some(ErrorClass::Throttled)),
            ("1070", Some(ErrorClass::Configuration)),
            ("1210", Some(ErrorClass::Spam)),
            ("1360", Some(ErrorClass::Expired)),
            ("9999", None),
        ] {
            assert_eq!(class_of_status(code), class, "{code}");
        }
    }
}
