//! Where nobody looked into the queue: how many messages were not yet done,
//! as the facts tell it, over the same time as the lanes.

use maud::{Markup, html};

use crate::{
    event::Unit,
    ledger::{Fact, Noun},
    narrate::words,
    text,
    text::Text,
};

use super::{
    curves::{PANEL, has_depth, height, strikes},
    lanes::{LEFT, RIGHT, WIDTH, gaps, noun, span},
    log::Scene,
    say::{at_once, both, drawn, joined, moment, px},
    scale::{Scale, round_up},
    undone::{Column, Curve, DONE},
    way::Way,
};

/// Rows of the table beside it.
const ROWS: usize = 24;
/// One at a time is no backlog.
const LEAST: u32 = 2;

static TITLE: Text =
    Text::fixed("Not yet done, from facts", "未完成（由事件推得）");

/// The curve of a way as a figure; nothing where the depth itself was
/// sampled, and nothing where not all facts are known.
pub(super) fn backlog(
    id: &str,
    scene: &Scene,
    way: &Way,
    struck_only: bool,
) -> Markup {
    if struck_only || has_depth(way) {
        return html! {};
    }
    let Some(picture) = Picture::of(scene, way) else { return html! {} };
    let said = joined(&[picture.rule(), picture.in_words()], " ", "");
    let (caption, about) = (format!("{id}-cap"), format!("{id}-about"));
    html! {
        figure class="wide" {
            div class="picture" {
                figcaption id=(caption) { (both(&TITLE)) }
                p class="note" id=(about) { (both(&said)) }
                div class="scroll" role="region" tabindex="0"
                    aria-labelledby=(caption) {
                    (picture.svg(&caption, &about))
                }
            }
            (picture.table())
        }
    }
}

/// By what the messages of a scenario are done: the same in each of its
/// ways, though one of them may never come so far.
fn done_by(scene: &Scene) -> Fact {
    let told = |done: &Fact| scene.ways.iter().any(|w| w.undone.tells(*done));
    DONE.into_iter().find(told).unwrap_or(Fact::Delivered)
}

struct Picture<'a> {
    way: &'a Way,
    curve: Curve,
    scale: Scale,
    done: Fact,
    noun: Noun,
}

impl<'a> Picture<'a> {
    fn of(scene: &Scene, way: &'a Way) -> Option<Self> {
        let done = done_by(scene);
        let curve = way.undone.by(done)?;
        // The ledger knows of messages of which the facts do not tell.
        let confirmed = way.result.as_ref().map_or(0, |r| r.counts.confirmed);
        if curve.most < LEAST || way.undone.messages < confirmed {
            return None;
        }
        let scale = Scale::new(span(way)?, (LEFT, RIGHT));
        Some(Self { way, curve, scale, done, noun: noun(scene, way) })
    }

    /// What is counted.
    fn rule(&self) -> Text {
        if self.done == Fact::Delivered {
            return text! {
                en: "The queue's depth was not sampled here. Counted from the \
                     facts instead: each message once, from its confirm until \
                     it was delivered, parked or reported.",
                zh: "这里没有采样队列积压，改由事件推算：每条消息只算一次，\
                     从“已确认”起，到“投递”“转入人工队列”或“已报告失败”\
                     为止。"
            };
        }
        let done = words::fact_of(self.done, self.noun);
        Text::made(
            format!(
                "The queue's depth was not sampled here. Counted from the \
                 facts instead: each message once, from its confirm (or its \
                 delivery, where that came first) until it was {}, parked or \
                 reported.",
                done.en
            ),
            format!(
                "这里没有采样队列积压，改由事件推算：每条消息只算一次，从\
                 “已确认”（或更早的“投递”）起，到“{}”“转入人工队列”或\
                 “已报告失败”为止。",
                done.zh
            ),
        )
    }

    /// How many there were at most, and what became of them.
    fn in_words(&self) -> Text {
        let Curve { most, most_at, left, until, .. } = &self.curve;
        let peak = text! {
            en: "{most} at most, at {at} s", zh: "{at} 秒最多，{most} 条",
            most = most, at = moment(*most_at)
        };
        let end = match (left, &self.way.result) {
            (0, _) => text! {
                en: "none from {at} s on.", zh: "{at} 秒起归零。",
                at = moment(*until)
            },
            (_, Some(_)) => text! {
                en: "{left} left at the end: lost, or still waiting.",
                zh: "结束时还剩 {left} 条：丢了，或仍在等。", left = left
            },
            (_, None) => text! {
                en: "{left} left when it was broken off.",
                zh: "中断时还剩 {left} 条。", left = left
            },
        };
        joined(&[peak, end], "; ", "；")
    }

    fn svg(&self, caption: &str, about: &str) -> Markup {
        let top = 24.0;
        let bottom = top + PANEL;
        let most = round_up(f64::from(self.curve.most));
        let left = self.curve.left;
        let line = self.line(bottom, most);
        let area = format!("{line}V{}H{}Z", px(bottom), px(LEFT));
        html! {
            svg viewBox={ "0 0 " (px(WIDTH)) " " (px(bottom + 24.0)) }
                role="img" class="curves" aria-labelledby=(caption)
                aria-describedby=(about) {
                title { (at_once(&TITLE)) }
                desc { (at_once(&self.in_words())) }
                (self.scale.axis(top, bottom))
                (gaps(&self.scale, &self.way.stage, top, bottom))
                (height(&self.scale, bottom, most, Unit::Count))
                path class="undone-area" d=(area) {}
                path class="undone" d=(line) {}
                (strikes(&self.scale, self.way.stage.iter(), top, bottom))
                @if left > 0 {
                    @let y = level(left, bottom, most) + 4.0;
                    (drawn((RIGHT + 10.0, y), "", &text! {
                        en: "{left} left", zh: "剩 {left}", left = left
                    }))
                }
            }
        }
    }

    /// A step for each column in which something changed.
    fn line(&self, bottom: f64, most: f64) -> String {
        let mut path = format!("M{} {}", px(LEFT), px(bottom));
        let mut now = 0;
        let highest = self.curve.columns.iter().map(|c| (c.from, c.highest));
        let end = (self.curve.until, self.curve.left);
        for (at, count) in highest.chain([end]) {
            if count != now {
                let x = px(self.scale.x(at));
                let y = px(level(count, bottom, most));
                path.push_str(&format!("H{x}V{y}"));
                now = count;
            }
        }
        path.push_str(&format!("H{}", px(RIGHT)));
        path
    }

    /// Some of the moments, as numbers.
    fn table(&self) -> Markup {
        let columns = &self.curve.columns;
        let every = columns.len().div_ceil(ROWS).max(1);
        let rows = columns.chunks(every).filter_map(<[Column]>::last);
        html! {
            details {
                summary { (both(&text! {
                    en: "The curve as a table",
                    zh: "这条曲线的表格版"
                })) }
                div class="scroll" tabindex="0" { table {
                    thead { tr {
                        th scope="col" class="num" { (both(&text! {
                            en: "at",
                            zh: "时间"
                        })) }
                        th scope="col" class="num" { (both(&text! {
                            en: "not yet done",
                            zh: "未完成"
                        })) }
                    } }
                    tbody {
                        @for row in rows {
                            tr {
                                th scope="row" class="num" {
                                    (moment(row.to)) " s"
                                }
                                td class="num" { (row.last) }
                            }
                        }
                    }
                } }
            }
        }
    }
}

/// How high a count stands.
fn level(count: u32, bottom: f64, most: f64) -> f64 {
    bottom - f64::from(count) / most * PANEL
}
