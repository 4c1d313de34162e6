//! Two balancers and one address: who holds it, and where it goes.

use std::{net::SocketAddr, time::Duration};

use anyhow::ensure;
use libtest_mimic::{Failed, Trial};
use rmq_lab::{
    fault::balancer,
    stage::{
        Balancers, Balancing, BrokerChoice, Engine, Stage, Wanted,
        image::{Reference, resolve},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::faults::on_an_engine;

pub fn trials() -> Vec<Trial> {
    vec![on_an_engine(
        "balancers::the_address_goes_to_whoever_lives",
        async |engine: &Engine| {
            goes_to_whoever_lives(engine)
                .await
                .map_err(|error| Failed::from(format!("{error:#}")))
        },
    )]
}

const SOON: Duration = Duration::from_secs(30);

async fn goes_to_whoever_lives(engine: &Engine) -> anyhow::Result<()> {
    let wanted =
        Wanted { broker: BrokerChoice::Four, redis: false, mail: false };
    let stage = Stage::up(engine, &wanted, &|_| {}).await?;
    let tools = resolve(engine, Reference::Named("tools"), &|_| {}).await?;
    let brokers = [stage.broker.service.container.clone()];
    let sound = Balancing::SOUND;
    let pair =
        Balancers::start(engine, &tools, "pair", &sound, &brokers, &|_| {})
            .await?;
    for n in 0..pair.count() {
        ensure!(pair.has_loaded_script(n).await, "lb{} has no script", n + 1);
        let brokers = pair.backends(n).await;
        ensure!(brokers.iter().all(|broker| broker.is_up), "{brokers:?}");
    }
    ensure!(pair.statistics.len() == 2, "{:?}", pair.statistics);
    for at in &pair.statistics {
        show_statistics(*at).await?;
    }
    ensure!(pair.holder().await == Some(0), "{:?}", pair.holders().await);
    let uri = stage.broker.uri(pair.amqp, "%2f");
    connect(&uri).await?;
    ensure!(pair.backends(0).await[0].total > 0, "it went another way");

    balancer::part(&pair).await?;
    hold(&pair, &[0, 1]).await?;
    balancer::heal(&pair).await?;
    hold(&pair, &[0]).await?;

    balancer::kill(&pair, 0).await?;
    hold(&pair, &[1]).await?;
    connect(&uri).await?;
    balancer::kill_proxy(&pair, 1).await?;
    // Nobody is left to take it; whoever has no HAProxy lets go of it.
    hold(&pair, &[]).await
}

async fn hold(pair: &Balancers, wanted: &[usize]) -> anyhow::Result<()> {
    let began = Instant::now();
    while pair.holders().await != wanted {
        ensure!(began.elapsed() < SOON, "not held by {wanted:?}");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// HAProxy's page is there, once the gateway knows where.
async fn show_statistics(at: SocketAddr) -> anyhow::Result<()> {
    let began = Instant::now();
    let second = Duration::from_secs(1);
    loop {
        if let Ok(Ok(told)) = timeout(second, page(at)).await
            && told.contains("Statistics Report")
        {
            return Ok(());
        }
        ensure!(began.elapsed() < SOON, "no statistics at {at}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn page(at: SocketAddr) -> anyhow::Result<String> {
    let mut socket = TcpStream::connect(at).await?;
    socket.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    let mut page = Vec::new();
    socket.read_to_end(&mut page).await?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

async fn connect(uri: &str) -> anyhow::Result<()> {
    let how = lapin::ConnectionProperties::default();
    let connection = lapin::Connection::connect(uri, how).await?;
    connection.close(200, "that is all".into()).await?;
    Ok(())
}
