//! Over a loopback socket with a fake Kafka; real signatures and a real Kafka are in
//! `tests/it/test_gateway.py`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use model::clock::SystemClock;
use model::record::{Delivery, RawBatch, SignaturePolicy};
use model::vocabulary::Source;
use tokio::sync::oneshot;

use super::*;

type Headers = Vec<(String, String)>;

/// Keeps what it is given; `x-fake: right` is the right signature.
#[derive(Default)]
struct Fake {
    stored: Mutex<Vec<(String, Vec<u8>, Headers)>>,
    confirmed: Mutex<Vec<Subscription>>,
    /// Records wait for an answer that never comes.
    is_dumb: AtomicBool,
    waiting: Mutex<Vec<oneshot::Sender<Delivery>>>,
}

impl Intake for Fake {
    fn proof(&self, _: Source, _: &str, policy: SignaturePolicy, record: &RawBatch) -> Proof {
        if policy == SignaturePolicy::Ignore {
            return Proof::default();
        }
        let view = record.view(&record.records[0]);
        match view.headers.get("http-x-fake") {
            Some("right") => Proof { verified: Some(true), reason: Some("valid") },
            Some(_) => Proof { verified: Some(false), reason: Some("mismatch") },
            None => Proof { verified: Some(false), reason: Some("missing_header") },
        }
    }

    fn is_key(&self, _: Source, _: &str, text: &str) -> bool {
        text == "client-token"
    }

    fn subscription(&self, body: &str) -> Option<String> {
        body.contains("SubscriptionConfirmation").then(|| "https://sns".to_owned())
    }

    fn confirm(&self, _: &str, subscription: Subscription) {
        self.confirmed.lock().unwrap().push(subscription);
    }

    fn store(&self, topic: &str, record: &RawBatch) -> Option<oneshot::Receiver<Delivery>> {
        let view = record.view(&record.records[0]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = view.headers.iter().map(|(name, value)| (text(name), text(value))).collect();
        self.stored.lock().unwrap().push((topic.to_owned(), view.value.to_vec(), headers));
        let (sender, receiver) = oneshot::channel();
        if self.is_dumb.load(Ordering::SeqCst) {
            self.waiting.lock().unwrap().push(sender);
        } else {
            sender.send(Delivery::Stored).unwrap();
        }
        Some(receiver)
    }

    fn is_well(&self) -> bool {
        !self.is_dumb.load(Ordering::SeqCst)
    }

    fn queued(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }
}

struct Running {
    address: SocketAddr,
    fake: Arc<Fake>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn route(policy: SignaturePolicy) -> Route {
    Route {
        topic: "hooks".into(),
        policy,
        public_url: Some("https://hooks.example/p".into()),
        verify_token: Some(Token::new("verify me")),
        rate: 1_000.0,
    }
}

fn start(change: impl FnOnce(&mut GatewaySettings)) -> Running {
    let mut settings = GatewaySettings {
        body_bytes_max: 1_000,
        head_wait: Duration::from_millis(400),
        body_wait: Duration::from_millis(400),
        kafka_wait: Duration::from_millis(400),
        ..GatewaySettings::default()
    };
    for source in Source::ALL {
        settings.route(*source, None, route(SignaturePolicy::Record));
        settings.route(*source, Some("strict"), route(SignaturePolicy::Require));
        settings.keep(*source, &["x-fake"]);
    }
    settings.route(Source::Twilio, Some("rare"), Route { rate: 0.1, ..route(Default::default()) });
    change(&mut settings);
    let fake = Arc::new(Fake::default());
    let intake = Arc::clone(&fake);
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = crate::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let stopped = async move { drop(stopped.await) };
            let clock = Arc::new(SystemClock);
            serve_gateway(listener, settings, intake, clock, stopped).await.unwrap();
        });
    });
    let address = told.recv().unwrap();
    Running { address, fake, stop: Some(stop), thread: Some(thread) }
}

/// One request on a connection of its own: status, headers, body.
fn ask(running: &Running, head: &str, headers: &str, body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(running.address).unwrap();
    let length = body.len();
    let text = format!(
        "{head} HTTP/1.1\r\nhost: inner:80\r\nconnection: close\r\n{headers}content-length: \
         {length}\r\n\r\n"
    );
    stream.write_all(&[text.as_bytes(), body].concat()).unwrap();
    answer(&mut stream)
}

fn answer(stream: &mut TcpStream) -> (u16, String, String) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    (status, head.to_ascii_lowercase(), body.to_owned())
}

fn status(running: &Running, head: &str, headers: &str, body: &[u8]) -> u16 {
    ask(running, head, headers, body).0
}

#[test]
fn a_webhook_becomes_a_record_with_the_contracts_headers() {
    let running = start(|_| {});
    let extra =
        "content-type: a/b\r\nx-fake: right\r\ncookie: secret\r\nx-forwarded-host: evil\r\n";
    let body = b"\xff\x00 {}";
    assert_eq!(status(&running, "POST /in/twilio/AC1?x=%20y", extra, body), 200);
    assert_eq!(status(&running, "GET /in/twilio/AC1?To=1", "", b""), 200);
    let stored = running.fake.stored.lock().unwrap();
    let (topic, value, headers) = &stored[0];
    assert_eq!((topic.as_str(), value.as_slice()), ("hooks", &body[..]));
    let mut headers = headers.clone();
    let received = headers.remove(5);
    assert_eq!(received.0, "received-at");
    assert!(model::time::parse_rfc3339(&received.1).is_some(), "{}", received.1);
    let expected = [
        ("source", "twilio"),
        ("account", "AC1"),
        ("method", "POST"),
        ("url", "https://hooks.example/p/in/twilio/AC1?x=%20y"),
        ("content-type", "a/b"),
        ("http-x-fake", "right"),
        ("verified", "true"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let (_, value, headers) = &stored[1];
    assert_eq!(value, b"");
    assert!(headers.contains(&("method".to_owned(), "GET".to_owned())));
    assert!(headers.contains(&("verified".to_owned(), "false".to_owned())), "{headers:?}");
}

#[test]
fn several_lines_of_a_header_are_one_list() {
    let running = start(|settings| settings.keep(Source::Bird, &["webhook-signature", "x-fake"]));
    let lines = "webhook-signature: v1,a\r\nx-fake: wrong\r\nWebhook-Signature: v1,b\r\nx-fake: \
                 right\r\nx-fake: third\r\n";
    assert_eq!(status(&running, "POST /in/bird/a", lines, b"x"), 200);
    let stored = running.fake.stored.lock().unwrap();
    let value = |name: &str| {
        let headers: Vec<_> = stored[0].2.iter().filter(|(told, _)| told == name).collect();
        assert_eq!(headers.len(), 1, "{headers:?}");
        headers[0].1.clone()
    };
    assert_eq!(value("http-webhook-signature"), "v1,a v1,b");
    assert_eq!(value("http-x-fake"), "wrong, right, third");
}

#[test]
fn a_right_value_beside_another_one_is_not_right() {
    let running = start(|_| {});
    for lines in ["x-fake: right\r\nx-fake: wrong\r\n", "x-fake: right\r\nx-fake: right\r\n"] {
        assert_eq!(status(&running, "POST /in/twilio/strict", lines, b"x"), 401, "{lines}");
    }
}

#[test]
fn http2_with_prior_knowledge_is_closed_and_a_request_that_begins_like_it_is_read() {
    let running = start(|_| {});
    let (preface, settings) = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for split in [0, 1, 16, 23] {
        let mut stream = TcpStream::connect(running.address).unwrap();
        stream.write_all(&preface[..split]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        // It may be closed before all is written.
        drop(stream.write_all(&[&preface[split..], &settings].concat()));
        let mut bytes = Vec::new();
        drop(stream.read_to_end(&mut bytes));
        assert_eq!(bytes, b"", "split at {split}");
    }
    assert_eq!(status(&running, "PRI /in/twilio/a", "", b"x"), 405);
    assert_eq!(status(&running, "POST /in/twilio/a", "", b"x"), 200);
}

#[test]
fn what_is_not_received_here_is_not_stored() {
    let running = start(|settings| settings.route(Source::Bird, None, route(Default::default())));
    for (head, expected) in [
        ("POST /", 404),
        ("POST /in/twilio", 404),
        ("POST /in/twilio/", 404),
        ("POST /in/nobody/a", 404),
        ("POST /in/twilio/a/b", 404),
        ("POST /in/twilio/a%2fb", 404),
        ("PUT /in/twilio/a", 405),
        ("OPTIONS /in/twilio/a", 405),
    ] {
        assert_eq!(status(&running, head, "", b"x"), expected, "{head}");
    }
    let long = format!("GET /in/twilio/a?{}", "x".repeat(9_000));
    assert_eq!(status(&running, &long, "", b""), 414);
    assert_eq!(status(&running, "POST /in/twilio/strict", "x-fake: wrong\r\n", b"x"), 401);
    assert_eq!(status(&running, "POST /in/twilio/strict", "", b"x"), 401);
    assert_eq!(status(&running, "POST /in/vonage/strict", "", b"x"), 503, "asks for a signed one");
    assert_eq!(running.fake.stored.lock().unwrap().len(), 0);
    assert_eq!(status(&running, "POST /in/twilio/strict", "x-fake: right\r\n", b"x"), 200);
    assert_eq!(running.fake.stored.lock().unwrap().len(), 1);
}

#[test]
fn an_account_that_is_not_listed_is_unknown_where_none_are_taken() {
    let running = start(|settings| {
        *settings = GatewaySettings::default();
        settings.route(Source::Twilio, Some("listed"), route(SignaturePolicy::Ignore));
    });
    assert_eq!(status(&running, "POST /in/twilio/listed", "", b"x"), 200);
    assert_eq!(status(&running, "POST /in/twilio/other", "", b"x"), 404);
    assert_eq!(status(&running, "POST /in/bird/listed", "", b"x"), 404);
}

#[test]
fn a_body_too_large_is_refused_and_its_sender_gets_to_read_it() {
    let running = start(|_| {});
    assert_eq!(status(&running, "POST /in/twilio/a", "", &[b'x'; 1_000]), 200);
    assert_eq!(status(&running, "POST /in/twilio/a", "", &[b'x'; 1_001]), 413);
    assert_eq!(status(&running, "POST /in/twilio/a", "", &vec![b'x'; 1 << 20]), 413);
    let mut stream = TcpStream::connect(running.address).unwrap();
    let chunk = format!("400\r\n{}\r\n", "y".repeat(1_024));
    let head = "POST /in/twilio/a HTTP/1.1\r\nhost: h\r\nconnection: close\r\n";
    let text = format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    assert_eq!(answer(&mut stream).0, 413);
    assert_eq!(running.fake.stored.lock().unwrap().len(), 1);
}

#[test]
fn a_slow_body_is_answered_and_a_slow_head_is_cut_off_while_others_are_served() {
    let running = start(|_| {});
    let mut body = TcpStream::connect(running.address).unwrap();
    body.write_all(b"POST /in/twilio/a HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nabc")
        .unwrap();
    let mut head = TcpStream::connect(running.address).unwrap();
    head.write_all(b"POST /in/twilio/a HTTP/1.1\r\nhost").unwrap();
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(status(&running, "POST /in/twilio/a", "", b"x"), 200);
    }
    let dribbling = std::thread::spawn(move || {
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(100));
            if head.write_all(b"x").is_err() {
                break;
            }
        }
        answer(&mut head)
    });
    assert_eq!(answer(&mut body).0, 408);
    assert_eq!(dribbling.join().unwrap_or_default().0, 0, "a head has no answer");
    assert!(began.elapsed() < Duration::from_secs(8));
    assert_eq!(running.fake.stored.lock().unwrap().len(), 20);
}

#[test]
fn who_comes_too_often_is_told_when_to_come_again() {
    let running = start(|_| {});
    assert_eq!(status(&running, "POST /in/twilio/rare", "", b"x"), 200);
    let (status, head, _) = ask(&running, "POST /in/twilio/rare", "", b"x");
    assert_eq!(status, 429);
    assert!(head.contains("retry-after: 1"), "{head}");
}

#[test]
fn who_has_no_signature_takes_nothing_of_an_accounts_rate_where_one_is_required() {
    let running = start(|settings| {
        let rare = Route { rate: 1.0, ..route(SignaturePolicy::Require) };
        settings.route(Source::Twilio, Some("rare"), rare);
    });
    for _ in 0..50 {
        assert_eq!(status(&running, "POST /in/twilio/rare", "x-fake: wrong\r\n", b"x"), 401);
    }
    let genuine = || status(&running, "POST /in/twilio/rare", "x-fake: right\r\n", b"x");
    assert_eq!([genuine(), genuine(), genuine()], [200, 200, 429]);
}

#[test]
fn without_an_answer_of_kafka_there_is_no_success_and_it_comes_in_time() {
    let running = start(|_| {});
    running.fake.is_dumb.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let (code, head, _) = ask(&running, "POST /in/twilio/a", "", b"x");
    assert_eq!(code, 503);
    assert!(head.contains("retry-after: 5"), "{head}");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(status(&running, "GET /readyz", "", b""), 503);
    assert_eq!(status(&running, "GET /healthz", "", b""), 200);
    running.fake.is_dumb.store(false, Ordering::SeqCst);
    assert_eq!(status(&running, "GET /readyz", "", b""), 200);
}

#[test]
fn requests_at_once_are_bounded() {
    let running = start(|settings| settings.requests_max = 2);
    running.fake.is_dumb.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let ask = || scope.spawn(|| status(&running, "POST /in/twilio/a", "", b"x"));
        let all: Vec<_> = (0..6).map(|_| ask()).collect();
        let all: Vec<u16> = all.into_iter().map(|one| one.join().unwrap()).collect();
        assert_eq!(all, [503; 6]);
    });
    let (_, _, page) = ask(&running, "GET /metrics", "", b"");
    assert!(page.contains("answer=\"busy\",status=\"503\"} "), "{page}");
    if cfg!(target_os = "linux") {
        assert!(page.contains("\nprocess_cpu_seconds_total "), "{page}");
    }
    assert!(running.fake.stored.lock().unwrap().len() < 6);
}

#[test]
fn each_vendors_handshake_is_answered_as_its_reference_says_and_stored_nowhere() {
    let running = start(|_| {});
    let meta = |token: &str| {
        let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=11%3C5");
        ask(&running, &format!("GET /in/whatsapp/waba?{query}"), "", b"")
    };
    let (status, head, body) = meta("verify%20me");
    assert_eq!((status, body.as_str()), (200, "11<5"));
    assert!(head.contains("content-type: text/plain"), "{head}");
    assert_eq!(meta("guess").0, 403);

    let rbm = |token: &str| {
        let body = format!(r#"{{"clientToken":"{token}","secret":"sé\u0063ret"}}"#);
        ask(&running, "POST /in/google_rbm/agent", "", body.as_bytes())
    };
    let (status, _, body) = rbm("client-token");
    assert_eq!((status, body.as_str()), (200, "sécret"));
    assert_eq!(rbm("guess").0, 403);

    let event = br#"[{"id":"1","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent",
        "data":{"validationCode":"5\u0031","validationUrl":"https://x"},"topic":"t"}]"#;
    let grid = "aeg-event-type: SubscriptionValidation\r\n";
    let (status, _, body) = ask(&running, "POST /in/azure_acs/a", grid, event);
    assert_eq!((status, body.as_str()), (200, r#"{"validationResponse":"51"}"#));
    assert_eq!(
        ask(&running, "POST /in/azure_acs/strict", grid, event).0,
        401,
        "held to the policy"
    );

    let origin = "webhook-request-origin: eventgrid.azure.net\r\nwebhook-request-rate: 120\r\n";
    let (status, head, _) = ask(&running, "OPTIONS /in/azure_acs/a", origin, b"");
    assert_eq!(status, 200);
    assert!(head.contains("webhook-allowed-origin: eventgrid.azure.net"), "{head}");
    assert!(head.contains("webhook-allowed-rate: *"), "{head}");

    let sns = br#"{"Type":"SubscriptionConfirmation"}"#;
    assert_eq!(ask(&running, "POST /in/aws_sns/a", "x-fake: right\r\n", sns).0, 200);
    assert_eq!(ask(&running, "POST /in/aws_eum/a", "", sns).0, 200);
    assert_eq!(ask(&running, "POST /in/aws_sns/strict", "", sns).0, 401);
    let verified: Vec<bool> =
        running.fake.confirmed.lock().unwrap().iter().map(|asked| asked.is_verified).collect();
    assert_eq!(verified, [true, false]);
    assert_eq!(running.fake.stored.lock().unwrap().len(), 0);
}

#[test]
fn the_end_waits_for_requests_that_wait_for_kafka() {
    let mut running = start(|settings| settings.kafka_wait = Duration::from_secs(5));
    running.fake.is_dumb.store(true, Ordering::SeqCst);
    let address = running.address;
    let mut idle = TcpStream::connect(address).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"POST /in/twilio/a HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n\r\nx")
        .unwrap();
    while running.fake.queued() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(running.stop.take());
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(answer(&mut idle).0, 0, "an idle connection is closed");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    for waiting in running.fake.waiting.lock().unwrap().drain(..) {
        waiting.send(Delivery::Stored).unwrap();
    }
    assert_eq!(answer(&mut stream).0, 200);
}
