//! Load balancers before the brokers, and one address for both of them.
//!
//! Each is a container with HAProxy and, where there are two, keepalived,
//! which speaks VRRP: one of them holds the virtual address, and the other
//! takes it when it has heard nothing for three adverts. A third HAProxy, the
//! gateway, publishes ports of the loopback address and forwards to the
//! virtual one, so that clients on the host come in where containers cannot
//! be reached from it, and to the statistics of each: no fault strikes it.
//!
//! Source: keepalived.conf(5) for Keepalived 2.3, `vrrp_script`,
//! `vrrp_instance`; HAProxy 3.0 Configuration Manual, `tcp-check`,
//! `init-addr`, "The resolvers section".

mod boot;
mod conf;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use futures::future::{join_all, try_join_all};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{
    Engine, Hear, News,
    docker::{Container, may_not},
    image::Image,
};
use crate::{
    event::{Place, Service},
    problem::Problem,
    text,
};

/// How the balancers are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balancing {
    /// How many there are, one or two.
    pub size: usize,
    /// Who holds the address.
    pub address: Address,
    /// How a balancer finds out that a broker is well.
    pub check: HealthCheck,
    /// For so long nothing may come from a client.
    pub timeout_client: Duration,
}

/// Who holds the virtual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// The first balancer, for ever: no keepalived.
    Fixed,
    /// Whose machine lives: keepalived, and nothing else.
    Vrrp,
    /// Whose HAProxy lives: keepalived with a `track_script`.
    Tracked,
}

/// How a balancer finds out that a broker is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthCheck {
    /// A TCP connection is accepted. The kernel does that.
    Tcp,
    /// It answers an AMQP protocol header. Only a broker does that.
    Amqp,
}

impl Balancing {
    /// Two balancers as they ought to be.
    pub const SOUND: Self = Self {
        size: 2,
        address: Address::Tracked,
        check: HealthCheck::Amqp,
        timeout_client: Duration::from_secs(3 * 60 * 60),
    };
    /// One of them.
    pub const ONE: Self =
        Self { size: 1, address: Address::Fixed, ..Self::SOUND };
}

/// A broker as a balancer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Whether it gets connections.
    pub is_up: bool,
    /// Connections that it has now.
    pub open: u32,
    /// Connections that it was given so far.
    pub total: u32,
}

/// Balancers that stand before brokers.
pub struct Balancers {
    /// The address that clients know.
    pub address: Ipv4Addr,
    /// Where it is reached from the host, on the loopback address.
    pub amqp: SocketAddr,
    /// Where each one's page of statistics is, there too.
    pub statistics: Vec<SocketAddr>,
    /// What they are, the gateway not among them.
    pub services: Vec<Service>,
    engine: Engine,
    all: Vec<Balancer>,
    brokers: usize,
}

struct Balancer {
    container: Container,
    /// Its own address.
    address: String,
}

const READY_WITHIN: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_millis(50);
const SCRIPT_LOADED: &str = "VRRP_Script(haproxy) succeeded";
/// Statistics of the brokers, as a table with a head.
const STATISTICS: &str = "import socket\n\
    s = socket.socket(socket.AF_UNIX)\n\
    s.connect('/run/lab.sock')\n\
    s.sendall(b'show stat\\n')\n\
    print(s.makefile().read())";
/// Pairs so far: two on one network must have two addresses and two ids.
static PAIRS: AtomicU8 = AtomicU8::new(0);

impl Balancers {
    /// Starts them before these hosts and waits until they answer AMQP, see
    /// every broker well, and one of them holds the address.
    ///
    /// # Errors
    /// A [`Problem`] when they do not, or the engine does not let them change
    /// their addresses (`NET_ADMIN`).
    pub async fn start(
        engine: &Engine,
        tools: &Image,
        name: &str,
        how: &Balancing,
        brokers: &[String],
        hear: Hear<'_>,
    ) -> Result<Self, Problem> {
        let began = Instant::now();
        hear(News::Awaiting(
            text! { en: "the balancers to answer", zh: "负载均衡应答" },
            Some(READY_WITHIN),
        ));
        let pair = PAIRS.fetch_add(1, Ordering::Relaxed) % 100;
        let (address, bits) = virtual_address(engine.subnet().await?, pair);
        let haproxy = conf::haproxy(how, brokers);
        let start = |n: usize| {
            let haproxy = haproxy.clone();
            async move {
                let request = boot::balancer(tools, &haproxy);
                let name = format!("lb{}-{name}", n + 1);
                let container = engine.start(&name, request).await?;
                let address = engine.address(container.id()).await?;
                Ok::<_, Problem>(Balancer { container, address })
            }
        };
        let mut hosts = Self::containers(engine, name, how);
        hosts.truncate(how.size);
        let gateway = async {
            let conf = conf::gateway(address, &hosts);
            let request = |ports| boot::gateway(tools, &conf, ports);
            engine.start_on_ports(&format!("gateway-{name}"), request).await
        };
        let all = try_join_all((0..how.size).map(start));
        let (all, (_, [port, statistics @ ..])) =
            tokio::try_join!(all, gateway)?;
        let here = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut balancers = Self {
            address,
            amqp: here(port),
            statistics: statistics.map(here).to_vec(),
            services: Vec::new(),
            engine: engine.clone(),
            all,
            brokers: brokers.len(),
        };
        balancers.statistics.truncate(how.size);
        balancers.share(how, bits, pair).await?;
        while !balancers.is_ready(how).await {
            if began.elapsed() > READY_WITHIN {
                return Err(balancers.not_ready().await);
            }
            sleep(PROBE_EVERY).await;
        }
        balancers.services = boot::services(tools, hosts, began.elapsed());
        hear(News::There(began.elapsed()));
        Ok(balancers)
    }

    /// The names of their containers.
    pub fn containers(
        engine: &Engine,
        name: &str,
        how: &Balancing,
    ) -> Vec<String> {
        let prefix = engine.prefix();
        let all = (1..=how.size).map(|n| format!("{prefix}-lb{n}-{name}"));
        all.chain([format!("{prefix}-gateway-{name}")]).collect()
    }

    /// Where they are reached.
    pub fn places(&self) -> Vec<Place> {
        let page = |(n, at): (usize, &SocketAddr)| Place {
            what: text! {
                en: "lb{n} statistics", zh: "lb{n} 统计页", n = n + 1
            },
            at: format!("http://{at}/"),
        };
        let pages = self.statistics.iter().enumerate().map(page);
        let virtual_ip = Place {
            what: text! { en: "virtual IP", zh: "虚拟 IP" },
            at: format!("{}:{}", self.address, conf::AMQP),
        };
        let from_here = Place {
            what: text! { en: "from this host", zh: "从本机" },
            at: self.amqp.to_string(),
        };
        [virtual_ip, from_here].into_iter().chain(pages).collect()
    }

    /// How many there are, the gateway not counted.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The engine that they run on.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The container of one of them, for faults.
    pub fn container(&self, n: usize) -> Option<&Container> {
        self.all.get(n).map(|balancer| &balancer.container)
    }

    /// The own address of one of them.
    pub fn own_address(&self, n: usize) -> Option<&str> {
        self.all.get(n).map(|balancer| balancer.address.as_str())
    }

    /// Who holds the virtual address: nobody, one, or, while they do not hear
    /// each other, both.
    pub async fn holders(&self) -> Vec<usize> {
        let show = format!("ip -4 -o addr show to {}/32", self.address);
        let held = self.all.iter().map(async |balancer| {
            // One that was killed cannot be asked, and holds nothing.
            let told = balancer.container.exec(&["sh", "-c", &show]).await;
            told.is_ok_and(|told| told.contains(&self.address.to_string()))
        });
        let held = join_all(held).await;
        (0..self.all.len()).filter(|n| held.get(*n) == Some(&true)).collect()
    }

    /// The only one that holds the virtual address, where that is so.
    pub async fn holder(&self) -> Option<usize> {
        match self.holders().await.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// Whether keepalived says that its script runs and found HAProxy alive.
    /// Where the script is missing, or its user, keepalived goes on without
    /// it: only what it says of a run is proof.
    pub async fn has_loaded_script(&self, n: usize) -> bool {
        match self.container(n) {
            Some(container) => container.log().await.contains(SCRIPT_LOADED),
            None => false,
        }
    }

    /// The brokers, in the order in which they were given, as a balancer sees
    /// them; nothing where it does not answer.
    pub async fn backends(&self, n: usize) -> Vec<Backend> {
        let Some(container) = self.container(n) else { return Vec::new() };
        let told = container.exec(&["python3", "-c", STATISTICS]).await;
        conf::backends(&told.unwrap_or_default())
    }

    /// Gives them the virtual address, or has them find out whose it is.
    async fn share(
        &self,
        how: &Balancing,
        bits: u8,
        pair: u8,
    ) -> Result<(), Problem> {
        let commands = (0..self.all.len()).map(async |n| {
            let command = match how.address {
                Address::Fixed if n == 0 => {
                    format!("ip addr add {}/{bits} dev eth0", self.address)
                }
                Address::Fixed => "true".to_owned(),
                Address::Vrrp | Address::Tracked => {
                    let peer = self.own_address(1 - n.min(1));
                    let conf = conf::Keepalived {
                        n,
                        own: self.own_address(n).unwrap_or_default(),
                        peer: peer.unwrap_or_default(),
                        address: self.address,
                        bits,
                        id: pair + 1,
                        tracked: how.address == Address::Tracked,
                    };
                    conf::write_keepalived(&conf)
                }
            };
            let container = &self.all[n].container;
            // keepalived only says so in its log, and is of no use then.
            let may = "ip addr add 192.0.2.1/32 dev lo && \
                       ip addr del 192.0.2.1/32 dev lo";
            let whole = format!("{{ {may} && {command}; }} 2>&1 && echo done");
            let told = container.exec(&["sh", "-c", &whole]).await?;
            match told.contains("done") {
                true => Ok(()),
                false => Err(may_not(&told)),
            }
        });
        try_join_all(commands).await?;
        Ok(())
    }

    async fn is_ready(&self, how: &Balancing) -> bool {
        for n in 0..self.all.len() {
            let backends = self.backends(n).await;
            let well = backends.iter().filter(|backend| backend.is_up).count();
            if well != self.brokers {
                return false;
            }
            if how.address == Address::Tracked
                && !self.has_loaded_script(n).await
            {
                return false;
            }
        }
        let one = match how.address {
            Address::Fixed => self.holder().await.is_some(),
            // Both may have been alone for a moment: the first one wins.
            Address::Vrrp | Address::Tracked => self.holder().await == Some(0),
        };
        one && answers_amqp(self.amqp).await
    }

    async fn not_ready(&self) -> Problem {
        let logs = self.all.iter().map(|balancer| balancer.container.log());
        let logs = join_all(logs).await.concat();
        let last = logs.lines().last().unwrap_or("-").to_owned();
        Problem::environment(text! {
            en: "the balancers do not answer; the last line of their log: {last}",
            zh: "负载均衡没有应答；其日志最后一行：{last}", last = last
        })
        .help(text! {
            en: "their image may be damaged: rmq-lab images build tools",
            zh: "镜像可能已损坏：rmq-lab images build tools"
        })
    }
}

/// From the very end of the network: Docker gives addresses from its start.
fn virtual_address((first, bits): (Ipv4Addr, u8), pair: u8) -> (Ipv4Addr, u8) {
    let all = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
    let last = first.to_bits() | all;
    (Ipv4Addr::from_bits(last - 1 - u32::from(pair)), bits)
}

/// A frame of type 1 (a method) is `connection.start`.
async fn answers_amqp(at: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(at).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        stream.read_u8().await
    };
    let second = Duration::from_secs(1);
    matches!(timeout(second, asked).await, Ok(Ok(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_has_an_address_of_its_own_at_the_end_of_the_network() {
        let network = (Ipv4Addr::new(172, 18, 0, 0), 16);
        let addresses = [0, 1, 99].map(|n| virtual_address(network, n).0);
        let last = |n| Ipv4Addr::new(172, 18, 255, n);
        assert_eq!(addresses, [last(254), last(253), last(155)]);
        let small = (Ipv4Addr::new(10, 1, 2, 0), 24);
        assert_eq!(virtual_address(small, 0).0, Ipv4Addr::new(10, 1, 2, 254));
    }
}
