//! Receipts in every spelling.

use super::*;

const WHOLE: &str = "id:0A1B2C sub:001 dlvrd:001 submit date:2611201200 done date:261120120003 \
                     stat:DELIVRD err:000 text:secret words stat:UNDELIV id:9";

#[test]
fn labels_are_read_from_the_left_and_the_text_ends_them() {
    let receipt = Receipt::parse(WHOLE);
    assert_eq!(receipt.id, Some("0A1B2C"));
    assert_eq!(receipt.sub, Some("001"));
    assert_eq!(receipt.submit, Some("2611201200"));
    assert_eq!(receipt.done, Some("261120120003"));
    assert_eq!(receipt.stat, Some("DELIVRD"), "not the one in the text");
    assert_eq!(receipt.err, Some("000"));
}

#[test]
fn labels_come_in_any_case_and_order_and_may_be_missing() {
    let expected = Receipt {
        id: Some("7"),
        stat: Some("UNDELIV"),
        done: Some("2611201200"),
        ..Receipt::default()
    };
    for text in [
        "stat:UNDELIV done date:2611201200 id:7",
        "ID:7 Stat:UNDELIV Done Date:2611201200 Text:id:8",
        "id: 7 err: stat: UNDELIV  done_date:2611201200",
        "id:7, stat:UNDELIV; donedate:2611201200",
        "text:stat:DELIVRD id:8 hi id:7 done date:2611201200 stat:UNDELIV",
        "price:x id:7 valid:1 stat:UNDELIV done date:2611201200 text:",
    ] {
        assert_eq!(Receipt::parse(text), expected, "{text}");
    }
    assert!(!Receipt::parse("id:7 text:stat:DELIVRD").is_whole(), "a body is no status");
}

#[test]
fn an_id_has_one_number_in_every_spelling() {
    let number = |id: &str| {
        let mut buffer = IdBuffer::new();
        id_number(id, &mut buffer).to_owned()
    };
    for id in ["0A1B2C", "0a1b2c", "00000A1B2C", "0x0A1B2C", "662316", "0000662316"] {
        assert_eq!(number(id), "662316", "{id}");
    }
    assert_eq!(number("0"), "0");
    assert_eq!(number("ffffffffffffffffffffffffffffffff"), u128::MAX.to_string());
    for other in ["", "a-b", "msg7", "fffffffffffffffffffffffffffffffff"] {
        assert_eq!(number(other), "", "{other}");
    }
}

#[test]
fn states_of_word_and_tlv_are_the_same_table() {
    let pairs = [
        ("SCHEDULED", "0"),
        ("ENROUTE", "1"),
        ("DELIVRD", "2"),
        ("EXPIRED", "3"),
        ("DELETED", "4"),
        ("UNDELIV", "5"),
        ("ACCEPTD", "6"),
        ("UNKNOWN", "7"),
        ("REJECTD", "8"),
        ("SKIPPED", "9"),
    ];
    for (word, state) in pairs {
        assert!(known_outcome(word).is_some(), "{word}");
        assert_eq!(known_outcome(word), state_outcome(state), "{word}");
    }
    assert_eq!(state_outcome("02"), state_outcome("2"));
    assert_eq!(state_outcome("UNDELIVERABLE"), state_outcome("5"), "some gateways write names");
    assert_eq!(state_outcome("10"), None);
}

#[test]
fn tags_and_classes_are_read_in_their_spellings() {
    for key in ["0x001E", "0x1e", "001E", "30"] {
        assert_eq!(tag(key), Some(0x1E), "{key}");
    }
    assert_eq!(tag("0423"), Some(0x0423));
    assert_eq!(tag("vendor"), None);
    assert_eq!([esm_class("4"), esm_class("0x04"), esm_class("x")], [Some(4), Some(4), None]);
}

#[test]
fn bytes_in_hexadecimal_are_text() {
    let mut bytes = Vec::new();
    assert_eq!(decode_hex("0x69643A37", &mut bytes), "id:7");
    assert_eq!(decode_hex("00690064003A0037", &mut bytes), "id:7", "UCS-2");
    assert_eq!(decode_hex("41e9", &mut bytes), "A?");
    assert_eq!(receipt::hex_c_string("413100").as_deref(), Some("A1"));
    assert_eq!(receipt::hex_c_string("4131"), None);
    assert!(is_hex("0A1B") && !is_hex("0A1") && !is_hex("id:7") && !is_hex(""));
}
