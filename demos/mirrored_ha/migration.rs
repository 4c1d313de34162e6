//! From mirrored queues to quorum queues: what stops whoever thinks that it is
//! a matter of one word.
//!
//! The type of a queue cannot be changed. Who declares a queue that is there
//! with another type is refused (406), loses the channel, and with it whatever
//! was on it; so a new version of an application that asks for a quorum queue
//! does not start. On RabbitMQ 4 a policy with `ha-mode` is refused, and so
//! are definitions that contain one, with all that comes after it: no queue and
//! no binding of the export of a 3.x cluster is there then. What comes before
//! policies (users, vhosts, permissions, exchanges) may be. On 3.x such a
//! policy is accepted for a quorum queue and does nothing.
//!
//! Source: RabbitMQ documentation, "Migrate your RabbitMQ Mirrored Classic
//! Queues to Quorum Queues"; "Queues", section "Declaration and
//! Property Equivalence";
//! "Upgrading RabbitMQ", section "RabbitMQ Version Upgradability" (3.13 to
//! 4.2, and 4.2 to 4.3).

use lapin::{
    Connection, ConnectionProperties, ErrorKind,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};
use serde_json::{Value, json};

use super::nodes::{Kind, Nodes};
use crate::{
    demos::shop::orders::{ORDERS, Ran},
    event::{Column, Grid, GridRow, Unit},
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_confirmed, every_message_once, figure_is},
        scenario::OnlyFour,
    },
    stage::Broker,
    text,
    text::Text,
    way,
};

/// "Say quorum instead of classic, and it is migrated."
pub static MIGRATION: Scenario = Scenario {
    id: "migration",
    recipe: text! {
        en: "From mirrored to quorum: change x-queue-type, import the rest.",
        zh: "镜像迁到仲裁：改一下 x-queue-type，其余的导入就行。"
    },
    fault: text! {
        en: "A new version of the shop declares its old queue as quorum.",
        zh: "商城发新版，把原有队列声明成仲裁队列。"
    },
    predict: Predict {
        question: text! {
            en: "The definitions of 3.x, with a queue and its ha-mode policy, are \
                 imported into 4.x. What is there afterwards?",
            zh: "把 3.x 的定义（一个队列和它的 ha-mode 策略）导入 4.x，之后有什么？"
        },
        choices: &[
            text! { en: "a quorum queue", zh: "仲裁队列" },
            text! {
                en: "a classic queue, policy ignored",
                zh: "经典队列，策略被忽略"
            },
            text! { en: "no queue at all", zh: "一个队列也没有" },
        ],
        right: 2,
    },
    needs: Needs {
        only_four: Some(OnlyFour::Compared),
        cluster: Some(ClusterOf::Three),
        stage: true,
        fewest: 1,
        most: 200,
        seconds: 8,
        ..Needs::BROKER
    },
    strikes: &[Strike::Deploy],
    hits: Hits::Once,
    tried: super::BOTH,
    ways: Ways::Trap(way!(
        change_one_word,
        refused_or_without_effect,
        text! {
            en: "three nodes of 3.x, one of 4.x, the same requests",
            zh: "3.x 三个节点，4.x 一个，同样的请求"
        },
    )),
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &[],
    bars: &[],
    claim: text! {
        en: "c: 4.x refuses the policy and stops there. And the type of a queue \
             never changes: 406, and the channel is closed.",
        zh: "c：4.x 拒绝这条策略，导入就此中止。而队列类型改不了：406，\
             信道被关闭。"
    },
    fix: text! {
        en: "Strip ha-* from the definitions. New queues in a new vhost (default \
             type quorum), consumers on both, the old ones drained.",
        zh: "先从定义里删掉 ha-*。在新 vhost（默认类型 quorum）里建新队列，\
             消费者两边都接，把旧队列排空。"
    },
    limit: text! {
        en: "3.13 cannot be upgraded to 4.3 in one step (documentation, not run \
             here): by way of 4.2, or to a new cluster beside it.",
        zh: "3.13 不能一步升到 4.3（见文档，此处未演示）：先到 4.2，\
             或在旁边另建新集群。"
    },
    say: text! {
        en: "\"A queue's type is for life: migrate beside it, not in place.\"",
        zh: "「队列类型定终身：在旁边新建再迁，不能原地改。」"
    },
    source: &[include_str!("migration.rs")],
};

/// A quorum queue of one member, to see whether a policy gives it more.
const ALONE: &str = "orders.quorum";
/// A queue that the definitions bring along.
const IMPORTED: &str = "orders.imported";
const HA: &str = "ha-mode";

/// What one version said.
struct Said {
    version: String,
    /// The code with which the other type was refused, and whether the channel
    /// was closed.
    declared: (u16, bool),
    policy: Result<(), String>,
    imported: Result<(), String>,
    /// Whether the queue of the definitions is there.
    is_there: bool,
    /// Copies of the classic queue, and members of the quorum queue, under the
    /// policy, where there is one.
    copies: Option<(usize, usize)>,
}

/// Orders wait in a mirrored queue. Its type, its policy and its definitions
/// are tried on the version that it comes from, and on the one it is to go to.
async fn change_one_word(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    let three = nodes.broker(0)?;
    let four = &lab.stage().broker;
    four.management.make_vhost(lab.vhost()).await?;
    nodes.declare(Kind::Classic, 0).await?;
    nodes.mirror(policy(), 1).await?;
    nodes.publish(&[0], lab.messages()).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders to a mirrored queue of 3.x, all confirmed",
            zh: "{n} 个订单发到 3.x 的镜像队列，全部确认",
            n = lab.sums().confirmed
        },
    );
    nodes.draw(0, &[]).await?;
    if lab.is_armed(Strike::Deploy) {
        declare(&lab, four, ORDERS, "classic").await?;
        let mut then = try_on(&lab, three).await?;
        then.copies = Some(under_the_policy(&lab, &nodes).await?);
        let now = try_on(&lab, four).await?;
        if [&then, &now].iter().all(|said| said.declared.0 > 0) {
            lab.struck_once(Strike::Deploy);
        }
        tell(&lab, &then, &now);
    }
    let done = nodes.work_off(0).await?;
    lab.step(
        text! { en: "look", zh: "查看" },
        text! {
            en: "{done} of {all} orders still in the old classic queue",
            zh: "{done}/{all} 个订单还在旧队列里，类型照旧",
            done = done, all = lab.count()
        },
    );
    four.management.remove_vhost(lab.vhost()).await?;
    Ok(())
}

fn policy() -> Value {
    json!({ HA: "exactly", "ha-params": 2, "ha-sync-mode": "automatic" })
}

/// What whoever migrates tries first.
async fn try_on(lab: &Lab, broker: &Broker) -> anyhow::Result<Said> {
    let management = &broker.management;
    let declared = declare(lab, broker, ORDERS, "quorum").await?;
    let set = management.set_policy(lab.vhost(), ORDERS, policy()).await?;
    let definitions = json!({
        "policies": [{
            "name": IMPORTED, "pattern": "^orders[.]imported$",
            "apply-to": "queues", "definition": policy(),
        }],
        "queues": [{
            "name": IMPORTED, "durable": true, "auto_delete": false,
            "arguments": { "x-queue-type": "classic" },
        }],
    });
    let imported = management.import(lab.vhost(), definitions).await?;
    let is_there = management.queue(lab.vhost(), IMPORTED).await.is_some();
    let (major, minor, _) = broker.version;
    let version = format!("{major}.{minor}");
    Ok(Said {
        version,
        declared,
        policy: set,
        imported,
        is_there,
        copies: None,
    })
}

/// Declares a durable queue of a type. Returns the code with which that was
/// refused, 0 for none, and whether the channel was closed.
async fn declare(
    lab: &Lab,
    broker: &Broker,
    queue: &str,
    kind: &str,
) -> anyhow::Result<(u16, bool)> {
    let uri = broker.uri(broker.amqp, lab.vhost());
    let how = ConnectionProperties::default();
    let connection = Connection::connect(&uri, how).await?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    let kind = AMQPValue::LongString(kind.into());
    arguments.insert("x-queue-type".into(), kind);
    let durable = QueueDeclareOptions::durable();
    let declared =
        channel.queue_declare(queue.into(), durable, arguments).await;
    let code = match declared {
        Ok(_) => 0,
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(said) => said.get_id(),
            _ => return Err(error.into()),
        },
    };
    let is_closed = !channel.status().connected();
    connection.close(200, "tried".into()).await?;
    Ok((code, is_closed))
}

/// A quorum queue of one member gets the same policy as the classic one, and
/// gets it first: when the classic queue has its copies, a policy that was set
/// before has had its effect, or has none.
async fn under_the_policy(
    lab: &Lab,
    nodes: &Nodes<'_>,
) -> anyhow::Result<(usize, usize)> {
    let management = &nodes.broker(0)?.management;
    nodes.declare_as(ALONE, Kind::Quorum(1), 0).await?;
    if let Err(why) =
        management.set_policy(lab.vhost(), ALONE, policy()).await?
    {
        anyhow::bail!("the policy is refused: {why}");
    }
    let all = json!({ HA: "all", "ha-sync-mode": "automatic" });
    nodes.mirror(all, nodes.count() - 1).await?;
    let copies = nodes.locate(0).await?.copies.len() + 1;
    let alone = management.queue(lab.vhost(), ALONE).await;
    let members = alone.as_ref().and_then(|told| told["members"].as_array());
    Ok((copies, members.map_or(0, Vec::len)))
}

fn tell(lab: &Lab, then: &Said, now: &Said) {
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "declared as quorum: {old} on {three}, {new} on {four}",
            zh: "声明为 quorum：{three} 上 {old}，{four} 上 {new}",
            old = then.declared.0, new = now.declared.0,
            three = then.version, four = now.version
        },
    );
    let why = now.policy.as_ref().err().cloned().unwrap_or_default();
    let known = why.contains("not recognised policy settings");
    lab.step(
        text! { en: "policy", zh: "策略" },
        match known {
            true => text! {
                en: "ha-mode on {v}: \"not recognised policy settings\"",
                zh: "{v} 上的 ha-mode：「not recognised policy settings」",
                v = now.version
            },
            false => text! {
                en: "ha-mode on {v}: \"{why}\"",
                zh: "{v} 上的 ha-mode：「{why}」",
                v = now.version, why = why
            },
        },
    );
    for (side, said) in [("then", then), ("now", now)] {
        let yes = |is: bool| f64::from(u8::from(is));
        let (copies, members) = said.copies.unwrap_or_default();
        for (what, value) in [
            ("code", said.declared.0.into()),
            ("closed", yes(said.declared.1)),
            ("policy", yes(said.policy.is_ok())),
            ("imported", yes(said.imported.is_ok())),
            ("there", yes(said.is_there)),
            ("copies", copies as f64),
            ("members", members as f64),
        ] {
            let id = format!("{side}-{what}");
            lab.observe(&id, Text::same(&*id), value, Unit::Count);
        }
    }
    let name = text! { en: "not recognised", zh: "不认得" };
    lab.observe("known", name, f64::from(u8::from(known)), Unit::Count);
    lab.grid(grid([then, now]));
    lab.came_to(text! {
        en: "{then} and {now}, nothing lost", zh: "{then} 和 {now}，没丢",
        then = then.declared.0, now = now.declared.0
    });
}

fn accepted(is: bool) -> Text {
    match is {
        true => text! { en: "accepted", zh: "接受" },
        false => text! { en: "refused", zh: "拒绝" },
    }
}

fn none() -> Text {
    Text::same("-")
}

fn grid(all: [&Said; 2]) -> Grid {
    let row = |name: Text, cell: fn(&Said) -> Text| GridRow {
        name,
        cells: all.iter().map(|said| cell(said)).collect(),
    };
    Grid {
        title: text! {
            en: "The same requests, version by version",
            zh: "同样的请求，各版本怎么答"
        },
        columns: all.map(|said| Text::same(said.version.clone())).to_vec(),
        rows: vec![
            row(
                text! { en: "declare as quorum", zh: "声明为 quorum" },
                |said| match said.declared {
                    (code, true) => text! {
                        en: "{code}, channel closed", zh: "{code}，信道关闭",
                        code = code
                    },
                    (code, false) => Text::same(code.to_string()),
                },
            ),
            row(text! { en: "set ha-mode", zh: "设 ha-mode" }, |said| {
                accepted(said.policy.is_ok())
            }),
            row(
                text! { en: "on a classic queue", zh: "作用于经典队列" },
                |said| {
                    said.copies.map_or_else(none, |(copies, _)| {
                        text! {
                            en: "{n} copies", zh: "{n} 份", n = copies
                        }
                    })
                },
            ),
            row(
                text! { en: "on a quorum queue", zh: "作用于仲裁队列" },
                |said| {
                    said.copies.map_or_else(none, |(_, members)| text! {
                    en: "still {n} member", zh: "还是 {n} 个成员", n = members
                })
                },
            ),
            row(
                text! { en: "import definitions", zh: "导入定义" },
                |said| {
                    let told = accepted(said.imported.is_ok());
                    match said.is_there {
                        true => told,
                        false => Text::made(
                            format!("{}, no queue", told.en),
                            format!("{}，队列也没建", told.zh),
                        ),
                    }
                },
            ),
        ],
    }
}

/// Both refuse the other type and close the channel; 3.x takes the policy, for
/// the one kind of queue only, and 4.x neither that nor what comes with it. No
/// order was touched.
fn refused_or_without_effect(outcome: &Outcome) -> Result<(), Text> {
    for (side, answers) in [("then", 1), ("now", 0)] {
        figure_is(outcome, &format!("{side}-code"), 406)?;
        figure_is(outcome, &format!("{side}-closed"), 1)?;
        for what in ["policy", "imported", "there"] {
            figure_is(outcome, &format!("{side}-{what}"), answers)?;
        }
    }
    figure_is(outcome, "known", 1)?;
    figure_is(outcome, "then-copies", 3)?;
    figure_is(outcome, "then-members", 1)?;
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}
