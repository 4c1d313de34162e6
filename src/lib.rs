//! rmq-lab: RabbitMQ's reliability, learned by watching it break and hold.
//!
//! Every claim has a run that proves it on a real broker: a *naive* way that
//! breaks under a named fault, and a *fixed* way that survives the same fault
//! with the same messages. A ledger shows message by message what happened.
//!
//! Everything here runs against containers that the lab itself started, on
//! the loopback address. It is a teaching tool: the patterns in [`pattern`]
//! are meant to be lifted into applications, the rest is not.
//!
//! # Layout
//!
//! Arrows run downwards only.
//!
//! - `main.rs`, `cli`: the command line, one flat match, exit codes.
//! - [`demos`]: one file per topic, written to be read aloud.
//! - [`lab`]: one run of one scenario, and the lifecycle around it.
//! - [`pattern`]: what an application does about it. Knows nothing of the lab.
//! - [`fault`]: what goes wrong: containers, and the wire.
//! - [`stage`]: what a demo stands on: Docker, images, broker, Redis,
//!   mail.
//! - [`narrate`]: how a run is told: terminal, JSON lines, record.
//! - [`book`]: chapters, questions, hints, and how far a reader has come.
//! - [`event`]: the stream of events that a run is.
//! - [`ledger`]: pure: facts in, audit out.
//! - [`mod@text`], [`problem`]: what a person reads, in both languages.

pub mod book;
pub mod cli;
#[path = "../demos/mod.rs"]
pub mod demos;
pub mod event;
pub mod fault;
pub mod lab;
pub mod ledger;
pub mod narrate;
pub mod pattern;
pub mod problem;
pub mod stage;
#[macro_use]
pub mod text;
