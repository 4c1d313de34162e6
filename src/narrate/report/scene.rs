//! One scenario: what is believed, what goes wrong, what was seen, what
//! follows.

use maud::{Markup, html};

use crate::{narrate::words, text, text::Text};

use super::{
    anomalies::anomalies,
    backlog::backlog,
    bars::{chart, grid},
    curves::curves,
    lanes::lanes,
    ledger::{everything, ledger},
    log::{Log, Scene},
    say::both,
    spread::spread,
    steps::steps,
    verdict::{badge, question, verdict},
    way::Way,
};

/// A scenario as an article of the page.
pub(super) fn scene(log: &Log, scene: &Scene, id: &str, alone: bool) -> Markup {
    let title = format!("{id}-title");
    html! {
        article id=(id) aria-labelledby=(title) {
            h2 id=(title) {
                // The page is called after the one scenario that it has.
                @if alone && !scene.recipe.is_empty() {
                    (both(&quoted(&scene.recipe)))
                } @else {
                    (scene.target())
                }
                " "
                @match (&scene.ended, &scene.skipped) {
                    (Some(ended), _) => (badge(ended.verdict)),
                    (None, Some(_)) => span class="badge" { "- " (both(&words::LEFT_OUT)) },
                    (None, None) => span class="badge inconclusive" { "? " (both(&BROKEN_OFF)) },
                }
            }
            @if let Some(why) = &scene.skipped {
                p { (both(why)) }
            } @else {
                (beginning(scene, alone))
                @if let Some(ended) = &scene.ended {
                    (verdict(ended))
                    (ledger(ended))
                    (everything(ended))
                    @for shown in &ended.grids { (grid(shown)) }
                    @for shown in &ended.charts { (chart(shown)) }
                } @else {
                    p class="callout" { (both(&text! {
                        en: "This scenario did not come to its verdict. What \
                             was seen of it by then stands below.",
                        zh: "这个场景没有跑到结论。下面是中断之前看到的内容。"
                    })) }
                }
                @if !scene.ways.is_empty() {
                    section {
                        h3 { (both(&text! {
                            en: "What happened",
                            zh: "过程"
                        })) }
                        @for (n, told) in scene.ways.iter().enumerate() {
                            (way(log, scene, told, &format!("{id}-w{n}"), alone))
                        }
                    }
                }
                (spread(&format!("{id}-times"), scene))
                @if let Some(ended) = &scene.ended {
                    @if !ended.again.is_empty() {
                        p class="again" {
                            (both(&text! {
                                en: "Run it again: ",
                                zh: "重跑："
                            }))
                            code { (ended.again) }
                        }
                    }
                }
            }
        }
    }
}

/// A recipe as people say it, which may be in quotes already.
fn quoted(recipe: &Text) -> Text {
    let quoted = |said: &str| match said.starts_with(['"', '“', '「']) {
        true => said.to_owned(),
        false => format!("“{said}”"),
    };
    Text::made(quoted(&recipe.en), quoted(&recipe.zh))
}

static BROKEN_OFF: Text = Text::fixed("BROKEN OFF", "已中断");

fn beginning(scene: &Scene, alone: bool) -> Markup {
    let kind = match scene.kind.as_str() {
        "pair" => text! { en: "naive against fixed", zh: "朴素做法对改进做法" },
        "trap" => text! { en: "a belief that fails", zh: "一个靠不住的说法" },
        "measure" => text! { en: "a measurement", zh: "一次测量" },
        other => Text::same(other),
    };
    html! {
        p class="note" {
            (both(&kind))
            @if !scene.on.is_empty() { " · " (scene.on.join(", ")) }
        }
        dl class="premise" {
            @if !alone && !scene.recipe.is_empty() {
                div {
                    dt { (both(&words::RECIPE)) } dd class="quote" { (both(&scene.recipe)) }
                }
            }
            @if !scene.fault.is_empty() {
                div { dt { (both(&words::FAULT)) } dd { (both(&scene.fault)) } }
            }
            @if let Some((mechanism, called)) = &scene.without {
                div {
                    dt { (both(&text! { en: "Without", zh: "去掉" })) }
                    dd { code { (mechanism) } " " (both(called)) }
                }
            }
        }
        (question(scene))
    }
}

fn way(log: &Log, scene: &Scene, way: &Way, id: &str, open: bool) -> Markup {
    let struck_only = log.begun.as_ref().is_some_and(|begun| begun.struck_only);
    html! {
        details class={ "way " (way.name.as_str()) } open[open] {
            summary {
                h4 {
                    span class="name" {
                        (both(&words::head(way.name)))
                        @if let (crate::event::WayName::Without, Some((mechanism, _))) =
                            (way.name, &scene.without) { " " (mechanism) }
                    }
                    " " (both(&way.title))
                }
                " " span class="hits" { (both(&hits(way))) }
            }
            (steps(way))
            (curves(&format!("{id}-curves"), way))
            (backlog(&format!("{id}-undone"), scene, way, struck_only))
            (lanes(&format!("{id}-lanes"), scene, way, struck_only))
            (anomalies(way))
        }
    }
}

/// `hit 20 of 20`, or that the way never ended.
fn hits(way: &Way) -> Text {
    match &way.result {
        Some(result) if result.planned > 0 => text! {
            en: "hit {hit} of {planned}", zh: "命中 {hit}/{planned}",
            hit = result.hit, planned = result.planned
        },
        Some(_) => Text::default(),
        None => text! { en: "broken off", zh: "已中断" },
    }
}
