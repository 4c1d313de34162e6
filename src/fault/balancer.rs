//! What goes wrong before the brokers.
//!
//! A machine that loses its power says nothing any more: [`unplug`] takes
//! its interface down, and only then is it killed ([`lose`]). Where a container
//! is killed while its interface is up, its kernel closes every connection,
//! and each client knows at once.

use anyhow::Context;

use super::{container, parted::NOBODY};
use crate::{
    problem::Problem,
    stage::{
        Balancers,
        docker::{Container, may_not},
    },
    text,
};

/// SIGKILL to a balancer with all that runs in it. Its kernel still closes
/// its connections.
///
/// # Errors
/// What Docker says.
pub async fn kill(balancers: &Balancers, n: usize) -> anyhow::Result<()> {
    let struck = find(balancers, n)?;
    container::kill(balancers.engine(), struck.id()).await?;
    Ok(())
}

/// Takes a balancer's interface down: packets to it vanish, nothing is closed.
/// Taken off Docker's network instead, its address would be free for the next
/// container, and that one would answer for it with a reset.
///
/// # Errors
/// What Docker says, or that it may not do that.
pub async fn unplug(balancers: &Balancers, n: usize) -> anyhow::Result<()> {
    let down = "ip link set eth0 down 2>&1 && echo down";
    let told = find(balancers, n)?.exec(&["sh", "-c", down]).await?;
    if told.trim() == "down" {
        return Ok(());
    }
    Err(may_not(&told).into())
}

/// Its machine is lost, without a word to anybody.
///
/// # Errors
/// What Docker says.
pub async fn lose(balancers: &Balancers, n: usize) -> anyhow::Result<()> {
    unplug(balancers, n).await?;
    kill(balancers, n).await
}

/// SIGKILL to HAProxy only, and sees that it is gone: keepalived lives on.
///
/// # Errors
/// What Docker says, or that HAProxy is still there.
pub async fn kill_proxy(balancers: &Balancers, n: usize) -> anyhow::Result<()> {
    let kill = "kill -KILL $(pidof haproxy); \
        while pidof -q haproxy; do sleep 0.01; done; \
        pidof -q keepalived && echo alive";
    let told = find(balancers, n)?.exec(&["sh", "-c", kill]).await?;
    if told.contains("alive") {
        return Ok(());
    }
    Err(Problem::environment(text! {
        en: "keepalived did not outlive its HAProxy", zh: "keepalived 没有比 HAProxy 活得久"
    })
    .into())
}

/// Cuts two balancers apart from each other, and from nobody else: each is
/// told a hardware address for the other that nobody has. A route into
/// nowhere would not do: keepalived binds to the device.
///
/// # Errors
/// When they may not do that.
pub async fn part(balancers: &Balancers) -> anyhow::Result<()> {
    for (n, peer) in both(balancers)? {
        let cut = format!(
            "ip neigh replace {peer} lladdr {NOBODY} nud permanent dev eth0 \
             2>&1; ip neigh show {peer}"
        );
        let told = find(balancers, n)?.exec(&["sh", "-c", &cut]).await?;
        if !told.contains(NOBODY) {
            return Err(may_not(&told).into());
        }
    }
    Ok(())
}

/// They hear each other again.
///
/// # Errors
/// What Docker says.
pub async fn heal(balancers: &Balancers) -> anyhow::Result<()> {
    for (n, peer) in both(balancers)? {
        let forget = format!("ip neigh del {peer} dev eth0");
        find(balancers, n)?.exec(&["sh", "-c", &forget]).await?;
    }
    Ok(())
}

fn both(balancers: &Balancers) -> anyhow::Result<[(usize, &str); 2]> {
    let address = |n| balancers.own_address(n).context("there are two");
    Ok([(0, address(1)?), (1, address(0)?)])
}

fn find(balancers: &Balancers, n: usize) -> anyhow::Result<&Container> {
    balancers.container(n).context("there is no such balancer")
}
