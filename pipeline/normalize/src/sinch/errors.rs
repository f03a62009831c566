//! Sinch's error codes: "Delivery report error codes" of the SMS API, `reason.code` of the
//! Conversation API.

use model::vocabulary::ErrorClass;

use crate::words;

/// Code and class of an SMS or MMS report. 0 delivered, 400 queued and 401 dispatched are no
/// errors; codes below 400 are the carrier's.
pub(super) fn of_code(code: Option<&str>) -> (Option<&str>, Option<ErrorClass>) {
    let code = code.filter(|code| !words::is_no_error(code) && !matches!(*code, "400" | "401"));
    (code, code.and_then(class_of_code))
}

fn class_of_code(code: &str) -> Option<ErrorClass> {
    Some(match code {
        // Unroutable; region not provisioned; the account is blocked or out of credit.
        "402" | "410" | "412" | "413" => ErrorClass::Configuration,
        "403" | "408" => ErrorClass::VendorInternal,
        "404" | "417" => ErrorClass::Unreachable,
        "405" | "411" | "414" => ErrorClass::InvalidRequest,
        "406" => ErrorClass::Expired,
        // The sender canceled it: no error.
        "407" => ErrorClass::None,
        "415" => ErrorClass::Blocked,
        "416" | "418" => ErrorClass::NotCapable,
        _ => return None,
    })
}

/// Class of a Conversation reason; `UNKNOWN` has none.
pub(super) fn class_of_reason(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "INTERNAL_ERROR" | "CHANNEL_FAILURE" => ErrorClass::VendorInternal,
        "RATE_LIMITED" => ErrorClass::Throttled,
        "RECIPIENT_INVALID_CHANNEL_IDENTITY" | "CONTACT_NOT_FOUND" => ErrorClass::UnknownRecipient,
        "RECIPIENT_NOT_REACHABLE" | "NO_CHANNELS_LEFT" => ErrorClass::Unreachable,
        "RECIPIENT_NOT_OPTED_IN" => ErrorClass::OptedOut,
        "DELIVERY_TIMED_OUT" => ErrorClass::Expired,
        "DELIVERY_REJECTED_DUE_TO_POLICY" | "CHANNEL_REJECT" => ErrorClass::Blocked,
        "CHANNEL_BAD_CONFIGURATION"
        | "CHANNEL_CONFIGURATION_MISSING"
        | "NO_PERMISSION"
        | "UNKNOWN_APP" => ErrorClass::Configuration,
        "MEDIA_TYPE_UNSUPPORTED" | "UNSUPPORTED_OPERATION" => ErrorClass::NotCapable,
        "OUTSIDE_ALLOWED_SENDING_WINDOW"
        | "MEDIA_TOO_LARGE"
        | "MEDIA_NOT_REACHABLE"
        | "TEMPLATE_NOT_FOUND"
        | "TEMPLATE_INSUFFICIENT_PARAMETERS"
        | "TEMPLATE_NON_EXISTING_LANGUAGE_OR_VERSION"
        | "BAD_REQUEST" => ErrorClass::InvalidRequest,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_name_a_status_are_no_errors_and_carriers_codes_have_no_class() {
        for (code, shown, class) in [
            ("0", None, None),
            ("400", None, None),
            ("401", None, None),
            ("402", Some("402"), Some(ErrorClass::Configuration)),
            ("404", Some("404"), Some(ErrorClass::Unreachable)),
            ("406", Some("406"), Some(ErrorClass::Expired)),
            ("407", Some("407"), Some(ErrorClass::None)),
            ("11", Some("11"), None),
        ] {
            assert_eq!(of_code(Some(code)), (shown, class), "{code}");
        }
    }

    #[test]
    fn reasons_have_the_class_of_what_they_say() {
        for (code, class) in [
            ("RECIPIENT_NOT_OPTED_IN", Some(ErrorClass::OptedOut)),
            ("NO_CHANNELS_LEFT", Some(ErrorClass::Unreachable)),
            ("UNKNOWN", None),
        ] {
            assert_eq!(class_of_reason(code), class, "{code}");
        }
    }
}
