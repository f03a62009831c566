//! Telnyx's errors: the first of a message's list decides.
//! <https://developers.telnyx.com/docs/messaging/messages/error-codes>

use model::vocabulary::ErrorClass;

use crate::emit::Emitter;
use crate::json::{Cursor, Kind, Scalar, Syntax};
use crate::words;

use super::Message;

/// Code and title of an error.
#[derive(Debug, Default)]
pub(super) struct Error<'a> {
    code: Scalar<'a>,
    title: Scalar<'a>,
}

/// Reads the list: objects, or in detail records the codes alone.
pub(super) fn read<'a>(cursor: &mut Cursor<'a>, message: &mut Message<'a>) -> Result<(), Syntax> {
    message.error = Error::default();
    if cursor.kind() != Kind::Array {
        message.unreadable += u64::from(!cursor.is_null());
        return cursor.skip();
    }
    let mut is_first = true;
    cursor.array(|cursor| {
        let mut error = Error::default();
        if cursor.kind() == Kind::Object {
            cursor.object(|cursor, key| {
                match key {
                    "code" => error.code = cursor.scalar()?,
                    "title" => error.title = cursor.scalar()?,
                    _ => cursor.other()?,
                }
                Ok(())
            })?;
        } else {
            error.code = cursor.scalar()?;
        }
        if is_first {
            message.error = error;
            is_first = false;
        }
        Ok(())
    })
}

/// The error's code.
pub(super) fn code<'m>(error: &'m Error<'_>, out: &mut Emitter<'_>) -> Option<&'m str> {
    out.text(&error.code).filter(|code| !words::is_no_error(code))
}

/// Class of a code. 40300, 40301 and 40310 mean one thing on one of Telnyx's pages and another on
/// the next: of those only the title tells.
pub(super) fn class(code: &str, error: &Error<'_>) -> Option<ErrorClass> {
    Some(match code {
        "40001" | "40319" => ErrorClass::NotCapable,
        "40002" | "40003" | "40015" | "40017" | "40322" => ErrorClass::Spam,
        "40004" => ErrorClass::Blocked,
        "40005" | "40014" => ErrorClass::Expired,
        "40006" | "40008" => ErrorClass::Unreachable,
        "40009" | "40302" | "40309" | "40316" | "40317" | "40328" => ErrorClass::InvalidRequest,
        "40011" | "40016" | "40018" | "40318" => ErrorClass::Throttled,
        "40012" => ErrorClass::UnknownRecipient,
        "40010" | "40013" | "40305" | "40306" | "40312" | "40314" | "40329" => {
            ErrorClass::Configuration
        }
        "40300" | "40301" | "40310" => return class_of_title(error.title.text()?),
        _ => return None,
    })
}

fn class_of_title(title: &str) -> Option<ErrorClass> {
    const WORDS: &[(&str, ErrorClass)] = &[
        ("stop", ErrorClass::OptedOut),
        ("unsupported", ErrorClass::NotCapable),
        ("unreachable", ErrorClass::Unreachable),
        ("invalid", ErrorClass::UnknownRecipient),
        ("blocked", ErrorClass::Blocked),
    ];
    let holds = |word: &str| {
        let mut pieces = title.as_bytes().windows(word.len());
        pieces.any(|piece| piece.eq_ignore_ascii_case(word.as_bytes()))
    };
    WORDS.iter().find(|(word, _)| holds(word)).map(|(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_class_and_ambiguous_ones_their_titles() {
        let titled = |title: &'static str| Error {
            code: Scalar::Missing,
            title: Scalar::Text(title.into()),
        };
        for (code, title, expected) in [
            ("40001", "", Some(ErrorClass::NotCapable)),
            ("40002", "", Some(ErrorClass::Spam)),
            ("40014", "", Some(ErrorClass::Expired)),
            ("40016", "", Some(ErrorClass::Throttled)),
            ("49999", "Blocked", None),
            ("40300", "Blocked due to STOP message", Some(ErrorClass::OptedOut)),
            ("40300", "Invalid destination", Some(ErrorClass::UnknownRecipient)),
            ("40300", "Destination unreachable", Some(ErrorClass::Unreachable)),
            ("40301", "Unsupported message type", Some(ErrorClass::NotCapable)),
            ("40310", "Blocked", Some(ErrorClass::Blocked)),
            ("40300", "Odd", None),
            ("40300", "", None),
        ] {
            assert_eq!(class(code, &titled(title)), expected, "{code} {title}");
        }
    }
}
