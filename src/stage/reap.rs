//! Finding and removing what runs left behind.
//!
//! Everything a run makes carries two labels: the run's id and its owner,
//! the process that answers for it. A run that ends in any way but SIGKILL
//! removes its own; what a SIGKILL leaves is reaped at the next start, but
//! only when the owner is known to be gone. Two labs side by side, or one in
//! another container, leave each other alone.

use std::{collections::HashMap, fmt, fs, str::FromStr};

use futures::future::join_all;
use testcontainers::bollard::{
    Docker,
    query_parameters::{
        ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
        RemoveContainerOptionsBuilder,
    },
};

use super::docker::RunId;

/// The label with the run's id.
pub const RUN: &str = "org.rmq-lab.run";
/// The label with the run's owner.
pub const OWNER: &str = "org.rmq-lab.owner";

/// A process, told apart from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pid: u32,
    /// When it started, in the kernel's or `ps`'s own words.
    started: String,
    /// Where its number means anything: host, boot and pid namespace.
    place: String,
}

impl Owner {
    /// This process.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self { pid, started: started(pid).unwrap_or_default(), place: place() }
    }

    /// Whether the process is known to be gone. Not known, of a process in
    /// another place: then no.
    pub fn is_gone(&self) -> bool {
        self.place == place()
            && started(self.pid).as_deref() != Some(&self.started)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pid, self.place, self.started)
    }
}

impl FromStr for Owner {
    type Err = ();

    fn from_str(label: &str) -> Result<Self, ()> {
        let mut parts = label.splitn(3, ' ');
        let pid = parts.next().and_then(|p| p.parse().ok()).ok_or(())?;
        let place = parts.next().ok_or(())?.to_owned();
        let started = parts.next().unwrap_or_default().to_owned();
        Ok(Self { pid, started, place })
    }
}

/// `None`: no such process.
fn started(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        // proc(5): the 22nd field, counted behind the name in parentheses,
        // which may itself hold spaces.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        // A zombie owns nothing any more.
        if fields.next()? == "Z" {
            return None;
        }
        return fields.nth(18).map(str::to_owned);
    }
    let asked = std::process::Command::new("ps")
        .args(["-o", "lstart=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    let told = String::from_utf8_lossy(&asked.stdout).trim().replace(' ', "_");
    (!told.is_empty()).then_some(told)
}

fn place() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default();
    let boot = boot.trim().get(..8).unwrap_or("-").to_owned();
    let namespace = fs::read_link("/proc/self/ns/pid")
        .map(|link| link.to_string_lossy().replace(['[', ']', ':'], ""))
        .unwrap_or_else(|_| "-".to_owned());
    format!("{boot}.{namespace}")
}

/// What one run has on the engine.
#[derive(Clone, Debug, Default)]
pub struct Leftover {
    /// Its id.
    pub run: String,
    /// Its owner, where the label can be read.
    pub owner: Option<Owner>,
    containers: Vec<String>,
    networks: Vec<String>,
}

impl Leftover {
    /// Containers and networks.
    pub fn len(&self) -> usize {
        self.containers.len() + self.networks.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether its owner is known to be gone.
    pub fn is_orphan(&self) -> bool {
        self.owner.as_ref().is_some_and(Owner::is_gone)
    }
}

/// Everything of any run of any lab on this engine, by run.
///
/// # Errors
/// What Docker says.
pub async fn leftovers(
    docker: &Docker,
) -> Result<Vec<Leftover>, testcontainers::bollard::errors::Error> {
    found(docker, RUN.to_owned()).await
}

async fn found(
    docker: &Docker,
    label: String,
) -> Result<Vec<Leftover>, testcontainers::bollard::errors::Error> {
    let filters = HashMap::from([("label".to_owned(), vec![label])]);
    let all =
        ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers = docker.list_containers(Some(all)).await?;
    let networks = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let networks = docker.list_networks(Some(networks)).await?;
    let mut runs: HashMap<String, Leftover> = HashMap::new();
    for container in containers {
        if let Some(id) = container.id {
            leftover(&mut runs, container.labels).containers.push(id);
        }
    }
    for network in networks {
        if let Some(id) = network.id {
            leftover(&mut runs, network.labels).networks.push(id);
        }
    }
    Ok(runs.into_values().collect())
}

fn leftover(
    runs: &mut HashMap<String, Leftover>,
    labels: Option<HashMap<String, String>>,
) -> &mut Leftover {
    let labels = labels.unwrap_or_default();
    let run = labels.get(RUN).cloned().unwrap_or_default();
    let left = runs.entry(run.clone()).or_default();
    left.run = run;
    left.owner = labels.get(OWNER).and_then(|owner| owner.parse().ok());
    left
}

/// Removes what one run has. Containers before networks, and their anonymous
/// volumes with them.
pub async fn remove(docker: &Docker, left: &Leftover) {
    join_all(left.containers.iter().map(|id| remove_container(docker, id)))
        .await;
    join_all(left.networks.iter().map(|id| docker.remove_network(id))).await;
}

/// Removes one container, running or not, with its anonymous volumes. What
/// is left all the same is counted by the sweep at the end.
pub async fn remove_container(docker: &Docker, container: &str) {
    let with_volumes =
        RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let _ = docker.remove_container(container, Some(with_volumes)).await;
}

/// Removes all that `run` has, and says how much is left all the same.
pub async fn remove_run(docker: &Docker, run: &RunId) -> u32 {
    for _ in 0..3 {
        let Ok(all) = found(docker, format!("{RUN}={run}")).await else {
            return 1;
        };
        if all.is_empty() {
            return 0;
        }
        join_all(all.iter().map(|left| remove(docker, left))).await;
    }
    match found(docker, format!("{RUN}={run}")).await {
        Ok(all) => all.iter().map(Leftover::len).sum::<usize>() as u32,
        Err(_) => 1,
    }
}

/// Removes what runs left whose owner is gone. Returns the runs' ids.
///
/// # Errors
/// What Docker says.
pub async fn remove_orphans(
    docker: &Docker,
) -> Result<Vec<String>, testcontainers::bollard::errors::Error> {
    let mut orphans = leftovers(docker).await?;
    orphans.retain(Leftover::is_orphan);
    join_all(orphans.iter().map(|left| remove(docker, left))).await;
    Ok(orphans.into_iter().map(|left| left.run).collect())
}
