//! What a run stands on, and where it is reached.

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// Something a scenario runs on, as it really was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Product and version: `RabbitMQ 4.3.6`.
    pub product: String,
    /// The image it ran from.
    pub image: String,
    /// How the image got here: `present`, `pulled` or `built`.
    pub source: String,
    /// The container's name, to be used with `docker exec`.
    pub container: String,
    /// From container start to the first answer in its own protocol, in
    /// milliseconds.
    pub boot_ms: u64,
}

/// Where to look at the broker, with a login made for this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The management page.
    pub url: String,
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
}

/// Where something of the stage is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What is there: `n1 AMQP`, `virtual IP`.
    pub what: Text,
    /// Its address, to be copied.
    pub at: String,
}
