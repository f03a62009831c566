//! Addresses, links and codes.

use super::*;

#[test]
fn a_link_names_the_request_and_the_chatbot() {
    let href = "http://example.com/x/v1/outbound/sip%3A12599%40bot.example.com/requests/r-1";
    assert_eq!(request_id(href), Some("r-1"));
    assert_eq!(request_id("http://example.com/requests/r-2/deliveryInfos?a=b"), Some("r-2"));
    assert_eq!(request_id("http://example.com/messages/r-3/"), Some("r-3"));
    assert_eq!(request_id(""), None);
    let mut form = Form::default();
    assert_eq!(sender(Some(href), &mut form), Some("sip:12599@bot.example.com"));
    assert_eq!(sender(Some("http://example.com/requests/r-1"), &mut form), None);
}

#[test]
fn an_address_is_its_number_whatever_the_scheme() {
    for address in [
        "tel:+447700900143",
        "sip:+447700900143@ims.example.com",
        "tel:+447700900143;phone-context=x",
        "+447700900143",
    ] {
        assert_eq!(user(address, false, &mut Vec::new()).0, "+447700900143", "{address}");
    }
    assert_eq!(user("sip:ann@example.com", false, &mut Vec::new()).0, "sip:ann@example.com");
}

#[test]
fn a_local_number_gets_its_calling_code() {
    for (address, is_oma, expected) in [
        ("tel:7700900143;phone-context=+44", true, "+447700900143"),
        ("sip:7700900143;phone-context=+44@ims.example.com;user=phone", false, "+447700900143"),
        ("tel:07700900143;phone-context=+44", true, "+447700900143"),
        ("tel:0612345678;phone-context=+39", true, "+390612345678"),
        ("tel:13900000001", false, "+8613900000001"),
        ("tel:13900000001;phone-context=ims.example.com", false, "+8613900000001"),
        ("tel:8613900000001", false, "8613900000001"),
        ("tel:12025550143", false, "12025550143"),
        ("tel:7700900143;Phone-Context=+44", true, "+447700900143"),
        ("tel:7700900143;phone-context=+example", true, "7700900143"),
        ("tel:7700900143;phone-context=+1-212", true, "7700900143"),
        ("tel:13900000001", true, "13900000001"),
        ("tel:447700900143", false, "447700900143"),
    ] {
        assert_eq!(user(address, is_oma, &mut Vec::new()).0, expected, "{address}");
    }
}

#[test]
fn a_description_may_begin_with_a_code() {
    assert_eq!(code("800"), Some("800"));
    assert_eq!(code("SVC0004: no valid address"), Some("SVC0004"));
    for other in ["", "UP2 failed badly", "SMS", "no route", "a123456789012345"] {
        let is_code = other == "UP2 failed badly";
        assert_eq!(code(other).is_some(), is_code, "{other}");
    }
    assert_eq!(class_of_code("SVC0004"), Some(ErrorClass::UnknownRecipient));
    assert_eq!(class_of_code("POL0001"), Some(ErrorClass::Configuration));
    assert_eq!(class_of_code("SVC9999"), None);
}
