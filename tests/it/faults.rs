//! Faults that hit a whole container, each struck and lifted on a broker that
//! nobody else uses.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use rmq_lab::{
    fault::container::{
        connect, disconnect, kill, pause, shut_down, start, unpause,
    },
    problem::Problem,
    stage::{BrokerChoice, Engine, RunId, Stage, Wanted},
};

pub fn trials() -> Vec<Trial> {
    vec![Trial::test(
        "fault::each_container_fault_strikes_and_is_lifted",
        || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let engine =
                    Engine::connect(RunId::random()).await.map_err(told)?;
                let ended = each_strikes_and_is_lifted(&engine).await;
                let left = engine.tear_down().await;
                match left {
                    0 => ended,
                    left => Err(format!("{left} left behind").into()),
                }
            })
        },
    )]
}

const SOON: Duration = Duration::from_secs(1);
const BOOT: Duration = Duration::from_secs(60);

async fn each_strikes_and_is_lifted(engine: &Engine) -> Result<(), Failed> {
    let wanted = Wanted { broker: BrokerChoice::Four, redis: false };
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

fn expect(what: &str, is_so: bool) -> Result<(), Failed> {
    is_so.then_some(()).ok_or_else(|| format!("not so: {what}").into())
}

fn told(problem: Problem) -> Failed {
    format!("{problem:?}").into()
}
