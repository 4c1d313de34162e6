//! Dropping duplicates before they are published: what an interceptor
//! catches, and what it must let through.

use std::{collections::HashSet, sync::Arc, time::Duration};

use anyhow::Error;
use futures::future::BoxFuture;

use super::{
    PAID, TRIED,
    breaks::{doubled_if_confirm_was_lost, lost_if_cut_before_publish},
    every_payment_once,
    pay::{pay_every_delivery, pay_once},
};
use crate::{
    demos::shop::{self, Handled, Handler},
    fault::wire::Protocol,
    lab::{
        Hits, Lab, Needs, Predict, RanOut, Scenario, Strike, Ways,
        check::doubled_exactly_where_struck,
    },
    ledger::{Fact, MessageId, Witness},
    mechanism,
    pattern::{
        dedup::Marks,
        intercept::{Chain, DropDuplicates, InterceptError, Interceptor, Pass},
        publisher::{Answer, ConfirmingPublisher, Outgoing},
    },
    text, way,
};

/// A customer clicks twice, and the second click lands on another server.
pub static INTERCEPTOR: Scenario = Scenario {
    id: "interceptor",
    recipe: text! {
        en: "Every request to pay is published; the customer clicks once.",
        zh: "来一个付款请求就发一条消息，反正顾客只点一次。"
    },
    fault: text! {
        en: "1 customer in 10 asks twice (a double click, a retry); the second \
             time meets another server.",
        zh: "每 10 位顾客有 1 位请求两次（连点或重试），第二次落到另一台服务器。"
    },
    predict: Predict {
        question: text! {
            en: "Same id both times. What of it?", zh: "两次 id 相同，会怎样？"
        },
        choices: &[
            text! { en: "paid twice", zh: "付两次" },
            text! { en: "the broker drops the second", zh: "broker 丢弃第二条" },
            text! { en: "the publish fails", zh: "发布失败" },
        ],
        right: 0,
    },
    needs: Needs::BOOKS_AND_REDIS,
    strikes: &[Strike::Repeat],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            clicked,
            publish_every_click(request, server),
            doubled_exactly_where_struck,
            text! { en: "publish every request", zh: "每个请求都发布" },
        ),
        fixed: way!(
            clicked,
            publish_through_the_chain(request, server),
            every_payment_once,
            text! {
                en: "an interceptor drops ids that passed before (Redis)",
                zh: "拦截器丢弃已发过的 id（Redis）"
            },
        ),
        mechanisms: &[
            mechanism!(
                "interceptor",
                clicked,
                publish_every_click(request, server),
                doubled_exactly_where_struck,
                text! { en: "the interceptor", zh: "拦截器" },
            ),
            mechanism!(
                "shared-store",
                clicked,
                publish_through_own_memory(request, server),
                doubled_exactly_where_struck,
                text! { en: "the store that servers share", zh: "各服务器共享的存储" },
            ),
        ],
    },
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "a: to a broker two messages with one id are two messages. The \
             interceptor drops the second before it leaves.",
        zh: "a：id 相同的两条消息，对 broker 来说就是两条。\
             拦截器在发出之前丢掉第二条。"
    },
    fix: text! {
        en: "A chain around publish: lease the id (SET NX PX) in a store all \
             servers share, mark it once confirmed.",
        zh: "给发布套上一条拦截链：在各服务器共享的存储里租用 id（SET NX PX），\
             确认后再标记。"
    },
    limit: text! {
        en: "Marked before the publish, a crash in between would lose the retry. \
             Resends it cannot judge: interceptor-resend.",
        zh: "若在发布前就标记，中间一崩溃，重试就被丢掉。\
             重发它管不了：见 interceptor-resend。"
    },
    say: text! {
        en: "\"The producer side spares work; only the consumer decides.\"",
        zh: "「生产端去重是省事，真正兜底的是消费端幂等。」"
    },
    source: &[include_str!("interceptor.rs")],
};

/// The confirm does not come. The message must be sent again, whatever any
/// interceptor remembers; so the consumer may see it twice.
pub static RESEND: Scenario = Scenario {
    id: "interceptor-resend",
    recipe: text! {
        en: "The interceptor drops duplicates, so the consumer need not care.",
        zh: "生产端拦截器已经去重，消费端就不用管了。"
    },
    fault: text! {
        en: "The connection is cut: before the broker has it, or before its \
             confirm.",
        zh: "连接被切断：或在消息到达之前，或在确认返回之前。"
    },
    predict: Predict {
        question: text! {
            en: "No confirm, so it is resent. What then?",
            zh: "没收到确认，于是重发。结果呢？"
        },
        choices: &[
            text! { en: "the interceptor drops it", zh: "被拦截器丢弃" },
            text! { en: "each is paid once", zh: "每笔只付一次" },
            text! {
                en: "paid twice where the broker had it",
                zh: "broker 已收到的会付两次"
            },
        ],
        right: 2,
    },
    needs: Needs::BOOKS_AND_REDIS,
    strikes: &[Strike::WithholdConfirm, Strike::CutBeforePublish],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            resent,
            pay_every_delivery,
            doubled_if_confirm_was_lost,
            text! { en: "pay every delivery", zh: "来一条付一条" },
        ),
        fixed: way!(
            resent,
            pay_once,
            every_payment_once,
            text! {
                en: "unique key and payment in one transaction",
                zh: "唯一键与付款同一事务"
            },
        ),
        mechanisms: &[
            mechanism!(
                "unique-key",
                resent,
                pay_every_delivery,
                doubled_if_confirm_was_lost,
                text! { en: "the unique key", zh: "唯一键" },
            ),
            mechanism!(
                "resend-below-chain",
                resent_through_the_chain,
                publish_each_attempt_through_the_chain(request, server),
                lost_if_cut_before_publish,
                text! {
                    en: "the resend below the interceptors",
                    zh: "拦截器之下的重发"
                },
            ),
        ],
    },
    columns: PAID,
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: no confirm is no answer. The resend must pass, for the broker \
             may have nothing; where it had it, there are now two.",
        zh: "c：没有确认等于没有答案。broker 可能什么都没收到，重发必须放行；\
             若它已收到，就成了两条。"
    },
    fix: text! {
        en: "Resend below the interceptors; make the consumer idempotent.",
        zh: "重发放在拦截器之下；消费端必须幂等。"
    },
    limit: text! {
        en: "A process without the chain is not caught either.",
        zh: "没装拦截链的进程也拦不住。"
    },
    say: text! {
        en: "\"Unknown means resend; resend means duplicates; the consumer \
             decides.\"",
        zh: "「未知就要重发，重发就有重复，最后靠消费端。」"
    },
    source: &[include_str!("interceptor.rs"), include_str!("pay.rs")],
};

/// One server of the shop: it takes requests to pay and publishes them.
struct Server {
    chain: Chain,
    memory: Chain,
    publisher: ConfirmingPublisher,
}

/// Takes one request to pay.
type Place = for<'a> fn(&'a Outgoing, &'a mut Server) -> BoxFuture<'a, Handled>;

const TRIES: u32 = 5;

/// What a server answers to a request whose message is on its way: ask again.
fn being_published(id: MessageId) -> Error {
    let what = text! {
        en: "{id} to be published by another server",
        zh: "{id} 由另一台服务器发布完毕", id = id
    };
    RanOut { what, limit: Duration::ZERO }.into()
}

fn from_boxed(error: InterceptError) -> Error {
    Error::from_boxed(error)
}

/// Whatever comes is published.
async fn publish_every_click(
    request: &Outgoing,
    server: &mut Server,
) -> Handled {
    Ok(server.publisher.publish_until_confirmed(request, TRIES).await?)
}

/// What is out already, from whichever server, is dropped. The chain is asked
/// once; resends are the publisher's own.
async fn publish_through_the_chain(
    request: &Outgoing,
    server: &mut Server,
) -> Handled {
    let mut request = request.clone();
    match server.chain.before(&mut request).await.map_err(from_boxed)? {
        Pass::On => {}
        Pass::Drop => return Ok(()),
        Pass::Busy => return Err(being_published(request.id)),
    }
    let out = server.publisher.publish_until_confirmed(&request, TRIES).await;
    let answer = out.as_ref().map_or_else(|e| e.last, |()| Answer::Confirmed);
    server.chain.after(&request, answer).await.map_err(from_boxed)?;
    Ok(out?)
}

/// What is out already, from this server, is dropped; it knows of no other.
async fn publish_through_own_memory(
    request: &Outgoing,
    server: &mut Server,
) -> Handled {
    std::mem::swap(&mut server.chain, &mut server.memory);
    let placed = publish_through_the_chain(request, server).await;
    std::mem::swap(&mut server.chain, &mut server.memory);
    placed
}

/// Each attempt asks the chain, which takes the second for a duplicate.
async fn publish_each_attempt_through_the_chain(
    request: &Outgoing,
    server: &mut Server,
) -> Handled {
    let (chain, mut request) = (&mut server.chain, request.clone());
    while chain.before(&mut request).await.map_err(from_boxed)? == Pass::On {
        let answer = server.publisher.publish(&request).await;
        if answer == Answer::Confirmed {
            let told = chain.after(&request, answer).await;
            return told.map_err(from_boxed);
        }
    }
    Ok(())
}

/// Customers click, one in ten twice; then everything is paid as delivered.
async fn clicked(lab: Lab, place: Place) -> anyhow::Result<()> {
    lab.declare(shop::PAYMENTS).await?;
    let mut first = server(&lab, lab.uri()).await?;
    let mut second = server(&lab, lab.uri()).await?;
    for id in lab.messages() {
        lab.saw(id, Fact::Accepted);
        let request = shop::payment(id);
        place(&request, &mut first).await?;
        if lab.is_planned(id, Strike::Repeat) {
            lab.struck(id, Strike::Repeat);
            place(&request, &mut second).await?;
        }
    }
    tell_placed(&lab);
    shop::consume(&lab, |payment, shop, fail| {
        Box::pin(pay_every_delivery(payment, shop, fail))
    })
    .await?;
    shop::settle(&lab).await
}

/// Requests pass the chain once; what is not confirmed is sent again behind
/// it.
async fn resent(lab: Lab, handle: Handler) -> anyhow::Result<()> {
    placed_over_the_wire(&lab, |request, server| {
        Box::pin(publish_through_the_chain(request, server))
    })
    .await?;
    shop::consume(&lab, handle).await?;
    shop::settle(&lab).await
}

/// The same, and every attempt passes the chain.
async fn resent_through_the_chain(
    lab: Lab,
    place: Place,
) -> anyhow::Result<()> {
    placed_over_the_wire(&lab, place).await?;
    shop::consume(&lab, |payment, shop, fail| {
        Box::pin(pay_once(payment, shop, fail))
    })
    .await?;
    shop::settle(&lab).await
}

async fn placed_over_the_wire(lab: &Lab, place: Place) -> anyhow::Result<()> {
    lab.declare(shop::PAYMENTS).await?;
    let wire = lab.wire("producer", Protocol::Amqp).await?;
    let mut server = server(lab, lab.uri_through(&wire)).await?;
    for id in lab.messages() {
        lab.saw(id, Fact::Accepted);
        place(&shop::payment(id), &mut server).await?;
    }
    tell_placed(lab);
    Ok(())
}

fn tell_placed(lab: &Lab) {
    let sums = lab.sums();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{accepted} requests accepted, {attempts} publishes, \
                 {confirmed} payments confirmed",
            zh: "受理 {accepted} 个请求，发布 {attempts} 次，\
                 {confirmed} 笔已确认",
            accepted = sums.accepted, attempts = sums.attempts,
            confirmed = sums.confirmed
        },
    );
}

async fn server(lab: &Lab, uri: String) -> anyhow::Result<Server> {
    let redis = lab.redis()?.connect().await?;
    let prefix = format!("passed:{}", lab.vhost());
    let published = Marks::new(redis, &prefix, LEASE, Arc::new(()));
    let witness = lab.witness();
    Ok(Server {
        chain: Chain::default()
            .then(DropDuplicates { published, witness: witness.clone() }),
        memory: Chain::default().then(Remember(HashSet::new())),
        publisher: ConfirmingPublisher::new(uri, shop::PAYMENTS, witness),
    })
}

/// Longer than a publish with all its resends takes.
const LEASE: Duration = Duration::from_secs(120);

/// An interceptor that remembers in the memory of its process.
struct Remember(HashSet<MessageId>);

impl Interceptor for Remember {
    fn before<'a>(
        &'a mut self,
        message: &'a mut Outgoing,
    ) -> BoxFuture<'a, Result<Pass, InterceptError>> {
        let new = self.0.insert(message.id);
        Box::pin(async move { Ok(if new { Pass::On } else { Pass::Drop }) })
    }
}
