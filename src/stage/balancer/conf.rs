//! What HAProxy and keepalived are told, and what HAProxy tells.

use std::{fmt::Write as _, net::Ipv4Addr};

use super::{Backend, Balancing, HealthCheck};

/// Where HAProxy listens for AMQP.
pub const AMQP: u16 = 5672;
/// Where it has its page of statistics.
const STATISTICS: u16 = 8404;
const BACKENDS: &str = "amqp";
const KEEPALIVED: &str = "/etc/keepalived/keepalived.conf";

/// Neither process may take the other along, so the shell is their parent.
/// keepalived has to know its peer's address and waits for its file.
pub const BOOT: &str = "\
    printf %s \"$LAB_HAPROXY\" >/etc/haproxy/lab.cfg; \
    printf '#!/bin/sh\\nexec pidof -q haproxy\\n' >/usr/local/bin/is-haproxy; \
    chmod 755 /usr/local/bin/is-haproxy; \
    haproxy -db -f /etc/haproxy/lab.cfg & \
    until [ -e /etc/keepalived/keepalived.conf ]; do sleep 0.05; done; \
    keepalived -n -l -f /etc/keepalived/keepalived.conf & wait";
/// Only HAProxy.
pub const BOOT_GATEWAY: &str = "\
    printf %s \"$LAB_HAPROXY\" >/etc/haproxy/lab.cfg; \
    exec haproxy -db -f /etc/haproxy/lab.cfg";

/// A balancer before these brokers. A restarted broker may have another
/// address, and is found again through Docker's resolver.
pub fn haproxy(how: &Balancing, brokers: &[String]) -> String {
    let check = match how.check {
        HealthCheck::Tcp => "",
        HealthCheck::Amqp => {
            "    option tcp-check\n    tcp-check connect\n    \
             tcp-check send-binary 414d515000000901\n    \
             tcp-check expect rbinary ^010000\n"
        }
    };
    let mut conf = format!(
        "global\n    log stdout format raw local0 info\n    \
         stats socket /run/lab.sock mode 600 level admin\n\
         defaults\n    log global\n    timeout connect 2s\n    \
         timeout check 1s\n    timeout client {client}ms\n    \
         timeout server 3h\n\
         resolvers docker\n    nameserver engine 127.0.0.11:53\n    \
         hold valid 1s\n\
         frontend statistics\n    mode http\n    bind :{STATISTICS}\n    \
         stats enable\n    stats uri /\n\
         listen {BACKENDS}\n    mode tcp\n    bind :{AMQP}\n    \
         balance roundrobin\n{check}    \
         default-server inter 500ms fastinter 200ms downinter 500ms fall 2 \
         rise 1 on-marked-down shutdown-sessions resolvers docker \
         init-addr last,libc,none\n",
        client = how.timeout_client.as_millis()
    );
    for (n, host) in brokers.iter().enumerate() {
        let _ = writeln!(conf, "    server b{} {host}:{AMQP} check", n + 1);
    }
    conf
}

/// Where the gateway listens for those who look at a balancer's statistics.
pub const fn statistics_of(n: u16) -> u16 {
    STATISTICS + n
}

/// What forwards from the host to the virtual address, and to the statistics
/// of these balancers. It tries the address again quickly: it may be on its
/// way. A balancer is looked for while it runs, not at its start: it may not be
/// there yet, and nothing is to wait for a name that nobody knows.
pub fn gateway(address: Ipv4Addr, balancers: &[String]) -> String {
    let mut conf = format!(
        "defaults\n    mode tcp\n    timeout connect 500ms\n    \
         timeout client 3h\n    timeout server 3h\n    retries 20\n    \
         option abortonclose\n\
         resolvers docker\n    nameserver engine 127.0.0.11:53\n    \
         hold valid 1s\n\
         listen amqp\n    bind :{AMQP}\n    server address {address}:{AMQP}\n"
    );
    for (port, host) in (statistics_of(0)..).zip(balancers) {
        let _ = write!(
            conf,
            "listen statistics{port}\n    bind :{port}\n    \
             server lb {host}:{STATISTICS} resolvers docker \
             resolve-prefer ipv4 init-addr none\n"
        );
    }
    conf
}

/// One side of a pair.
pub struct Keepalived<'a> {
    /// Which one; the first one is preferred.
    pub n: usize,
    /// Its own address.
    pub own: &'a str,
    /// The other's.
    pub peer: &'a str,
    /// What they have in common.
    pub address: Ipv4Addr,
    /// Of the network.
    pub bits: u8,
    /// Of the pair.
    pub id: u8,
    /// Whether it looks at its HAProxy.
    pub tracked: bool,
}

/// A command that writes its file, whole.
pub fn write_keepalived(conf: &Keepalived<'_>) -> String {
    let conf = keepalived(conf);
    format!(
        "printf %s '{conf}' >{KEEPALIVED}.new && \
         mv {KEEPALIVED}.new {KEEPALIVED}"
    )
}

/// A peer is dead after three adverts, and a bit that depends on priority.
/// The script's time limit is long: a busy machine is not a dead HAProxy.
fn keepalived(conf: &Keepalived<'_>) -> String {
    let Keepalived { n, own, peer, address, bits, id, tracked } = conf;
    let priority = 101 - n;
    let (script, track) = match tracked {
        true => (
            "vrrp_script haproxy {\n    script /usr/local/bin/is-haproxy\n    \
             interval 1\n    timeout 5\n    fall 2\n    rise 1\n}\n",
            "    track_script {\n        haproxy\n    }\n",
        ),
        false => ("", ""),
    };
    format!(
        "global_defs {{\n    router_id lb{name}\n    script_user root\n    \
         enable_script_security\n    vrrp_version 3\n}}\n{script}\
         vrrp_instance lab {{\n    state BACKUP\n    interface eth0\n    \
         virtual_router_id {id}\n    priority {priority}\n    \
         advert_int 0.2\n    unicast_src_ip {own}\n    \
         unicast_peer {{\n        {peer}\n    }}\n    \
         virtual_ipaddress {{\n        {address}/{bits} dev eth0\n    }}\n\
         {track}}}\n",
        name = n + 1
    )
}

/// The brokers in HAProxy's table: comma separated values with a head.
pub fn backends(told: &str) -> Vec<Backend> {
    let mut lines = told.trim_start_matches("# ").lines();
    let head: Vec<_> = lines.next().unwrap_or_default().split(',').collect();
    let at = |name: &str| head.iter().position(|column| *column == name);
    let backend = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        let cell = |name| cells.get(at(name)?).copied();
        let number = |name| cell(name)?.parse().ok();
        let server = cell("svname")?;
        if cell("pxname")? != BACKENDS || !server.starts_with('b') {
            return None;
        }
        Some(Backend {
            is_up: cell("status")?.starts_with("UP"),
            open: number("scur")?,
            total: number("stot")?,
        })
    };
    lines.filter_map(backend).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brokers_are_read_from_the_table() {
        let told = "# pxname,svname,scur,stot,status,\n\
            statistics,FRONTEND,0,0,OPEN,\n\
            amqp,FRONTEND,2,9,OPEN,\n\
            amqp,b1,2,5,UP,\n\
            amqp,b2,0,4,DOWN 1/2,\n\
            amqp,BACKEND,2,9,UP,\n";
        let seen = backends(told);
        let up = Backend { is_up: true, open: 2, total: 5 };
        let down = Backend { is_up: false, open: 0, total: 4 };
        assert_eq!(seen, [up, down]);
        assert_eq!(backends(""), []);
    }

    #[test]
    fn the_gateway_leads_to_the_address_and_to_each_ones_statistics() {
        let both = ["one".to_owned(), "two".to_owned()];
        let conf = gateway(Ipv4Addr::new(10, 0, 0, 254), &both);
        assert!(conf.contains("bind :5672\n    server address 10.0.0.254:"));
        assert!(conf.contains("bind :8404\n    server lb one:8404 "));
        assert!(conf.contains("bind :8405\n    server lb two:8404 "));
    }

    #[test]
    fn only_who_tracks_has_a_script() {
        let side = |tracked| Keepalived {
            n: 0,
            own: "10.0.0.2",
            peer: "10.0.0.3",
            address: Ipv4Addr::new(10, 0, 0, 254),
            bits: 24,
            id: 1,
            tracked,
        };
        assert!(keepalived(&side(true)).contains("track_script"));
        assert!(!keepalived(&side(false)).contains("script /"));
    }

    #[test]
    fn only_the_amqp_check_speaks_amqp() {
        let amqp = haproxy(&Balancing::ONE, &["a".to_owned()]);
        let tcp = Balancing { check: HealthCheck::Tcp, ..Balancing::ONE };
        let tcp = haproxy(&tcp, &["a".to_owned()]);
        assert!(amqp.contains("expect rbinary ^010000"));
        assert!(!tcp.contains("tcp-check"));
        assert!(tcp.contains("server b1 a:5672 check"));
    }
}
