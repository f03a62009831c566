//! The vault: what comes back, and what does not.

use std::sync::Arc;

use super::*;

const AT: Position<'_> = Position { topic: "messaging.sms", partition: 3, offset: 41 };

fn input() -> Input {
    Input {
        topic: Arc::from("messaging.sms"),
        partition: 3,
        source: Some(Source::Infobip),
        account: Some(Arc::from("acme")),
        signatures: SignatureRule { policy: SignaturePolicy::Require, check_again: true },
    }
}

fn batch() -> RawBatch {
    let opened = Opened {
        value: b"{\"to\":\"4917055512345\"}\xff".to_vec(),
        tombstone: false,
        headers: vec![(b"url".to_vec(), b"/in?to=4917055512345".to_vec()), (vec![], vec![0])],
        ingest_time_us: Some(-7),
        source: None,
        account: None,
        signatures: SignatureRule::default(),
    };
    opened.batch(0, 41)
}

fn seal(vault: &Vault) -> Sealed {
    let batch = batch();
    vault.seal(&AT, &batch.view(&batch.records[0]), Some(&input())).unwrap()
}

#[test]
fn a_record_comes_back_with_its_headers_and_what_its_topic_said() {
    let vault = Vault::new(&[1; 32], &[]).unwrap();
    let opened = vault.open(&AT, &seal(&vault)).unwrap();
    let (input, again, was) = (input(), opened.batch(5, 9), batch());
    assert_eq!((opened.source, opened.account.as_deref()), (input.source, Some("acme")));
    assert_eq!(opened.signatures, input.signatures);
    let (again, was) = (again.view(&again.records[0]), was.view(&was.records[0]));
    assert_eq!((again.input, again.offset), (5, 9));
    assert_eq!((again.value, again.ingest_time_us), (was.value, Some(-7)));
    assert!(again.headers.iter().eq(was.headers.iter()));
}

#[test]
fn nothing_of_a_record_can_be_read_in_its_ciphertext_and_no_two_are_equal() {
    let vault = Vault::new(&[1; 32], &[]).unwrap();
    let (one, two) = (seal(&vault), seal(&vault));
    assert_ne!(one.bytes, two.bytes);
    let plain = |bytes: &[u8]| bytes.windows(6).any(|window| window == b"491705");
    assert!(!plain(&one.bytes) && plain(&batch().bytes));
    assert!(!format!("{vault:?} {:?}", vault.open(&AT, &one)).contains("4917"));
}

#[test]
fn an_older_key_opens_and_the_newer_one_seals() {
    let (old, new) =
        (Vault::new(&[1; 32], &[]).unwrap(), Vault::new(&[2; 32], &[[1; 32]]).unwrap());
    let (older, newer) = (seal(&old), seal(&new));
    assert!(new.open(&AT, &older).is_ok());
    assert_ne!(newer.key_id, older.key_id);
    assert_eq!(old.open(&AT, &newer), Err(VaultError::UnknownKey(newer.key_id)));
}

#[test]
fn a_ciphertext_opens_at_its_own_position_only_and_whole_only() {
    let vault = Vault::new(&[1; 32], &[]).unwrap();
    let sealed = seal(&vault);
    let places = [
        Position { topic: "messaging.rcs", ..AT },
        Position { partition: 4, ..AT },
        Position { offset: 42, ..AT },
    ];
    for place in places {
        assert_eq!(vault.open(&place, &sealed), Err(VaultError::Damaged), "{place:?}");
    }
    for at in 0..sealed.bytes.len() {
        let mut damaged = sealed.clone();
        damaged.bytes[at] ^= 1;
        assert_eq!(vault.open(&AT, &damaged), Err(VaultError::Damaged), "byte {at}");
        damaged.bytes = sealed.bytes[..at].to_vec();
        assert_eq!(vault.open(&AT, &damaged), Err(VaultError::Damaged), "{at} bytes");
    }
}
