//! Ports of the loopback address that containers publish on.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, TcpListener},
};

use testcontainers::bollard::models::PortBinding;

use crate::{problem::Problem, text};

/// Ports that are free now. All are held until all are chosen.
///
/// # Errors
/// When the loopback address has none.
pub fn free<const N: usize>() -> Result<[u16; N], Problem> {
    let none_free = |e: io::Error| {
        Problem::environment(text! {
            en: "no free port on 127.0.0.1: {e}", zh: "127.0.0.1 上没有空闲端口：{e}", e = e
        })
    };
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(none_free)?;
        *port = listener.local_addr().map_err(none_free)?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// Docker's table that publishes these ports of a container, on the loopback
/// address only.
pub fn bindings(
    pairs: impl IntoIterator<Item = (u16, u16)>,
) -> HashMap<String, Option<Vec<PortBinding>>> {
    let bound = pairs.into_iter().map(|(inside, outside)| {
        let binding = PortBinding {
            host_ip: Some(Ipv4Addr::LOCALHOST.to_string()),
            host_port: Some(outside.to_string()),
        };
        (format!("{inside}/tcp"), Some(vec![binding]))
    });
    bound.collect()
}

/// Whether Docker said that somebody else has the port: its own table of
/// ports says the first, the kernel the second.
pub fn is_taken(said: &str) -> bool {
    said.contains("port is already allocated")
        || said.contains("address already in use")
}
