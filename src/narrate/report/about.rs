//! What stands beside the lanes: how they are to be read, and what is not
//! drawn.

use crate::{text, text::Text};

use super::{say::joined, tracks::LANES, way::Way};

/// In sentences.
pub(super) fn about(way: &Way, lanes: usize, struck_only: bool) -> Text {
    let mut said = vec![match lanes {
        0 => text! {
            en: "No single message was struck.", zh: "没有单独命中某条消息。"
        },
        _ => text! {
            en: "Each lane is a message that was struck or ended wrong. A \
                 fault is marked when it was certain; its band reaches to the \
                 next thing known of the message.",
            zh: "每条泳道是一条被命中或结局不对的消息。故障标在确认命中的\
                 时刻，色带到该消息的下一条事实为止。"
        },
    }];
    if way.flow.rows().next().is_some() {
        said.push(text! {
            en: "The rows on top count every message, each on its own scale.",
            zh: "上面几行统计全部消息，各用各的刻度。"
        });
    }
    let strikes = way.tracks.strikes;
    if lanes == LANES && strikes > lanes as u64 {
        said.push(text! {
            en: "Of {strikes} strikes {lanes} messages are drawn.",
            zh: "共命中 {strikes} 次，只画出 {lanes} 条消息。",
            strikes = strikes, lanes = lanes
        });
    }
    if !way.stage.is_empty() {
        said.push(text! {
            en: "A dashed line stands where the stage was struck for certain, \
                 and shading where no message moved after it.",
            zh: "虚线是确认环境已被命中的时刻，其后的阴影表示没有消息流动。"
        });
    }
    if way.more_stage > 0 {
        said.push(text! {
            en: "Strikes on the stage beyond these: {more}.",
            zh: "另有 {more} 次命中环境没有画出。", more = way.more_stage
        });
    }
    if struck_only {
        said.push(text! {
            en: "With so many messages only the facts of the struck ones are \
                 recorded and counted here; the ledger counts all.",
            zh: "消息太多，只记录了被命中消息的事实，这里统计的也只是它们；\
                 账目统计的是全部。"
        });
    }
    if lanes > 0 {
        said.push(text! {
            en: "Marks that would cover each other stand side by side; the \
                 table has their times.",
            zh: "会互相遮挡的标记并排放置，准确时间见表。"
        });
    }
    joined(&said, " ", "")
}
