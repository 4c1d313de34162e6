//! One Redis, with or without persistence.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};
use testcontainers::{
    GenericImage, ImageExt,
    core::{IntoContainerPort, WaitFor},
};
use tokio::time::{sleep, timeout};

use super::{Engine, docker::Container, image::Image, ports};
use crate::{event::Service, problem::Problem, text};

/// What Redis keeps when its process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing: no snapshots, no append-only file.
    Off,
    /// Every write, fsynced before it is answered (`appendfsync always`).
    Always,
    /// The append-only file, fsynced once a second.
    EverySecond,
}

/// A Redis that answers.
#[derive(Clone)]
pub struct Redis {
    /// What it is and how long it took to boot.
    pub service: Service,
    client: Client,
    image: Image,
    container: Container,
}

const READY_WITHIN: Duration = Duration::from_secs(30);
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

impl Redis {
    /// Starts a Redis named `name` and waits until it answers a PING.
    ///
    /// # Errors
    /// A [`Problem`] when it does not.
    pub async fn start(
        engine: &Engine,
        image: &Image,
        name: &str,
        persistence: Persistence,
    ) -> Result<Self, Problem> {
        let began = Instant::now();
        let append = match persistence {
            Persistence::Off => ["--appendonly", "no", "--appendfsync", "no"],
            Persistence::Always => {
                ["--appendonly", "yes", "--appendfsync", "always"]
            }
            Persistence::EverySecond => {
                ["--appendonly", "yes", "--appendfsync", "everysec"]
            }
        };
        let command = ["redis-server", "--save", ""].into_iter().chain(append);
        let request = |[port]: [u16; 1]| {
            let bindings = ports::bindings([(6379, port)]);
            GenericImage::new(&image.name, &image.tag)
                .with_exposed_port(6379.tcp())
                .with_wait_for(WaitFor::Nothing)
                .with_cmd(command.clone())
                .with_host_config_modifier(move |host| {
                    host.publish_all_ports = Some(false);
                    host.port_bindings = Some(bindings.clone());
                })
        };
        let (container, [port]) = engine.start_on_ports(name, request).await?;
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let client =
            Client::open(format!("redis://{at}")).map_err(|e| silent(&e))?;
        let mut redis = Self {
            service: Service {
                product: "Redis".to_owned(),
                image: image.reference(),
                source: image.source.clone(),
                container: format!("{}-{name}", engine.prefix()),
                boot_ms: 0,
            },
            client,
            image: image.clone(),
            container,
        };
        let mut connection = redis.answers().await?;
        let boot = began.elapsed().as_millis();
        redis.service.boot_ms = u64::try_from(boot).unwrap_or(u64::MAX);
        let info: String = redis::cmd("INFO")
            .arg("server")
            .query_async(&mut connection)
            .await
            .map_err(|e| silent(&e))?;
        let version =
            info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        redis.service.product =
            format!("Redis {}", version.unwrap_or("?").trim());
        Ok(redis)
    }

    /// A connection of one's own.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        // The crate gives up after half a second: an fsync on a busy disk
        // takes longer, and then nobody knows whether it was written.
        let patient = AsyncConnectionConfig::new()
            .set_response_timeout(Some(ANSWERS_WITHIN));
        self.client.get_multiplexed_async_connection_with_config(&patient).await
    }

    /// Whether all that it has answered for is written to its append-only
    /// file, fsynced or not: a write waits while a background fsync is slow
    /// (Redis documentation, "Redis latency problems troubleshooting", on
    /// `appendfsync everysec`). True where there is no such file.
    ///
    /// # Errors
    /// What Redis says.
    pub async fn has_written(&self) -> redis::RedisResult<bool> {
        let mut connection = self.connect().await?;
        let info: String = redis::cmd("INFO")
            .arg("persistence")
            .query_async(&mut connection)
            .await?;
        let buffered = info
            .lines()
            .find_map(|line| line.strip_prefix("aof_buffer_length:"));
        Ok(buffered.is_none_or(|length| length.trim() == "0"))
    }

    /// Waits until Redis answers a PING, and returns the connection.
    ///
    /// # Errors
    /// A [`Problem`] when it does not answer in time.
    pub async fn answers(&self) -> Result<MultiplexedConnection, Problem> {
        let began = Instant::now();
        loop {
            // A half-open Docker proxy accepts and then says nothing.
            let attempt = timeout(Duration::from_secs(1), async {
                let mut connection = self.connect().await?;
                redis::cmd("PING")
                    .query_async::<String>(&mut connection)
                    .await?;
                redis::RedisResult::Ok(connection)
            });
            match attempt.await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) if began.elapsed() > READY_WITHIN => {
                    return Err(silent(&error));
                }
                _ => sleep(Duration::from_millis(20)).await,
            }
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
}

fn silent(error: &redis::RedisError) -> Problem {
    Problem::environment(text! {
        en: "Redis does not answer: {error}", zh: "Redis 没有应答：{error}", error = error
    })
}
