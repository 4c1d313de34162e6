//! The whole chain: table, publish, confirm, resends, scan, failed, mail,
//! replay.
//!
//! The broker cannot be reached while some of the orders come: connections
//! are cut, and new ones refused. That lasts until all attempts are used up,
//! and somebody has been told. The mail is real, and read back from the
//! mailbox: what is not in it, nobody was told of.

mod stage;

use super::TRIED;
use crate::{
    demos::shop::orders::Ran,
    event::Column,
    lab::{
        Hits, Lab, Needs, Outcome, Predict, Scenario, Strike, Ways,
        check::{balanced, every_message_once, exactly_where, figure_is},
    },
    ledger::Kind,
    mechanism, text,
    text::Text,
    way,
};

use self::stage::{After, Job, publish_at_once, through_an_outage};

/// "Publish with confirms, and log what fails."
pub static CHAIN: Scenario = Scenario {
    id: "chain",
    recipe: text! {
        en: "Save the order, publish it with confirms, log what fails.",
        zh: "订单落库后带确认地发布，失败的写进日志。"
    },
    fault: text! {
        en: "The broker cannot be reached for 1 order in 10, and for longer than \
             all resends last.",
        zh: "broker 连不上，十分之一的订单撞上，而且久到重发全部用完。"
    },
    predict: Predict {
        question: text! {
            en: "Three attempts, none worked. What next?",
            zh: "试了三次都没成功，接下来呢？"
        },
        choices: &[
            text! {
                en: "mark it failed, tell somebody, keep it",
                zh: "标记失败、通知人、行留着"
            },
            text! { en: "drop it, it is in the log", zh: "丢弃，日志里有" },
            text! { en: "keep on resending for ever", zh: "一直重发下去" },
        ],
        right: 0,
    },
    needs: Needs {
        mail: true,
        fewest: 20,
        most: 1_000,
        seconds: 6,
        ..Needs::BOOKS
    },
    strikes: &[Strike::Unreachable],
    hits: Hits::Stretch,
    tried: TRIED,
    ways: Ways::Pair {
        naive: way!(
            save_publish_and_log,
            lost_while_unreachable,
            text! { en: "publish, and log what fails", zh: "发布，失败写日志" },
        ),
        fixed: way!(
            table_resend_tell_and_replay,
            told_and_then_all_once,
            text! {
                en: "table, resends, scan, mail, replay",
                zh: "消息表、重发、扫描、邮件、重放"
            },
        ),
        mechanisms: &[
            mechanism!(
                "scan",
                without_the_scan,
                waits_and_nobody_knows,
                text! { en: "the scheduled scan", zh: "定时扫描" },
            ),
            mechanism!(
                "mail",
                without_the_mail,
                failed_and_nobody_knows,
                text! { en: "the mail", zh: "告警邮件" },
            ),
            mechanism!(
                "replay",
                without_the_replay,
                told_and_left,
                text! { en: "the replay", zh: "人工重放" },
            ),
        ],
    },
    columns: &[
        Column::Accepted,
        Column::Reported,
        Column::Applied,
        Column::Lost,
    ],
    figures: &["failed", "mails"],
    bars: &[],
    claim: text! {
        en: "a: what a log knows nobody knows. The rows were marked failed, \
             mails named each of them, and after the replay all were there.",
        zh: "a：写进日志等于没人知道。行被标记为失败，邮件逐条点名，\
             重放之后一条不少。"
    },
    fix: text! {
        en: "Message table, confirms, n resends with backoff, a scheduled scan, \
             a mail to people, and a replay that they start.",
        zh: "消息表 + 确认 + 带退避的 n 次重发 + 定时扫描 + 邮件告警 + 人工重放。"
    },
    limit: text! {
        en: "n times the backoff is the outage it sits out: here a second, in \
             earnest an hour. Mail servers fail, too: watch the table's age.",
        zh: "n 次退避加起来就是能扛的故障时长：这里一秒，线上要按小时算。\
             邮件也会失败：还要监控表里最老一条的等待时间。"
    },
    say: text! {
        en: "\"Resend, then fail loudly: a state, a mail, and a way back.\"",
        zh: "「先重发；发不出去要让人知道：有状态、有邮件、能重放。」"
    },
    source: &[include_str!("chain.rs"), include_str!("chain/stage.rs")],
};

/// Saved, published, and what cannot be published is logged.
async fn save_publish_and_log(lab: Lab) -> Ran {
    publish_at_once(&lab).await
}

/// The message is committed with the order. What is not confirmed is resent,
/// three times; the scan marks the rest failed and tells somebody; somebody
/// replays it when the broker is back.
async fn table_resend_tell_and_replay(lab: Lab) -> Ran {
    through_an_outage(&lab, Job::ScanAndTell, After::Replay).await
}

/// Nobody looks for what is out of attempts.
async fn without_the_scan(lab: Lab) -> Ran {
    through_an_outage(&lab, Job::None, After::Replay).await
}

/// It is marked failed, in the table.
async fn without_the_mail(lab: Lab) -> Ran {
    through_an_outage(&lab, Job::Scan, After::Replay).await
}

/// Somebody was told, and leaves it at that.
async fn without_the_replay(lab: Lab) -> Ran {
    through_an_outage(&lab, Job::ScanAndTell, After::Nothing).await
}

/// Exactly the orders that met the outage are gone, and nobody was told.
fn lost_while_unreachable(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    nobody_was_told(outcome)?;
    exactly_where(outcome, &[(Kind::Lost, Strike::Unreachable)])
}

/// Every struck order was named in a mail, and all were packed once.
fn told_and_then_all_once(outcome: &Outcome) -> Result<(), Text> {
    all_struck_were_told(outcome)?;
    every_message_once(outcome)
}

/// They lie in the table for ever, neither sent nor failed.
fn waits_and_nobody_knows(outcome: &Outcome) -> Result<(), Text> {
    lost_while_unreachable(outcome)?;
    figure_is(outcome, "failed", 0)
}

/// They are marked failed, and nobody reads the table.
fn failed_and_nobody_knows(outcome: &Outcome) -> Result<(), Text> {
    lost_while_unreachable(outcome)?;
    figure_is(outcome, "failed", outcome.plan.len())
}

/// Somebody knows, and they are still not packed.
fn told_and_left(outcome: &Outcome) -> Result<(), Text> {
    balanced(outcome)?;
    all_struck_were_told(outcome)?;
    exactly_where(outcome, &[])?;
    let left = outcome.struck.iter().filter(|one| one.entry.applied == 0);
    let (left, planned) = (left.count() as u32, outcome.plan.len());
    match left == planned {
        true => Ok(()),
        false => Err(text! {
            en: "{left} of {planned} were left", zh: "{planned} 条里剩 {left} 条",
            left = left, planned = planned
        }),
    }
}

/// In a mail, as it was read back, and in no other state than failed before.
fn all_struck_were_told(outcome: &Outcome) -> Result<(), Text> {
    let untold = outcome.struck.iter().find(|one| !one.entry.reported);
    if let Some(one) = untold {
        return Err(text! {
            en: "{order} is in no mail", zh: "没有邮件提到 {order}",
            order = one.message
        });
    }
    let planned = outcome.plan.len();
    if outcome.audit.counts.reported != u64::from(planned) {
        return Err(text! {
            en: "{n} orders told of, not {planned}",
            zh: "邮件提到 {n} 个订单，应为 {planned} 个",
            n = outcome.audit.counts.reported, planned = planned
        });
    }
    figure_is(outcome, "failed", planned)
}

fn nobody_was_told(outcome: &Outcome) -> Result<(), Text> {
    figure_is(outcome, "mails", 0)
}
