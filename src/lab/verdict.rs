//! From what the ways came to, to what the lab says of the claim. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::{
    event::{Verdict, WayName, WayResult},
    text,
    text::Text,
};

/// What there is to judge.
pub struct Case<'a> {
    /// What each way came to.
    pub ways: &'a BTreeMap<WayName, WayResult>,
    /// The mechanism that was taken out, with its name.
    pub without: Option<&'a Text>,
    /// Whether the expectations were tried on this broker's version.
    pub tried: bool,
    /// A measure has no fault to strike.
    pub measure: bool,
}

/// Judges. The order matters: what was not struck proves nothing, and what
/// was not tried is not claimed.
pub fn judge(case: &Case<'_>) -> (Verdict, Text) {
    if case.ways.is_empty() {
        return (Verdict::Inconclusive, NOTHING_WAS_RUN);
    }
    for (name, way) in case.ways {
        if let Some(why) = nothing_to_say(way, case.measure) {
            let way = word(*name);
            let why = Text::made(
                format!("{}: {}", way.en, why.en),
                format!("{}：{}", way.zh, why.zh),
            );
            return (Verdict::Inconclusive, why);
        }
    }
    if !case.tried {
        return (Verdict::Observed, summary(case));
    }
    match case.without {
        Some(mechanism) => necessary(case, mechanism),
        None => as_claimed(case),
    }
}

fn nothing_to_say(way: &WayResult, measure: bool) -> Option<Text> {
    match way.as_expected {
        None => Some(way.why.clone().unwrap_or_else(|| {
            text! { en: "it did not come to an end", zh: "没有运行到结束" }
        })),
        Some(_) if way.counts.attempted.max(way.counts.accepted) == 0 => {
            Some(text! { en: "nothing was sent", zh: "没有发送任何消息" })
        }
        Some(_) if measure => None,
        Some(_) if way.planned == 0 || way.hit < way.planned => {
            let (hit, planned) = (way.hit, way.planned);
            Some(text! {
                en: "the fault struck {hit} of {planned}", zh: "故障只命中 {hit}/{planned}",
                hit = hit, planned = planned
            })
        }
        Some(_) => None,
    }
}

fn as_claimed(case: &Case<'_>) -> (Verdict, Text) {
    for (name, way) in case.ways {
        if way.as_expected == Some(false) {
            let (name, why) =
                (word(*name), way.why.clone().unwrap_or_default());
            let why = Text::made(
                format!("{}: {}", name.en, why.en),
                format!("{}：{}", name.zh, why.zh),
            );
            return (Verdict::Refuted, why);
        }
    }
    (Verdict::Proven, summary(case))
}

/// The claim of `--without`: the mechanism is necessary. Proven when the
/// fixed way holds, and without the mechanism breaks in the way claimed.
fn necessary(case: &Case<'_>, mechanism: &Text) -> (Verdict, Text) {
    let way = |name| case.ways.get(&name);
    let (Some(_), Some(without)) = (way(WayName::Fixed), way(WayName::Without))
    else {
        return (Verdict::Inconclusive, NOTHING_WAS_RUN);
    };
    let (verdict, why) = as_claimed(case);
    if verdict != Verdict::Proven {
        return (verdict, why);
    }
    // Not every mechanism shows in a count.
    let broke =
        without.came_to.clone().or_else(|| wrong(without)).unwrap_or_else(
            || text! { en: "the check fails", zh: "检查不再通过" },
        );
    let why = Text::made(
        format!("{} is necessary: without it, {}", mechanism.en, broke.en),
        format!("「{}」不可缺少：去掉后，{}", mechanism.zh, broke.zh),
    );
    (Verdict::Proven, why)
}

fn summary(case: &Case<'_>) -> Text {
    let parts: Vec<_> = case
        .ways
        .iter()
        .map(|(name, way)| {
            let (name, came_to) = (word(*name), outcome(way));
            (
                format!("{} {}", name.en, came_to.en),
                format!("{} {}", name.zh, came_to.zh),
            )
        })
        .collect();
    let join = |sep: &str, pick: fn(&(String, String)) -> &str| {
        parts.iter().map(pick).collect::<Vec<_>>().join(sep)
    };
    Text::made(join(", ", |p| &p.0), join("，", |p| &p.1))
}

/// "20 of 200 lost", "20 lost, 3 doubled of 200", or "all 200 once".
fn outcome(way: &WayResult) -> Text {
    let all = sent(way);
    if let Some(came_to) = &way.came_to {
        return came_to.clone();
    }
    wrong(way).unwrap_or_else(
        || text! { en: "all {all} once", zh: "{all} 条各一次", all = all },
    )
}

fn sent(way: &WayResult) -> u64 {
    way.counts.attempted.max(way.counts.accepted)
}

/// What the ledger counts as wrong, if anything.
fn wrong(way: &WayResult) -> Option<Text> {
    let (counts, all) = (&way.counts, sent(way));
    let wrong = [
        (counts.lost, text! { en: "lost", zh: "丢失" }),
        (counts.duplicated, text! { en: "doubled", zh: "重复" }),
        (counts.stuck, text! { en: "stuck", zh: "卡住" }),
        (counts.unexpected, text! { en: "unexpected", zh: "来历不明" }),
    ];
    let wrong: Vec<_> =
        wrong.into_iter().filter(|(count, _)| *count > 0).collect();
    let zh: Vec<_> =
        wrong.iter().map(|(n, word)| format!("{} {n} 条", word.zh)).collect();
    let zh = format!("{all} 条中{}", zh.join("、"));
    match wrong.as_slice() {
        // Nobody was promised the others, and no broker took them over.
        [] if counts.applied < all => Some(text! {
            en: "{applied} of {all} applied", zh: "{all} 条中生效 {applied} 条",
            applied = counts.applied, all = all
        }),
        [] => None,
        [(n, word)] => {
            Some(Text::made(format!("{n} of {all} {}", word.en), zh))
        }
        several => {
            let en: Vec<_> = several
                .iter()
                .map(|(n, word)| format!("{n} {}", word.en))
                .collect();
            Some(Text::made(format!("{} of {all}", en.join(", ")), zh))
        }
    }
}

const NOTHING_WAS_RUN: Text =
    text! { en: "nothing was run", zh: "什么都没有运行" };

fn word(way: WayName) -> Text {
    match way {
        WayName::Naive => text! { en: "naive", zh: "朴素写法" },
        WayName::Fixed => text! { en: "fixed", zh: "改进写法" },
        WayName::Without => text! { en: "without it", zh: "去掉之后" },
        WayName::Halfway => text! { en: "halfway", zh: "折中写法" },
        WayName::Trap => text! { en: "trap", zh: "陷阱" },
        WayName::Measure => text! { en: "measured", zh: "实测" },
    }
}
