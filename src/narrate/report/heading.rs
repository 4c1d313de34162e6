//! The head of the page: what ran, on what, and how it ended; for several
//! scenarios what each came to.

use maud::{Markup, html};

use crate::{
    event::{Event, Service, Verdict, WayName},
    narrate::{summary::Outcome, words},
    text,
    text::Text,
};

use super::{
    log::{Log, Scene, Topic},
    say::{both, joined, took},
    verdict::badge,
};

/// What the page is called.
pub(super) fn title(log: &Log) -> Text {
    let targets = targets(log);
    let topic = |target: &str| {
        target.split_once('/').map_or(target, |(topic, _)| topic).to_owned()
    };
    match targets.as_slice() {
        [] => text! { en: "No scenario", zh: "没有场景" },
        [one] => Text::same(one),
        [first, rest @ ..] => {
            let (topic_of, count) = (topic(first), targets.len());
            match rest.iter().all(|t| topic(t) == topic_of) {
                true => text! {
                    en: "{topic}: {count} scenarios", zh: "{topic}：{count} 个场景",
                    topic = topic_of, count = count
                },
                false => text! {
                    en: "{count} scenarios", zh: "{count} 个场景", count = count
                },
            }
        }
    }
}

/// What was to be run; where that is not known, what was.
fn targets(log: &Log) -> Vec<String> {
    match &log.begun {
        Some(begun) if !begun.scenarios.is_empty() => begun.scenarios.clone(),
        _ => log.scenes.iter().map(Scene::target).collect(),
    }
}

/// How it ended, in a line.
pub(super) fn sums(log: &Log) -> Text {
    let all = targets(log).len().max(log.scenes.len());
    let count = |wanted: Verdict| {
        let verdicts = log.scenes.iter().filter_map(|s| s.ended.as_ref());
        verdicts.filter(|ended| ended.verdict == wanted).count()
    };
    let mut told = vec![text! {
        en: "{proven} of {all} proven", zh: "{all} 个场景中 {proven} 个已证实",
        proven = count(Verdict::Proven), all = all
    }];
    let skipped = log.scenes.iter().filter(|s| s.skipped.is_some()).count();
    let others = [
        (count(Verdict::Refuted), "refuted", "被推翻"),
        (count(Verdict::Inconclusive), "not proven", "无法判定"),
        (count(Verdict::Observed), "observed", "仅观察"),
        (skipped, "left out", "已跳过"),
    ];
    for (count, en, zh) in others.into_iter().filter(|(count, ..)| *count > 0) {
        told.push(Text::made(
            format!("{count} {en}"),
            format!("{count} 个{zh}"),
        ));
    }
    if let Some(Event::RunEnded { took_ms, left_behind, .. }) = &log.ended {
        let time = took(*took_ms);
        told.push(Text::made(time.en.into_owned(), format!("共 {}", time.zh)));
        told.push(match left_behind {
            0 => text! { en: "nothing left behind", zh: "没有残留" },
            left => text! {
                en: "{left} things left behind", zh: "残留 {left} 项", left = left
            },
        });
    }
    joined(&told, ", ", "，")
}

/// That the run did not come to its end, and why, if that is known. A
/// scenario picked from its record is whole where it came to a verdict.
pub(super) fn broken_off(log: &Log, recorded: bool) -> Markup {
    let is_whole = recorded && log.error.is_none() && log.has_all();
    if log.ended.is_some() || is_whole {
        return html! {};
    }
    let (error, help) = match &log.error {
        Some((error, help)) => (Some(error), help.as_slice()),
        None => (None, [].as_slice()),
    };
    html! {
        div class="callout" role="note" {
            p { strong { (both(&text! {
                en: "This run did not come to its end.", zh: "这次运行没有跑完。"
            })) } " "
            @match error {
                Some(error) => (both(error)),
                None => (both(&text! {
                    en: "It was interrupted; the page shows what was seen by \
                         then.",
                    zh: "它被中断了；本页是中断之前看到的内容。"
                })),
            } }
            @if !help.is_empty() {
                ul { @for help in help { li { (both(help)) } } }
            }
        }
    }
}

/// When, with what, how much, and how to do it again.
pub(super) fn particulars(log: &Log, recorded: bool) -> Markup {
    let begun = log.begun.as_ref();
    let messages = log.scenes.iter().filter_map(|s| s.ended.as_ref());
    let messages: Vec<u32> = messages.map(|ended| ended.messages).collect();
    let sent = messages.first().filter(|n| messages.iter().all(|m| m == *n));
    html! {
        dl class="particulars" {
            @if let Some(started) = begun.and_then(|b| b.started.as_deref()) {
                (item(&text! { en: "When", zh: "时间" }, html! {
                    time datetime=(started) { (readable(started)) }
                }))
            }
            @if let Some(begun) = begun {
                (item(&text! {
                    en: "Version",
                    zh: "版本"
                }, html! { "rmq-lab " (begun.version) }))
                (item(&text! {
                    en: "Seed",
                    zh: "种子"
                }, html! { (begun.seed) }))
            }
            @if let Some(sent) = sent {
                (item(&text! { en: "Messages", zh: "消息数" }, html! {
                    (sent) " " (both(&text! { en: "each way", zh: "条/做法" }))
                }))
            }
            @if let Some(Event::RunEnded { boot_ms, .. }) = &log.ended {
                (item(&text! {
                    en: "Broker's boot",
                    zh: "broker 启动"
                }, both(&took(*boot_ms))))
            }
            @if let Some(begun) = begun {
                (item(&text! { en: "Run", zh: "运行" }, html! {
                    code { (begun.run) }
                    @if recorded { " " (both(&text! {
                        en: "told from its record",
                        zh: "由录像生成"
                    })) }
                }))
                @if !begun.record.is_empty() {
                    (item(&text! {
                        en: "Record",
                        zh: "记录"
                    }, html! { code class="path" { (begun.record) } }))
                }
            }
        }
        @if begun.is_some_and(|begun| begun.struck_only) {
            p class="note" { (both(&text! {
                en: "With so many messages only the facts of the struck ones \
                     were recorded; pictures and times are of these, the \
                     ledgers count all.",
                zh: "消息太多，只记录了被命中消息的事实；图和耗时只涉及它们，\
                     账目统计全部。"
            })) }
        }
        (images(&log.services))
        @if let Some(again) = again(log) {
            p class="again" {
                (both(&text! { en: "Run it again: ", zh: "重跑：" }))
                code { (again) }
            }
        }
    }
}

fn item(name: &Text, value: Markup) -> Markup {
    html! { div { dt { (both(name)) } dd { (value) } } }
}

/// `2026-11-26T08:46:17Z` as a person reads it.
fn readable(started: &str) -> String {
    started.replacen('T', " ", 1).replacen('Z', " UTC", 1)
}

/// What it ran on and from which images.
fn images(services: &[Service]) -> Markup {
    let mut kinds: Vec<(&Service, u32, u64)> = Vec::new();
    for service in services {
        let known = kinds.iter_mut().find(|(s, ..)| {
            (&s.product, &s.image, &s.source)
                == (&service.product, &service.image, &service.source)
        });
        match known {
            Some((_, count, boot)) => {
                *count += 1;
                *boot = (*boot).max(service.boot_ms);
            }
            None => kinds.push((service, 1, service.boot_ms)),
        }
    }
    let names: Vec<&str> =
        kinds.iter().map(|(service, ..)| service.product.as_str()).collect();
    html! {
        @if !kinds.is_empty() {
            details {
                summary { (both(&text! { en: "Images", zh: "镜像" })) ": "
                    (names.join(", "))
                }
                div class="scroll" tabindex="0" { table {
                    thead { tr {
                        th scope="col" { (both(&text! {
                            en: "product",
                            zh: "产品"
                        })) }
                        th scope="col" { (both(&text! {
                            en: "image",
                            zh: "镜像"
                        })) }
                        th scope="col" { (both(&text! {
                            en: "source",
                            zh: "来源"
                        })) }
                        th scope="col" class="num" { (both(&text! {
                            en: "started",
                            zh: "启动个数"
                        })) }
                        th scope="col" class="num" { (both(&text! {
                            en: "longest boot",
                            zh: "最长启动"
                        })) }
                    } }
                    tbody { @for (service, count, boot) in &kinds { tr {
                        th scope="row" { (service.product) }
                        td { code { (service.image) } }
                        td { (both(&words::source(&service.source))) }
                        td class="num" { (count) }
                        td class="num" { (both(&took(*boot))) }
                    } } }
                } }
            }
        }
    }
}

/// The command for all of it, as far as each scenario's own tells it.
fn again(log: &Log) -> Option<String> {
    let targets = targets(log);
    let ended = log.scenes.iter().find_map(|s| s.ended.as_ref())?;
    let own = format!("{}/{}", ended.topic, ended.scenario);
    let options = ended.again.split_once(&own)?.1;
    match targets.len() {
        0 | 1 => None,
        _ => {
            let typed = in_short(targets, &log.topics).join(" ");
            Some(format!("rmq-lab demo {typed}{options}"))
        }
    }
}

/// Where all scenarios of a topic are among them, the topic's id instead.
fn in_short(mut targets: Vec<String>, topics: &[Topic]) -> Vec<String> {
    for (topic, all) in topics {
        if all.iter().all(|one| targets.contains(one)) {
            let first = targets.iter().position(|one| all.contains(one));
            targets.retain(|one| !all.contains(one));
            if let Some(first) = first {
                targets.insert(first.min(targets.len()), topic.clone());
            }
        }
    }
    targets
}

/// The scenarios with what each came to.
pub(super) fn contents(log: &Log) -> Markup {
    let targets = targets(log);
    if targets.len().max(log.scenes.len()) < 2 {
        return html! {};
    }
    let reached: Vec<String> = log.scenes.iter().map(Scene::target).collect();
    let missing = targets.iter().filter(|target| !reached.contains(target));
    html! {
        nav aria-labelledby="contents" {
            h2 id="contents" { (both(&text! { en: "Scenarios", zh: "场景" })) }
            div class="scroll" role="region" tabindex="0"
                aria-labelledby="contents" { table class="contents" {
                thead { tr {
                    th scope="col" { (both(&text! {
                        en: "scenario",
                        zh: "场景"
                    })) }
                    th scope="col" { (both(&text! {
                        en: "verdict",
                        zh: "结论"
                    })) }
                    th scope="col" { (both(&WayName::Naive.word())) }
                    th scope="col" { (both(&WayName::Fixed.word())) }
                } }
                tbody {
                    @for (n, scene) in log.scenes.iter().enumerate() { (row(n, scene)) }
                    @for target in missing { tr {
                        th scope="row" { (target) }
                        td colspan="3" { "? " (both(&text! {
                            en: "not reached",
                            zh: "没有跑到"
                        })) }
                    } }
                }
            } }
            @if log.more > 0 {
                p class="note" { (both(&text! {
                    en: "{more} scenarios more are not on this page",
                    zh: "还有 {more} 个场景不在本页", more = log.more
                })) }
            }
        }
    }
}

fn row(n: usize, scene: &Scene) -> Markup {
    let outcome = scene.ended.as_deref().map(Outcome::of);
    html! {
        tr {
            th scope="row" { a href={ "#s" (n) } { (scene.target()) } }
            @match (&scene.ended, &outcome, &scene.skipped) {
                (Some(ended), Some(outcome), _) => {
                    td { (badge(ended.verdict)) }
                    td colspan=[outcome.right.is_empty().then_some("2")] {
                        (both(&outcome.left))
                    }
                    @if !outcome.right.is_empty() { td { (both(&outcome.right)) } }
                }
                (_, _, Some(why)) => {
                    td { "- " (both(&words::LEFT_OUT)) }
                    td colspan="2" { (both(why)) }
                }
                _ => td colspan="3" { "? " (both(&text! {
                    en: "broken off",
                    zh: "已中断"
                })) },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_topic_is_one_word() {
        let all = |typed: &str| -> Vec<String> {
            typed.split(' ').map(str::to_owned).collect()
        };
        let topics = [("a".to_owned(), all("a/x a/y"))];
        let short = |typed| in_short(all(typed), &topics).join(" ");
        assert_eq!(short("a/x a/y"), "a");
        assert_eq!(short("b/z a/y a/x b/w"), "b/z a b/w");
        assert_eq!(short("a/y b/z"), "a/y b/z");
    }
}
