//! Streams: the one place where the broker itself drops duplicates.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use futures::{StreamExt, future::BoxFuture};
use rabbitmq_stream_client::{
    Environment,
    types::{ByteCapacity, Message, OffsetSpecification},
};
use tokio::time::timeout;

use super::{PAID, TRIED_STREAMS, every_payment_once};
use crate::{
    demos::shop::{self, Books},
    fault::wire::{Protocol, Wire},
    lab::{
        Hits, Lab, Needs, Predict, RanOut, Scenario, Strike, Ways,
        check::{
            every_message_confirmed, everything_doubled,
            lost_exactly_where_struck,
        },
        scenario::OnlyFour,
    },
    ledger::{Fact, MessageId, Witness},
    mechanism,
    pattern::stream::{Numbered, StreamPublisher},
    text, way,
};

const NEEDS: Needs =
    Needs { only_four: Some(OnlyFour::StreamClient), ..Needs::BOOKS };

/// A batch is resent because its last confirm did not come.
pub static STREAM_DEDUP: Scenario = Scenario {
    id: "stream-dedup",
    recipe: text! {
        en: "Publish to a stream; what is not confirmed is resent.",
        zh: "往流里发布，没确认的就重发。"
    },
    fault: text! {
        en: "The last confirm of the batch dies with its connection.",
        zh: "这批消息的最后一个确认随连接丢失。"
    },
    predict: Predict {
        question: text! {
            en: "The producer resends the whole batch. What is stored?",
            zh: "生产者整批重发，流里存了什么？"
        },
        choices: &[
            text! { en: "each twice, always", zh: "每条两份，总是如此" },
            text! { en: "each once, always", zh: "每条一份，总是如此" },
            text! {
                en: "it depends on the producer's name",
                zh: "取决于生产者有没有名字"
            },
        ],
        right: 2,
    },
    needs: NEEDS,
    strikes: &[Strike::WithholdConfirm],
    hits: Hits::Last,
    tried: TRIED_STREAMS,
    ways: Ways::Pair {
        naive: way!(
            batch_resent,
            publish_without_a_name(batch, link),
            everything_doubled,
            text! { en: "a producer without a name", zh: "没有名字的生产者" },
        ),
        fixed: way!(
            batch_resent,
            publish_under_a_name(batch, link),
            every_payment_once,
            text! {
                en: "a named producer, its own publishing ids",
                zh: "具名生产者，自带 publishing id"
            },
        ),
        mechanisms: &[
            mechanism!(
                "producer-name",
                batch_resent,
                publish_without_a_name(batch, link),
                everything_doubled,
                text! { en: "the producer's name", zh: "生产者的名字" },
            ),
            mechanism!(
                "publishing-id",
                batch_resent,
                publish_with_new_ids(batch, link),
                everything_doubled,
                text! {
                    en: "the same publishing id at the resend",
                    zh: "重发时沿用的 publishing id"
                },
            ),
        ],
    },
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: under a name the broker keeps the last publishing id, confirms \
             what is not higher, and stores it no second time.",
        zh: "c：有名字时 broker 记着最后的 publishing id，不比它大的照样确认，\
             但不再存。"
    },
    fix: text! {
        en: "Name the producer; number messages once, from the outbox row.",
        zh: "给生产者起名；编号只生成一次，用消息表的行号。"
    },
    limit: text! {
        en: "Streams only, one producer per name; a consumer may read again \
             from its last offset.",
        zh: "仅流支持，一个名字一个生产者；消费端可能从上次偏移量起重复读到。"
    },
    say: text! {
        en: "\"Broker-side dedup exists: streams, a name, a rising number.\"",
        zh: "「broker 端去重是有的：流、名字、递增编号。」"
    },
    source: &[include_str!("stream.rs")],
};

/// Numbers out of order are confirmed, and gone.
pub static LOWER_ID: Scenario = Scenario {
    id: "lower-id",
    recipe: text! {
        en: "A named producer; its numbers may go out in any order.",
        zh: "一个具名生产者，编号以任意顺序发布都行。"
    },
    fault: text! {
        en: "1 payment in 10 is overtaken: a higher number is confirmed first.",
        zh: "每 10 笔有 1 笔被超车：更大的编号先被确认。"
    },
    predict: Predict {
        question: text! {
            en: "What of the overtaken ones?", zh: "被超车的会怎样？"
        },
        choices: &[
            text! { en: "refused with an error", zh: "被拒绝并报错" },
            text! { en: "stored out of order", zh: "乱序存下" },
            text! { en: "confirmed, never stored", zh: "确认了，却没存" },
        ],
        right: 2,
    },
    needs: NEEDS,
    strikes: &[Strike::Overtake],
    hits: Hits::OneInTen,
    tried: TRIED_STREAMS,
    ways: Ways::Trap(way!(
        overtaken,
        publish_under_a_name(batch, link),
        |outcome| {
            lost_exactly_where_struck(outcome)?;
            every_message_confirmed(outcome)
        },
        text! { en: "numbers out of order", zh: "编号乱序" },
    )),
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: \"not higher than the last\" is how the broker knows a \
             duplicate. It was none, and it is gone, with a confirm.",
        zh: "c：broker 判断重复只看「不大于上一个」。这条并不重复，\
             却带着确认消失了。"
    },
    fix: text! {
        en: "One thread per name; number in the order of publishing.",
        zh: "一个名字只用一个线程，按发布顺序编号。"
    },
    limit: text! {
        en: "A restart must go on from query_publisher_sequence.",
        zh: "重启后要从 query_publisher_sequence 接着编。"
    },
    say: text! {
        en: "\"A gap is fine; going back loses what it numbers.\"",
        zh: "「编号可以跳，不能回头，回头就丢。」"
    },
    source: &[include_str!("stream.rs")],
};

const STREAM: &str = "payments";
const NAME: &str = "shop";
const READ_WITHIN: Duration = Duration::from_secs(20);

/// What the producer publishes over, at its first start or a later one.
struct Link {
    environment: Environment,
    /// From 0; after a resend 1.
    start: u64,
    witness: Arc<dyn Witness>,
}

/// Which of a batch were not confirmed.
type Unconfirmed = anyhow::Result<Vec<MessageId>>;

/// Publishes a batch.
type Publish =
    for<'a> fn(&'a [Numbered], &'a Link) -> BoxFuture<'a, Unconfirmed>;

/// The broker cannot tell the second copy from a new message.
async fn publish_without_a_name(
    batch: &[Numbered],
    link: &Link,
) -> Unconfirmed {
    let witness = link.witness.clone();
    let environment = &link.environment;
    let mut publisher =
        StreamPublisher::anonymous(environment, STREAM, witness).await?;
    let unconfirmed = publisher.publish(batch).await;
    publisher.close().await;
    Ok(unconfirmed)
}

/// The broker compares each number with the last one under this name.
async fn publish_under_a_name(batch: &[Numbered], link: &Link) -> Unconfirmed {
    let witness = link.witness.clone();
    let environment = &link.environment;
    let mut publisher =
        StreamPublisher::named(environment, NAME, STREAM, witness).await?;
    let unconfirmed = publisher.publish(batch).await;
    publisher.close().await;
    Ok(unconfirmed)
}

/// Under a name, and numbered anew at each start.
async fn publish_with_new_ids(batch: &[Numbered], link: &Link) -> Unconfirmed {
    let witness = link.witness.clone();
    let environment = &link.environment;
    let mut publisher =
        StreamPublisher::named(environment, NAME, STREAM, witness).await?;
    let shift = link.start * batch.len() as u64;
    let renumber =
        |m: &Numbered| Numbered { number: m.number + shift, ..m.clone() };
    let renumbered: Vec<_> = batch.iter().map(renumber).collect();
    let unconfirmed = publisher.publish(&renumbered).await;
    publisher.close().await;
    Ok(unconfirmed)
}

/// The producer publishes a batch, misses the last confirm, starts again, and
/// publishes the whole batch again, as its outbox says.
async fn batch_resent(lab: Lab, publish: Publish) -> anyhow::Result<()> {
    let direct = environment(&lab, None).await?;
    create(&direct).await?;
    let wire = lab.wire("producer", Protocol::Stream).await?;
    let batch: Vec<_> = lab.messages().map(numbered).collect();
    for message in &batch {
        lab.saw(message.id, Fact::Accepted);
    }
    for start in 0..2 {
        let environment = environment(&lab, Some(&wire)).await?;
        let link = Link { environment, start, witness: lab.witness() };
        // What the producer itself knows decides whether it sends again.
        if publish(&batch, &link).await?.is_empty() {
            break;
        }
    }
    tell_published(&lab);
    pay_what_is_stored(&lab, &direct).await
}

/// The planned ones are published after the next higher number.
async fn overtaken(lab: Lab, publish: Publish) -> anyhow::Result<()> {
    let direct = environment(&lab, None).await?;
    create(&direct).await?;
    let (late, early): (Vec<_>, Vec<_>) = lab
        .messages()
        .map(numbered)
        .partition(|m| lab.is_planned(m.id, Strike::Overtake));
    for message in early.iter().chain(&late) {
        lab.saw(message.id, Fact::Accepted);
    }
    // One that is higher than every number of the run, so that the last
    // message can be overtaken too.
    let last = Numbered {
        number: u64::from(lab.count()) + 1,
        ..numbered(MessageId::payment(lab.count() + 1))
    };
    let link = |environment, witness| Link { environment, start: 0, witness };
    let environment = || environment(&lab, None);
    publish(&early, &link(environment().await?, lab.witness())).await?;
    if !late.is_empty() {
        let nobody = Arc::new(());
        let overtook =
            publish(&[last], &link(environment().await?, nobody)).await?;
        for message in late.iter().filter(|_| overtook.is_empty()) {
            lab.struck(message.id, Strike::Overtake);
        }
        publish(&late, &link(environment().await?, lab.witness())).await?;
    }
    tell_published(&lab);
    pay_what_is_stored(&lab, &direct).await
}

fn tell_published(lab: &Lab) {
    let sums = lab.sums();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{attempts} publishes of {attempted} payments; {confirmed} \
                 payments confirmed",
            zh: "{attempted} 笔付款发布 {attempts} 次，{confirmed} 笔已确认",
            attempts = sums.attempts, attempted = sums.attempted,
            confirmed = sums.confirmed
        },
    );
}

/// Reads the stream from its beginning to a mark that is put at its end now,
/// and pays every copy.
async fn pay_what_is_stored(
    lab: &Lab,
    environment: &Environment,
) -> anyhow::Result<()> {
    let marker = environment.producer().build(STREAM).await?;
    marker
        .send_with_confirm(Message::builder().body(END).build())
        .await
        .context("the mark at the end of the stream")?;
    marker.close().await?;
    let first = OffsetSpecification::First;
    let mut stream = environment.consumer().offset(first).build(STREAM).await?;
    let mut books = Books::open(lab.dir(), lab.witness())?;
    loop {
        let next = timeout(READ_WITHIN, stream.next()).await;
        let what = text! { en: "the end of the stream", zh: "读到流的末尾" };
        let ran_out = || RanOut { what, limit: READ_WITHIN };
        let delivery =
            next.map_err(|_| ran_out())?.context("the stream ended")??;
        let body = delivery.message().data().unwrap_or_default();
        if body == END {
            break;
        }
        let Ok(id) = String::from_utf8_lossy(body).parse::<MessageId>() else {
            continue;
        };
        if id.number > lab.count() {
            continue;
        }
        lab.saw(id, Fact::Delivered);
        books.transaction(id, |entry| entry.pay())?;
    }
    shop::settle_books(lab)
}

const END: &[u8] = b"end";

fn numbered(id: MessageId) -> Numbered {
    let number = u64::from(id.number);
    Numbered { id, number, body: id.to_string().into_bytes() }
}

async fn create(environment: &Environment) -> anyhow::Result<()> {
    let size = ByteCapacity::GB(1);
    Ok(environment.stream_creator().max_length(size).create(STREAM).await?)
}

/// Connects as the run's user. In load balancer mode the client takes the
/// address it was given and not the one that the broker announces, which is
/// the container's own.
async fn environment(
    lab: &Lab,
    wire: Option<&Wire>,
) -> anyhow::Result<Environment> {
    let broker = &lab.stage().broker;
    let at = match wire {
        Some(wire) => wire.addr(),
        None => broker.streams()?,
    };
    Ok(Environment::builder()
        .host("127.0.0.1")
        .port(at.port())
        .username(&broker.user)
        .password(&broker.password)
        .virtual_host(lab.vhost())
        .load_balancer_mode(true)
        .build()
        .await?)
}
