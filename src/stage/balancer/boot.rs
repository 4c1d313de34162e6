//! The containers of balancers, and of the gateway to them.

use std::time::Duration;

use testcontainers::{
    ContainerRequest, GenericImage, ImageExt,
    core::{IntoContainerPort, WaitFor},
};

use super::conf;
use crate::{
    event::Service,
    stage::{image::Image, ports},
};

/// A balancer, told so by HAProxy's configuration.
pub fn balancer(
    tools: &Image,
    haproxy: &str,
) -> ContainerRequest<GenericImage> {
    GenericImage::new(&tools.name, &tools.tag)
        .with_wait_for(WaitFor::Nothing)
        .with_env_var("LAB_HAPROXY", haproxy)
        .with_cmd(["sh", "-c", conf::BOOT])
        .with_cap_add("NET_ADMIN")
}

/// The gateway, at these ports of the host: AMQP, and the statistics of the
/// first and the second balancer.
pub fn gateway(
    tools: &Image,
    haproxy: &str,
    ports: [u16; 3],
) -> ContainerRequest<GenericImage> {
    let [first, second] = [0, 1].map(conf::statistics_of);
    let inside = [conf::AMQP, first, second];
    let bindings = ports::bindings(inside.into_iter().zip(ports));
    GenericImage::new(&tools.name, &tools.tag)
        .with_exposed_port(conf::AMQP.tcp())
        .with_exposed_port(first.tcp())
        .with_exposed_port(second.tcp())
        .with_wait_for(WaitFor::Nothing)
        .with_env_var("LAB_HAPROXY", haproxy)
        .with_cmd(["sh", "-c", conf::BOOT_GATEWAY])
        .with_host_config_modifier(move |host| {
            host.publish_all_ports = Some(false);
            host.port_bindings = Some(bindings.clone());
        })
}

/// What these containers are, which took so long to answer.
pub fn services(
    tools: &Image,
    containers: Vec<String>,
    took: Duration,
) -> Vec<Service> {
    let service = |container| Service {
        product: "HAProxy".to_owned(),
        image: tools.reference(),
        source: tools.source.clone(),
        container,
        boot_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    containers.into_iter().map(service).collect()
}
