//! Infobip's errors: the code, and the class that follows from the words of its name, else of the
//! status's name. Names: Infobip's "Response status and error codes".

use model::vocabulary::ErrorClass;

use super::Group;
use crate::draft::Outcome;
use crate::emit::Emitter;
use crate::words;

/// Code and class of a report's error. A failure without an error object still has a status whose
/// name tells why.
pub(super) fn read<'r>(
    error: Option<&'r Group<'_>>,
    status: Option<&str>,
    outcome: Outcome,
    out: &mut Emitter<'_>,
) -> (Option<&'r str>, Option<ErrorClass>) {
    let code = error.and_then(|error| out.text(&error.id).or_else(|| error.name.text()));
    let Some(code) = code.filter(|code| !words::is_no_error(code)) else {
        let failed = outcome.1 && !outcome.0.is_delivered();
        return (None, status.filter(|_| failed).and_then(class_of_name));
    };
    let by_name = error.and_then(|error| error.name.text()).and_then(class_of_name);
    (Some(code), by_name.or_else(|| status.and_then(class_of_name)))
}

/// Words of names, the more telling first: the first that a name holds decides.
const WORDS: &[(&str, ErrorClass)] = &[
    ("PREPAID_PACKAGE", ErrorClass::Configuration),
    ("SC_EXPIRED", ErrorClass::Configuration),
    ("EXPIRED", ErrorClass::Expired),
    ("OPT_OUT", ErrorClass::OptedOut),
    ("UNSUBSCRIBED", ErrorClass::OptedOut),
    ("BLOCKED_BY_END_USER", ErrorClass::OptedOut),
    ("DND", ErrorClass::OptedOut),
    ("SPAM", ErrorClass::Spam),
    ("BLACKLIST", ErrorClass::Blocked),
    ("BLOCKLIST", ErrorClass::Blocked),
    ("BLOCKED", ErrorClass::Blocked),
    ("BARRED", ErrorClass::Blocked),
    ("ILLEGAL_SUBSCRIBER", ErrorClass::Blocked),
    ("ILLEGAL_EQUIPMENT", ErrorClass::Blocked),
    ("REJECTED_OPERATOR", ErrorClass::Blocked),
    ("REJECTED_SENDER", ErrorClass::Blocked),
    ("UNKNOWN_SUBSCRIBER", ErrorClass::UnknownRecipient),
    ("UNIDENTIFIED_SUBSCRIBER", ErrorClass::UnknownRecipient),
    ("UNKNOWN_USER", ErrorClass::UnknownRecipient),
    ("INVALID_DESTINATION", ErrorClass::UnknownRecipient),
    ("REQUEST_DESTINATION", ErrorClass::UnknownRecipient),
    ("PREFIX_MISSING", ErrorClass::UnknownRecipient),
    // A trial account's limit; without it the number's prefix is no operator's.
    ("DESTINATION_NOT_REGISTERED", ErrorClass::Configuration),
    ("REJECTED_DESTINATION", ErrorClass::UnknownRecipient),
    ("DEACTIVATED", ErrorClass::UnknownRecipient),
    ("ABSENT_SUBSCRIBER", ErrorClass::Unreachable),
    ("SUBSCRIBER_BUSY", ErrorClass::Unreachable),
    ("MEMORYCAPACITYEXCEEDED", ErrorClass::Unreachable),
    ("DELIVERY_FAILURE", ErrorClass::Unreachable),
    ("WAITING_LIST_FULL", ErrorClass::Unreachable),
    ("HANDSET_FAILURE", ErrorClass::Unreachable),
    ("NOTREACHABLE", ErrorClass::Unreachable),
    ("NOT_REACHABLE", ErrorClass::Unreachable),
    ("USER_OUT_OF_CREDIT", ErrorClass::Unreachable),
    ("CREDIT", ErrorClass::Configuration),
    ("MONTHLY_LIMIT", ErrorClass::Configuration),
    ("CAMPAIGN", ErrorClass::Configuration),
    ("ACCOUNT", ErrorClass::Configuration),
    ("SC_NOT_PROVISIONED", ErrorClass::Configuration),
    ("NOT_REGISTERED", ErrorClass::Configuration),
    ("NOT_VERIFIED", ErrorClass::Configuration),
    ("ROUTE_NOT_AVAILABLE", ErrorClass::Configuration),
    ("REJECTED_NETWORK", ErrorClass::Configuration),
    ("REJECTED_SOURCE", ErrorClass::Configuration),
    ("INVALID_SOURCE", ErrorClass::Configuration),
    ("FLOODING", ErrorClass::Throttled),
    ("CONGESTION", ErrorClass::Throttled),
    ("LIMIT", ErrorClass::Throttled),
    ("QUOTA", ErrorClass::Throttled),
    ("NOT_PROVISIONED", ErrorClass::NotCapable),
    ("NOT_SMS_PROVISIONED", ErrorClass::NotCapable),
    ("NOT_SUPPORTED", ErrorClass::NotCapable),
    ("UNABLE_TO_RECEIVE", ErrorClass::NotCapable),
    ("CANNOT_RECEIVE", ErrorClass::NotCapable),
    ("TOO_LONG", ErrorClass::InvalidRequest),
    ("DUPLICATE", ErrorClass::InvalidRequest),
    ("INVALID_UDH", ErrorClass::InvalidRequest),
    ("INVALID_REQUEST", ErrorClass::InvalidRequest),
    ("MISSING_TO", ErrorClass::InvalidRequest),
    ("SYSTEM_FAILURE", ErrorClass::VendorInternal),
    ("SYSTEM_ERROR", ErrorClass::VendorInternal),
    ("INTERNAL_ERROR", ErrorClass::VendorInternal),
];

fn class_of_name(name: &str) -> Option<ErrorClass> {
    let upper = name.to_ascii_uppercase();
    if upper.contains("DLR_UNKNOWN") {
        // No receipt came: nobody knows of an error.
        return None;
    }
    WORDS.iter().find(|(word, _)| upper.contains(word)).map(|(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_telling_word_of_a_name_decides() {
        for (name, class) in [
            ("EC_ABSENT_SUBSCRIBER", Some(ErrorClass::Unreachable)),
            ("EC_UNKNOWN_SUBSCRIBER", Some(ErrorClass::UnknownRecipient)),
            ("EC_UNKNOWN_USER", Some(ErrorClass::UnknownRecipient)),
            ("EC_VALIDITY_EXPIRED", Some(ErrorClass::Expired)),
            ("EXPIRED_EXPIRED", Some(ErrorClass::Expired)),
            ("EXPIRED_DLR_UNKNOWN", None),
            ("REJECTED_PREPAID_PACKAGE_EXPIRED", Some(ErrorClass::Configuration)),
            ("REJECTED_NOT_ENOUGH_CREDITS", Some(ErrorClass::Configuration)),
            ("EC_MONTHLY_LIMIT_REACHED", Some(ErrorClass::Configuration)),
            ("EC_LIMIT_REACHED", Some(ErrorClass::Throttled)),
            ("REJECTED_FLOODING_FILTER", Some(ErrorClass::Throttled)),
            ("EC_SC_BLOCKED_BY_END_USER", Some(ErrorClass::OptedOut)),
            ("REJECTED_DND", Some(ErrorClass::OptedOut)),
            ("REJECTED_DESTINATION", Some(ErrorClass::UnknownRecipient)),
            ("REJECTED_DESTINATION_BLOCKLISTED", Some(ErrorClass::Blocked)),
            ("REJECTED_DESTINATION_NOT_REGISTERED", Some(ErrorClass::Configuration)),
            ("EC_REJECTED_SPAM_BY_OPERATOR", Some(ErrorClass::Spam)),
            ("SIGNALS_BLOCKED", Some(ErrorClass::Blocked)),
            ("EC_CAMPAIGNID_NOT_PROVISIONED", Some(ErrorClass::Configuration)),
            ("EC_TELESERVICE_NOT_PROVISIONED", Some(ErrorClass::NotCapable)),
            ("EC_SYSTEM_FAILURE", Some(ErrorClass::VendorInternal)),
            ("EC_UNKNOWN_ERROR", None),
        ] {
            assert_eq!(class_of_name(name), class, "{name}");
        }
    }
}
