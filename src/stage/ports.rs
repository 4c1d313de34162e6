//! Ports of the loopback address that containers publish on.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    sync::{Mutex, PoisonError},
};

use testcontainers::bollard::models::PortBinding;

use crate::{problem::Problem, text};

/// Where ports are chosen from: below those that the kernel gives to outgoing
/// connections and to whoever asks for any (from 32768 on Linux, from 49152
/// elsewhere). A container that is down for a while holds none of its ports,
/// and needs the same ones when it returns.
const CHOSEN_FROM: Range<u16> = 20_000..32_768;
/// A port that somebody has is passed over, so often at most.
const TRIES: u32 = 1_000;
/// So many of those chosen last are not chosen again: theirs may be down.
const KEPT: usize = 4_000;

static CHOSEN: Mutex<VecDeque<u16>> = Mutex::new(VecDeque::new());

/// Ports that are free now, and that no container of this process was given
/// lately. All are held until all are chosen.
///
/// # Errors
/// When the loopback address has none.
pub fn free<const N: usize>() -> Result<[u16; N], Problem> {
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = choose().map_err(|e| {
            Problem::environment(text! {
                en: "no free port on 127.0.0.1: {e}",
                zh: "127.0.0.1 上没有空闲端口：{e}",
                e = e
            })
        })?;
        *port = listener.0;
        held.push(listener);
    }
    Ok(ports)
}

/// A port, and what holds it.
fn choose() -> io::Result<(u16, TcpListener)> {
    let mut chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut failed = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let port = rand::random_range(CHOSEN_FROM);
        if chosen.contains(&port) {
            continue;
        }
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => {
                chosen.push_back(port);
                if chosen.len() > KEPT {
                    chosen.pop_front();
                }
                return Ok((port, listener));
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{CHOSEN_FROM, KEPT, free};

    #[test]
    fn a_port_is_not_chosen_again_while_its_container_may_be_down() {
        let mut seen = HashSet::new();
        // Other tests choose some meanwhile.
        for _ in 0..KEPT / 20 {
            for port in free::<3>().unwrap() {
                assert!(CHOSEN_FROM.contains(&port));
                assert!(seen.insert(port), "{port} was chosen twice");
            }
        }
    }
}
