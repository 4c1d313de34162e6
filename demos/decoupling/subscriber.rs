//! Who knows whom: a subscriber comes, and the producer does not notice.

use std::time::Duration;

use anyhow::Context;
use tokio::{sync::watch, time::timeout};

use super::TRIED;
use crate::{
    demos::shop::{
        Service,
        orders::{Ran, order},
        place::{PLACED, Services},
    },
    event::{Column, Unit},
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::every_message_once,
    },
    ledger::{Fact, Kind, Noun, Witness},
    mechanism,
    pattern::publisher::{ConfirmingPublisher, Route},
    text,
    text::Text,
    way,
};

/// "Publish the order to the queues of all who need it."
pub static SUBSCRIBER: Scenario = Scenario {
    id: "subscriber",
    recipe: text! {
        en: "Publish each order to the queues of all who need it, by name.",
        zh: "谁需要订单，就按队列名往谁的队列里各发一份。"
    },
    fault: text! {
        en: "While orders flow a fourth subscriber comes: invoice.",
        zh: "订单不断进来时，来了第四个订阅者：发票。"
    },
    predict: Predict {
        question: text! {
            en: "A fanout exchange instead: which orders does invoice get?",
            zh: "改用 fanout 交换机：发票能收到哪些订单？"
        },
        choices: &[
            text! { en: "those from its binding on", zh: "绑定之后的" },
            text! { en: "all", zh: "全部" },
            text! {
                en: "none until the producer is restarted",
                zh: "生产者重启之前一个也没有"
            },
        ],
        right: 0,
    },
    needs: Needs { fewest: 20, most: 500, ..Needs::BROKER },
    strikes: &[Strike::Join],
    hits: Hits::Once,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            publish_by_name,
            the_newcomer_gets_nothing,
            text! { en: "to three queues, by name", zh: "按名字发往三个队列" },
        ),
        fixed: way!(
            publish_to_an_exchange,
            the_newcomer_gets_all_from_then_on,
            text! { en: "to a fanout exchange", zh: "发往 fanout 交换机" },
        ),
        mechanisms: &[
            mechanism!(
                "exchange",
                publish_by_name,
                the_newcomer_gets_nothing,
                text! { en: "the exchange", zh: "交换机" },
            ),
            mechanism!(
                "own-queue",
                share_the_queue_of_mail,
                the_two_share,
                text! { en: "a queue of its own", zh: "自己的队列" },
            ),
        ],
    },
    columns: &[Column::Attempts, Column::Applied, Column::Lost],
    figures: &["invoices", "first"],
    bars: &[],
    claim: text! {
        en: "a: the newcomer declares a queue and binds it; the producer, same \
             code and same connection, knows nothing of it.",
        zh: "a：新来的声明一条队列、绑定上去就行；生产者代码没改、连接没断，毫不知情。"
    },
    fix: text! {
        en: "The producer names an exchange; each subscriber owns its queue and \
             its binding.",
        zh: "生产者只认交换机；队列和绑定归订阅者自己。"
    },
    limit: text! {
        en: "What came before the binding is not replayed: a stream can. With no \
             binding at all it is dropped: publish mandatory.",
        zh: "绑定之前的不会补发，要补就用 stream；\
             一个绑定都没有时消息会被丢弃，发布要带 mandatory。"
    },
    say: text! {
        en: "\"Producers know exchanges, consumers own queues; the binding joins \
             them.\"",
        zh: "「生产者只认交换机，消费者自管队列，靠绑定相连。」"
    },
    source: &[include_str!("subscriber.rs")],
};

/// The producer keeps the list of who needs an order: one publish for each.
async fn publish_by_name(lab: Lab) -> Ran {
    let routes = ["stock", "points", "mail"].map(Route::queue);
    invoice_joins(lab, &routes, "invoice").await
}

/// One publish, to an exchange; the broker knows who needs it.
async fn publish_to_an_exchange(lab: Lab) -> Ran {
    let routes = [Route::new(PLACED, "")];
    invoice_joins(lab, &routes, "invoice").await
}

/// The newcomer consumes the queue of mail, in which all orders are. Each
/// message of a queue goes to one of its consumers, and not to the others.
async fn share_the_queue_of_mail(lab: Lab) -> Ran {
    let routes = [Route::new(PLACED, "")];
    invoice_joins(lab, &routes, "mail").await
}

const TAKES: Duration = Duration::from_millis(2);
const RESENDS: u32 = 5;
const SOON: Duration = Duration::from_secs(30);
const AT_MOST: Duration = Duration::from_secs(60);
const THREE: [Noun; 3] = [Noun::Stock, Noun::Points, Noun::Mail];

/// Orders flow; when a quarter is placed, invoice declares its queue, binds
/// it and begins to consume. The last quarter of the customers come when it
/// has, so that there is something for it; all others wait for nobody.
async fn invoice_joins(lab: Lab, routes: &[Route], queue: &str) -> Ran {
    let services = Services::open(&THREE.map(|noun| (noun, TAKES)))?;
    let newcomer = Services::open(&[(Noun::Invoice, TAKES)])?;
    lab.declare_fanout(PLACED, &services.queues()).await?;
    let mut subscribers = services.subscribe(&lab, &THREE).await?;
    let (placed, quarter) = watch::channel(0);
    let (joined, has_joined) = watch::channel(false);
    let producer = produce(&lab, routes, placed, has_joined);
    let join = async {
        if lab.is_armed(Strike::Join) {
            placed_a_quarter(&lab, quarter).await?;
            lab.declare_fanout(PLACED, &[queue]).await?;
            let invoice =
                newcomer.subscribe_to(&lab, Noun::Invoice, queue).await?;
            lab.struck_once(Strike::Join);
            subscribers.push(invoice);
        }
        joined.send_replace(true);
        anyhow::Ok(())
    };
    tokio::try_join!(producer, join)?;
    let invoice = newcomer.of(Noun::Invoice)?;
    let joined = lab.is_armed(Strike::Join);
    let bound = joined && routes.iter().any(|to| to.exchange == PLACED);
    let shared = joined && queue == "mail";
    all_through(&lab, &services, invoice, (shared, bound)).await?;
    for subscriber in subscribers {
        subscriber.stop().await;
    }
    services.settle_orders(&lab);
    if !joined {
        // What nobody could get nobody was denied.
        return Ok(());
    }
    let invoices = invoice.made();
    let numbers: Vec<_> = invoices.keys().copied().collect();
    let twice = invoices.values().filter(|times| **times > 1).count();
    let mails = services.of(Noun::Mail)?.made();
    let both = numbers.iter().filter(|order| mails.contains_key(order));
    measure(&lab, &numbers, twice, both.count());
    Ok(())
}

/// The producer: its routes are its code, its connections stay.
async fn produce(
    lab: &Lab,
    routes: &[Route],
    placed: watch::Sender<u32>,
    mut joined: watch::Receiver<bool>,
) -> Ran {
    let publisher = |route: &Route| {
        ConfirmingPublisher::to(lab.uri(), route.clone(), lab.witness())
    };
    let mut publishers: Vec<_> = routes.iter().map(publisher).collect();
    for id in lab.messages() {
        if id.number > lab.count() - lab.count() / 4 {
            timeout(SOON, joined.wait_for(|joined| *joined))
                .await
                .context("waited in vain for the newcomer")??;
        }
        for publisher in &mut publishers {
            publisher.publish_until_confirmed(&order(id), RESENDS).await?;
        }
        lab.saw(id, Fact::Accepted);
        placed.send_replace(id.number);
    }
    Ok(())
}

async fn placed_a_quarter(lab: &Lab, mut placed: watch::Receiver<u32>) -> Ran {
    let quarter = lab.count() / 4;
    timeout(AT_MOST, placed.wait_for(|placed| *placed >= quarter))
        .await
        .context("waited in vain for the first quarter of the orders")??;
    Ok(())
}

/// Waits until each order is through with the three, and the last with the
/// newcomer, too, where it is bound to what the producer publishes to: what
/// came before it is then done or in hand, and finished before stopping.
async fn all_through(
    lab: &Lab,
    services: &Services,
    invoice: &Service,
    (shared, bound): (bool, bool),
) -> Ran {
    services.all_made(lab, &[Noun::Stock, Noun::Points]).await?;
    if !shared {
        services.all_made(lab, &[Noun::Mail]).await?;
    }
    let mail = services.of(Noun::Mail)?;
    let what = text! { en: "the last order's invoice", zh: "最后一单的发票" };
    let last = Noun::Order.number(lab.count());
    lab.wait_until(what, AT_MOST, || async {
        let both = mail.made().len() + invoice.made().len();
        Ok(match (shared, bound) {
            (true, _) => both >= lab.count() as usize,
            (false, bound) => !bound || invoice.has_made(last),
        })
    })
    .await
}

fn measure(lab: &Lab, invoices: &[u32], twice: usize, both: usize) {
    let first = invoices.first().copied().unwrap_or_default();
    let last = invoices.last().copied().unwrap_or_default();
    let observe = |id: &str, name, value: f64| {
        lab.observe(id, name, value, Unit::Count);
    };
    let many = invoices.len();
    let name = text! { en: "invoices", zh: "发票" };
    observe("invoices", name, many as f64);
    observe("first", text! { en: "from no.", zh: "起始号" }, first.into());
    observe("last", text! { en: "to no.", zh: "末尾号" }, last.into());
    observe("twice", text! { en: "twice", zh: "重复" }, twice as f64);
    observe("both", text! { en: "both", zh: "两者都有" }, both as f64);
    let sums = lab.sums();
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{orders} orders, {sent} publishes, all confirmed",
            zh: "{orders} 个订单，发布 {sent} 次，全部已确认",
            orders = lab.count(), sent = sums.attempts
        },
    );
    lab.step(
        text! { en: "fault", zh: "加入" },
        match many {
            0 => text! {
                en: "invoice joins, and gets nothing",
                zh: "发票加入，什么也没收到"
            },
            many => text! {
                en: "invoice joins, and makes {many}, from {first} to {last}",
                zh: "发票加入，开出 {many} 张，从 {first} 到 {last}",
                many = many, first = Noun::Order.number(first),
                last = Noun::Order.number(last)
            },
        },
    );
    lab.came_to(match sums.lost {
        0 => text! {
            en: "invoice got {many}", zh: "发票收到 {many} 单", many = many
        },
        lost => text! {
            en: "mail missed the {lost} that invoice got",
            zh: "发票收走的 {lost} 单，邮件没收到", lost = lost
        },
    });
}

/// The three got every order once; the newcomer none.
fn the_newcomer_gets_nothing(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    is(outcome, "invoices", 0.0)
}

/// The three got every order once; the newcomer every order from one of them
/// on to the last, and no other: neither all nor none, and none twice.
fn the_newcomer_gets_all_from_then_on(outcome: &Outcome) -> Result<(), Text> {
    every_message_once(outcome)?;
    let (first, all) = (outcome.figure("first")?, f64::from(outcome.messages));
    if first <= 1.0 {
        return Err(text! {
            en: "the first invoice is no. {first}", zh: "第一张发票是 {first} 号",
            first = first
        });
    }
    is(outcome, "last", all)?;
    is(outcome, "invoices", all - first + 1.0)?;
    is(outcome, "twice", 0.0)
}

/// Each order that invoice got, and no other, has no mail.
fn the_two_share(outcome: &Outcome) -> Result<(), Text> {
    let lost = outcome.audit.of(Kind::Lost).count();
    if lost == 0 {
        return Err(text! { en: "no mail is missing", zh: "邮件一封没少" });
    }
    is(outcome, "invoices", lost as f64)?;
    is(outcome, "both", 0.0)
}

fn is(outcome: &Outcome, figure: &str, expected: f64) -> Result<(), Text> {
    let value = outcome.figure(figure)?;
    if value == expected {
        return Ok(());
    }
    Err(text! {
        en: "{figure}: {value}, not {expected}",
        zh: "{figure}：{value}，应为 {expected}",
        figure = figure, value = value, expected = expected
    })
}
