//! Brokers cut apart from each other, while their clients stay connected.
//!
//! Taking a container off its network would cut its clients too, and then
//! there would be nobody left on the other side. Here each broker is told a
//! hardware address for its peers that nobody has: what it sends to them
//! vanishes, nothing is closed, and the port that it publishes works on. That
//! is done from a helper container in the broker's network namespace, because
//! the broker's image has no tools for it.

use futures::future::{join_all, try_join_all};
use testcontainers::{GenericImage, ImageExt, core::WaitFor};

use crate::{
    problem::Problem,
    stage::{
        Broker, Engine,
        docker::{Container, may_not},
        image::Image,
    },
};

/// An address that no interface has: locally administered, and ours alone.
pub(super) const NOBODY: &str = "02:00:00:00:00:01";

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
    let addresses = others.iter().map(|node| engine.address(node.container()));
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
