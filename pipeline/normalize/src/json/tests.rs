//! What the reader accepts, against serde_json as the oracle.

use proptest::prelude::*;

use super::strings::plain_prefix;
use super::*;

fn accepts(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.skip().and_then(|()| cursor.end()).is_ok()
}

#[test]
fn valid_texts_are_passed_and_broken_ones_refused_with_a_position() {
    for text in
        ["{}", "[]", " [1, 2.5e-3, -0, {\"a\": [true, null]}] ", "\"a\\u00e4\\n\"", "{\"\":{}}"]
    {
        assert!(accepts(text), "{text}");
    }
    let mut code = Cursor::new("003");
    assert_eq!(code.scalar(), Ok(Scalar::Number("003")), "zeros are a code's");
    for text in ["", "{", "[1,]", "{\"a\" 1}", "0.", "1.", "\"a", "[1}", "nul", "{,}", "[]]"] {
        assert!(!accepts(text), "{text}");
    }
    assert_eq!(Cursor::new("[1, x:]").skip(), Err(Syntax { at: 4 }));
    assert_eq!(Cursor::new("\"\\").skip(), Err(Syntax { at: 2 }), "not behind its end");
}

#[test]
fn a_value_that_is_none_costs_itself_where_its_end_is_plain() {
    for value in [
        "",
        "NaN",
        "True",
        "nul",
        "nullx",
        "1.2.3",
        "1.",
        "-",
        "+5",
        "0x1F",
        "'a'",
        "\"a\u{1}b\"",
        "\"a\nb\"",
        "\"\\x\"",
        "\"\\u12g4\"",
    ] {
        for text in [
            format!("{{\"a\":{value},\"b\":7}}"),
            format!("{{\"a\": {value} ,\"b\":7}}"),
            format!("{{\"b\":7,\"a\":{value}}}"),
        ] {
            let (mut damaged, mut other) = (Scalar::Missing, Scalar::Missing);
            let mut cursor = Cursor::new(&text);
            let read = cursor.object(|cursor, key| {
                let slot = if key == "a" { &mut damaged } else { &mut other };
                *slot = cursor.scalar()?;
                Ok(())
            });
            assert_eq!((read, cursor.end()), (Ok(()), Ok(())), "{text}");
            assert_eq!((&damaged, &other), (&Scalar::Unreadable, &Scalar::Number("7")), "{text}");
            assert!(accepts(&text) && accepts(&format!("[{text},{text}]")), "{text}");
        }
    }
    for text in
        ["NaN", " 1.2.3 ", "x", "{\"a\":x:1}", "[{]", "[1,,]", "[1,,2]", "[,1]", "[1 2]", "{\"a\"}"]
    {
        assert!(!accepts(text), "{text}");
    }
}

#[test]
fn nesting_is_bounded_without_recursion() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(accepts(&deep(DEPTH_MAX)));
    assert!(!accepts(&deep(DEPTH_MAX + 1)));
    assert!(!accepts(&"[{\"a\":".repeat(2_000_000)));
}

#[test]
fn escapes_are_spelled_out() {
    let read = |text| Cursor::new(text).scalar();
    assert_eq!(read(r#""\ud83d\ude00\/\t""#), Ok(Scalar::Text(Cow::Owned("😀/\t".to_owned()))));
    assert_eq!(read(r#""\ud83d""#), Ok(Scalar::Text(Cow::Owned("\u{fffd}".to_owned()))));
    assert_eq!(read(r#""\u12g4""#), Ok(Scalar::Unreadable));
    assert_eq!(read(r#""\x""#), Ok(Scalar::Unreadable));
}

#[test]
fn every_byte_that_ends_plain_text_is_found_wherever_it_stands() {
    for byte in 0..=u8::MAX {
        let stops = byte < 0x20 || byte == b'"' || byte == b'\\';
        for at in 0..40 {
            let mut bytes = [b'a', 0xff, 0x80, b'!', b'#', b' ', b']', b'~'].repeat(5);
            bytes[at] = byte;
            for end in [40, 39, 35, 32, 17, 16, 15, 1] {
                let first = if stops { at.min(end) } else { end };
                assert_eq!(plain_prefix(&bytes[..end]), first, "{byte} at {at} of {end}");
            }
        }
    }
}

#[test]
fn a_number_keeps_its_spelling() {
    assert_eq!(Cursor::new("0.0001000000 ").scalar(), Ok(Scalar::Number("0.0001000000")));
    assert_eq!(Cursor::new("123456789012345678901234567890").scalar().map(|s| s.whole()), Ok(None));
}

proptest! {
    /// The oracle is serde_json: what it accepts is accepted, and gives what it gives.
    #[test]
    fn accepts_what_serde_json_does(text in "[\\[\\]{}\",:0-9.eE+\\-truefalsn\\\\u ab]{0,24}") {
        let oracle = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert!(!oracle || accepts(&text), "{}", text);
    }

    #[test]
    fn numbers_are_those_of_serde_json(text in "-?[0-9.eE+\\-]{1,6}") {
        let list = format!("[{text}]");
        // Zeros in front are a code's.
        let (sign, digits) = text.split_at(usize::from(text.starts_with('-')));
        let zeros = digits.bytes().take_while(|byte| *byte == b'0').count();
        let is_digit = digits.as_bytes().get(zeros).is_some_and(u8::is_ascii_digit);
        let json = &digits[zeros - usize::from(zeros > 0 && !is_digit)..];
        let json = format!("[{sign}{json}]");
        let oracle = serde_json::from_str::<Vec<serde_json::Number>>(&json).is_ok();
        let mut read = Scalar::Missing;
        let ends = Cursor::new(&list).array(|cursor| {
            read = cursor.scalar()?;
            Ok(())
        });
        prop_assert_eq!(ends, Ok(()));
        let expected = if oracle { Scalar::Number(&text) } else { Scalar::Unreadable };
        // Of too large a number serde_json keeps nothing.
        prop_assert!(read == expected || text.contains(['e', 'E']), "{}", text);
    }

    #[test]
    fn strings_come_back(text in "\\PC{0,40}") {
        let json = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(Cursor::new(&json).scalar(), Ok(Scalar::Text(Cow::Owned(text))));
    }
}
