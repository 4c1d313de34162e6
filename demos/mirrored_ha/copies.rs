//! What each further copy costs while nothing fails.
//!
//! A mirrored queue confirms when every mirror has the message, so each copy
//! is work for one more node, and one more to wait for. It buys one more node
//! that may die, and no vote. Three members of a quorum queue write as many
//! copies, and wait for two.
//!
//! A rate says something of one machine at one moment only: three brokers
//! share its cores here. So the queues take turns, the best round of each
//! counts, and what is told are ratios.
//!
//! Source: RabbitMQ 3.13 documentation, "Classic Queue Mirroring", sections
//! "Replication Factor: How Many Mirrors are Optimal?" and "Publisher Confirms
//! and Transactions".

use std::sync::Arc;

use serde_json::json;
use tokio::time::Instant;

use super::nodes::{Kind, Nodes, WINDOW};
use crate::{
    demos::shop::orders::Ran,
    event::Unit,
    lab::{
        Bars, ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Ways,
        check::{every_message_confirmed, every_message_once},
    },
    ledger::Noun,
    pattern::{
        pipeline::{PipelinedPublisher, Settings},
        publisher::{Outgoing, Route},
    },
    text,
    text::Text,
    way,
};

/// "Mirror it everywhere, it costs nothing."
pub static COPIES: Scenario = Scenario {
    id: "copies",
    recipe: text! {
        en: "One more mirror is one more safety: mirror to all nodes.",
        zh: "多一个镜像多一份安全，那就镜像到所有节点。"
    },
    fault: text! {
        en: "None: the same orders to queues of one, two and three copies.",
        zh: "没有故障：同样的订单，发到一份、两份、三份的队列。"
    },
    predict: Predict {
        question: text! {
            en: "Nothing fails. How fast is a queue of three mirrored copies \
                 beside one with one copy?",
            zh: "什么都没坏。三份的镜像队列和一份的比，速度如何？"
        },
        choices: &[
            text! { en: "as fast: copies are made in the background",
            zh: "一样快：副本在后台做" },
            text! { en: "slower: each confirm waits for all of them",
            zh: "更慢：每次确认都要等到每一份" },
            text! { en: "faster: three nodes share the work",
            zh: "更快：三个节点分担" },
        ],
        right: 1,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Three),
        fewest: 10,
        most: 2_000,
        seconds: 20,
        ..Needs::BROKER
    },
    strikes: &[],
    hits: Hits::Once,
    tried: super::MIRRORED,
    ways: Ways::Measure(way!(
        by_number_of_copies,
        each_copy_costs,
        text! { en: "one, two, three copies", zh: "一份、两份、三份" },
    )),
    columns: &[],
    figures: &[],
    bars: &[Bars {
        title: text! {
            en: "confirmed publishes, in times of one copy",
            zh: "确认的发布速率：一份的几倍"
        },
        figures: &["one", "two", "all", "quorum"],
    }],
    claim: text! {
        en: "b: a confirm waits for every mirror, and each is work for one \
             node more. Without a fault, too.",
        zh: "b：确认要等每个镜像都写到，每份都让一个节点多干一份活，没有故障也一样。"
    },
    fix: text! {
        en: "As many copies as nodes may die, and one: two copies for one. \
             Today a quorum queue of three.",
        zh: "要容许坏 n 个节点，就放 n+1 份：坏一个放两份。如今用三成员的仲裁队列。"
    },
    limit: text! {
        en: "One machine carries all three brokers here. On three machines the \
             network decides how much.",
        zh: "这里三个 broker 挤在一台机器上；分在三台上，慢多少看网络。"
    },
    say: text! {
        en: "\"A mirror costs with every message, not only when one hangs.\"",
        zh: "「镜像的代价每条消息都在付，不只是卡住的时候。」"
    },
    source: &[include_str!("copies.rs")],
};

/// The queues, what they are called in figures, and how many mirrors they
/// have.
static QUEUES: [(&str, Text); KINDS] = [
    ("one", text! { en: "one copy", zh: "一份" }),
    ("two", text! { en: "two (n/2+1)", zh: "两份（n/2+1）" }),
    ("all", text! { en: "three (all)", zh: "三份（全部）" }),
    ("quorum", text! { en: "quorum of three", zh: "仲裁三成员" }),
];
const KINDS: usize = 4;
const LEADER: usize = 0;
const ROUNDS: usize = 4;
/// Orders of one round.
const ROUND: u32 = 1_000;
/// Three copies of this rate of one are still slower, whatever the noise.
const SLOWER: f64 = 0.9;

/// The orders of the ledger go to the queue with most mirrors; the rates are
/// measured with others.
async fn by_number_of_copies(lab: Lab) -> Ran {
    let nodes = Nodes::of(&lab)?;
    nodes.declare(Kind::Classic, LEADER).await?;
    nodes.mirror(json!({ "ha-mode": "all" }), 2).await?;
    nodes.publish(&[LEADER], lab.messages()).await?;
    nodes.work_off(LEADER).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders to three copies, all confirmed, all read",
            zh: "{n} 个订单发到三份的队列，全部确认，全部读出",
            n = lab.sums().confirmed
        },
    );
    for (queue, _) in &QUEUES {
        let kind = match *queue {
            "quorum" => Kind::Quorum(3),
            _ => Kind::Classic,
        };
        nodes.declare_as(queue, kind, LEADER).await?;
    }
    let two = json!({ "ha-mode": "exactly", "ha-params": 2 });
    nodes.mirror_queue("two", two, 1).await?;
    nodes.mirror_queue("all", json!({ "ha-mode": "all" }), 2).await?;
    let mut best = [0_f64; KINDS];
    for _ in 0..ROUNDS {
        for ((queue, _), best) in QUEUES.iter().zip(&mut best) {
            *best = best.max(round(&nodes, queue).await?);
        }
    }
    tell(&lab, best);
    Ok(())
}

/// Publishes so many, a window of them unanswered, and says how many a second
/// were confirmed.
async fn round(nodes: &Nodes<'_>, queue: &str) -> anyhow::Result<f64> {
    let settings = Settings { window: WINDOW * 10, ..Settings::default() };
    let address = nodes.address(LEADER)?;
    let mut publisher = PipelinedPublisher::open(
        address,
        Route::queue(queue),
        Arc::new(()),
        settings,
    );
    let orders = (1..=ROUND).map(|number| Outgoing {
        id: Noun::Order.number(number),
        body: vec![b'.'; 100],
    });
    publisher.connect().await;
    let began = Instant::now();
    let summary = publisher.publish_all(orders).await?;
    Ok(summary.confirmed as f64 / began.elapsed().as_secs_f64())
}

fn tell(lab: &Lab, best: [f64; KINDS]) {
    let one = best[0].max(f64::MIN_POSITIVE);
    let times = best.map(|rate| rate / one);
    for ((id, name), times) in QUEUES.iter().zip(times) {
        lab.observe(id, name.clone(), times, Unit::Times);
    }
    lab.step(
        text! { en: "rates", zh: "速率" },
        text! {
            en: "one copy 1; two {two}, three {all}; a quorum queue {quorum}",
            zh: "一份为 1；两份 {two}，三份 {all}；仲裁队列 {quorum}",
            two = format!("{:.2}", times[1]), all = format!("{:.2}", times[2]),
            quorum = format!("{:.2}", times[3])
        },
    );
    lab.came_to(text! {
        en: "two copies {two}, three {all} times one",
        zh: "两份 {two} 倍，三份 {all} 倍",
        two = format!("{:.2}", times[1]), all = format!("{:.2}", times[2])
    });
}

/// Three copies are slower than one.
fn each_copy_costs(outcome: &Outcome) -> Result<(), Text> {
    every_message_confirmed(outcome)?;
    every_message_once(outcome)?;
    let all = outcome.figure("all")?;
    if all < SLOWER {
        return Ok(());
    }
    Err(text! {
        en: "three copies are {all} times as fast as one",
        zh: "三份是一份的 {all} 倍", all = format!("{all:.2}")
    })
}
