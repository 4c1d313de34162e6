//! Faults that hit a whole container.
//!
//! `kill` is SIGKILL to PID 1: the process has no say, its sockets close at
//! once, and the page cache survives. It shows a process crash, not a power
//! loss. `pause` is a hung process, `disconnect` a dead host.

use std::time::Duration;

use testcontainers::bollard::{
    errors::Error as DockerError,
    models::{
        EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest,
    },
    query_parameters::{
        InspectContainerOptions, KillContainerOptionsBuilder,
        StartContainerOptions, WaitContainerOptions,
    },
};

use futures::StreamExt;
use tokio::time::{Instant, sleep};

use crate::{
    problem::Problem,
    stage::{Engine, docker::failed},
    text,
};

/// SIGKILL, and waits until the container has stopped.
///
/// # Errors
/// What Docker says.
pub async fn kill(engine: &Engine, container: &str) -> Result<(), Problem> {
    let docker = engine.docker();
    let signal = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
    docker
        .kill_container(container, Some(signal))
        .await
        .map_err(|e| failed(&e))?;
    stopped(engine, container).await
}

/// Waits until the container has stopped.
///
/// # Errors
/// What Docker says; a non-zero exit code is none of them.
pub async fn stopped(engine: &Engine, container: &str) -> Result<(), Problem> {
    let mut waiting =
        engine.docker().wait_container(container, None::<WaitContainerOptions>);
    match waiting.next().await {
        Some(Err(error))
            if !matches!(
                error,
                DockerError::DockerContainerWaitError { .. }
            ) =>
        {
            Err(failed(&error))
        }
        _ => Ok(()),
    }
}

/// Starts a stopped container again, with its volumes as they were. Does not
/// wait until what runs in it answers.
///
/// # Errors
/// What Docker says.
pub async fn start(engine: &Engine, container: &str) -> Result<(), Problem> {
    let started = engine
        .docker()
        .start_container(container, None::<StartContainerOptions>);
    started.await.map_err(|e| failed(&e))
}

/// runc leaves it to its caller to try again.
const FROZEN_WITHIN: Duration = Duration::from_secs(20);
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Stops every process of the container from running, sockets open.
///
/// A container in which a process is just starting (a health check does that)
/// cannot always be frozen: on cgroup v1 runc gives up after a moment with
/// "unable to freeze" and thaws it (opencontainers/runc #2753, #4388; seen on
/// Docker 20.10 under load). Then it is tried again.
///
/// # Errors
/// What Docker says.
pub async fn pause(engine: &Engine, container: &str) -> Result<(), Problem> {
    let began = Instant::now();
    loop {
        match engine.docker().pause_container(container).await {
            Err(DockerError::DockerResponseServerError { message, .. })
                if message.contains("unable to freeze")
                    && began.elapsed() < FROZEN_WITHIN =>
            {
                sleep(AGAIN_AFTER).await;
            }
            paused => return paused.map_err(|e| failed(&e)),
        }
    }
}

/// Lets them run again.
///
/// # Errors
/// What Docker says.
pub async fn unpause(engine: &Engine, container: &str) -> Result<(), Problem> {
    engine.docker().unpause_container(container).await.map_err(|e| failed(&e))
}

/// Takes the container off the run's network: packets to it vanish, nothing
/// is closed.
///
/// # Errors
/// What Docker says.
pub async fn disconnect(
    engine: &Engine,
    container: &str,
) -> Result<(), Problem> {
    let request = NetworkDisconnectRequest {
        container: container.to_owned(),
        force: Some(true),
    };
    let network = engine.prefix();
    engine
        .docker()
        .disconnect_network(&network, request)
        .await
        .map_err(|e| failed(&e))
}

/// Puts it back, under its name.
///
/// # Errors
/// What Docker says.
pub async fn connect(
    engine: &Engine,
    container: &str,
    alias: &str,
) -> Result<(), Problem> {
    let request = NetworkConnectRequest {
        container: container.to_owned(),
        endpoint_config: Some(EndpointSettings {
            aliases: Some(vec![alias.to_owned()]),
            ..Default::default()
        }),
    };
    let network = engine.prefix();
    engine
        .docker()
        .connect_network(&network, request)
        .await
        .map_err(|e| failed(&e))
}

/// `rabbitmqctl shutdown`, the graceful way, and waits until the container
/// has stopped. `docker stop` may end as a kill, which changes results.
///
/// # Errors
/// What Docker says.
pub async fn shut_down(
    engine: &Engine,
    broker: &crate::stage::Broker,
) -> Result<(), Problem> {
    // The container ends under the command: its own failure says nothing.
    let _ = broker.ctl(&["shutdown", "--no-wait"]).await;
    stopped(engine, broker.container()).await
}

/// With what a stopped container ended: 0 where its process went by itself,
/// 137 after SIGKILL.
///
/// # Errors
/// What Docker says.
pub async fn exit_code(
    engine: &Engine,
    container: &str,
) -> Result<i64, Problem> {
    let seen = engine
        .docker()
        .inspect_container(container, None::<InspectContainerOptions>)
        .await
        .map_err(|e| failed(&e))?;
    Ok(seen.state.and_then(|state| state.exit_code).unwrap_or(-1))
}

/// The host is gone, and its disk with it: SIGKILL, then container and volumes
/// are removed.
///
/// # Errors
/// What Docker says, or that a volume is still there.
pub async fn destroy(engine: &Engine, container: &str) -> Result<(), Problem> {
    let docker = engine.docker();
    let seen = docker
        .inspect_container(container, None::<InspectContainerOptions>)
        .await
        .map_err(|e| failed(&e))?;
    let mounts = seen.mounts.unwrap_or_default();
    let volumes: Vec<_> = mounts.into_iter().filter_map(|m| m.name).collect();
    engine.remove(container).await;
    for volume in volumes {
        if docker.inspect_volume(&volume).await.is_ok() {
            return Err(Problem::environment(text! {
                en: "the volume {volume} was to be destroyed and is still there",
                zh: "卷 {volume} 本应销毁，却还在", volume = volume
            }));
        }
    }
    Ok(())
}
