//! Faults that hit a whole container, each struck and lifted on a broker that
//! nobody else uses.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use libtest_mimic::{Failed, Trial};
use rmq_lab::{
    fault::container::{
        connect, disconnect, kill, pause, shut_down, start, unpause,
    },
    problem::Problem,
    stage::{
        BrokerChoice, Engine, RunId, Stage, Wanted,
        image::{Reference, resolve},
    },
};
use testcontainers::{GenericImage, ImageExt, core::IntoContainerPort};

pub fn trials() -> Vec<Trial> {
    vec![
        on_an_engine(
            "fault::each_container_fault_strikes_and_is_lifted",
            each_strikes_and_is_lifted,
        ),
        on_an_engine(
            "fault::a_port_that_somebody_was_quicker_to_take_is_chosen_anew",
            a_taken_port_is_chosen_anew,
        ),
        on_an_engine(
            "fault::nothing_is_made_once_all_is_removed",
            nothing_is_made_once_all_is_removed,
        ),
    ]
}

/// A trial that does as it likes on an engine, and leaves nothing behind.
pub fn on_an_engine(
    name: &str,
    act: impl AsyncFnOnce(&Engine) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    Trial::test(name, move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let engine =
                Engine::connect(RunId::random()).await.map_err(told)?;
            let ended = act(&engine).await;
            match engine.tear_down().await {
                0 => ended,
                left => Err(format!("{left} left behind").into()),
            }
        })
    })
}

/// A task that has not noticed that it is over must leave nothing behind.
async fn nothing_is_made_once_all_is_removed(
    engine: &Engine,
) -> Result<(), Failed> {
    let wanted =
        Wanted { broker: BrokerChoice::Four, redis: false, mail: false };
    expect("nothing is left", engine.tear_down().await == 0)?;
    match Stage::up(engine, &wanted, &|_| {}).await {
        Ok(_) => Err("a stage after the end".into()),
        Err(problem) if problem.error.en == "the run is over" => Ok(()),
        Err(problem) => Err(told(problem)),
    }
}

const SOON: Duration = Duration::from_secs(1);
const BOOT: Duration = Duration::from_secs(60);

async fn each_strikes_and_is_lifted(engine: &Engine) -> Result<(), Failed> {
    let wanted =
        Wanted { broker: BrokerChoice::Four, redis: false, mail: false };
    let stage = Stage::up(engine, &wanted, &|_| {}).await.map_err(told)?;
    let (broker, container) = (&stage.broker, stage.broker.container());
    let name = "broker";

    pause(engine, container).await.map_err(told)?;
    expect("a paused broker is silent", !broker.answers(SOON).await)?;
    unpause(engine, container).await.map_err(told)?;
    expect("it answers when it goes on", broker.answers(BOOT).await)?;

    disconnect(engine, container).await.map_err(told)?;
    expect("a broker off the network is silent", !broker.answers(SOON).await)?;
    connect(engine, container, name).await.map_err(told)?;
    expect("it answers when it is back", broker.answers(BOOT).await)?;

    kill(engine, container).await.map_err(told)?;
    expect("a killed broker is silent", !broker.answers(SOON).await)?;
    start(engine, container).await.map_err(told)?;
    expect("started again it answers at its port", broker.answers(BOOT).await)?;

    shut_down(engine, broker).await.map_err(told)?;
    expect(
        "a broker that was shut down is silent",
        !broker.answers(SOON).await,
    )?;
    start(engine, container).await.map_err(told)?;
    expect("and answers when it is started", broker.answers(BOOT).await)
}

/// Between the choice of a port and its use lies a moment.
async fn a_taken_port_is_chosen_anew(engine: &Engine) -> Result<(), Failed> {
    let redis = Reference::Named("redis");
    let image = resolve(engine, redis, &|_| {}).await.map_err(told)?;
    engine.make_network().await.map_err(told)?;
    let publishing = |port: u16| {
        GenericImage::new(&image.name, &image.tag)
            .with_exposed_port(6379.tcp())
            .with_mapped_port(port, 6379.tcp())
    };
    let (quicker, [taken]) = engine
        .start_on_ports("quicker", |[port]| publishing(port))
        .await
        .map_err(told)?;
    let tries = AtomicU32::new(0);
    let (slower, [port]) = engine
        .start_on_ports("slower", |[port]| {
            match tries.fetch_add(1, Ordering::Relaxed) {
                0 => publishing(taken),
                _ => publishing(port),
            }
        })
        .await
        .map_err(told)?;
    expect("it was tried twice", tries.into_inner() == 2)?;
    expect("the second has another port", port != taken)?;
    let both = quicker.is_running().await && slower.is_running().await;
    expect("both run", both)
}

pub fn expect(what: &str, is_so: bool) -> Result<(), Failed> {
    is_so.then_some(()).ok_or_else(|| format!("not so: {what}").into())
}

pub fn told(problem: Problem) -> Failed {
    format!("{problem:?}").into()
}
