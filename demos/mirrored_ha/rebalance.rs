//! A node that returns leads nothing.
//!
//! A balancer spreads connections over the nodes; what is published goes from
//! there to the leader of its queue, wherever that is. When a node dies the
//! others take over what it led, and when it returns nothing gives that back to
//! it: who leads goes on leading, and a vote needs a reason. So the others do all
//! the work, until somebody says `rabbitmq-queues rebalance`, which moves leaders,
//! and no connections.
//!
//! Source: RabbitMQ documentation, "Quorum Queues", section "Rebalancing
//! Members"; "rabbitmq-queues(8)", `rebalance`.

use super::nodes::{Kind, Node, Nodes, SOON, WINDOW, killed};
use crate::{
    demos::shop::orders::Ran,
    event::{Column, Seat, Unit},
    lab::{
        ClusterOf, Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{every_message_confirmed, every_message_once, figure_is},
    },
    ledger::MessageId,
    mechanism,
    pattern::failover::FailoverPublisher,
    text,
    text::Text,
    way,
};

/// "The balancer spreads the load over all three."
pub static REBALANCE: Scenario = Scenario {
    id: "rebalance",
    recipe: text! {
        en: "The node is back, the balancer spreads the load over all three.",
        zh: "节点恢复了，负载均衡会把压力重新摊到三个节点上。"
    },
    fault: text! {
        en: "A node that leads three of nine queues is killed, and returns.",
        zh: "九个队列中有三个的 leader 在某节点上，它被杀，又回来。"
    },
    predict: Predict {
        question: text! {
            en: "Nine quorum queues, three led by each node. One dies and \
                 returns. How many does it lead?",
            zh: "九个仲裁队列，每个节点各当三个的 leader。一个节点宕机又恢复，\
                 它现在是几个的 leader？"
        },
        choices: &[
            text! { en: "its three again", zh: "还是那三个" },
            text! { en: "some of them", zh: "其中一部分" },
            text! { en: "none", zh: "一个也没有" },
        ],
        right: 2,
    },
    needs: Needs {
        cluster: Some(ClusterOf::Run),
        fewest: 18,
        most: 900,
        seconds: 30,
        ..Needs::BROKER
    },
    strikes: &[Strike::BrokerKilled],
    hits: Hits::Once,
    tried: super::BOTH,
    ways: Ways::Pair {
        naive: way!(
            wait_for_it,
            leads_nothing,
            text! { en: "the node is back", zh: "节点回来就行" },
        ),
        fixed: way!(
            rebalance_then,
            leads_its_share,
            text! {
                en: "and the leaders are rebalanced",
                zh: "再重新平衡 leader"
            },
        ),
        mechanisms: &[mechanism!(
            "rebalance",
            wait_for_it,
            leads_nothing,
            text! {
                en: "rabbitmq-queues rebalance", zh: "rabbitmq-queues rebalance"
            },
        )],
    },
    columns: &[Column::Confirmed, Column::Applied, Column::Lost],
    figures: &["led"],
    bars: &[],
    claim: text! {
        en: "c: it has its members again, and leads none of them: the others go \
             on leading, and working.",
        zh: "c：成员都回来了，leader 一个也没有：活还是另外两个节点在干。"
    },
    fix: text! {
        en: "rabbitmq-queues rebalance quorum (or all), after every restart and \
             at the end of a rolling upgrade.",
        zh: "每次重启之后、滚动升级结束时：rabbitmq-queues rebalance quorum\
             （或 all）。"
    },
    limit: text! {
        en: "It counts leaders, not load: one busy queue weighs as much as an \
             idle one.",
        zh: "它数的是 leader 个数，不是负载：忙的队列和闲的队列一样算一个。"
    },
    say: text! {
        en: "\"A balancer spreads connections; leaders stay where they are.\"",
        zh: "「负载均衡摊的是连接，leader 待在原地不动。」"
    },
    source: &[include_str!("rebalance.rs")],
};

/// It is back, and that is all.
async fn wait_for_it(lab: Lab) -> Ran {
    node_dies_and_returns(&lab).await?;
    count(&lab).await
}

/// It is back, and the leaders are spread again.
async fn rebalance_then(lab: Lab) -> Ran {
    node_dies_and_returns(&lab).await?;
    spread_the_leaders(&lab).await?;
    count(&lab).await
}

/// Nine, three led by each.
const QUEUES: usize = 9;
/// It is killed.
const DIES: Node = 2;
/// It is asked.
const STAYS: Node = 0;
/// So often at most a vote for another reason is undone.
const VOTES: u32 = 2;

fn name(queue: usize) -> String {
    format!("orders.{}", queue + 1)
}

/// Half of the orders before, half while the node is away, in turn to each
/// queue.
async fn node_dies_and_returns(lab: &Lab) -> Ran {
    let nodes = Nodes::of(lab)?;
    for queue in 0..QUEUES {
        let at = queue % nodes.count();
        nodes.declare_as(&name(queue), Kind::Quorum(3), at).await?;
    }
    let mut before: Vec<_> = lab.messages().collect();
    let meanwhile = before.split_off(before.len() / 2);
    publish(lab, &nodes, &before).await?;
    let what = text! { en: "three led by each", zh: "每个节点各有三个 leader" };
    let each = || async { Ok(Led::by(lab, &nodes).await?.0 == [SHARE; 3]) };
    lab.wait_until(what, SOON, each).await?;
    lab.step(
        text! { en: "publish", zh: "发布" },
        text! {
            en: "{n} orders to nine queues, three led by each node",
            zh: "{n} 个订单发到九个队列，每个节点各有三个 leader",
            n = lab.sums().confirmed
        },
    );
    draw(lab, &nodes, None).await?;
    if !lab.is_armed(Strike::BrokerKilled) {
        return Ok(());
    }
    dies(lab, &nodes).await?;
    lab.struck_once(Strike::BrokerKilled);
    publish(lab, &nodes, &meanwhile).await?;
    lab.step(
        text! { en: "fault", zh: "故障" },
        text! {
            en: "n3 killed; {n} more orders confirmed, the others lead all",
            zh: "n3 被杀；又确认 {n} 个订单，leader 全在另外两个节点上",
            n = meanwhile.len()
        },
    );
    draw(lab, &nodes, Some(DIES)).await?;
    returns(lab, &nodes).await?;
    // A busy machine may have another leader miss its heartbeats, and the
    // members vote. That is no return of leaders, and would hide whether there
    // is one: then it dies and returns again.
    for _ in 0..VOTES {
        let led = Led::by(lab, &nodes).await?.0[DIES];
        if led == 0 {
            break;
        }
        lab.step(
            text! { en: "again", zh: "再来" },
            text! {
                en: "members voted, and n3 leads {led}: killed once more",
                zh: "重新投票后 n3 有 {led} 个 leader：再杀一次", led = led
            },
        );
        dies(lab, &nodes).await?;
        returns(lab, &nodes).await?;
    }
    lab.step(
        text! { en: "return", zh: "恢复" },
        text! {
            en: "n3 is back with a member of each queue",
            zh: "n3 回来了，每个队列都有它的成员"
        },
    );
    draw(lab, &nodes, None).await
}

/// It is killed, and the others lead all.
async fn dies(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    nodes.kill(DIES).await?;
    let what = text! { en: "other leaders", zh: "选出新 leader" };
    lab.wait_until(what, SOON, async || {
        let led = Led::by(lab, nodes).await?;
        Ok(led.all() == QUEUES && led.0[DIES] == 0)
    })
    .await
}

/// It is back, with all its members: it could lead.
async fn returns(lab: &Lab, nodes: &Nodes<'_>) -> Ran {
    nodes.heal().await?;
    let what = text! { en: "its members to be back", zh: "其成员上线" };
    lab.wait_until(what, SOON, async || {
        for queue in 0..QUEUES {
            let told = told_of(lab, nodes, queue).await?;
            let online = told["online"].as_array().map_or(0, Vec::len);
            if online < nodes.count() {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await
}

/// As an operator does after a restart.
async fn spread_the_leaders(lab: &Lab) -> Ran {
    if !lab.is_armed(Strike::BrokerKilled) {
        return Ok(());
    }
    let nodes = Nodes::of(lab)?;
    let operator = nodes.broker(STAYS)?;
    let pattern = format!("^{}$", lab.vhost().replace('.', "[.]"));
    operator
        .queues(&["rebalance", "quorum", "--vhost-pattern", &pattern])
        .await?;
    let container = &operator.service.container;
    lab.command(format!(
        "docker exec {container} rabbitmq-queues rebalance all"
    ));
    let what = text! { en: "leaders on n3", zh: "n3 上有 leader" };
    lab.wait_until(what, SOON, async || {
        Ok(Led::by(lab, &nodes).await?.0[DIES] >= SHARE)
    })
    .await?;
    lab.step(
        text! { en: "rebalance", zh: "平衡" },
        text! {
            en: "leaders moved to n3",
            zh: "leader 挪到 n3 上了"
        },
    );
    draw(lab, &nodes, None).await
}

/// How many the returned node leads, and whether all orders are there.
async fn count(lab: &Lab) -> Ran {
    let nodes = Nodes::of(lab)?;
    let led = Led::by(lab, &nodes).await?.0[DIES];
    let words = text! { en: "n3 leads", zh: "n3 的 leader 数" };
    lab.observe("led", words, led as f64, Unit::Count);
    lab.came_to(text! {
        en: "n3 leads {led} of {all}", zh: "n3 上有 {led}/{all} 个 leader",
        led = led, all = QUEUES
    });
    for queue in 0..QUEUES {
        nodes.work_off_from(&name(queue), STAYS).await?;
    }
    Ok(())
}

async fn publish(lab: &Lab, nodes: &Nodes<'_>, orders: &[MessageId]) -> Ran {
    for queue in 0..QUEUES {
        let its = orders.iter().skip(queue).step_by(QUEUES);
        let its: Vec<_> = its.map(|order| nodes.taken(*order)).collect();
        let mut publisher = FailoverPublisher::new(
            [nodes.address(STAYS)?],
            &name(queue),
            super::nodes::PATIENCE,
            lab.witness(),
        );
        publisher.publish_all(its, WINDOW, SOON).await?;
    }
    Ok(())
}

async fn told_of(
    lab: &Lab,
    nodes: &Nodes<'_>,
    queue: usize,
) -> anyhow::Result<serde_json::Value> {
    let management = &nodes.broker(STAYS)?.management;
    let told = management.queue(lab.vhost(), &name(queue)).await;
    Ok(told.unwrap_or_default())
}

/// How many queues each of the three leads.
struct Led([usize; 3]);

impl Led {
    async fn by(lab: &Lab, nodes: &Nodes<'_>) -> anyhow::Result<Self> {
        let mut led = [0; 3];
        for queue in 0..QUEUES {
            let told = told_of(lab, nodes, queue).await?;
            let leader = nodes.number(&told["leader"]);
            if let Some(led) = leader.and_then(|node| led.get_mut(node)) {
                *led += 1;
            }
        }
        Ok(Self(led))
    }

    fn all(&self) -> usize {
        self.0.iter().sum()
    }
}

async fn draw(lab: &Lab, nodes: &Nodes<'_>, down: Option<Node>) -> Ran {
    let led = Led::by(lab, nodes).await?;
    let seats = led.0.iter().enumerate().map(|(node, led)| Seat {
        name: format!("n{}", node + 1),
        is: match down == Some(node) {
            true => killed(),
            false => text! { en: "leads {n}", zh: "leader {n} 个", n = led },
        },
        up: down != Some(node),
        side: 0,
    });
    lab.draw(seats.collect());
    Ok(())
}

/// What each led at first: its share.
const SHARE: usize = 3;

/// Nothing is lost, and the node that is back leads nothing.
fn leads_nothing(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "led", 0)?;
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}

/// Nothing is lost, and it leads its share again.
fn leads_its_share(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "led", SHARE as u32)?;
    every_message_confirmed(outcome)?;
    every_message_once(outcome)
}
