//! What the lab says of a scenario's claim, and what is to be learnt.

use maud::{Markup, html};

use crate::{
    event::{Ended, Verdict},
    narrate::words,
    text,
    text::Text,
};

use super::{
    log::Scene,
    say::{both, took},
};

/// A verdict as a word with its glyph.
pub(super) fn badge(verdict: Verdict) -> Markup {
    let (glyph, word) = words::verdict(verdict);
    html! {
        span class={ "badge " (class(verdict)) } {
            span aria-hidden="true" { (glyph) " " } (both(&word))
        }
    }
}

/// Its class, for the colour.
pub(super) const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proven => "proven",
        Verdict::Refuted => "refuted",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Observed => "observed",
    }
}

/// Whether the run has shown what it teaches.
const fn sure(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Proven | Verdict::Observed)
}

/// The question, what could be answered, and what is right.
pub(super) fn question(scene: &Scene) -> Markup {
    if scene.question.is_empty() && scene.choices.is_empty() {
        return html! {};
    }
    let ended = scene.ended.as_deref();
    let right = ended.filter(|e| sure(e.verdict)).and_then(|ended| ended.right);
    html! {
        div class="question" {
            p { strong { (both(&scene.question)) } }
            ul class="choices" {
                @for choice in &scene.choices {
                    @let is_right = right == Some(choice.key);
                    li class=[is_right.then_some("right")] {
                        span class="letter" { (choice.key) } " "
                        (both(&choice.text))
                        @if is_right {
                            " " em { "✓ " (both(&text! {
                                en: "right",
                                zh: "正确"
                            })) }
                        }
                        @if scene.guess == Some(choice.key) {
                            " " em { (both(&text! {
                                en: "your guess",
                                zh: "你选的"
                            })) }
                        }
                    }
                }
            }
        }
    }
}

/// The verdict with claim, fix, limit and answer.
pub(super) fn verdict(ended: &Ended) -> Markup {
    let time = took(ended.took_ms);
    let lessons = [
        (&words::CLAIM, &ended.claim),
        (&words::FIX, &ended.fix),
        (&words::LIMIT, &ended.limit),
        (&words::SAY, &ended.say),
    ];
    // What to do about it and what to say is not taught by a run that did
    // not show it.
    let count = if sure(ended.verdict) { lessons.len() } else { 1 };
    let lessons: Vec<(&Text, &Text)> = lessons
        .into_iter()
        .take(count)
        .filter(|(_, text)| !text.is_empty())
        .collect();
    html! {
        div class={ "verdict " (class(ended.verdict)) } {
            p class="ruling" {
                (badge(ended.verdict)) " " (both(&ended.why))
                " " span class="took" { (both(&time)) }
            }
            dl {
                @for (label, text) in &lessons {
                    div {
                        dt { (both(label)) }
                        dd { (both(text)) }
                    }
                }
            }
            @if !sure(ended.verdict) { (trouble(ended)) }
        }
    }
}

/// Why it is not proven, way by way, and where the broker's log is.
fn trouble(ended: &Ended) -> Markup {
    html! {
        ul class="plain" {
            @for (way, result) in &ended.ways {
                @if let (false, Some(why)) =
                    (result.as_expected == Some(true), &result.why) {
                    li { strong { (both(&way.word())) } " " (both(why)) }
                }
            }
            @if let Some(log) = &ended.broker_log {
                li { strong { (both(&words::BROKER_LOG)) } " " code { (log) } }
            }
        }
    }
}
