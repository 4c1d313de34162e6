//! A way as it was told: its steps with their commands, and who was what.

use maud::{Markup, html};

use crate::{event::Seat, text};

use super::{
    say::{both, moment, took},
    way::{Told, Way},
};

/// The lines of a way, in their order.
pub(super) fn steps(way: &Way) -> Markup {
    if way.lines.is_empty() {
        return html! {};
    }
    html! {
        ol class="steps" {
            @for (at, told) in &way.lines {
                @match told {
                    Told::Step { n, verb, text } => {
                        @if !text.is_empty() {
                            li class="step" value=(n) {
                                span class="at" { (moment(*at)) " s" } " "
                                strong { (both(verb)) } " "
                                span { (both(text)) }
                            }
                        }
                    }
                    Told::Command(line) => {
                        li class="command" { code { (line) } }
                    }
                    Told::Topology(seats) => { li class="picture" { (topology(*at, seats)) } }
                    Told::Waited { what, took_ms } => {
                        li class="waited" {
                            span class="at" { (moment(*at)) " s" } " "
                            (both(&text! { en: "waited for ", zh: "等待" }))
                            (both(what))
                            (both(&text! { en: ": ", zh: "：" }))
                            (both(&took(*took_ms)))
                        }
                    }
                }
            }
        }
        @if way.more_lines > 0 {
            p class="note" { (both(&text! {
                en: "and {more} lines more", zh: "另有 {more} 行",
                more = way.more_lines
            })) }
        }
    }
}

/// The machines in a row; between those that do not hear each other stands
/// a cut.
fn topology(at: u64, seats: &[Seat]) -> Markup {
    let sides: Vec<&[Seat]> = seats.chunk_by(|a, b| a.side == b.side).collect();
    html! {
        div class="topology" {
            span class="at" { (moment(at)) " s" }
            @for (n, side) in sides.iter().enumerate() {
                @if n > 0 {
                    span class="cut" { "⫽ " (both(&text! {
                        en: "cut apart",
                        zh: "网络断开"
                    })) }
                }
                ul class="side" {
                    @for seat in *side {
                        li class=(if seat.up { "seat" } else { "seat down" }) {
                            strong { (seat.name) } " "
                            @if !seat.up { span aria-hidden="true" { "✗ " } }
                            (both(&seat.is))
                        }
                    }
                }
            }
        }
    }
}
