//! Connections with bounds: how many are open, and how long one may be silent. Whoever opens
//! connections and says nothing takes places from others only for a while. Only HTTP/1 is spoken:
//! axum's server takes HTTP/2 as well wherever some crate of the program turns that on.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Open at once; more wait to be accepted.
    pub(crate) connections: usize,
    /// Longest silence in either direction.
    pub(crate) silence: Duration,
    /// From a request's first byte to its handler; without it only the silence is bounded.
    pub(crate) head: Option<Duration>,
}

/// Of page and API: browsers hold 6 connections each, the page asks every 2 s, Prometheus every 15
/// to 60 s. Far below the usual limit of 1,024 files.
pub(crate) const API: Bounds =
    Bounds { connections: 256, silence: Duration::from_secs(75), head: None };

/// Longest request line and headers: vendors' take a few kilobytes, a server of the usual kind
/// allows 8 to 32.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// How HTTP/2 with prior knowledge begins.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Where a connection is in its present request. The connection knows the bytes, the handler knows
/// where the head ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Phase(Arc<AtomicU8>);

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const SERVING: u8 = 2;
const ANSWERED: u8 = 3;

impl Phase {
    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        self.0.store(phase, Ordering::Relaxed);
    }

    /// The handler has the request: it watches the time itself until the guard goes.
    pub(crate) fn serve(&self) -> Serving<'_> {
        self.set(SERVING);
        Serving(self)
    }
}

/// A request that is being served.
#[derive(Debug)]
pub(crate) struct Serving<'a>(&'a Phase);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.set(ANSWERED);
    }
}

impl Connected<IncomingStream<'_, Bounded>> for Phase {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        stream.io().phase.clone()
    }
}

/// A listener whose connections are bounded.
#[derive(Debug)]
pub(crate) struct Bounded {
    listener: TcpListener,
    bounds: Bounds,
    places: Arc<Semaphore>,
}

impl Bounded {
    pub(crate) fn new(listener: TcpListener, bounds: Bounds) -> Self {
        Self { listener, bounds, places: Arc::new(Semaphore::new(bounds.connections)) }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed; should it be, connections are served without a place.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "small answers of a connection may be delayed");
        }
        let deadline = Box::pin(tokio::time::sleep(self.bounds.silence));
        let (bounds, phase) = (self.bounds, Phase::default());
        let (head_bytes, preface) = (0, Some(0));
        let connection =
            Connection { stream, bounds, deadline, phase, head_bytes, preface, _place: place };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that ends itself after too long a silence, or too slow or large a head.
///
/// ```text
/// idle ──first byte──► head ──handler──► serving ──answer──► answered ──written──► idle
///  silence              `head`, HEAD_BYTES_MAX    the handler's own bounds          silence
/// ```
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    bounds: Bounds,
    deadline: Pin<Box<Sleep>>,
    phase: Phase,
    /// Read since the head began.
    head_bytes: usize,
    /// Bytes of HTTP/2's preface that came so far; `None` once it is something else.
    preface: Option<usize>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn extend(&mut self, by: Duration) {
        self.deadline.as_mut().reset(Instant::now() + by);
    }

    /// Whether these bytes complete HTTP/2's preface.
    fn is_http2(&mut self, bytes: &[u8]) -> bool {
        let Some(from) = self.preface else { return false };
        let rest = HTTP2_PREFACE.get(from..).unwrap_or(&[]);
        let common = rest.len().min(bytes.len());
        let is_it = rest.get(..common) == bytes.get(..common);
        self.preface = is_it.then_some(from + common);
        self.preface == Some(HTTP2_PREFACE.len())
    }

    /// Bytes came in.
    fn has_read(&mut self, bytes: usize) {
        let Some(head) = self.bounds.head else { return self.extend(self.bounds.silence) };
        match self.phase.get() {
            IDLE | ANSWERED => {
                self.phase.set(HEAD);
                self.head_bytes = bytes;
                self.extend(head);
            }
            HEAD => self.head_bytes = self.head_bytes.saturating_add(bytes),
            _ => {}
        }
    }

    /// Bytes went out.
    fn has_written(&mut self) {
        if self.bounds.head.is_none() {
            return self.extend(self.bounds.silence);
        }
        if self.phase.get() == ANSWERED {
            self.phase.set(IDLE);
            self.extend(self.bounds.silence);
        }
    }

    /// Whether it is waiting too long; nothing is while a handler works.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        while self.deadline.as_mut().poll(context).is_ready() {
            if self.bounds.head.is_none() || self.phase.get() != SERVING {
                return true;
            }
            self.extend(self.bounds.silence);
        }
        false
    }

    /// Counts what was written, or ends a silence that lasts too long.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            self.has_written();
            return outcome;
        }
        if self.is_over(context) {
            Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
        } else {
            outcome
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let is_head = self.phase.get() == HEAD;
        if is_head && self.head_bytes >= HEAD_BYTES_MAX {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        if outcome.is_ready() {
            if self.is_http2(buffer.filled().get(before..).unwrap_or(&[])) {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            self.has_read(buffer.filled().len() - before);
            return outcome;
        }
        if self.is_over(context) {
            Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
        } else {
            outcome
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
