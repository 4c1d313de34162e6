//! Brokers cut apart from each other, while their clients stay connected.
//!
//! Taking a container off its network would cut its clients too, and then
//! there would be nobody left on the other side. Here each broker is told a
//! hardware address for its peers that nobody has: what it sends to them
//! vanishes, nothing is closed, and the port that it publishes works on. That
//! is done from a helper container in the broker's network namespace, because
//! the broker's image has no tools for it.

use futures::future::{join_all, try_join_all};
use testcontainers::{
    GenericImage, ImageExt, bollard::query_parameters::InspectContainerOptions,
    core::WaitFor,
};

use crate::{
    problem::Problem,
    stage::{
        Broker, Engine,
        docker::{Container, failed},
        image::Image,
    },
    text,
};

/// An address that no interface has: locally administered, and ours alone.
const NOBODY: &str = "02:00:00:00:00:01";

/// Two sides that do not hear each other.
pub struct Parted {
    engine: Engine,
    /// One for each broker that is cut off.
    helpers: Vec<Container>,
    /// The addresses that those are cut off from.
    peers: Vec<String>,
}

/// Cuts some brokers off from others. What they send to those vanishes, their
/// answers too, so that no connection lives; each side notices when the other
/// has been silent for as long as `net_ticktime` says. Only the network of
/// those cut off is changed, so that it heals at one moment, as a network
/// does: RabbitMQ 3's autoheal, seeing one peer back half a second before the
/// other, was seen to take a minute more.
///
/// # Errors
/// When the helpers do not start, or may not change their network: that wants
/// the capability `NET_ADMIN`.
pub async fn part(
    engine: &Engine,
    tools: &Image,
    cut_off: &[&Broker],
    others: &[&Broker],
) -> Result<Parted, Problem> {
    let addresses = others.iter().map(|node| address(engine, node));
    let peers = try_join_all(addresses).await?;
    let helpers = cut_off.iter().map(|node| helper(engine, tools, node));
    let helpers = try_join_all(helpers).await?;
    let parted = Parted { engine: engine.clone(), helpers, peers };
    match parted.cut().await {
        Ok(()) => Ok(parted),
        Err(problem) => {
            parted.heal().await;
            Err(problem)
        }
    }
}

impl Parted {
    async fn cut(&self) -> Result<(), Problem> {
        let cut = |peer: &String| {
            format!(
                "ip neigh replace {peer} lladdr {NOBODY} nud permanent \
                 dev eth0 2>&1 && "
            )
        };
        let cut: String = self.peers.iter().map(cut).collect();
        let cut = format!("{cut} echo cut");
        let cut = ["sh", "-c", &cut];
        for helper in &self.helpers {
            let told = helper.exec(&cut).await?;
            if told.trim() != "cut" {
                return Err(may_not(&told));
            }
        }
        Ok(())
    }

    /// They hear each other again, all at one moment.
    pub async fn heal(self) {
        let forget = |peer: &String| format!("ip neigh del {peer} dev eth0; ");
        let forget: String = self.peers.iter().map(forget).collect();
        let forget = ["sh", "-c", &forget];
        let healed = self.helpers.iter().map(async |helper| {
            let _ = helper.exec(&forget).await;
            self.engine.remove(helper.id()).await;
        });
        join_all(healed).await;
    }
}

async fn helper(
    engine: &Engine,
    tools: &Image,
    node: &Broker,
) -> Result<Container, Problem> {
    let request = GenericImage::new(&tools.name, &tools.tag)
        .with_wait_for(WaitFor::Nothing)
        .with_cmd(["sleep", "infinity"])
        .with_cap_add("NET_ADMIN");
    let whole = &node.service.container;
    let prefix = format!("{}-", engine.prefix());
    let short = whole.strip_prefix(&prefix).unwrap_or(whole);
    let name = format!("cut-{short}");
    engine.start_beside(node.container(), &name, request).await
}

/// What is to be said where a container may not change its own network.
pub(crate) fn may_not(told: &str) -> Problem {
    let told = told.lines().next().unwrap_or("-").to_owned();
    Problem::environment(text! {
        en: "a container may not change its own network: {told}",
        zh: "容器无权修改自己的网络：{told}",
        told = told
    })
    .help(text! {
        en: "this wants an engine that grants NET_ADMIN (a rootless one may not)",
        zh: "需要能授予 NET_ADMIN 的 Docker 引擎（rootless 模式可能不行）"
    })
}

/// The address of a broker on the run's network. It may have another one
/// after a restart.
async fn address(engine: &Engine, node: &Broker) -> Result<String, Problem> {
    let seen = engine
        .docker()
        .inspect_container(node.container(), None::<InspectContainerOptions>)
        .await
        .map_err(|e| failed(&e))?;
    let networks = seen.network_settings.and_then(|net| net.networks);
    let on_ours = networks.and_then(|mut all| all.remove(&engine.prefix()));
    on_ours
        .and_then(|endpoint| endpoint.ip_address)
        .filter(|address| !address.is_empty())
        .ok_or_else(|| {
            let node = &node.service.container;
            Problem::environment(text! {
                en: "{node} has no address on the run's network",
                zh: "{node} 在本次运行的网络上没有地址", node = node
            })
        })
}
