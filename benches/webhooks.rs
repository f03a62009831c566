//! A vendor that sends webhooks as fast as they are acknowledged, and what the gateway spends on
//! them: `tests/proof/gateway.py` starts it.
//!
//! Plain threads with a blocking connection each (keep-alive), one webhook at a time. The gateway's
//! processor time is what it tells itself: `process_cpu_seconds_total` of its `/metrics`, in steps
//! of 10 ms, threads that ended included.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "it measures, or it ends")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const USAGE: &str = "webhooks ADDRESS PATH BODY-FILE SECONDS CONNECTIONS [HEADER]…";

/// What one connection saw.
#[derive(Debug, Default)]
struct Seen {
    took_us: Vec<u32>,
    refused: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, file, seconds, connections, headers @ ..] = arguments.as_slice() else {
        println!("{USAGE}");
        return;
    };
    let body = std::fs::read(file).unwrap();
    let extra: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\n{extra}content-length: {length}\r\n\r\n"
    );
    let request = [head.as_bytes(), &body].concat();
    let connections: usize = connections.parse().unwrap();
    let seconds = Duration::from_secs_f64(seconds.parse().unwrap());
    // Not measured: connections, the producer's first requests, caches.
    round(address, &request, connections, seconds.div_f64(5.0));
    let (before_s, began) = (spent_s(address), Instant::now());
    let seen = round(address, &request, connections, seconds);
    let took = began.elapsed();
    report(seen, spent_s(address) - before_s, took, length);
}

fn report(seen: Vec<Seen>, spent_s: f64, took: Duration, length: usize) {
    let refused: u64 = seen.iter().map(|one| one.refused).sum();
    let mut took_us: Vec<u32> = seen.into_iter().flat_map(|one| one.took_us).collect();
    took_us.sort_unstable();
    let n = took_us.len();
    let at = |share: usize| took_us.get((n * share / 1_000).min(n.saturating_sub(1))).copied();
    let [median, p99, p999] = [500, 990, 999].map(|share| at(share).unwrap_or(0));
    let each_us = spent_s * 1e6 / n.max(1) as f64;
    println!("acknowledged {n}, refused {refused}, {length} bytes each");
    println!("rate {:.0}/s", n as f64 / took.as_secs_f64());
    println!("p50 {median} us, p99 {p99} us, p99.9 {p999} us");
    println!("processor {each_us:.1} us a webhook, budget 50");
}

/// Sends on all connections for a while.
fn round(address: &str, request: &[u8], connections: usize, time: Duration) -> Vec<Seen> {
    let until = Instant::now() + time;
    std::thread::scope(|scope| {
        let one = |_| scope.spawn(move || send(address, request, until));
        let all: Vec<_> = (0..connections).map(one).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn send(address: &str, request: &[u8], until: Instant) -> Seen {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut seen = Seen::default();
    while Instant::now() < until {
        let began = Instant::now();
        stream.write_all(request).unwrap();
        if answer(&mut answers) == 200 {
            seen.took_us.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        } else {
            seen.refused += 1;
        }
    }
    seen
}

/// Reads one answer to its end; its status.
fn answer(answers: &mut impl BufRead) -> u16 {
    let (mut line, mut status, mut length) = (String::new(), 0, 0);
    loop {
        line.clear();
        answers.read_line(&mut line).unwrap();
        let text = line.trim_end();
        if status == 0 {
            status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(1);
        } else if text.is_empty() {
            break;
        } else if let Some(told) = text.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = told.parse().unwrap();
        }
    }
    std::io::copy(&mut answers.take(length), &mut std::io::sink()).unwrap();
    status
}

/// Processor seconds of the gateway since its start.
fn spent_s(address: &str) -> f64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let asked = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    let mut lines = page.lines();
    let told = lines.find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
    told.unwrap().parse().unwrap()
}
