//! Orders before, during and after an outage, and what is done about them.

use std::time::Duration;

use anyhow::ensure;
use futures::future::join_all;
use tokio::time::Instant;

use crate::{
    demos::producer_loss::table::three_parts,
    demos::shop::{
        orders::{ORDERS, Ran, order},
        packing::{Packs, pack},
        till,
    },
    event::Unit,
    fault::wire::{Protocol, Wire},
    lab::{Lab, Strike},
    ledger::{Fact, MessageId, Witness},
    pattern::{
        alert::Mailer,
        backoff::{Backoff, Jitter},
        escalation::{self, Escalation},
        outbox::{Desk, Moment, Outbox, State},
        publisher::{ConfirmingPublisher, Route},
        relay::{Relay, Settings},
    },
    text,
};

/// The job beside the relay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// None.
    None,
    /// It marks what is out of attempts.
    Scan,
    /// And tells somebody.
    ScanAndTell,
}

/// What somebody does who has read the mail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Replays what failed, when the broker is back.
    Replay,
    /// Nothing.
    Nothing,
}

/// In earnest ten attempts and minutes; here a class is waiting.
const ATTEMPTS: u32 = 3;
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    most: Duration::from_millis(400),
    jitter: Jitter::Equal,
};
const SCANNED_WITHIN: Duration = Duration::from_secs(20);

/// The broker is there, but cannot be reached.
async fn cut_off(lab: &Lab, wire: &Wire) {
    wire.refuse(true);
    wire.cut().await;
    lab.step(
        text! { en: "outage", zh: "断网" },
        text! {
            en: "connections are cut, and new ones refused",
            zh: "连接全部断开，新连接被拒"
        },
    );
}

/// The naive way: the order is saved, then published at once.
pub async fn publish_at_once(lab: &Lab) -> Ran {
    lab.declare(ORDERS).await?;
    let wire = lab.wire("producer", Protocol::Amqp).await?;
    let [before, meanwhile, after] = three_parts(lab, Strike::Unreachable);
    let mut shop = till::open(lab.dir())?;
    let publisher = || {
        ConfirmingPublisher::new(lab.uri_through(&wire), ORDERS, lab.witness())
    };
    let mut take = |id| -> anyhow::Result<()> {
        shop.transaction(|tx| till::save(tx, id))?;
        lab.saw(id, Fact::Accepted);
        Ok(())
    };
    let mut one = publisher();
    for id in before {
        take(id)?;
        one.publish_until_confirmed(&order(id), ATTEMPTS).await?;
    }
    if !meanwhile.is_empty() {
        cut_off(lab, &wire).await;
    }
    // Customers do not wait for each other.
    let mut unreached = Vec::new();
    for id in meanwhile {
        take(id)?;
        let mut own = publisher();
        unreached.push(async move {
            (id, own.publish_until_confirmed(&order(id), ATTEMPTS).await)
        });
    }
    for (id, published) in join_all(unreached).await {
        if published.is_err() {
            lab.struck(id, Strike::Unreachable);
        }
    }
    wire.refuse(false);
    for id in after {
        take(id)?;
        one.publish_until_confirmed(&order(id), ATTEMPTS).await?;
    }
    let sums = lab.sums();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{accepted} orders accepted, {confirmed} confirmed; the rest \
                 is in the log",
            zh: "受理 {accepted} 单，确认 {confirmed} 单；其余写进了日志",
            accepted = sums.accepted, confirmed = sums.confirmed
        },
    );
    read_the_mail(lab, 0).await?;
    pack(lab, ORDERS, Packs::EveryDelivery).await
}

/// The fixed way, with this job and this person.
pub async fn through_an_outage(lab: &Lab, job: Job, person: After) -> Ran {
    lab.declare(ORDERS).await?;
    let wire = lab.wire("relay", Protocol::Amqp).await?;
    let [before, meanwhile, after] = three_parts(lab, Strike::Unreachable);
    let mut shop = till::open(lab.dir())?;
    let mut relay = Relay::open(
        till::open(lab.dir())?,
        lab.uri_through(&wire),
        Route::queue(ORDERS),
        lab.witness(),
        Settings {
            attempts: ATTEMPTS,
            backoff: BACKOFF,
            poll: Duration::from_millis(20),
            ..Settings::named("relay")
        },
    );
    till::place(lab, &mut shop, before)?;
    relay.drain().await?;
    if !meanwhile.is_empty() {
        cut_off(lab, &wire).await;
        till::place(lab, &mut shop, meanwhile.iter().copied())?;
        relay.drain().await?;
        for id in &meanwhile {
            // In vain, and often enough: asked of the table.
            ensure!(shop.state(*id)? == Some((State::Pending, ATTEMPTS)));
            lab.struck(*id, Strike::Unreachable);
        }
        tell_resent(lab, meanwhile.len());
        work(lab, &mut shop, job, meanwhile.len()).await?;
        for id in &meanwhile {
            if shop.state(*id)?.is_some_and(|(s, _)| s == State::Failed) {
                lab.saw(*id, Fact::GivenUp);
            }
        }
    }
    let told = read_the_mail(lab, failed(&shop)?).await?;
    wire.refuse(false);
    till::place(lab, &mut shop, after)?;
    if told > 0 && person == After::Replay {
        let replayed = shop.replay(Moment::now())?;
        meanwhile.iter().for_each(|id| lab.saw(*id, Fact::Replayed));
        lab.step(
            text! { en: "replay", zh: "重放" },
            text! {
                en: "the broker is back: {n} rows are pending again",
                zh: "broker 恢复：{n} 行重新变为 pending", n = replayed
            },
        );
    }
    relay.drain().await?;
    pack(lab, ORDERS, Packs::EveryDelivery).await
}

fn tell_resent(lab: &Lab, many: usize) {
    lab.step(
        text! { en: "resend", zh: "重发" },
        text! {
            en: "{many} rows attempted {times} times each, in vain",
            zh: "{many} 行各尝试 {times} 次，都没成功",
            many = many, times = ATTEMPTS
        },
    );
}

/// The scheduled job comes round once all attempts have had their time.
async fn work(lab: &Lab, shop: &mut Outbox, job: Job, many: usize) -> Ran {
    let began = Instant::now();
    let what = text! { en: "the last backoff to end", zh: "最后一次退避结束" };
    lab.wait_until(what, SCANNED_WITHIN, || async {
        Ok(began.elapsed() > BACKOFF.most)
    })
    .await?;
    let now = Moment::now();
    match job {
        Job::None => return Ok(()),
        Job::Scan => {
            shop.fail_exhausted(ATTEMPTS, now)?;
        }
        Job::ScanAndTell => {
            let desk = Desk::new(till::open(lab.dir())?);
            let mailer = Mailer::new(lab.mail()?.smtp, FROM, &address(lab))?;
            let settings = escalation::Settings {
                attempts: ATTEMPTS,
                ..escalation::Settings::default()
            };
            Escalation::new(desk, mailer, settings).scan(now).await?;
        }
    }
    ensure!(failed(shop)? == many, "the scan has not found all rows");
    Ok(())
}

fn failed(shop: &Outbox) -> anyhow::Result<usize> {
    let failed = shop.counts()?.get(&State::Failed).copied();
    Ok(failed.unwrap_or(0) as usize)
}

const FROM: &str = "shop@example.com";

/// Of this way alone: the mailbox is shared with others.
fn address(lab: &Lab) -> String {
    format!("on-call@{}.example.com", lab.vhost())
}

/// Reads the mailbox: whom is somebody told of? Returns how many.
async fn read_the_mail(lab: &Lab, failed: usize) -> anyhow::Result<usize> {
    let all = lab.mail()?.received().await?;
    let address = address(lab);
    let mine: Vec<_> =
        all.into_iter().filter(|mail| mail.to.contains(&address)).collect();
    let words = mine.iter().flat_map(|mail| mail.body.split_whitespace());
    let told: std::collections::BTreeSet<MessageId> =
        words.filter_map(|word| word.parse().ok()).collect();
    for id in &told {
        lab.saw(*id, Fact::Reported);
    }
    let figures = [
        ("failed", text! { en: "failed", zh: "标记失败" }, failed as f64),
        ("mails", text! { en: "mails", zh: "邮件" }, mine.len() as f64),
    ];
    for (id, name, value) in figures {
        lab.observe(id, name, value, Unit::Count);
    }
    lab.step(
        text! { en: "mail", zh: "邮件" },
        text! {
            en: "rows marked failed: {failed}; mails: {mails}, naming {told} \
                 orders",
            zh: "标记为失败：{failed} 行；邮件：{mails} 封，点名 {told} 个订单",
            failed = failed, mails = mine.len(), told = told.len()
        },
    );
    Ok(told.len())
}
