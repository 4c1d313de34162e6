//! Two relays on one table: who publishes which row?
//!
//! The schedule is fixed, so that nothing hangs on luck: where two are to
//! meet, both look into the table before either publishes; where one is to
//! die, it dies when it has looked.

use std::time::Duration;

use anyhow::ensure;
use futures::future::BoxFuture;

use super::TRIED;
use crate::{
    demos::shop::{
        orders::{ORDERS, Ran},
        packing::{Packs, pack},
        till,
    },
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome as Came, Predict, Scenario, Strike, Ways,
        check::{balanced, every_message_once, exactly_where},
    },
    ledger::{Kind, MessageId},
    mechanism,
    pattern::{
        outbox::{Claim, Due, Moment, Outbox, OutboxError, Outcome, Settled},
        publisher::{Answer, ConfirmingPublisher, Outgoing},
    },
    text,
    text::Text,
    way,
};

/// "Two relays, in case one dies: each publishes what is pending."
pub static TWO_RELAYS: Scenario = Scenario {
    id: "two-relays",
    recipe: text! {
        en: "Two relays, in case one dies: each publishes what is pending.",
        zh: "开两个转发进程，防止挂一个：各自把 pending 的都发出去。"
    },
    fault: text! {
        en: "1 row in 10: both read it at once, or the one that took it dies.",
        zh: "每 10 行有 1 行：两个同时读到，或拿到它的那个挂了。"
    },
    predict: Predict {
        question: text! {
            en: "A relay marks a row \"sent\", then dies. Who publishes it?",
            zh: "转发进程把一行标成 sent 就挂了，谁来发它？"
        },
        choices: &[
            text! { en: "the other relay, at once", zh: "另一个，马上就发" },
            text! { en: "nobody, unless the mark expires", zh: "没人发，除非标记会过期" },
            text! { en: "the broker has it already", zh: "broker 已经收到了" },
        ],
        right: 1,
    },
    needs: Needs { fewest: 2, seconds: 4, ..Needs::BOOKS },
    strikes: &[Strike::Meet, Strike::RelayDies],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Three {
        naive: way!(
            relayed,
            read_what_is_pending(outbox, relay, now),
            doubled_where_both_read,
            text! { en: "read what is pending", zh: "直接读 pending" },
        ),
        halfway: way!(
            relayed,
            mark_for_good(outbox, relay, now),
            lost_where_it_died,
            text! { en: "mark it as taken", zh: "先标记为已取" },
        ),
        fixed: way!(
            relayed,
            claim_for_a_while(outbox, relay, now),
            every_order_once,
            text! { en: "claim it under a lease", zh: "带租约地领取" },
        ),
        mechanisms: &[
            mechanism!(
                "claim",
                relayed,
                read_what_is_pending(outbox, relay, now),
                doubled_where_both_read,
                text! { en: "the claim", zh: "领取" },
            ),
            mechanism!(
                "lease-ends",
                relayed,
                mark_for_good(outbox, relay, now),
                lost_where_it_died,
                text! { en: "the end of the lease", zh: "租约到期" },
            ),
            mechanism!(
                "lease-long-enough",
                relayed,
                claim_for_a_moment(outbox, relay, now),
                doubled_where_both_read,
                text! {
                    en: "a lease longer than an attempt",
                    zh: "租约比一次发送长"
                },
            ),
        ],
    },
    columns: &[
        Column::Attempts,
        Column::Confirmed,
        Column::Applied,
        Column::Lost,
        Column::Doubled,
    ],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "b: a mark without an end dies with whoever made it; no mark, and \
             both publish. Under a lease each row has one owner, while it lasts.",
        zh: "b：不会过期的标记，跟着标记它的进程一起死；没有标记，两个都发。\
             有租约，租期之内每行只归一个。"
    },
    fix: text! {
        en: "Claim in one statement (UPDATE ... RETURNING; on a server SELECT ... \
             FOR UPDATE SKIP LOCKED), with an owner and an end.",
        zh: "一条语句领取（UPDATE … RETURNING；服务器上用 SELECT … FOR UPDATE \
             SKIP LOCKED），写明归谁、到几时。"
    },
    limit: text! {
        en: "A relay slower than its lease is overtaken: duplicates, as with any \
             resend. And rows sent again come after younger ones: no order.",
        zh: "比租约还慢的转发进程会被别人接手：和重发一样会重复。\
             重发的行也会乱序。"
    },
    say: text! {
        en: "\"A claim so that one publishes, a lease so that one always does.\"",
        zh: "「领取保证只有一个在发，租约保证总有一个在发。」"
    },
    source: &[include_str!("two_relays.rs")],
};

/// What a relay does to get its rows: the code under discussion.
type Take =
    for<'a> fn(&'a mut Outbox, &'a str, Moment) -> BoxFuture<'a, Claimed>;
type Claimed = Result<Vec<Due>, OutboxError>;

/// More than there ever are.
const ALL: u32 = 100;
const ATTEMPTS: u32 = 100;
/// Longer than an attempt. Nobody waits for its end: the moment is handed in.
const LEASE: Duration = Duration::from_secs(60);
const FOR_GOOD: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Whoever looks gets them.
async fn read_what_is_pending(
    outbox: &mut Outbox,
    _: &str,
    _: Moment,
) -> Claimed {
    let mut look = outbox.db().prepare_cached(
        "SELECT seq, message, body FROM outbox WHERE state = 'pending'",
    )?;
    let rows = look.query_map([], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
    })?;
    let mut pending = Vec::new();
    for row in rows {
        let (seq, id, body) = row?;
        if let Ok(id) = id.parse() {
            let message = Outgoing { id, body };
            pending.push(Due { seq, message, attempt: 1 });
        }
    }
    Ok(pending)
}

/// Whoever is first gets them, for ever.
async fn mark_for_good(
    outbox: &mut Outbox,
    relay: &str,
    now: Moment,
) -> Claimed {
    outbox.claim(&by(relay, FOR_GOOD), now)
}

/// Whoever is first gets them, for longer than an attempt takes.
async fn claim_for_a_while(
    outbox: &mut Outbox,
    relay: &str,
    now: Moment,
) -> Claimed {
    outbox.claim(&by(relay, LEASE), now)
}

/// Whoever is first gets them, and loses them before they are published.
async fn claim_for_a_moment(
    outbox: &mut Outbox,
    relay: &str,
    now: Moment,
) -> Claimed {
    outbox.claim(&by(relay, Duration::ZERO), now)
}

fn by(relay: &str, lease: Duration) -> Claim<'_> {
    Claim { relay, rows: ALL, lease, attempts: ATTEMPTS }
}

/// Orders come one by one, and two relays look after the table.
async fn relayed(lab: Lab, take: Take) -> Ran {
    lab.declare(ORDERS).await?;
    let mut shop = till::open(lab.dir())?;
    // Rows are written by the clock, and due at once.
    let mut now = Moment::now().after(LEASE);
    let mut first = Station::open(&lab, "relay-1")?;
    let mut second = Station::open(&lab, "relay-2")?;
    for order in lab.messages() {
        till::place(&lab, &mut shop, [order])?;
        if lab.is_planned(order, Strike::Meet) {
            let mine = first.take(take, now).await?;
            let theirs = second.take(take, now).await?;
            ensure!(holds(&mine, order), "{order} was not there to be read");
            lab.struck(order, Strike::Meet);
            first.publish(mine).await?;
            second.publish(theirs).await?;
        } else if lab.is_planned(order, Strike::RelayDies) {
            let died_with = first.take(take, now).await?;
            ensure!(holds(&died_with, order), "{order} was not its own");
            // All that it knew is gone; the one that follows it is new.
            let next = format!("relay-1 after {order}");
            first = Station::open(&lab, &next)?;
            lab.struck(order, Strike::RelayDies);
        }
        for relay in [&mut first, &mut second] {
            let rows = relay.take(take, now).await?;
            relay.publish(rows).await?;
        }
    }
    // All leases that end are over by then.
    now = now.after(LEASE);
    let rest = second.take(take, now).await?;
    second.publish(rest).await?;
    tell(&lab);
    pack(&lab, ORDERS, Packs::EveryDelivery).await
}

fn holds(rows: &[Due], order: MessageId) -> bool {
    rows.iter().any(|row| row.message.id == order)
}

fn tell(lab: &Lab) {
    let sums = lab.sums();
    lab.step(
        text! { en: "relay", zh: "转发" },
        text! {
            en: "{accepted} orders in the table, two relays: {attempts} \
                 publishes, {confirmed} orders confirmed",
            zh: "表里 {accepted} 个订单，两个转发进程：发布 {attempts} 次，\
                 {confirmed} 个已确认",
            accepted = sums.accepted, attempts = sums.attempts,
            confirmed = sums.confirmed
        },
    );
}

/// One relay: a connection to the table, and one to the broker.
struct Station {
    name: String,
    outbox: Outbox,
    publisher: ConfirmingPublisher,
}

impl Station {
    fn open(lab: &Lab, name: &str) -> anyhow::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            outbox: till::open(lab.dir())?,
            publisher: ConfirmingPublisher::new(
                lab.uri(),
                ORDERS,
                lab.witness(),
            ),
        })
    }

    async fn take(&mut self, take: Take, now: Moment) -> Claimed {
        take(&mut self.outbox, &self.name, now).await
    }

    async fn publish(&mut self, rows: Vec<Due>) -> Ran {
        let mut settled = Vec::with_capacity(rows.len());
        for Due { seq, message, attempt } in rows {
            let outcome = match self.publisher.publish(&message).await {
                Answer::Confirmed => Outcome::Confirmed,
                Answer::Returned => Outcome::Returned,
                Answer::Nacked => Outcome::Again(Moment::now()),
                Answer::Unknown => Outcome::Unknown(Moment::now()),
            };
            settled.push(Settled { seq, attempt, outcome });
        }
        Ok(self.outbox.settle(&self.name, &settled)?)
    }
}

/// Exactly the rows that both read were published, and packed, twice.
fn doubled_where_both_read(came: &Came) -> Result<(), Text> {
    balanced(came)?;
    exactly_where(came, &[(Kind::Duplicated, Strike::Meet)])
}

/// Exactly the rows that a dead relay had marked were never published.
fn lost_where_it_died(came: &Came) -> Result<(), Text> {
    balanced(came)?;
    exactly_where(came, &[(Kind::Lost, Strike::RelayDies)])
}

/// Nothing is lost or doubled, and no row was published twice.
fn every_order_once(came: &Came) -> Result<(), Text> {
    every_message_once(came)?;
    match came.audit.counts.attempts == u64::from(came.messages) {
        true => Ok(()),
        false => Err(text! {
            en: "{n} publishes", zh: "发布了 {n} 次",
            n = came.audit.counts.attempts
        }),
    }
}
