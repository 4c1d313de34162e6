//! A fanout to two queues, one of them full: refused, and stored.

mod invoices;

use std::time::Duration;

use anyhow::bail;
use futures::future::BoxFuture;
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicGetOptions},
    types::AMQPValue,
};

use self::invoices::Invoices;
use super::TRIED;
use crate::{
    demos::shop::orders::{Ran, Tally, order},
    event::{Column, Unit},
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_confirmed, every_message_once},
    },
    ledger::{Fact, Kind, MessageId, Noun, Witness},
    mechanism,
    pattern::{
        consumer::{Delivery, Handle, ReconnectingConsumer},
        publisher::{Answer, ConfirmingPublisher, Route},
    },
    text,
    text::Text,
    way,
};

/// "The broker nacked it, so it is not there: send it again."
pub static FANOUT_FULL: Scenario = Scenario {
    id: "fanout-full",
    recipe: text! {
        en: "A nack means that the broker has not got it: send it again.",
        zh: "收到 nack 就是 broker 没收下：再发一次。"
    },
    fault: text! {
        en: "1 in 10: the stock queue is full when the order comes, the \
             invoice queue is not.",
        zh: "每 10 单有 1 单：库存队列已满，发票队列没满。"
    },
    predict: Predict {
        question: text! {
            en: "One of two bound queues is full and rejects: what is there?",
            zh: "绑定了两个队列，一个满了拒收：结果如何？"
        },
        choices: &[
            text! {
                en: "a nack, and a copy in the other queue",
                zh: "nack，另一个队列里有一份"
            },
            text! { en: "a nack, and no copy anywhere", zh: "nack，哪边都没有" },
            text! { en: "a confirm, one copy", zh: "确认，只有一份" },
        ],
        right: 0,
    },
    needs: Needs { fewest: 10, most: 500, seconds: 6, ..Needs::BOOKS },
    strikes: &[Strike::HalfStored],
    hits: Hits::OneInTen,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            invoice_each_delivery,
            invoiced_twice_where_struck,
            text! { en: "resend on nack", zh: "收到 nack 就重发" },
        ),
        fixed: way!(
            invoice_each_order_once,
            invoiced_once_though_come_twice,
            text! {
                en: "the same, and an invoice has its order as unique key",
                zh: "照样重发，但发票以订单号为唯一键"
            },
        ),
        mechanisms: &[mechanism!(
            "unique-key",
            invoice_each_delivery,
            invoiced_twice_where_struck,
            text! { en: "the unique key", zh: "唯一键" },
        )],
    },
    columns: &[Column::Attempts, Column::Confirmed, Column::Doubled],
    figures: &["stock", "invoices"],
    bars: &[],
    claim: text! {
        en: "a: the nack says that not all queues took it. The others keep \
             their copy, and the resend is a second one.",
        zh: "a：nack 只说明有队列没收下。收下的那份还在，重发就成了第二份。"
    },
    fix: text! {
        en: "Resend all the same, and let each subscriber tell copies by a \
             unique key.",
        zh: "照样重发；每个订阅者用唯一键认出重复的那份。"
    },
    limit: text! {
        en: "One full subscriber holds up the producer for all of them.",
        zh: "一个订阅者满了，生产者一退避，其他订阅者也得跟着等。"
    },
    say: text! {
        en: "\"A publish to several queues is not atomic: a nack may have \
             been stored.\"",
        zh: "「发往多个队列不是原子的：被 nack 的可能已经存下。」"
    },
    source: &[include_str!("half_stored.rs")],
};

/// Each delivery is an invoice.
async fn invoice_each_delivery(lab: Lab) -> Ran {
    publish_to_both(&lab).await?;
    write_invoices(&lab, Invoices::write).await
}

/// Each order is an invoice: its id is a unique key, noted in the invoice's
/// own transaction.
async fn invoice_each_order_once(lab: Lab) -> Ran {
    publish_to_both(&lab).await?;
    write_invoices(&lab, Invoices::write_once).await
}

const NEW_ORDERS: &str = "new-orders";
const STOCK: &str = "stock";
const INVOICE: &str = "invoice";

/// Every order goes to both queues, one at a time; a nacked one is sent again
/// as soon as stock has room.
///
/// "Queue Length Limit" in the documentation, on reject-publish, says what is
/// shown here: one queue that rejects is enough for a nack, and every queue
/// that can store the message stores it.
async fn publish_to_both(lab: &Lab) -> Ran {
    lab.declare_fanout(NEW_ORDERS, &[INVOICE]).await?;
    lab.declare_with(STOCK, "classic", &room_for_one()).await?;
    lab.bind(STOCK, NEW_ORDERS).await?;
    let route = Route::new(NEW_ORDERS, "");
    let mut shop = ConfirmingPublisher::to(lab.uri(), route, lab.witness());
    let mut stock = Stock::open(lab).await?;
    let orders = as_they_come(lab);
    let mut others = orders.iter().skip(1);
    for id in &orders {
        lab.saw(*id, Fact::Accepted);
        lab.promise(*id, Noun::Invoice);
        loop {
            match shop.publish(&order(*id)).await {
                Answer::Confirmed => break,
                Answer::Nacked => invoice_has_it(lab, *id).await?,
                answer => bail!("{id}: {answer:?}"),
            }
            stock.take().await?;
        }
        // What stays here fills stock for the next.
        let fills = |next| lab.is_planned(next, Strike::HalfStored);
        if !others.next().copied().is_some_and(fills) {
            stock.take().await?;
        }
    }
    stock.close().await
}

fn room_for_one() -> [(&'static str, AMQPValue); 2] {
    let reject = AMQPValue::LongString("reject-publish".into());
    [("x-max-length", AMQPValue::LongInt(1)), ("x-overflow", reject)]
}

/// In order, but for those in front that are to find stock full: somebody has
/// to come before them.
fn as_they_come(lab: &Lab) -> Vec<MessageId> {
    let mut orders: Vec<_> = lab.messages().collect();
    let has_room = |id: &MessageId| !lab.plan().has(*id, Strike::HalfStored);
    let first = orders.iter().position(has_room).unwrap_or_default();
    orders.rotate_left(first);
    orders
}

/// It was nacked. Nobody reads invoices yet: there lies a copy of each
/// attempt, and of this one too.
async fn invoice_has_it(lab: &Lab, id: MessageId) -> Ran {
    let attempts = lab.sums().attempts;
    let stored =
        text! { en: "the invoice queue to store it", zh: "发票队列存下它" };
    lab.wait_until(stored, SOON, || async {
        Ok(u64::from(lab.ready(INVOICE).await?) == attempts)
    })
    .await?;
    lab.struck(id, Strike::HalfStored);
    Ok(())
}

const SOON: Duration = Duration::from_secs(10);

/// Who takes goods from the shelf: one order at a time, when there is time.
struct Stock {
    lab: Lab,
    connection: Connection,
    channel: Channel,
    taken: Tally,
}

impl Stock {
    async fn open(lab: &Lab) -> anyhow::Result<Self> {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&lab.uri(), properties).await?;
        let channel = connection.create_channel().await?;
        let taken = Tally::default();
        Ok(Self { lab: lab.clone(), connection, channel, taken })
    }

    async fn take(&mut self) -> Ran {
        let options = BasicGetOptions::default();
        let got = self.channel.basic_get(STOCK.into(), options).await?;
        let Some(got) = got else { bail!("nothing in the stock queue") };
        let id = got.delivery.properties.message_id().as_ref();
        if let Some(id) = id.and_then(|id| id.as_str().parse().ok()) {
            self.taken.add(id);
        }
        got.delivery.acker.ack(BasicAckOptions::default()).await?;
        Ok(())
    }

    async fn close(self) -> Ran {
        self.connection.close(200, "closing time".into()).await?;
        for (order, times) in self.taken.all() {
            self.lab.settle(order, times, 0);
        }
        for order in self.lab.left_in(STOCK).await? {
            self.lab.settle(order, 0, 1);
        }
        let (taken, sums) = (self.taken.count(), self.lab.sums());
        self.lab.step(
            text! { en: "publish", zh: "发布" },
            text! {
                en: "{all} orders in {attempts} attempts; stock took {taken}",
                zh: "{all} 个订单，发布 {attempts} 次；库存处理 {taken} 个",
                all = sums.accepted, attempts = sums.attempts, taken = taken
            },
        );
        let name = text! { en: "stock", zh: "库存" };
        self.lab.observe("stock", name, taken as f64, Unit::Count);
        Ok(())
    }
}

/// Says whether it wrote one.
type Write = fn(&mut Invoices, MessageId) -> anyhow::Result<bool>;

/// The invoice service works its queue off.
async fn write_invoices(lab: &Lab, write: Write) -> Ran {
    let mut service = InvoiceService {
        invoices: Invoices::open(lab.dir())?,
        write,
        lab: lab.clone(),
        deliveries: 0,
    };
    let consumer = ReconnectingConsumer {
        uri: lab.uri(),
        queue: INVOICE.to_owned(),
        prefetch: PREFETCH,
        limit: WORKED_OFF_WITHIN,
        witness: lab.witness(),
    };
    consumer.drain(&mut service).await?;
    let mut all = 0;
    for (order, times) in service.invoices.written()? {
        lab.settle(Noun::Invoice.number(order.number), times, 0);
        all += u32::from(times);
    }
    for order in lab.left_in(INVOICE).await? {
        lab.settle(Noun::Invoice.number(order.number), 0, 1);
    }
    lab.step(
        text! { en: "consume", zh: "消费" },
        text! {
            en: "invoice: {deliveries} deliveries, {all} invoices written",
            zh: "发票：{deliveries} 次投递，开出 {all} 张",
            deliveries = service.deliveries, all = all
        },
    );
    let name = text! { en: "invoices", zh: "发票" };
    lab.observe("invoices", name, f64::from(all), Unit::Count);
    Ok(())
}

const PREFETCH: u16 = 100;
const WORKED_OFF_WITHIN: Duration = Duration::from_secs(60);

struct InvoiceService {
    invoices: Invoices,
    write: Write,
    lab: Lab,
    deliveries: u32,
}

impl Handle for InvoiceService {
    type Error = anyhow::Error;

    fn handle<'a>(
        &'a mut self,
        order: &'a Delivery,
    ) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async {
            self.deliveries += 1;
            let written = (self.write)(&mut self.invoices, order.id)?;
            let fact = if written { Fact::Applied } else { Fact::Seen };
            self.lab.saw(order.id, fact);
            Ok(order.ack().await?)
        })
    }
}

/// Two invoices for each struck order, and nothing else is wrong.
fn invoiced_twice_where_struck(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    let struck = outcome.plan.of(Strike::HalfStored);
    let expected = struck.map(|order| Noun::Invoice.number(order.number));
    let found = &outcome.audit.anomalies;
    let as_expected =
        found.iter().all(|a| a.kind == Kind::Duplicated && a.applied == 2)
            && outcome.audit.of(Kind::Duplicated).eq(expected);
    let all = u64::from(outcome.messages);
    if as_expected && outcome.audit.counts.applied == all {
        return Ok(());
    }
    Err(text! {
        en: "{found} things wrong, not two invoices for each struck order",
        zh: "有 {found} 处不对，并非每个命中的订单两张发票",
        found = found.len()
    })
}

/// One invoice each, although each struck order came to it twice.
fn invoiced_once_though_come_twice(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    let once = outcome
        .struck
        .iter()
        .find(|struck| struck.entry.sent < 2 || struck.entry.delivered < 2);
    once.map_or(Ok(()), |struck| {
        Err(text! {
            en: "{message} did not come twice", zh: "{message} 没有来两次",
            message = struck.message
        })
    })
}
