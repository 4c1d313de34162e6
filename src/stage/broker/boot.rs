//! What a broker boots with: who it is, what it leaves out, where its files
//! come from.

use serde_json::json;
use testcontainers::{
    GenericImage, ImageExt,
    core::{IntoContainerPort, WaitFor},
};

use crate::stage::{image::Image, ports};

/// Left out at boot, because no demo needs them and each costs time. Named by
/// what to leave out, so that a plugin of a later version stays. Measured on
/// RabbitMQ 4.3: 5.4 s to the first handshake with all, 2.9 s without these.
const LEFT_OUT: &str = "rabbitmq_mqtt|rabbitmq_stomp|rabbitmq_web_mqtt*|rabbitmq_web_stomp*|rabbitmq_amqp1_0|\
rabbitmq_auth_*|rabbitmq_aws|rabbitmq_consistent_hash_exchange|rabbitmq_event_exchange|\
rabbitmq_*federation*|rabbitmq_jms_topic_exchange|rabbitmq_peer_discovery_*|\
rabbitmq_random_exchange|rabbitmq_recent_history_exchange|rabbitmq_sharding|rabbitmq_shovel*|\
rabbitmq_top|rabbitmq_tracing|rabbitmq_trust_store|rabbitmq_prometheus|prometheus|accept|\
eetcd|gun|jose|base64url|amqp10_client|rabbitmq_amqp_client|quantile_estimator";
/// The same of a node that speaks no streams. With these plugins and their
/// port a scenario of a cluster took 44 s of a core, without them 39 s.
const STREAMS: &str = "rabbitmq_stream|rabbitmq_stream_*";

/// The first node of a cluster of 3.10 has the lock under which clusters are
/// formed, and asks the others, who wait for that lock, ten times over five
/// seconds whether they have one (rabbit_peer_discovery of 3.10, whose default
/// is ten retries 500 ms apart). Two are enough: whoever comes later joins it.
const ALONE_SOONER: &str = "cluster_formation.discovery_retry_limit = 2\n\
                            cluster_formation.discovery_retry_interval = 100\n";
/// Where the plugins are copied to: memory, from which they load sooner.
const PLUGINS: &str = "/dev/shm/plugins";
/// All of their modules in one place, where a module is looked for before it
/// is in one plugin after another. On 3.10 `mirrored-ha/failover` took 36 s of
/// a core with it, and 38 s without; on 4.3 it gains nothing.
const MODULES: &str = "/dev/shm/modules";
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

/// Who a node is: its host's name, its user, and its peers.
#[derive(Clone)]
pub(in crate::stage) struct Identity {
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
    /// Whether it speaks the stream protocol: one more plugin, and one more
    /// port for Docker to publish.
    pub streams: bool,
}

impl Identity {
    /// A node without peers.
    pub fn alone() -> Self {
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
            streams: true,
        }
    }
}

/// A container that boots a broker with this identity, at these ports of the
/// host: AMQP, management, streams.
pub(super) fn request(
    image: &Image,
    identity: &Identity,
    ports: [u16; 3],
) -> testcontainers::ContainerRequest<GenericImage> {
    let Identity { host, user, password, cookie, conf, erlang, .. } = identity;
    let inside: &[u16] = match identity.streams {
        true => &[5672, 15672, 5552],
        false => &[5672, 15672],
    };
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
    let erlang = format!("-pa {MODULES} {erlang}");
    let bindings = ports::bindings(inside.iter().copied().zip(ports));
    let image = GenericImage::new(&image.name, &image.tag);
    let exposed = inside.iter();
    exposed
        .fold(image, |image, port| image.with_exposed_port(port.tcp()))
        .with_wait_for(WaitFor::Nothing)
        .with_hostname(host)
        .with_env_var("RABBITMQ_PLUGINS_DIR", PLUGINS)
        .with_env_var("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", erlang)
        .with_env_var("LAB_CONF", conf)
        .with_env_var("LAB_COOKIE", cookie)
        .with_env_var("LAB_DEFINITIONS", definitions.to_string())
        .with_cmd(["sh", "-c", &boot(identity.streams)])
        .with_host_config_modifier(move |host| {
            host.publish_all_ports = Some(false);
            host.port_bindings = Some(bindings.clone());
        })
}

/// Writes its files, lays its plugins out, and starts it. Files come by way of
/// the environment: each copied in would cost Docker some 70 ms before the
/// broker can start.
fn boot(streams: bool) -> String {
    let (plugins, left_out) = match streams {
        true => ("rabbitmq_management,rabbitmq_stream", LEFT_OUT.to_owned()),
        false => ("rabbitmq_management", format!("{LEFT_OUT}|{STREAMS}")),
    };
    format!(
        "set -e; cd /etc/rabbitmq; printf %s \"$LAB_CONF\" > rabbitmq.conf; \
         printf %s \"$LAB_DEFINITIONS\" > definitions.json; \
         if [ -e /opt/rabbitmq/plugins/rabbit-3.10.* ]; then \
         printf %s '{ALONE_SOONER}' >> rabbitmq.conf; fi; \
         printf %s '{ADVANCED}' > advanced.config; \
         printf %s \"$LAB_COOKIE\" > {COOKIE}; chmod 400 {COOKIE}; \
         echo '[{plugins}].' > enabled_plugins; \
         unset LAB_CONF LAB_DEFINITIONS LAB_COOKIE; mkdir -p {PLUGINS}; \
         for f in /opt/rabbitmq/plugins/*; do b=${{f##*/}}; \
         case ${{b%%-[0-9]*}} in {left_out}) ;; \
         *) cp -r \"$f\" {PLUGINS}/;; esac; done; \
         mkdir -p {MODULES}; ln -sf {PLUGINS}/*/ebin/*.beam {MODULES}/; \
         sed -i 's,$RABBITMQ_HOME/plugins,{PLUGINS},' {ENVIRONMENT} || true; \
         exec docker-entrypoint.sh rabbitmq-server"
    )
}
