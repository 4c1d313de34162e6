//! The Docker engine: is it there, and who owns what we make on it.

mod container;
mod words;

use std::{
    collections::HashMap,
    fmt,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::TryStreamExt;
use testcontainers::{
    ContainerRequest, GenericImage, ImageExt,
    bollard::{
        Docker,
        models::NetworkCreateRequest,
        query_parameters::{
            DownloadFromContainerOptionsBuilder, InspectContainerOptions,
            InspectNetworkOptions,
        },
    },
    core::client::docker_client_instance,
    runners::AsyncRunner,
};
use tokio::{sync::OnceCell, time::timeout};
use tokio_util::task::TaskTracker;

pub use self::container::Container;
pub use self::words::failed;
pub(crate) use self::words::may_not;
use self::words::unreachable;
use super::{
    ports,
    reap::{self, OWNER, Owner, RUN},
};
use crate::{
    problem::{Problem, root},
    text,
    text::Text,
};

/// The id of a run: six hexadecimal digits, in the name and on the label of
/// everything the run makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunId(String);

impl RunId {
    /// A new one.
    pub fn random() -> Self {
        Self(format!("{:06x}", rand::random::<u32>() & 0xff_ffff))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Docker engine that answers, and everything that one run made on it.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    docker: Docker,
    run: RunId,
    /// What is being made: a tear-down waits for it, else a container could
    /// appear after the sweep.
    making: TaskTracker,
    made: Mutex<HashMap<String, Container>>,
    /// How much memory it has in all, once it was asked.
    memory_mib: OnceCell<Option<u64>>,
}

const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const MADE_WITHIN: Duration = Duration::from_secs(20);
/// Between a port's choice and its use another program may take it.
const PORT_TRIES: u32 = 5;

impl Engine {
    /// Finds the engine and sees that it answers.
    ///
    /// # Errors
    /// A [`Problem`] with what to do: start it, join its group, set
    /// `DOCKER_HOST`.
    pub async fn connect(run: RunId) -> Result<Self, Problem> {
        let docker = docker_client_instance()
            .await
            .map_err(|e| unreachable(&Text::same(root(&e))))?;
        match timeout(ANSWERS_WITHIN, docker.ping()).await {
            Err(_) => {
                return Err(unreachable(&text! {
                    en: "it does not answer within 5 s", zh: "5 秒内没有应答"
                }));
            }
            Ok(Err(error)) => {
                return Err(unreachable(&Text::same(root(&error))));
            }
            Ok(Ok(_)) => {}
        }
        let making = TaskTracker::new();
        Ok(Self(Arc::new(Inner {
            docker,
            run,
            making,
            made: Mutex::default(),
            memory_mib: OnceCell::new(),
        })))
    }

    /// The client.
    pub fn docker(&self) -> &Docker {
        &self.0.docker
    }

    /// The memory of the machine that it is on, all of it, in MiB; `None`
    /// where it does not say.
    pub async fn memory_mib(&self) -> Option<u64> {
        let ask = || async {
            let info = timeout(ANSWERS_WITHIN, self.docker().info()).await;
            let octets = u64::try_from(info.ok()?.ok()?.mem_total?).ok()?;
            Some(octets / 1024 / 1024).filter(|mib| *mib > 0)
        };
        *self.0.memory_mib.get_or_init(ask).await
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.0.run
    }

    /// The name of the run's network, and the prefix of its containers.
    pub fn prefix(&self) -> String {
        format!("lab-{}", self.0.run)
    }

    /// The labels of everything made here.
    pub fn labels(&self) -> HashMap<String, String> {
        HashMap::from([
            (RUN.to_owned(), self.0.run.to_string()),
            (OWNER.to_owned(), Owner::this().to_string()),
        ])
    }

    /// Makes the run's network.
    ///
    /// # Errors
    /// What Docker says.
    pub async fn make_network(&self) -> Result<(), Problem> {
        let request = NetworkCreateRequest {
            name: self.prefix(),
            labels: Some(self.labels()),
            ..Default::default()
        };
        let docker = self.0.docker.clone();
        self.make(async move {
            docker.create_network(request).await.map_err(|e| failed(&e))
        })
        .await?;
        Ok(())
    }

    /// Starts a container on the run's network, labelled as the run's.
    ///
    /// # Errors
    /// What Docker says.
    pub async fn start(
        &self,
        name: &str,
        request: ContainerRequest<GenericImage>,
    ) -> Result<Container, Problem> {
        self.start_on(&self.prefix(), name, request).await
    }

    /// Starts a container in the network namespace of another: it sees that
    /// one's interfaces, and what it changes there holds for both.
    ///
    /// # Errors
    /// What Docker says.
    pub async fn start_beside(
        &self,
        other: &str,
        name: &str,
        request: ContainerRequest<GenericImage>,
    ) -> Result<Container, Problem> {
        self.start_on(&format!("container:{other}"), name, request).await
    }

    async fn start_on(
        &self,
        network: &str,
        name: &str,
        request: ContainerRequest<GenericImage>,
    ) -> Result<Container, Problem> {
        let full_name = format!("{}-{name}", self.prefix());
        let request = request
            .with_container_name(&full_name)
            .with_network(network)
            .with_labels(self.labels());
        let engine = self.clone();
        self.make(async move {
            let container = request.start().await.map_err(|e| failed(&e))?;
            let container = Container::from(container);
            if let Ok(mut made) = engine.0.made.lock() {
                made.insert(full_name, container.clone());
            }
            Ok(container)
        })
        .await
    }

    /// Starts a container that publishes on ports of our choosing, with other
    /// ports where somebody was quicker. They are chosen beforehand: a port
    /// that Docker chose would change when the container is killed and
    /// started again.
    ///
    /// # Errors
    /// What Docker says.
    pub async fn start_on_ports<const N: usize>(
        &self,
        name: &str,
        request: impl Fn([u16; N]) -> ContainerRequest<GenericImage>,
    ) -> Result<(Container, [u16; N]), Problem> {
        for _ in 1..PORT_TRIES {
            let ports = ports::free()?;
            match self.start(name, request(ports)).await {
                Err(problem) if ports::is_taken(&problem.error.en) => {
                    // Made, and not started: its name has to be free again.
                    self.remove(&format!("{}-{name}", self.prefix())).await;
                }
                ended => return ended.map(|container| (container, ports)),
            }
        }
        let ports = ports::free()?;
        Ok((self.start(name, request(ports)).await?, ports))
    }

    /// A file of a container, or a directory with all that is in it: the
    /// bytes of a tar archive. The container may have stopped.
    ///
    /// # Errors
    /// What Docker says.
    pub async fn archive(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Vec<u8>, Problem> {
        let path = DownloadFromContainerOptionsBuilder::new().path(path);
        self.docker()
            .download_from_container(container, Some(path.build()))
            .map_ok(|part| part.to_vec())
            .try_concat()
            .await
            .map_err(|e| failed(&e))
    }

    /// The address of a container on the run's network. It may have another
    /// one after a restart.
    ///
    /// # Errors
    /// What Docker says, or that it has none.
    pub async fn address(&self, container: &str) -> Result<String, Problem> {
        let seen = self
            .docker()
            .inspect_container(container, None::<InspectContainerOptions>)
            .await
            .map_err(|e| failed(&e))?;
        let networks = seen.network_settings.and_then(|net| net.networks);
        let on_ours = networks.and_then(|mut all| all.remove(&self.prefix()));
        on_ours
            .and_then(|endpoint| endpoint.ip_address)
            .filter(|address| !address.is_empty())
            .ok_or_else(|| {
                Problem::environment(text! {
                    en: "{container} has no address on the run's network",
                    zh: "{container} 在本次运行的网络上没有地址",
                    container = container
                })
            })
    }

    /// The addresses of the run's network: the first one, which is the
    /// network's own, and how many bits all have in common.
    ///
    /// # Errors
    /// What Docker says, or that the network has no IPv4.
    pub async fn subnet(&self) -> Result<(Ipv4Addr, u8), Problem> {
        let seen = self
            .docker()
            .inspect_network(&self.prefix(), None::<InspectNetworkOptions>)
            .await
            .map_err(|e| failed(&e))?;
        let ranges = seen.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let mut subnets = ranges.into_iter().filter_map(|range| {
            let subnet = range.subnet?;
            let (first, bits) = subnet.split_once('/')?;
            Some((first.parse().ok()?, bits.parse().ok()?))
        });
        subnets.next().ok_or_else(|| {
            Problem::environment(text! {
                en: "the run's network has no IPv4 addresses",
                zh: "本次运行的网络没有 IPv4 地址"
            })
        })
    }

    /// What a container of this run wrote so far, by its full name; nothing
    /// where there is none.
    pub async fn log(&self, container: &str) -> String {
        let made = self.0.made.lock().ok();
        let container = made.and_then(|made| made.get(container).cloned());
        match container {
            Some(container) => container.log().await,
            None => String::new(),
        }
    }

    /// Removes one container with its volumes, before the run ends.
    pub async fn remove(&self, container: &str) {
        reap::remove_container(&self.0.docker, container).await;
    }

    /// Removes everything this run made. Call it once nothing is wanted any
    /// more; it waits for what is just being made.
    ///
    /// Returns how many containers and networks are left all the same.
    pub async fn tear_down(&self) -> u32 {
        self.0.making.close();
        let _ = timeout(MADE_WITHIN, self.0.making.wait()).await;
        let left = reap::remove_run(&self.0.docker, &self.0.run).await;
        // They are gone already; dropping the handles here, inside the
        // runtime, only tells testcontainers so.
        let made =
            self.0.made.lock().map(|mut made| std::mem::take(&mut *made));
        drop(made);
        left
    }

    /// Runs in a task of its own, so that giving up on it (Ctrl-C) does not
    /// stop it half way between "created" and "known to us".
    async fn make<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        // Whoever has not noticed yet that all is being removed makes nothing
        // more: it would be left behind. Counted first, then asked, so that
        // the removal either waits for this or is seen here.
        let counted = self.0.making.token();
        if self.0.making.is_closed() {
            return Err(Problem::environment(text! {
                en: "the run is over", zh: "这次运行已经结束"
            }));
        }
        let made = self.0.making.spawn(work);
        drop(counted);
        made.await.map_err(|e| failed(&e))?
    }
}
