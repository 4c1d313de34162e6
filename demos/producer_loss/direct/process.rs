//! The producing process: what it has in memory, and its tasks.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinSet};

use crate::{
    demos::{
        producer_loss::table,
        shop::orders::{ORDERS, Ran},
    },
    lab::Lab,
    pattern::{
        backoff::{Backoff, Jitter},
        direct::{Direct, Settings},
        outbox::{Desk, group::Group},
        publisher::Route,
    },
    text,
};

/// Who reads the table of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relays {
    /// Nobody.
    None,
    /// A relay in the producing process.
    One,
}

/// A producer at work.
pub(super) struct Process {
    /// Its database.
    pub table: Group,
    /// What it publishes from memory.
    pub direct: Direct,
    /// Wakes its relay.
    pub bell: Arc<Notify>,
    tasks: JoinSet<()>,
    relays: Relays,
    relay_at: Desk,
}

/// Attempts are not used up while the lab looks on: ten of them, with a second
/// and more in between.
const RETRIES: Settings = Settings {
    room: 10_000,
    attempts: 10,
    backoff: Backoff {
        first: Duration::from_secs(1),
        most: Duration::from_secs(5),
        jitter: Jitter::None,
    },
    seed: 1,
};
/// Requests that share a commit, at most.
const TOGETHER: usize = 100;

impl Process {
    /// Starts, with an empty memory and the database as it is.
    pub fn start(lab: &Lab, uri: &str, relays: Relays) -> anyhow::Result<Self> {
        let table = Group::start(table::open(lab)?, TOGETHER);
        let (route, witness) = (Route::queue(ORDERS), lab.witness());
        let direct = Direct::start(uri, route, table.clone(), witness, RETRIES);
        let mut relay = table::relay(lab, uri)?;
        let (bell, relay_at) = (relay.bell(), relay.works_at());
        let mut tasks = JoinSet::new();
        if relays == Relays::One {
            tasks.spawn(async move {
                // It ends with the process, and has nobody to tell.
                let _ = relay.run(std::future::pending::<()>()).await;
            });
        }
        Ok(Self { table, direct, bell, tasks, relays, relay_at })
    }

    /// Waits until nothing is left to be sent, as far as it knows.
    pub async fn is_through(&self, lab: &Lab) -> Ran {
        let what = text! {
            en: "the producer to have sent what it knows of",
            zh: "生产者把手头的消息发完"
        };
        lab.wait_until(what, table::WITHIN, || async {
            let open = self.relays == Relays::One && table::has_open(lab)?;
            Ok(!open && self.direct.held() == 0)
        })
        .await
    }

    /// All that it has in memory is gone when this returns. What its relay was
    /// writing at the moment is on disk, as SQLite's own thread would leave it.
    pub async fn die(mut self) {
        self.tasks.shutdown().await;
        self.relay_at.at_rest().await;
        self.direct.die().await;
    }
}
