//! A broker that stands still while orders are published.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::ensure;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    demos::shop::{
        orders::{ORDERS, Ran, order},
        packing::{Packs, pack},
        till,
    },
    event::Unit,
    fault::container,
    lab::{Lab, Strike},
    ledger::MessageId,
    pattern::{
        backoff::{Backoff, Jitter},
        outbox::{Outbox, State},
        pipeline::{self, Late, PipelinedPublisher, Resend},
        publisher::{Answer, Route},
        relay::{Relay, Settings},
    },
    text,
};

/// A confirm that takes longer is late. In earnest seconds.
const TIMEOUT: Duration = Duration::from_millis(400);
/// Publishes of the notes' algorithm.
const TRIES: u32 = 3;
/// Longer than all its timeouts.
const PAUSE: Duration = Duration::from_secs(2);
/// Before a row is sent again: longer than the pause, in earnest minutes. A
/// confirm that is listened for comes long before.
const PATIENCE: Backoff = Backoff {
    first: Duration::from_secs(40),
    most: Duration::from_secs(40),
    jitter: Jitter::None,
};

/// A relay with the same timeout and as many attempts, and with patience.
pub fn patient() -> Settings {
    Settings {
        attempts: TRIES,
        confirm_timeout: TIMEOUT,
        backoff: PATIENCE,
        late: Late::Listen,
        poll: Duration::from_millis(20),
        ..Settings::named("relay")
    }
}

type Counts = BTreeMap<State, u32>;

/// A pause, if it is to be.
struct Pause<'a> {
    lab: &'a Lab,
    since: Instant,
}

impl<'a> Pause<'a> {
    async fn begin(lab: &'a Lab) -> anyhow::Result<Self> {
        if lab.is_armed(Strike::Paused) {
            let engine = &lab.stage().engine;
            container::pause(engine, lab.broker().container()).await?;
            let name = &lab.broker().service.container;
            lab.step(
                text! { en: "pause", zh: "停顿" },
                text! {
                    en: "the broker stands still for {s} s, sockets open",
                    zh: "broker 停顿 {s} 秒，连接不断", s = PAUSE.as_secs()
                },
            );
            lab.command(format!("docker pause {name}"));
        }
        Ok(Self { lab, since: Instant::now() })
    }

    fn over(&self) -> Instant {
        self.since + PAUSE
    }

    /// Tells what the table says by now, and lets the broker go on.
    async fn end(self, counts: Counts) -> Ran {
        let lab = self.lab;
        let many = |state| counts.get(&state).copied().unwrap_or(0);
        for (id, name, state) in [
            ("failed", text! { en: "failed", zh: "标记失败" }, State::Failed),
            ("unknown", text! { en: "unknown", zh: "未知" }, State::Unknown),
        ] {
            lab.observe(id, name, f64::from(many(state)), Unit::Count);
        }
        if !lab.is_armed(Strike::Paused) {
            return Ok(());
        }
        ensure!(many(State::Confirmed) == 0, "the broker still answered");
        lab.struck_once(Strike::Paused);
        lab.step(
            text! { en: "table", zh: "查表" },
            text! {
                en: "{n} without a confirm: {failed} failed, {unknown} unknown, \
                     {sent} sent again",
                zh: "{n} 单没有确认：失败 {failed}，未知 {unknown}，\
                     刚又重发 {sent}",
                n = lab.count(), failed = many(State::Failed),
                unknown = many(State::Unknown), sent = many(State::Sent)
            },
        );
        let engine = &lab.stage().engine;
        Ok(container::unpause(engine, lab.broker().container()).await?)
    }
}

/// What a way has patience for, in figures.
fn tell_patience(lab: &Lab, attempts: u32, backoff: Duration) {
    lab.step(
        text! { en: "limits", zh: "参数" },
        text! {
            en: "late after {late} ms; {attempts} attempts, {backoff} s apart",
            zh: "{late} 毫秒没确认算超时；最多 {attempts} 次，间隔 {backoff} 秒",
            late = TIMEOUT.as_millis(), attempts = attempts,
            backoff = backoff.as_secs()
        },
    );
}

/// The naive way: three publishes with a timeout each, all on one living
/// connection, then failed.
pub async fn resend_and_give_up(lab: &Lab) -> Ran {
    lab.declare(ORDERS).await?;
    let mut shop = till::open(lab.dir())?;
    let settings = pipeline::Settings {
        window: lab.count() as usize * TRIES as usize,
        confirm_timeout: TIMEOUT,
        late: Late::Listen,
        nacked: Resend::Never,
        unknown: Resend::Never,
        ..pipeline::Settings::default()
    };
    let route = Route::queue(ORDERS);
    let mut publisher =
        PipelinedPublisher::open(lab.uri(), route, lab.witness(), settings)
            .keeping_news();
    ensure!(publisher.connect().await, "no connection to the broker");
    tell_patience(lab, TRIES, Duration::ZERO);
    till::place(lab, &mut shop, lab.messages())?;
    let pause = Pause::begin(lab).await?;
    let mut open: BTreeSet<MessageId> = lab.messages().collect();
    for _ in 0..TRIES {
        for id in &open {
            publisher.publish(order(*id)).await;
        }
        publisher.attend(sleep(TIMEOUT)).await;
        for (id, answer) in publisher.take_news().answered {
            if answer == Answer::Confirmed {
                open.remove(&id);
                mark(&shop, id, State::Confirmed)?;
            }
        }
    }
    for id in &open {
        mark(&shop, *id, State::Failed)?;
    }
    sleep_until(pause.over()).await;
    pause.end(shop.counts()?).await?;
    // It hears no more; the ledger wants to know how they ended.
    let _ = publisher.finish().await;
    tell(lab);
    pack(lab, ORDERS, Packs::EveryDelivery).await
}

fn mark(shop: &Outbox, id: MessageId, state: State) -> rusqlite::Result<()> {
    let mut mark = shop
        .db()
        .prepare_cached("UPDATE outbox SET state = ?2 WHERE message = ?1")?;
    mark.execute((id.to_string(), state.as_str()))?;
    Ok(())
}

/// The fixed way, with these settings: a relay, and the scheduled scan.
pub async fn relay_while_paused(lab: &Lab, settings: Settings) -> Ran {
    lab.declare(ORDERS).await?;
    let mut shop = till::open(lab.dir())?;
    let attempts = settings.attempts;
    tell_patience(lab, attempts, settings.backoff.first);
    let mut relay = Relay::open(
        till::open(lab.dir())?,
        lab.uri(),
        Route::queue(ORDERS),
        lab.witness(),
        settings,
    );
    ensure!(relay.connect().await, "no connection to the broker");
    till::place(lab, &mut shop, lab.messages())?;
    let pause = Pause::begin(lab).await?;
    relay.run(sleep_until(pause.over())).await?;
    shop.fail_exhausted(attempts, crate::pattern::outbox::Moment::now())?;
    pause.end(shop.counts()?).await?;
    relay.drain().await?;
    tell(lab);
    pack(lab, ORDERS, Packs::EveryDelivery).await
}

fn tell(lab: &Lab) {
    let sums = lab.sums();
    lab.step(
        text! { en: "confirm", zh: "确认" },
        text! {
            en: "{attempts} publishes, and in the end {confirmed} of \
                 {accepted} orders confirmed",
            zh: "发布 {attempts} 次，最终 {accepted} 单中 {confirmed} 单已确认",
            attempts = sums.attempts, confirmed = sums.confirmed,
            accepted = sums.accepted
        },
    );
}
