//! What is the same in every way: one packer that fills its hands, takes the
//! eldest, and fails once over some.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context, ensure};
use futures::StreamExt;
use lapin::{
    Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicRejectOptions},
};
use tokio::time::timeout;

use crate::{
    demos::{
        beyond::steps::{self, Progress},
        shop::{
            link::{Link, id_of},
            orders::Ran,
        },
    },
    event::Unit,
    lab::{Lab, RanOut, Strike},
    ledger::{Fact, MessageId, Witness},
    text,
};

/// What the ways do differently.
pub struct How {
    /// So many in hand at a time.
    pub prefetch: u16,
    /// Applies a step.
    pub apply: fn(&Progress, MessageId) -> Ran,
    /// What is done about one that fails.
    pub fails: Fails,
}

/// What the packer says of a step that it could not apply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    /// It goes back to the queue.
    Requeue,
    /// It is given up.
    Reject,
}

const STEPS: &str = "steps";
const RETURNS: &str = "returns";
/// How many are behind the failed one in a queue that only measures.
pub const OTHERS: u32 = 9;
const SOON: Duration = Duration::from_secs(20);

/// The steps are published to a classic queue; one packer applies them.
pub async fn one_packer(lab: &Lab, how: How) -> Ran {
    lab.declare(STEPS).await?;
    steps::publish(lab, STEPS, steps::steps(lab)).await?;
    let progress = Progress::open(lab)?;
    let link = Link::open(&lab.uri()).await?;
    let mut packer = Packer {
        steps: link.consume(STEPS, how.prefetch).await?,
        hands: VecDeque::new(),
        left: steps::count(lab),
        failed: Vec::new(),
        behind: 0,
        how,
    };
    while let Some(step) = packer.next().await? {
        packer.work(lab, &progress, step).await?;
    }
    link.close().await?;
    progress.settle()?;
    for step in lab.left_in(STEPS).await? {
        lab.settle(step, 0, 1);
    }
    tell(lab, &packer);
    Ok(())
}

struct Packer {
    steps: Consumer,
    hands: VecDeque<Delivery>,
    /// How many are neither acked nor given up.
    left: u32,
    /// What went back, with how many were done since.
    failed: Vec<(MessageId, u32)>,
    /// The most that were done before one came again.
    behind: u32,
    how: How,
}

impl Packer {
    /// The eldest in hand, once the broker has sent all that it may.
    async fn next(&mut self) -> anyhow::Result<Option<Delivery>> {
        let all = u32::from(self.how.prefetch).min(self.left) as usize;
        while self.hands.len() < all {
            let step = timeout(SOON, self.steps.next()).await;
            let step = step.map_err(|_| {
                let what = text! {
                    en: "the packer's hands to be full", zh: "打包员拿满"
                };
                RanOut { what, limit: SOON }
            })?;
            let step = step.context("the consumer was ended")??;
            self.hands.push_back(step);
        }
        Ok(self.hands.pop_front())
    }

    async fn work(
        &mut self,
        lab: &Lab,
        progress: &Progress,
        delivery: Delivery,
    ) -> Ran {
        let step = id_of(&delivery)?;
        let again = delivery.redelivered;
        lab.saw(step, if again { Fact::Redelivered } else { Fact::Delivered });
        if lab.is_planned(step, Strike::ServiceDown) && !again {
            lab.struck(step, Strike::ServiceDown);
            let requeue = self.how.fails == Fails::Requeue;
            delivery.acker.reject(BasicRejectOptions { requeue }).await?;
            match requeue {
                true => {
                    lab.saw(step, Fact::Requeued);
                    self.failed.push((step, 0));
                }
                false => self.left -= 1,
            }
            return Ok(());
        }
        (self.how.apply)(progress, step)?;
        delivery.acker.ack(BasicAckOptions::default()).await?;
        lab.saw(step, Fact::Acked);
        self.left -= 1;
        self.failed.retain(|(failed, since)| {
            if *failed == step {
                self.behind = self.behind.max(*since);
            }
            *failed != step
        });
        self.failed.iter_mut().for_each(|(_, since)| *since += 1);
        Ok(())
    }
}

/// How many come before a requeued one on a quorum queue, with one in hand.
pub async fn on_a_quorum_queue(lab: &Lab) -> Ran {
    lab.declare_as(RETURNS, "quorum").await?;
    let link = Link::open(&lab.uri()).await?;
    for _ in 0..=OTHERS {
        let (body, how) = (b"step", Default::default());
        let none = lapin::BasicProperties::default();
        link.channel
            .basic_publish("".into(), RETURNS.into(), how, body, none)
            .await?;
    }
    let mut steps = link.consume(RETURNS, 1).await?;
    let mut before = 0;
    for nth in 0..=OTHERS + 1 {
        let step = timeout(SOON, steps.next()).await.map_err(|_| {
            let what = text! {
                en: "the requeued one to come again", zh: "放回的那条再来"
            };
            RanOut { what, limit: SOON }
        })?;
        let step = step.context("the consumer was ended")??;
        if step.redelivered {
            break;
        }
        match nth {
            0 => step.acker.reject(BasicRejectOptions { requeue: true }).await,
            _ => {
                before += 1;
                step.acker.ack(BasicAckOptions::default()).await
            }
        }?;
    }
    ensure!(before <= OTHERS, "it never came again");
    link.close().await?;
    let name = text! { en: "quorum", zh: "仲裁" };
    lab.observe("quorum", name, before.into(), Unit::Count);
    lab.step(
        text! { en: "compare", zh: "对照" },
        text! {
            en: "the same on a quorum queue that sets no limit of its own: \
                 after {before} of {others}",
            zh: "换成没有自设上限的仲裁队列：落在 {others} 条中的 {before} 条之后",
            before = before, others = OTHERS
        },
    );
    Ok(())
}

fn tell(lab: &Lab, packer: &Packer) {
    let (behind, prefetch) = (packer.behind, packer.how.prefetch);
    let name = text! { en: "behind", zh: "落后" };
    lab.observe("behind", name, behind.into(), Unit::Count);
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "prefetch {prefetch}: a failed step comes again after \
                 {behind} younger ones",
            zh: "prefetch {prefetch}：失败的步骤落在 {behind} 条更晚的之后",
            prefetch = prefetch, behind = behind
        },
    );
    let broken = lab.figure("broken").unwrap_or_default();
    if lab.sums().lost == 0 {
        lab.came_to(match broken {
            0.0 => text! { en: "all in order", zh: "全部有序" },
            n => text! {
                en: "{n} of {all} out of order", zh: "{all} 单中 {n} 单乱序",
                n = n, all = lab.count()
            },
        });
    }
}
