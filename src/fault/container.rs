//! Faults that hit a whole container.
//!
//! `kill` is SIGKILL to PID 1: the process has no say, its sockets close at
//! once, and the page cache survives. It shows a process crash, not a power
//! loss. `pause` is a hung process, `disconnect` a dead host.

use testcontainers::bollard::{
    errors::Error as DockerError,
    models::{
        EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest,
    },
    query_parameters::{
        KillContainerOptionsBuilder, StartContainerOptions,
        WaitContainerOptions,
    },
};

use futures::StreamExt;

use crate::{
    problem::Problem,
    stage::{Engine, docker::failed},
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

/// Stops every process of the container from running, sockets open.
///
/// # Errors
/// What Docker says.
pub async fn pause(engine: &Engine, container: &str) -> Result<(), Problem> {
    engine.docker().pause_container(container).await.map_err(|e| failed(&e))
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
