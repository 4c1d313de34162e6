//! What is expected of each cell, and the table.

use super::lane::{
    Cell, Ended, FAILURES, FIVE, Failure, QUEUES, Queue, TWENTY,
};
use crate::{
    event::{Grid, GridRow},
    text,
    text::Text,
};

/// A version, and how each cell ended there.
pub type Measured = ((u16, u16), Vec<(Cell, Ended)>);

/// After how many deliveries a queue gives a message up: one more than its
/// limit, where it has one and this failure counts.
pub fn gives_up_after(cell: Cell, version: (u16, u16)) -> Option<u16> {
    let limit = match cell.queue {
        Queue::Classic => None,
        Queue::Quorum => (version >= (4, 0)).then_some(TWENTY),
        Queue::QuorumOfFive => Some(FIVE),
    };
    let counts = cell.failure != Failure::Nack || version < (4, 3);
    limit.filter(|_| counts).map(|limit| limit + 1)
}

/// Failures by queues and versions.
pub fn grid(all: &[Measured]) -> Grid {
    let columns = all.iter().flat_map(|((major, minor), _)| {
        QUEUES.map(|queue| {
            let queue = queue.head();
            Text::made(
                format!("{major}.{minor} {}", queue.en),
                format!("{major}.{minor} {}", queue.zh),
            )
        })
    });
    let row = |failure: Failure| {
        let cells = all.iter().flat_map(|(_, cells)| {
            QUEUES.map(|queue| {
                let wanted = Cell { queue, failure };
                let found = cells.iter().find(|(cell, _)| *cell == wanted);
                found.map_or_else(|| Text::same("-"), said)
            })
        });
        GridRow { name: failure.head(), cells: cells.collect() }
    };
    Grid {
        title: text! {
            en: "Deliveries until it is gone; > means that it is still queued",
            zh: "投递几次后消失；> 表示仍在队列"
        },
        columns: columns.collect(),
        rows: FAILURES.map(row).to_vec(),
    }
}

fn said((cell, ended): &(Cell, Ended)) -> Text {
    match ended.queued {
        // It may have come once or twice more before it was left alone.
        true => Text::same(format!(">{}", cell.endless() - 1)),
        false => Text::same(ended.deliveries.to_string()),
    }
}

impl Queue {
    fn head(self) -> Text {
        match self {
            Self::Classic => text! { en: "classic", zh: "经典" },
            Self::Quorum => text! { en: "quorum", zh: "仲裁" },
            Self::QuorumOfFive => text! {
                en: "quorum limit 5", zh: "仲裁 上限5"
            },
        }
    }
}

impl Failure {
    fn head(self) -> Text {
        match self {
            Self::Nack => text! { en: "nack, requeue", zh: "nack 放回" },
            Self::Reject => text! { en: "reject, requeue", zh: "reject 放回" },
            Self::Crash => text! { en: "crash", zh: "崩溃" },
        }
    }
}
