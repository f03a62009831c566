//! The gateway: vendors' webhooks over HTTP, each answered with success only after Kafka has it.
//!
//! ```text
//! POST, GET  /in/<source>/<account>    a webhook, or a vendor's handshake
//! OPTIONS    the same                  abuse protection of CloudEvents
//! GET        /healthz /readyz /metrics
//!
//! address ─► rate* ─► places ─► body ─► handshake? ─► signature ─► Kafka ─► 200
//!   404      429      503    408, 413    200, 403       401         503
//! ```
//! - *) Where signatures are required the rate is behind them: forged webhooks take nothing of it.
//! - What is in the record is DESIGN.md's "A Kafka record": the body verbatim, and headers.
//! - An answer that is no success promises nothing: the record may be in Kafka all the same, and
//!   the vendor's next attempt is a duplicate that the pipeline drops.
//! - Neither addresses nor bodies are logged or counted by: they hold recipients and secrets.
//!
//! The crate knows neither Kafka nor signatures: `app` hands in an [`Intake`].

mod settings;

pub use receive::is_account;
pub use settings::{GatewaySettings, Intake, Proof, Route, Subscription, Token};

mod limits;

mod answer;

mod processor;

mod meters;

mod record;

mod handshake;

mod receive;

mod listen;

pub use listen::serve_gateway;

#[cfg(test)]
mod tests;
