//! The ways of publishing.

use std::collections::VecDeque;

use futures::future::try_join_all;
use lapin::{PublisherConfirm, options::ConfirmSelectOptions};

use super::line::{Line, Ran};
use crate::{ledger::MessageId, text, text::Text};

/// How to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Publishing {
    Unconfirmed,
    Pipelined,
    Batches,
    OneByOne,
    TxBatches,
    TxEach,
}

use Publishing::{
    Batches, OneByOne, Pipelined, TxBatches, TxEach, Unconfirmed,
};

/// All of them, in the order of the charts.
pub const PUBLISHING: [Publishing; 6] =
    [Unconfirmed, Pipelined, Batches, OneByOne, TxBatches, TxEach];

/// Orders in a batch, or in a transaction.
const BATCH: usize = 100;
/// Unanswered publishes at a time, where they are not waited for.
const WINDOW: usize = 100;
/// Publishes that are handed to the client together, to be written together.
const AT_ONCE: usize = 50;

impl Publishing {
    /// What its queue is called.
    pub const fn id(self) -> &'static str {
        match self {
            Unconfirmed => "unconfirmed",
            OneByOne => "one-by-one",
            Batches => "batches",
            Pipelined => "pipelined",
            TxEach => "tx-each",
            TxBatches => "tx-batches",
        }
    }

    /// What a person calls it.
    pub const fn name(self) -> Text {
        match self {
            Unconfirmed => text! { en: "no confirms", zh: "不确认" },
            OneByOne => text! { en: "one by one", zh: "逐条等" },
            Batches => text! { en: "by 100", zh: "百条一批" },
            Pipelined => text! { en: "pipelined", zh: "流水线" },
            TxEach => text! { en: "tx each", zh: "tx 逐条" },
            TxBatches => text! { en: "tx by 100", zh: "tx 百条" },
        }
    }

    /// Whether it waits for an answer to each order.
    pub const fn waits_for_each(self) -> bool {
        matches!(self, OneByOne | TxEach)
    }

    /// What its channel has to be told once, before the first publish.
    pub async fn prepare(self, line: &Line) -> lapin::Result<()> {
        let confirms = ConfirmSelectOptions::default();
        match self {
            Unconfirmed => Ok(()),
            OneByOne | Batches | Pipelined => {
                line.channel.confirm_select(confirms).await
            }
            TxEach | TxBatches => line.channel.tx_select().await,
        }
    }

    /// Publishes them this way.
    pub async fn publish(self, line: &Line, orders: &[MessageId]) -> Ran {
        match self {
            Unconfirmed => unconfirmed(line, orders).await,
            OneByOne => batches(line, orders, 1).await,
            Batches => batches(line, orders, BATCH).await,
            Pipelined => pipelined(line, orders).await,
            TxEach => transactions(line, orders, 1).await,
            TxBatches => transactions(line, orders, BATCH).await,
        }
    }
}

/// Nobody answers. Whether anything arrived, nobody knows.
async fn unconfirmed(line: &Line, orders: &[MessageId]) -> Ran {
    for some in orders.chunks(AT_ONCE) {
        try_join_all(some.iter().map(|order| line.put(*order))).await?;
    }
    Ok(())
}

/// Publishes a batch, and waits until each of it is confirmed. In batches of
/// one, that is one by one.
async fn batches(line: &Line, orders: &[MessageId], batch: usize) -> Ran {
    for batch in orders.chunks(batch) {
        for (order, confirm) in send(line, batch).await? {
            line.confirmed(order, confirm).await?;
        }
    }
    Ok(())
}

/// Publishes on, as long as no more than a window is unanswered.
async fn pipelined(line: &Line, orders: &[MessageId]) -> Ran {
    let mut unanswered = VecDeque::new();
    for some in orders.chunks(AT_ONCE) {
        while unanswered.len() + some.len() > WINDOW
            && let Some((order, confirm)) = unanswered.pop_front()
        {
            line.confirmed(order, confirm).await?;
        }
        unanswered.extend(send(line, some).await?);
    }
    for (order, confirm) in unanswered {
        line.confirmed(order, confirm).await?;
    }
    Ok(())
}

/// Publishes a batch and commits it: one tx.commit-ok answers for all of it.
async fn transactions(line: &Line, orders: &[MessageId], batch: usize) -> Ran {
    for batch in orders.chunks(batch) {
        send(line, batch).await?;
        line.channel.tx_commit().await?;
        batch.iter().for_each(|order| line.committed(*order));
    }
    Ok(())
}

type Sent = Vec<(MessageId, PublisherConfirm)>;

async fn send(line: &Line, orders: &[MessageId]) -> lapin::Result<Sent> {
    let sends = orders.iter().map(|order| line.send(*order));
    let confirms = try_join_all(sends).await?;
    Ok(orders.iter().copied().zip(confirms).collect())
}
