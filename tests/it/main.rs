//! One integration crate, so that linking is paid once and brokers are
//! shared. The trials on real brokers are generated from the catalogue: a
//! scenario or a mechanism cannot be forgotten.
//!
//! `cargo test -- --list` lists them, `cargo test -- teeth::` runs a part.
#![allow(
    clippy::wrong_self_convention,
    clippy::type_complexity,
    reason = "trials are written to be read as prose"
)]
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "this is a test: without a runtime there is nothing to go on \
              with, and what is left behind is told"
)]

mod balancers;
mod buffer;
mod catalogue;
mod cli;
mod clusters;
mod faults;
mod images;
mod lint;
mod mail;
mod producers;
mod relay;
mod shared;
mod shipped;
mod signals;
mod verdicts;
mod wire;
mod worker;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use shared::Brokers;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    // A demo may have started this binary as a process of its own.
    if let Some(ended) = rmq_lab::demos::asked() {
        return ended.map_or_else(
            |problem| {
                eprintln!("{problem}");
                problem.exit.into()
            },
            |()| ExitCode::SUCCESS,
        );
    }
    let mut arguments = Arguments::from_args();
    // Trials wait for brokers most of the time.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(cores + 1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime");
    let brokers = Brokers::new(runtime.handle().clone());
    let trials: Vec<Trial> = [
        catalogue::trials(&brokers),
        verdicts::trials(&brokers),
        buffer::trials(&brokers),
        wire::trials(&brokers),
        relay::trials(&brokers),
        worker::trials(&brokers),
        images::trials(),
        faults::trials(),
        clusters::trials(),
        balancers::trials(),
        mail::trials(),
        producers::trials(),
        shipped::trials(),
        lint::trials(),
        cli::trials(),
        signals::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (code, broken_off) = runtime.block_on(async {
        let run = tokio::task::spawn_blocking(move || {
            libtest_mimic::run(&arguments, trials)
        });
        // Killing only cargo sends SIGHUP: brokers must not outlive it.
        let caught = |kind| signal(kind).expect("a signal handler");
        let mut hang_up = caught(SignalKind::hangup());
        let mut terminate = caught(SignalKind::terminate());
        tokio::select! {
            ended = run => {
                (ended.map_or(ExitCode::FAILURE, |all| all.exit_code()), false)
            }
            _ = tokio::signal::ctrl_c() => (ExitCode::from(130), true),
            _ = terminate.recv() => (ExitCode::from(143), true),
            _ = hang_up.recv() => (ExitCode::from(129), true),
        }
    });
    let left = runtime.block_on(brokers.tear_down());
    if broken_off && let Err(why) = runtime.block_on(shared::remove_ours()) {
        eprintln!("what trials had made may be left behind: {why:#}");
    }
    // Trials that still run must not keep the process alive.
    runtime.shutdown_background();
    if left > 0 {
        eprintln!("{left} containers or networks were left behind");
        return ExitCode::FAILURE;
    }
    code
}
