//! Wires to the way's broker, with its planned strikes armed.

use anyhow::Context;

use super::Lab;
use crate::fault::wire::{self, Protocol, Wire};

impl Lab {
    /// A wire to the broker with every planned strike of the wire armed.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn wire(
        &self,
        name: &str,
        protocol: Protocol,
    ) -> anyhow::Result<Wire> {
        let broker = self.broker();
        let upstream = match protocol {
            Protocol::Amqp => broker.amqp,
            Protocol::Stream => broker.streams()?,
        };
        let lab = self.clone();
        let on_strike =
            move |struck: wire::Struck| lab.wire_struck(&struck, protocol);
        let wire = Wire::open(name, upstream, protocol, on_strike)
            .await
            .context("cannot open a wire on the loopback address")?;
        for (message, strike) in self.0.plan.all() {
            if let (true, Some(fault)) = (self.0.armed, strike.on_wire()) {
                let id = match protocol {
                    Protocol::Amqp => message.to_string(),
                    // A publish in the stream protocol has a number only.
                    Protocol::Stream => message.number.to_string(),
                };
                wire.arm(id, fault);
            }
        }
        Ok(wire)
    }

    fn wire_struck(&self, struck: &wire::Struck, protocol: Protocol) {
        let message = match protocol {
            Protocol::Amqp => struck.message.parse().ok(),
            Protocol::Stream => {
                struck.message.parse().ok().map(|n| self.0.noun.number(n))
            }
        };
        let planned = self.0.plan.all().find(|(planned, strike)| {
            Some(*planned) == message && strike.on_wire() == Some(struck.fault)
        });
        let Some((message, strike)) = planned else { return };
        // Without its fence a cut may have eaten what was forwarded before,
        // and where others were in flight it struck them too: then it is not
        // known what struck whom, and it counts as no hit. A batch in a stream
        // is struck as a whole.
        let alone = struck.also.is_empty() || protocol == Protocol::Stream;
        if struck.fenced && alone {
            self.struck(message, strike);
        }
    }
}
