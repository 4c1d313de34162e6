//! One RabbitMQ broker, with a user of the run's own and no other.

mod boot;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant, SystemTime},
};

use testcontainers::bollard::query_parameters::InspectContainerOptions;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

pub(super) use self::boot::Identity;
use self::boot::request;
use super::{
    Engine, Hear, News, docker,
    docker::Container,
    http::Management,
    image::{Image, Reference},
    memory::AT_WORK_MIB,
};
use crate::{
    event::{Login, Place, Service},
    problem::Problem,
    text,
    text::Text,
};

/// Which broker a run is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BrokerChoice {
    /// The current series.
    #[default]
    Four,
    /// The last series with mirrored queues.
    Three,
    /// Somebody's own image, of the official image's shape.
    Image(String),
}

impl BrokerChoice {
    /// The image it starts from.
    pub fn image(&self) -> Reference<'_> {
        match self {
            Self::Four => Reference::Named("rabbitmq-4"),
            Self::Three => Reference::Named("rabbitmq-3"),
            Self::Image(image) => Reference::Own(image),
        }
    }
}

/// A broker that answers AMQP.
pub struct Broker {
    /// What it is and how long it took to boot.
    pub service: Service,
    /// Its version, `(4, 3, 6)`.
    pub version: (u16, u16, u16),
    /// Where it listens for AMQP 0-9-1, on the loopback address.
    pub amqp: SocketAddr,
    /// Where it listens for the stream protocol, if it does.
    stream: Option<SocketAddr>,
    /// Its management API.
    pub management: Management,
    /// The run's user.
    pub user: String,
    /// The user's password.
    pub password: String,
    image: Image,
    container: Container,
}

const READY_WITHIN: Duration = Duration::from_secs(90);
const PROBE_EVERY: Duration = Duration::from_millis(25);
const PROBED_WITHIN: Duration = Duration::from_secs(3);

impl Broker {
    /// Starts a broker in a container called `name` and waits until it
    /// answers an AMQP handshake.
    ///
    /// # Errors
    /// A [`Problem`], with the end of the broker's log when it did not boot.
    pub async fn start(
        engine: &Engine,
        image: &Image,
        name: &str,
        hear: Hear<'_>,
    ) -> Result<Self, Problem> {
        Self::start_as(engine, image, name, &Identity::alone(), hear).await
    }

    /// Another one of the same image and with the same user, and nothing else
    /// in common: a balancer may send a client to either.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_twin(
        &self,
        engine: &Engine,
        name: &str,
        hear: Hear<'_>,
    ) -> Result<Self, Problem> {
        let identity = Identity {
            user: self.user.clone(),
            password: self.password.clone(),
            ..Identity::alone()
        };
        Self::start_as(engine, &self.image, name, &identity, hear).await
    }

    /// The same, with a name, a user and peers that somebody else has chosen.
    pub(super) async fn start_as(
        engine: &Engine,
        image: &Image,
        name: &str,
        identity: &Identity,
        hear: Hear<'_>,
    ) -> Result<Self, Problem> {
        let began = Instant::now();
        hear(News::Awaiting(
            text! { en: "the broker to answer", zh: "broker 应答" },
            Some(READY_WITHIN),
        ));
        let Identity { user, password, .. } = identity.clone();
        let request = |ports| request(image, identity, ports);
        let (container, ports) = engine.start_on_ports(name, request).await?;
        let [amqp, management, stream] = ports;
        let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let amqp = here(amqp);
        let uri = format!("amqp://{user}:{password}@{amqp}/%2f");
        let management = Management::new(management, &user, &password);
        let running = || container.is_running();
        let answers = tokio::select! {
            answers = handshakes(&uri, amqp, READY_WITHIN, running) => answers,
            // One that joins a cluster of 3.x may miss the first vhost, too.
            () = management.start_where_missed("%2f") => false,
        };
        if !answers {
            return Err(did_not_boot(&container).await);
        }
        let ready = SystemTime::now();
        let boot = ready
            .duration_since(started_at(engine, &container).await?)
            .unwrap_or_default();
        let version = management.version(READY_WITHIN).await?;
        hear(News::There(began.elapsed()));
        let [major, minor, patch] = version;
        Ok(Self {
            service: Service {
                product: format!("RabbitMQ {major}.{minor}.{patch}"),
                image: image.reference(),
                source: image.source.clone(),
                container: format!("{}-{name}", engine.prefix()),
                boot_ms: u64::try_from(boot.as_millis()).unwrap_or(u64::MAX),
            },
            version: (major, minor, patch),
            amqp,
            stream: identity.streams.then(|| here(stream)),
            management,
            user,
            password,
            image: image.clone(),
            container,
        })
    }

    /// An AMQP URI for a vhost, at this address (the broker's or a wire's).
    pub fn uri(&self, at: SocketAddr, vhost: &str) -> String {
        let Self { user, password, .. } = self;
        format!("amqp://{user}:{password}@{at}/{vhost}?connection_timeout=5000")
    }

    /// Where it listens for the stream protocol.
    ///
    /// # Errors
    /// When it does not: a node of a cluster boots without.
    pub fn streams(&self) -> Result<SocketAddr, Problem> {
        self.stream.ok_or_else(|| {
            Problem::environment(text! {
                en: "a node of a cluster is booted without the stream protocol",
                zh: "集群的节点启动时不带流协议"
            })
        })
    }

    /// Whether it answers an AMQP handshake within this time: after a fault,
    /// or not any more.
    pub async fn answers(&self, within: Duration) -> bool {
        let uri = self.uri(self.amqp, "%2f");
        handshakes(&uri, self.amqp, within, || async { true }).await
    }

    /// Where a person can look at it.
    pub fn login(&self) -> Login {
        Login {
            url: self.management.url.clone(),
            user: self.user.clone(),
            password: self.password.clone(),
        }
    }

    /// Where clients on this host reach it, under a name.
    pub fn place(&self, name: &str) -> Place {
        let what = Text::same(format!("{name} AMQP"));
        Place { what, at: self.amqp.to_string() }
    }

    /// The image it runs from, to start another beside it.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The container's id, for faults.
    pub fn container(&self) -> &str {
        self.container.id()
    }

    /// What the broker wrote to its log.
    pub async fn log(&self) -> String {
        self.container.log().await
    }

    /// The last line of it.
    pub async fn last_words(&self) -> String {
        last_line(&self.log().await)
    }

    /// Runs `rabbitmqctl` in the broker's container.
    ///
    /// # Errors
    /// What Docker says; a command that fails is told by its output.
    pub async fn ctl(&self, arguments: &[&str]) -> Result<String, Problem> {
        self.container.exec(&[&["rabbitmqctl"], arguments].concat()).await
    }

    /// Runs `rabbitmq-queues`, the operator's tool for replicas, there.
    ///
    /// # Errors
    /// What Docker says; a command that fails is told by its output.
    pub async fn queues(&self, arguments: &[&str]) -> Result<String, Problem> {
        self.container.exec(&[&["rabbitmq-queues"], arguments].concat()).await
    }
}

/// Without the colours that a broker's log may have.
fn last_line(log: &str) -> String {
    let log = anstream::adapter::strip_str(log).to_string();
    let last = log.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("-").to_owned()
}

/// Probes until an AMQP handshake succeeds, the container stops or the limit
/// is over. A TCP connection proves nothing: Docker's proxy accepts it while
/// the broker is still booting.
async fn handshakes<F: Future<Output = bool>>(
    uri: &str,
    at: SocketAddr,
    within: Duration,
    running: impl Fn() -> F,
) -> bool {
    let began = Instant::now();
    let mut probes = 0u32;
    while began.elapsed() < within {
        let probe = lapin::Connection::connect(
            uri,
            lapin::ConnectionProperties::default(),
        );
        if speaks_amqp(at).await
            && let Ok(Ok(connection)) = timeout(PROBED_WITHIN, probe).await
        {
            let _ = connection.close(200, "probe".into()).await;
            return true;
        }
        probes += 1;
        if probes.is_multiple_of(20) && !running().await {
            return false;
        }
        sleep(PROBE_EVERY).await;
    }
    false
}

/// Whether somebody there begins a handshake: a connection of the library is
/// too dear to be tried forty times a second on a machine that boots brokers.
async fn speaks_amqp(at: SocketAddr) -> bool {
    let first_byte = async {
        let mut socket = TcpStream::connect(at).await?;
        socket.write_all(b"AMQP\x00\x00\x09\x01").await?;
        socket.read_u8().await
    };
    // 1 begins a method frame: connection.start.
    matches!(timeout(PROBED_WITHIN, first_byte).await, Ok(Ok(1)))
}

async fn started_at(
    engine: &Engine,
    container: &Container,
) -> Result<SystemTime, Problem> {
    let seen = engine
        .docker()
        .inspect_container(container.id(), None::<InspectContainerOptions>)
        .await
        .map_err(|e| docker::failed(&e))?;
    let started =
        seen.state.and_then(|state| state.started_at).unwrap_or_default();
    let started = OffsetDateTime::parse(&started, &Rfc3339);
    Ok(started.map_or_else(|_| SystemTime::now(), SystemTime::from))
}

async fn did_not_boot(container: &Container) -> Problem {
    let last = last_line(&container.log().await);
    Problem::environment(text! {
        en: "the broker did not answer AMQP; the last line of its log: {last}",
        zh: "broker 没有应答 AMQP；其日志最后一行：{last}",
        last = last
    })
    .help(text! {
        en: "a broker wants about {mib} MiB of memory: rmq-lab doctor",
        zh: "broker 约需 {mib} MiB 内存：rmq-lab doctor",
        mib = AT_WORK_MIB
    })
    .help(text! {
        en: "an image of your own must have the official one's shape: images/CONTRACT.md",
        zh: "自备镜像须与官方镜像同形：images/CONTRACT.md"
    })
}

#[cfg(test)]
mod tests {
    use super::last_line;

    #[test]
    fn the_last_line_of_a_log_has_no_colours_and_says_something() {
        let log = "one\n\u{1b}[38;5;87mtwo\u{1b}[0m\n \n\u{1b}[0m\n";
        assert_eq!(last_line(log), "two");
        assert_eq!(last_line(""), "-");
    }
}
