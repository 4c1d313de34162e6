//! A queue forgets what is acked; a stream keeps it, and can be read again.
//!
//! A consumer with a bug acks some orders without doing them. When the bug is
//! mended, a queue has nothing left to read. A stream is a log: the mended
//! consumer begins at its first offset, reads everything once more, and a
//! unique key in the transaction of the effect leaves those alone that were
//! done. Any AMQP client can read a stream: `x-queue-type=stream`, a prefetch,
//! acks by hand, and `x-stream-offset` of the consumer. Without an offset it
//! begins at what is written next.
//!
//! Each reader ends at a mark that is put behind the orders once it consumes:
//! nothing that is not read by then would have come.
//!
//! Source: RabbitMQ documentation, "Streams and Superstreams", sections "Use
//! Cases for Using Streams" (replay), "Consuming" (the offsets; the default is
//! `next`), "Other Stream Operations" (a prefetch must be set) and
//! "Retention".

mod reader;

use self::reader::{Handle, How, Reads, read_again};
use crate::{
    demos::shop::{orders::Ran, parcels::ParcelTable},
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::lost_exactly_where_struck,
        check::{every_message_once, exactly_these, figure_is},
    },
    ledger::Kind,
    mechanism, text,
    text::Text,
    way,
};

/// "If we got it wrong, we read the queue again."
pub static REPLAY: Scenario = Scenario {
    id: "replay",
    recipe: text! {
        en: "If the consumer got it wrong, mend it and read the queue again.",
        zh: "消费者写错了，修好再把队列读一遍。"
    },
    fault: text! {
        en: "A bug: of 1 order in 10 nothing is done, and it is acked.",
        zh: "一个 bug：每 10 单有 1 单什么也没做就 ack 了。"
    },
    predict: Predict {
        question: text! {
            en: "All was acked, the bug is mended. What is left to read?",
            zh: "全部 ack 过了，bug 也修好了。还能读到什么？"
        },
        choices: &[
            text! { en: "all of it", zh: "全部" },
            text! { en: "nothing", zh: "什么也没有" },
            text! { en: "what was done wrong", zh: "做错的那些" },
        ],
        right: 1,
    },
    needs: Needs { fewest: 10, most: 5_000, seconds: 3, ..Needs::BOOKS },
    strikes: &[Strike::EarlyReturn],
    hits: Hits::OneInTen,
    tried: super::TRIED,
    ways: Ways::Pair {
        naive: way!(
            queue,
            nothing_to_read,
            text! { en: "a queue, read again", zh: "队列，再读一遍" },
        ),
        fixed: way!(
            stream_from_the_first,
            read_again_done_once,
            text! {
                en: "a stream, read again from the first",
                zh: "流，从头再读一遍"
            },
        ),
        mechanisms: &[
            mechanism!(
                "stream",
                queue,
                nothing_to_read,
                text! { en: "the stream", zh: "流" },
            ),
            mechanism!(
                "offset-first",
                stream_from_the_next,
                nothing_to_read,
                text! { en: "the offset \"first\"", zh: "偏移量 first" },
            ),
            mechanism!(
                "unique-key",
                stream_without_a_key,
                all_others_doubled,
                text! { en: "the unique key", zh: "唯一键" },
            ),
        ],
    },
    columns: &[
        Column::Confirmed,
        Column::Applied,
        Column::Lost,
        Column::Doubled,
    ],
    figures: &["again"],
    bars: &[],
    claim: text! {
        en: "b: in a queue an ack deletes. What was acked by mistake is gone, \
             for everybody.",
        zh: "b：在队列里 ack 就是删除。误 ack 的，谁也读不到了。"
    },
    fix: text! {
        en: "A stream, read from \"first\" (or an offset, or a time), into \
             effects with a unique key.",
        zh: "用流，从 first（或某个偏移量、时间）重读，业务效果以唯一键去重。"
    },
    limit: text! {
        en: "It keeps by age or size, not by acks: no dead letters, no TTL of \
             a message. A mail sent twice is sent twice.",
        zh: "流按时间或大小留存，不管 ack；没有死信和单条 TTL。邮件会重发。"
    },
    say: text! {
        en: "\"A queue is consumed, a log is read: only a log can be replayed.\"",
        zh: "「队列是消费，日志是阅读：只有日志能重放。」"
    },
    source: &[include_str!("replay.rs"), include_str!("replay/reader.rs")],
};

/// Whether an order is packed once, however often it comes.
const ONCE: Handle = ParcelTable::pack_once;

/// A queue, consumed by both.
async fn queue(lab: Lab) -> Ran {
    let how = How { reads: Reads::Queue, handle: ONCE };
    read_again(&lab, how).await
}

/// A stream; the mended consumer begins at its first message.
async fn stream_from_the_first(lab: Lab) -> Ran {
    let how = How { reads: Reads::StreamFrom("first"), handle: ONCE };
    read_again(&lab, how).await
}

/// A stream; the mended consumer begins where one does by default.
async fn stream_from_the_next(lab: Lab) -> Ran {
    let how = How { reads: Reads::StreamFrom("next"), handle: ONCE };
    read_again(&lab, how).await
}

/// A stream from its first message; each delivery is a parcel.
async fn stream_without_a_key(lab: Lab) -> Ran {
    let reads = Reads::StreamFrom("first");
    let how = How { reads, handle: ParcelTable::pack };
    read_again(&lab, how).await
}

/// The mended consumer found nothing, and what was done wrong stays so.
fn nothing_to_read(outcome: &Outcome) -> Result<(), Text> {
    lost_exactly_where_struck(outcome)?;
    figure_is(outcome, "again", 0)
}

/// The mended consumer read all, and all is done once.
fn read_again_done_once(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    figure_is(outcome, "again", outcome.messages)
}

/// What had been done well was done once more.
fn all_others_doubled(outcome: &Outcome) -> Result<(), Text> {
    let all = (1..=outcome.messages).map(|n| outcome.noun.number(n));
    let well = all.filter(|id| !outcome.plan.has(*id, Strike::EarlyReturn));
    exactly_these(outcome, &[(Kind::Duplicated, well.collect())])?;
    figure_is(outcome, "again", outcome.messages)
}
