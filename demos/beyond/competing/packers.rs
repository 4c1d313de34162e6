//! What is the same in every way: two packers that work on all queues, and
//! are held over some steps until the others have had every chance.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use futures::{FutureExt, StreamExt, future::try_join_all};
use lapin::{
    Consumer,
    message::Delivery,
    options::{BasicAckOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
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
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    text,
};

/// What the ways do differently.
#[derive(Clone, Copy)]
pub struct How {
    /// So many queues.
    pub queues: u32,
    /// A step lies in the queue of this number, modulo their number.
    pub queue_of: fn(MessageId) -> u32,
    /// Whether a queue has one active consumer, and the others stand by.
    pub single_active: bool,
}

/// Two processes: A and B.
const PACKERS: usize = 2;
/// One step in hand at a time.
const ONE: u16 = 1;
/// Silence after which a packer looks whether there is nothing for it.
const LOOK: Duration = Duration::from_millis(5);
const SOON: Duration = Duration::from_secs(30);

/// The steps are published; two packers apply them.
pub async fn two_packers(lab: &Lab, how: How) -> Ran {
    let queues: Vec<_> =
        (0..how.queues).map(|n| format!("steps.{n}")).collect();
    let one = AMQPValue::Boolean(how.single_active);
    let arguments = [("x-single-active-consumer", one)];
    for (n, queue) in (0..).zip(&queues) {
        lab.declare_with(queue, "classic", &arguments).await?;
        let here = |step: &MessageId| (how.queue_of)(*step) % how.queues == n;
        steps::publish(lab, queue, steps::steps(lab).filter(here)).await?;
    }
    let bench = Arc::new(Bench::open(lab)?);
    let mut hands = Vec::new();
    // Each is the first at a queue of its own, and then stands by at others.
    for round in 0..PACKERS {
        for packer in 0..PACKERS {
            if let Some(queue) = queues.get((packer + round) % PACKERS) {
                hands.push(Hand::start(&bench, packer, queue).await?);
            }
        }
    }
    let hands = hands.into_iter().map(|hand| tokio::spawn(hand.work()));
    for worked in try_join_all(hands).await? {
        worked?;
    }
    bench.progress.settle()?;
    for queue in &queues {
        for step in lab.left_in(queue).await? {
            lab.settle(step, 0, 1);
        }
    }
    tell(lab, &bench, how);
    Ok(())
}

/// What all hands know of each other.
struct Bench {
    lab: Lab,
    progress: Progress,
    /// Rises with each step that is taken or applied.
    clock: AtomicU64,
    doing: Mutex<Vec<Doing>>,
    /// How many steps each packer has applied.
    applied: [AtomicU64; PACKERS],
}

/// What a hand does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// It works, or may have something to work on.
    Something,
    /// It is slow over this step.
    Held(MessageId),
    /// At this time the broker had nothing that it would give to it.
    Nothing(u64),
}

impl Bench {
    fn open(lab: &Lab) -> anyhow::Result<Self> {
        Ok(Self {
            lab: lab.clone(),
            progress: Progress::open(lab)?,
            clock: AtomicU64::new(0),
            doing: Mutex::default(),
            applied: Default::default(),
        })
    }

    fn doing(&self) -> MutexGuard<'_, Vec<Doing>> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn applied(&self) -> u64 {
        self.applied.iter().map(|n| n.load(Ordering::SeqCst)).sum()
    }

    fn is_over(&self) -> bool {
        self.applied() == u64::from(steps::count(&self.lab))
    }

    /// Whether a slow one may go on: the others have applied all of its order,
    /// or nothing moves any more.
    fn may_go_on(&self, step: MessageId) -> anyhow::Result<bool> {
        if self.progress.is_done(step)? {
            return Ok(true);
        }
        let now = self.clock.load(Ordering::SeqCst);
        for doing in self.doing().clone() {
            let is_at_rest = match doing {
                Doing::Something => false,
                Doing::Held(step) => !self.progress.is_done(step)?,
                Doing::Nothing(since) => since == now,
            };
            if !is_at_rest {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A packer's consumer of one queue.
struct Hand {
    bench: Arc<Bench>,
    packer: usize,
    nth: usize,
    queue: String,
    link: Link,
    steps: Consumer,
}

impl Hand {
    async fn start(
        bench: &Arc<Bench>,
        packer: usize,
        queue: &str,
    ) -> anyhow::Result<Self> {
        let link = Link::open(&bench.lab.uri()).await?;
        let steps = link.consume(queue, ONE).await?;
        let nth = bench.doing().len();
        bench.doing().push(Doing::Something);
        Ok(Self {
            bench: bench.clone(),
            packer,
            nth,
            queue: queue.to_owned(),
            link,
            steps,
        })
    }

    /// Until all steps are applied, by whomever.
    async fn work(mut self) -> Ran {
        while !self.bench.is_over() {
            match timeout(LOOK, self.steps.next()).await {
                Ok(step) => {
                    self.apply(step.context("the consumer was ended")??).await?
                }
                Err(_) => self.look().await?,
            }
        }
        self.link.close().await
    }

    async fn apply(&mut self, delivery: Delivery) -> Ran {
        let step = id_of(&delivery)?;
        let bench = self.bench.clone();
        self.does(Doing::Something);
        bench.clock.fetch_add(1, Ordering::SeqCst);
        bench.lab.saw(step, Fact::Delivered);
        if bench.lab.is_planned(step, Strike::Slow) {
            self.is_slow_over(step).await?;
        }
        bench.progress.apply(step)?;
        bench.applied[self.packer].fetch_add(1, Ordering::SeqCst);
        bench.clock.fetch_add(1, Ordering::SeqCst);
        delivery.acker.ack(BasicAckOptions::default()).await?;
        bench.lab.saw(step, Fact::Acked);
        Ok(())
    }

    /// It is held until the others have applied all of this order, or could
    /// apply nothing more.
    async fn is_slow_over(&self, step: MessageId) -> Ran {
        let bench = &self.bench;
        self.does(Doing::Held(step));
        let what = text! {
            en: "the others to do what they can", zh: "其他人做完能做的"
        };
        let lab = &bench.lab;
        lab.wait_until(what, SOON, || async { bench.may_go_on(step) }).await?;
        self.does(Doing::Something);
        lab.struck(step, Strike::Slow);
        Ok(())
    }

    /// Asks the queue on the consumer's own channel. When the second answer
    /// is here, so is every delivery that was sent before the first.
    async fn look(&mut self) -> Ran {
        let now = self.bench.clock.load(Ordering::SeqCst);
        for _ in 0..2 {
            let passive =
                QueueDeclareOptions { passive: true, ..Default::default() };
            let none = FieldTable::default();
            let queue = self.queue.as_str().into();
            self.link.channel.queue_declare(queue, passive, none).await?;
        }
        match self.steps.next().now_or_never() {
            Some(step) => {
                self.apply(step.context("the consumer was ended")??).await
            }
            None => {
                self.does(Doing::Nothing(now));
                Ok(())
            }
        }
    }

    fn does(&self, what: Doing) {
        if let Some(doing) = self.bench.doing().get_mut(self.nth) {
            *doing = what;
        }
    }
}

fn tell(lab: &Lab, bench: &Bench, how: How) {
    let [a, b] = &bench.applied;
    let (a, b) = (a.load(Ordering::SeqCst), b.load(Ordering::SeqCst));
    let at_work = [a, b].iter().filter(|n| **n > 0).count();
    let name = text! { en: "at work", zh: "在干活" };
    lab.observe("at-work", name, at_work as f64, Unit::Count);
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "two packers, queues: {queues}; A applied {a} steps, B {b}",
            zh: "两个打包员，队列 {queues} 个；A 处理 {a} 步，B 处理 {b} 步",
            queues = how.queues, a = a, b = b
        },
    );
    let broken = lab.figure("broken").unwrap_or_default();
    lab.came_to(match broken {
        0.0 => text! {
            en: "in order, {n} at work", zh: "有序，{n} 人干活", n = at_work
        },
        n => text! {
            en: "{n} of {all} out of order", zh: "{all} 单中 {n} 单乱序",
            n = n, all = lab.count()
        },
    });
}
