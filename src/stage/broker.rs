//! One RabbitMQ broker, with a user of the run's own and no other.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant, SystemTime},
};

use serde_json::json;
use testcontainers::{
    GenericImage, ImageExt,
    bollard::query_parameters::InspectContainerOptions,
    core::{IntoContainerPort, WaitFor},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{
    Engine, Hear, News, docker,
    docker::Container,
    http::Management,
    image::{Image, Reference},
    ports,
};
use crate::{
    event::{Login, Service},
    problem::Problem,
    text,
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
    /// Where it listens for the stream protocol.
    pub stream: SocketAddr,
    /// Its management API.
    pub management: Management,
    /// The run's user.
    pub user: String,
    /// The user's password.
    pub password: String,
    image: Image,
    container: Container,
}

/// Left out at boot, because no demo needs them and each costs time. Named by
/// what to leave out, so that a plugin of a later version stays. Measured on
/// RabbitMQ 4.3: 5.4 s to the first handshake with all, 2.9 s without these.
const LEFT_OUT: &str = "rabbitmq_mqtt|rabbitmq_stomp|rabbitmq_web_mqtt*|rabbitmq_web_stomp*|rabbitmq_amqp1_0|\
rabbitmq_auth_*|rabbitmq_aws|rabbitmq_consistent_hash_exchange|rabbitmq_event_exchange|\
rabbitmq_*federation*|rabbitmq_jms_topic_exchange|rabbitmq_peer_discovery_*|\
rabbitmq_random_exchange|rabbitmq_recent_history_exchange|rabbitmq_sharding|rabbitmq_shovel*|\
rabbitmq_top|rabbitmq_tracing|rabbitmq_trust_store|rabbitmq_prometheus|prometheus|accept|\
eetcd|gun|jose|base64url";

/// The first node of a cluster of 3.10 has the lock under which clusters are
/// formed, and asks the others, who wait for that lock, ten times over five
/// seconds whether they have one (rabbit_peer_discovery of 3.10, whose default
/// is ten retries 500 ms apart). Two are enough: whoever comes later joins it.
const ALONE_SOONER: &str = "cluster_formation.discovery_retry_limit = 2\n\
                            cluster_formation.discovery_retry_interval = 100\n";
/// Where the plugins are copied to: memory, from which they load sooner.
const PLUGINS: &str = "/dev/shm/plugins";
/// Says where the libraries are, and names the plugins of the image once more.
/// Each is one more place where every module is looked for: without them a
/// node of 3.10 that returns to its cluster boots in 5.4 s instead of 6.6 s.
const ENVIRONMENT: &str = "/opt/rabbitmq/sbin/rabbitmq-env";
/// Queues that are neither durable nor exclusive are shown, and upstream's 4.3
/// refuses them unless it is told not to (documentation, "Deprecated
/// Features"). Not in `rabbitmq.conf`: 3.x does not start with a key that it
/// does not know, and does not mind a term.
const ADVANCED: &str = "[{rabbit,[{permit_deprecated_features,\
#{transient_nonexcl_queues => true}}]}].";
/// The entry point gives it to the broker's user.
const COOKIE: &str = "/var/lib/rabbitmq/.erlang.cookie";
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
        let amqp = SocketAddr::from((Ipv4Addr::LOCALHOST, ports[0]));
        let uri = format!("amqp://{user}:{password}@{amqp}/%2f");
        let management = Management::new(ports[1], &user, &password);
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
            stream: SocketAddr::from((Ipv4Addr::LOCALHOST, ports[2])),
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

/// Who a node is: its host's name, its user, and its peers.
#[derive(Clone)]
pub(super) struct Identity {
    /// The name of its host; its node is `rabbit@` that. No dot in it, else
    /// it would want long names.
    pub host: String,
    /// The user that is made.
    pub user: String,
    /// Their password.
    pub password: String,
    /// The secret that the nodes of a cluster share.
    pub cookie: String,
    /// Further lines of `rabbitmq.conf`.
    pub conf: String,
    /// Further arguments of the Erlang machine.
    pub erlang: &'static str,
}

impl Identity {
    /// A node without peers.
    fn alone() -> Self {
        Self::of_host("broker")
    }

    /// A node on this host, with secrets of its own.
    pub fn of_host(host: &str) -> Self {
        let secret = || format!("{:016x}", rand::random::<u64>());
        Self {
            host: host.to_owned(),
            user: "lab".to_owned(),
            password: secret(),
            cookie: secret(),
            conf: String::new(),
            erlang: "",
        }
    }
}

fn request(
    image: &Image,
    identity: &Identity,
    ports: [u16; 3],
) -> testcontainers::ContainerRequest<GenericImage> {
    let Identity { host, user, password, cookie, conf, erlang } = identity;
    let conf = format!(
        "loopback_users = none\n\
         log.console = true\n\
         log.console.level = info\n\
         log.file = false\n\
         load_definitions = /etc/rabbitmq/definitions.json\n{conf}"
    );
    // With definitions of our own the broker makes no guest.
    let definitions = json!({
        "users": [{ "name": user, "password": password, "tags": "administrator" }],
        "vhosts": [{ "name": "/" }],
        "permissions": [{
            "user": user, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"
        }],
    });
    // Files by way of the environment: each copied in would cost Docker some
    // 70 ms before the broker can start.
    let boot = format!(
        "set -e; cd /etc/rabbitmq; printf %s \"$LAB_CONF\" > rabbitmq.conf; \
         printf %s \"$LAB_DEFINITIONS\" > definitions.json; \
         if [ -e /opt/rabbitmq/plugins/rabbit-3.10.* ]; then \
         printf %s '{ALONE_SOONER}' >> rabbitmq.conf; fi; \
         printf %s '{ADVANCED}' > advanced.config; \
         printf %s \"$LAB_COOKIE\" > {COOKIE}; chmod 400 {COOKIE}; \
         echo '[rabbitmq_management,rabbitmq_stream].' > enabled_plugins; \
         unset LAB_CONF LAB_DEFINITIONS LAB_COOKIE; mkdir -p {PLUGINS}; for f in /opt/rabbitmq/plugins/*; do b=${{f##*/}}; \
         case ${{b%%-[0-9]*}} in {LEFT_OUT}) ;; *) cp -r \"$f\" {PLUGINS}/;; esac; done; \
         sed -i 's,$RABBITMQ_HOME/plugins,{PLUGINS},' {ENVIRONMENT} || true; \
         exec docker-entrypoint.sh rabbitmq-server"
    );
    let bindings = ports::bindings([5672, 15672, 5552].into_iter().zip(ports));
    GenericImage::new(&image.name, &image.tag)
        .with_exposed_port(5672.tcp())
        .with_exposed_port(15672.tcp())
        .with_exposed_port(5552.tcp())
        .with_wait_for(WaitFor::Nothing)
        .with_hostname(host)
        .with_env_var("RABBITMQ_PLUGINS_DIR", PLUGINS)
        .with_env_var("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", *erlang)
        .with_env_var("LAB_CONF", conf)
        .with_env_var("LAB_COOKIE", cookie)
        .with_env_var("LAB_DEFINITIONS", definitions.to_string())
        .with_cmd(["sh", "-c", &boot])
        .with_host_config_modifier(move |host| {
            host.publish_all_ports = Some(false);
            host.port_bindings = Some(bindings.clone());
        })
}

fn last_line(log: &str) -> String {
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
        en: "a broker wants about 300 MB of memory: rmq-lab doctor",
        zh: "broker 约需 300 MB 内存：rmq-lab doctor"
    })
    .help(text! {
        en: "an image of your own must have the official one's shape: images/CONTRACT.md",
        zh: "自备镜像须与官方镜像同形：images/CONTRACT.md"
    })
}
