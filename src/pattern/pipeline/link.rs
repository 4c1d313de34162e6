//! The channel of a pipelined publisher, and one publish on it.

use std::{sync::Arc, time::Duration};

use lapin::{
    BasicProperties, Channel, Confirmation, options::BasicPublishOptions,
    types::ShortString,
};
use tokio::time::timeout;
use tokio_util::sync::ReusableBoxFuture;

use super::window::Heard;
use crate::pattern::{
    pressure::{Listening, Pressure},
    publisher::{self, Answer, CONNECT_TRIES, Outgoing, id_of},
};

/// A publish on its way. Takes the place of another without allocating.
pub(super) type Publish = ReusableBoxFuture<'static, Heard>;

/// A confirming channel on a connection of its own, whose pressure is heeded.
pub(super) struct Link {
    link: publisher::Link,
    /// Shared with every publish that is on its way.
    channel: Arc<Channel>,
    _listening: Listening,
}

/// lapin (4.12) answers for what is in flight within a millisecond when a
/// connection dies, and sometimes never.
pub(super) const CLOSED_WITHIN: Duration = Duration::from_millis(500);

impl Link {
    /// Tries to connect a few times, each within this time.
    pub async fn keep_trying(
        uri: &str,
        within: Duration,
        pressure: &Pressure,
    ) -> Option<Self> {
        let link =
            publisher::Link::keep_trying(uri, CONNECT_TRIES, within).await?;
        let listening = pressure.listen(&link.connection);
        let channel = Arc::new(link.channel.clone());
        Some(Self { link, channel, _listening: listening })
    }

    /// What to publish on, unless it is known to be closed.
    pub fn channel(&self) -> Option<Arc<Channel>> {
        let open = self.channel.status().connected();
        open.then(|| self.channel.clone())
    }

    /// Closes the connection, in the background. The publishes that are on
    /// their way there would keep it open.
    pub fn close(self) {
        tokio::spawn(async move {
            let bye = self.link.connection.close(200, "given up".into());
            let _ = timeout(CLOSED_WITHIN, bye).await;
        });
    }
}

/// Publishes, and waits for the confirm.
pub(super) async fn publish(
    channel: Arc<Channel>,
    exchange: ShortString,
    key: ShortString,
    message: Arc<Outgoing>,
) -> Heard {
    let mandatory =
        BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(message.id.to_string().into());
    let sent = channel
        .basic_publish(exchange, key, mandatory, &message.body, properties)
        .await;
    let confirmation = match sent {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    let (answer, back) = match confirmation {
        Ok(Confirmation::Ack(back)) => (Answer::Confirmed, back),
        Ok(Confirmation::Nack(back)) => (Answer::Nacked, back),
        Ok(Confirmation::NotRequested) | Err(_) => (Answer::Unknown, None),
    };
    Heard { answer, returned: back.and_then(id_of) }
}
