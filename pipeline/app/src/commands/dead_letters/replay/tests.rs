//! Code that could not read one element of a record, then code that can: only that element is
//! taken. Fixes of the configuration are tried from outside (`tests/it/test_dead_letters.py`).

use std::path::{Path, PathBuf};

use commit::{DataDir, random_hex};
use ingest::FileShape;
use model::dead_letter::DeadLetter;
use model::record::SignatureRule;
use model::vocabulary::{DeadReason, Source};
use normalize::Normalized;
use window::OutputFormat;

use super::*;
use crate::cli::{LetterFilter, LettersPlace, Place, VerifyArgs};
use crate::commands::verify;
use crate::lake::Rules;
use crate::tables::snapshot;

/// A directory that goes with its test, and its configuration.
struct World {
    root: PathBuf,
    config: PathBuf,
}

impl World {
    fn new() -> Self {
        let name = format!("sendtally-replay-{}", &random_hex().unwrap()[..12]);
        let root = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&root).unwrap();
        let at = |name: &str| root.join(name).display().to_string();
        std::fs::write(at("secret"), "5e".repeat(32)).unwrap();
        std::fs::write(at("dead"), "ab".repeat(32)).unwrap();
        let text = format!(
            "data_dir = \"{}\"\n[kafka]\nbrokers = \"127.0.0.1:1\"\n[keys]\nsecret_file = \"{}\"\n\
             [dead_letters]\nkey_file = \"{}\"\n[[topics]]\nname = \"t\"\nsource = \"infobip\"\n",
            at("data"),
            at("secret"),
            at("dead")
        );
        std::fs::write(at("config.toml"), text).unwrap();
        Self { config: root.join("config.toml"), root }
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn replay(&self) -> Outcome<()> {
        run(&ReplayArgs {
            as_source: None,
            place: LettersPlace { data: None, store: None, config: Some(self.config.clone()) },
            filter: LetterFilter { source: None, reason: None, topic: None, since: None },
            from_kafka: false,
            dry_run: false,
        })
    }

    fn rows(&self, query: &str) -> String {
        let tables = snapshot(&DataDir::open(&self.data()).unwrap(), |_| true).unwrap().tables;
        let mut out = Vec::new();
        Session::open(tables).unwrap().write(query, OutputFormat::Csv, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn verify(&self) -> Outcome<()> {
        verify::run(&VerifyArgs { place: Place { data: self.data(), store: None }, parts: None })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.root));
    }
}

/// A record of three reports as code saw it that could not read the second.
fn of_older_code(config: &Path, input: &Input, id: u32) -> Normalized {
    let element = |name: &str| {
        format!(
            "{{\"messageId\":\"{name}\",\"to\":\"4917055512345\",\"doneAt\":\
             \"2026-03-02T23:50:01.000+0000\",\"status\":{{\"groupId\":3,\"groupName\":\
             \"DELIVERED\",\"id\":5,\"name\":\"DELIVERED_TO_HANDSET\"}}}}"
        )
    };
    let text = format!("{{\"results\":[{},{},{}]}}", element("a"), element("b"), element("c"));
    let settings = config::read(config).unwrap();
    let mut normalizer = Normalizer::new(NormalizerSettings {
        keyring: settings.keyring,
        signatures: Arc::default(),
        regional: Arc::default(),
    });
    let mut older = None;
    ingest::read_bytes(text.as_bytes(), FileShape::Whole, id, |mut batch| {
        batch.records[0].ingest_time_us = Some(1_772_495_500_000_000);
        let view = batch.view(&batch.records[0]);
        let at = normalize::vault::Position { topic: "t", partition: 0, offset: 0 };
        let sealed = settings.vault.as_ref().unwrap().seal(&at, &view, Some(input)).unwrap();
        let now = normalizer.batch(&batch, std::slice::from_ref(input)).unwrap();
        let mut read = restrict(now, &BTreeSet::from([0, 2])).unwrap();
        let ingest_time_us = batch.records[0].ingest_time_us;
        read.dead.push(DeadLetter {
            source: Some(Source::Infobip),
            input: id,
            offset: 0,
            element: 1,
            reason: DeadReason::MissingId,
            detail: "/results/1/messageId".to_owned(),
            payload_sha256: [7; 32],
            ingest_time_us,
        });
        read.dead_records.push(model::dead_letter::DeadRecord {
            input: id,
            offset: 0,
            elements: 3,
            sealed: Some(sealed),
            ingest_time_us,
        });
        (read.tallies[0].elements, read.tallies[0].dead) = (3, 1);
        older = Some(read);
        Ok::<(), ()>(())
    })
    .unwrap();
    older.unwrap()
}

/// A job on the world's directory.
fn job(world: &World) -> Alone {
    let settings = config::read(&world.config).unwrap();
    let dir = DataDir::open(&world.data()).unwrap();
    let claimed = Claimed::new(dir, "test", Arc::new(SystemClock)).unwrap();
    claimed.recover(&settings.keyring, 1 << 20).unwrap()
}

#[test]
fn verify_tells_a_letter_that_was_replayed_twice() {
    let world = World::new();
    for times in 1..=2 {
        let mut job = job(&world);
        let again = Replayed {
            topic: "t".to_owned(),
            partition: 0,
            offset: 4,
            element: 1,
            replay_offset: 0,
            time_us: 1_772_495_500_000_000,
        };
        let rows = replays(&[again], job.core.epoch).unwrap();
        job.core.add("dead_replays", rows);
        job.close(None, false).unwrap();
        job.finish(Rules::default()).unwrap();
        // Already the first stands in no line of the ledger.
        let told = world.verify().unwrap_err();
        assert_eq!((told.code(), times), (1, times), "{told}");
    }
}

#[test]
fn only_the_element_that_older_code_could_not_read_is_counted() {
    let world = World::new();
    let mut job = job(&world);
    let input = Input {
        topic: Arc::from("t"),
        partition: 0,
        source: Some(Source::Infobip),
        account: None,
        signatures: SignatureRule::default(),
    };
    let (id, _) = job.core.inputs.open(input.clone());
    job.core.accept(of_older_code(&world.config, &input, id), 600, 0).unwrap();
    job.close(Some(1_772_495_500_000_000), false).unwrap();
    job.finish(Rules::default()).unwrap();
    let ledger = "SELECT topic, sum(records), sum(elements), sum(accepted), sum(duplicate), \
                  sum(dead) FROM ledger GROUP BY topic ORDER BY topic DESC";
    let lines = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&world.rows(ledger)), ["t,1,3,2,0,1"]);
    for _ in 0..2 {
        world.replay().unwrap();
        assert_eq!(lines(&world.rows(ledger)), ["t,1,3,2,0,1", "dead:t,1,1,1,0,0"]);
        let events = world.rows("SELECT topic, element FROM events ORDER BY element");
        assert_eq!(lines(&events), ["t,0", "dead:t,1", "t,2"]);
        let messages = "SELECT count(DISTINCT message_key), max(events), max(duplicates) \
                        FROM messages";
        assert_eq!(lines(&world.rows(messages)), ["3,1,0"]);
        world.verify().unwrap();
    }
}
