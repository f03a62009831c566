//! A vendor that sends webhooks as fast as they are acknowledged, and what the gateway spends on
//! them: `tests/proof/gateway.py` starts it.
//!
//! Plain threads with a blocking connection each (keep-alive), one webhook at a time. The gateway's
//! processor time is that of its threads in `/proc/<pid>/task/*/schedstat`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "it measures, or it ends")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const USAGE: &str = "webhooks ADDRESS PATH BODY-FILE PID SECONDS CONNECTIONS [HEADER]…";

/// What one connection saw.
#[derive(Debug, Default)]
struct Seen {
    took_us: Vec<u32>,
    refused: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, file, pid, seconds, connections, headers @ ..] = arguments.as_slice()
    else {
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
    let (spent_ns, began) = (spent(pid), Instant::now());
    let seen = round(address, &request, connections, seconds);
    let (spent_ns, took) = (spent(pid) - spent_ns, began.elapsed());
    report(seen, spent_ns, took, length);
}

fn report(seen: Vec<Seen>, spent_ns: u64, took: Duration, length: usize) {
    let refused: u64 = seen.iter().map(|one| one.refused).sum();
    let mut took_us: Vec<u32> = seen.into_iter().flat_map(|one| one.took_us).collect();
    took_us.sort_unstable();
    let n = took_us.len();
    let at = |share: usize| took_us.get((n * share / 1_000).min(n.saturating_sub(1))).copied();
    let [median, p99, p999] = [500, 990, 999].map(|share| at(share).unwrap_or(0));
    let each_us = spent_ns as f64 / 1_000.0 / n.max(1) as f64;
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

/// Nanoseconds that the threads of a process were on a processor; one that ended meanwhile is left
/// out, and the gateway ends none.
fn spent(pid: &str) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of_task = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    tasks.filter_map(of_task).sum()
}
