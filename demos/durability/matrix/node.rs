//! The node goes down, in either way, and comes back with its volume.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::{Instant, sleep_until};

use crate::{
    demos::shop::orders::Ran,
    fault::container,
    lab::{Lab, Strike},
};

/// How it goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// `rabbitmqctl shutdown`.
    Gracefully,
    /// SIGKILL. The page cache survives it: no power loss.
    Killed,
}

/// Both, in the order in which they happen.
pub const BOTH: [Down; 2] = [Down::Gracefully, Down::Killed];

/// A durable queue that is younger than this may not survive a kill (seen: a
/// quorum queue on either version, a classic one on 3.10). The broker has no
/// word for when it would, so its age must do.
const YOUNG: Duration = Duration::from_secs(4);
const SIGKILLED: i64 = 137;

impl Down {
    /// What figures are named after.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Gracefully => "restart",
            Self::Killed => "kill",
        }
    }

    /// What strikes.
    pub const fn strike(self) -> Strike {
        match self {
            Self::Gracefully => Strike::BrokerRestarted,
            Self::Killed => Strike::BrokerKilled,
        }
    }
}

/// Takes the node down and starts it again, unless that is disarmed. The
/// durable queues were `declared` then.
pub async fn take_down(lab: &Lab, down: Down, declared: Instant) -> Ran {
    if !lab.is_armed(down.strike()) {
        return Ok(());
    }
    let (engine, broker) = (&lab.stage().engine, lab.broker());
    let ended = match down {
        Down::Gracefully => {
            container::shut_down(engine, broker).await?;
            0
        }
        Down::Killed => {
            sleep_until(declared + YOUNG).await;
            container::kill(engine, broker.container()).await?;
            SIGKILLED
        }
    };
    let code = container::exit_code(engine, broker.container()).await?;
    ensure!(code == ended, "the broker ended with {code}, not {ended}");
    lab.struck_once(down.strike());
    lab.start_again(broker).await
}

/// Denies queues that are neither durable nor exclusive, as
/// `deprecated_features.permit.transient_nonexcl_queues = false` does, but at
/// run time: a deprecated feature is denied by enabling a feature flag of its
/// name. Only where no such queue is left (documentation, "Deprecated
/// Features").
pub async fn deny_fleeting_queues(lab: &Lab) -> Ran {
    let deny = "rabbit_feature_flags:enable(transient_nonexcl_queues).";
    let told = lab.broker().ctl(&["eval", deny]).await?;
    ensure!(told.trim() == "ok", "not denied: {told}");
    Ok(())
}
