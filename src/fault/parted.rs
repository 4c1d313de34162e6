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
    /// For each broker a helper, and the peers that it is cut from.
    helpers: Vec<(Container, Vec<String>)>,
}

/// Cuts two sides apart. Packets vanish both ways; each side notices when the
/// other has been silent for as long as `net_ticktime` says.
///
/// # Errors
/// When the helpers do not start, or may not change their network: that wants
/// the capability `NET_ADMIN`.
pub async fn part(
    engine: &Engine,
    tools: &Image,
    one: &[&Broker],
    other: &[&Broker],
) -> Result<Parted, Problem> {
    let addresses = async |side: &[&Broker]| {
        let side = side.iter().map(|node| engine.address(node.container()));
        try_join_all(side).await
    };
    let (of_one, of_other) = (addresses(one).await?, addresses(other).await?);
    let sides = one
        .iter()
        .map(|node| (node, of_other.clone()))
        .chain(other.iter().map(|node| (node, of_one.clone())));
    let helpers = sides.map(async |(node, peers)| {
        let helper = helper(engine, tools, node).await?;
        Ok((helper, peers))
    });
    let helpers = try_join_all(helpers).await?;
    let parted = Parted { engine: engine.clone(), helpers };
    let cut = parted.helpers.iter().map(async |(helper, peers)| {
        for peer in peers {
            cut_from(helper, peer).await?;
        }
        Ok(())
    });
    match try_join_all(cut).await {
        Ok(_) => Ok(parted),
        Err(problem) => {
            parted.heal().await;
            Err(problem)
        }
    }
}

impl Parted {
    /// They hear each other again.
    pub async fn heal(self) {
        let healed = self.helpers.iter().map(async |(helper, peers)| {
            for peer in peers {
                let forget = format!("ip neigh del {peer} dev eth0");
                let _ = helper.exec(&["sh", "-c", &forget]).await;
            }
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

async fn cut_from(helper: &Container, peer: &str) -> Result<(), Problem> {
    let cut = format!(
        "ip neigh replace {peer} lladdr {NOBODY} nud permanent dev eth0 2>&1; \
         ip neigh show {peer}"
    );
    let told = helper.exec(&["sh", "-c", &cut]).await?;
    if told.contains(NOBODY) {
        return Ok(());
    }
    Err(may_not(&told))
}
