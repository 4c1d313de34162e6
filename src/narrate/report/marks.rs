//! The marks in a lane: each kind of fact has a shape of its own, so that
//! colour tells nothing that the shape does not.

use maud::{Markup, html};

use crate::{
    ledger::{Fact, Noun},
    narrate::words,
    text,
    text::Text,
};

use super::say::{both, joined};

/// What a fact looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    Promised,
    Sent,
    Confirmed,
    Refused,
    Silence,
    Delivered,
    Redelivered,
    Kept,
    Passed,
    Applied,
    Acked,
    Undone,
    Handed,
    Strike,
}

const ALL: [Shape; 14] = [
    Shape::Promised,
    Shape::Sent,
    Shape::Confirmed,
    Shape::Refused,
    Shape::Silence,
    Shape::Delivered,
    Shape::Redelivered,
    Shape::Kept,
    Shape::Passed,
    Shape::Applied,
    Shape::Acked,
    Shape::Undone,
    Shape::Handed,
    Shape::Strike,
];

/// The shape of a fact. Whatever is not listed is a fault that struck.
pub(super) const fn shape(fact: Fact) -> Shape {
    match fact {
        Fact::Accepted => Shape::Promised,
        Fact::Sent => Shape::Sent,
        Fact::Confirmed => Shape::Confirmed,
        Fact::Refused
        | Fact::Nacked
        | Fact::Returned
        | Fact::TimedOut
        | Fact::GivenUp => Shape::Refused,
        Fact::Unknown => Shape::Silence,
        Fact::Delivered => Shape::Delivered,
        Fact::Redelivered => Shape::Redelivered,
        Fact::Marked | Fact::Leased | Fact::Stored | Fact::Buffered => {
            Shape::Kept
        }
        Fact::Seen | Fact::Busy | Fact::Dropped => Shape::Passed,
        Fact::Applied => Shape::Applied,
        Fact::Acked => Shape::Acked,
        Fact::RolledBack | Fact::Requeued => Shape::Undone,
        Fact::Parked | Fact::Reported => Shape::Handed,
        _ => Shape::Strike,
    }
}

/// Whether a fact is a fault that struck.
pub(super) fn is_strike(fact: Fact) -> bool {
    shape(fact) == Shape::Strike
}

impl Shape {
    /// What the page calls it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Promised => "m-promised",
            Self::Sent => "m-sent",
            Self::Confirmed => "m-confirmed",
            Self::Refused => "m-refused",
            Self::Silence => "m-silence",
            Self::Delivered => "m-delivered",
            Self::Redelivered => "m-again",
            Self::Kept => "m-kept",
            Self::Passed => "m-passed",
            Self::Applied => "m-applied",
            Self::Acked => "m-acked",
            Self::Undone => "m-undone",
            Self::Handed => "m-handed",
            Self::Strike => "m-strike",
        }
    }

    /// Its outline, within six to each side.
    const fn path(self) -> &'static str {
        match self {
            Self::Promised => "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0",
            Self::Sent => "M-4 -5L5 0L-4 5Z",
            Self::Confirmed => "M0 -6L6 0L0 6L-6 0Z",
            Self::Refused => "M-5 -5H5V5H-5ZM-5 5L5 -5",
            Self::Silence => {
                "M-3.4 -3a3.4 3 0 1 1 4.6 2.7Q0 .6 0 2.2M0 4.6V5.6"
            }
            Self::Delivered => "M-5.5 -4.5H5.5L0 5.5Z",
            Self::Redelivered => "M-5.5 -4.5H5.5L0 5.5ZM-2.5 -2H2.5L0 2.5Z",
            Self::Kept => "M0 -5L5 0L0 5L-5 0Z",
            Self::Passed => "M-2.5 -5.5V5.5M2.5 -5.5V5.5",
            Self::Applied => {
                "M-5.8 0a5.8 5.8 0 1 0 11.6 0a5.8 5.8 0 1 0 -11.6 0"
            }
            Self::Acked => "M-4.6 0a4.6 4.6 0 1 0 9.2 0a4.6 4.6 0 1 0 -9.2 0",
            Self::Undone => "M4 -5L-5 0L4 5Z",
            Self::Handed => "M-5 -5H5V5H-5Z",
            Self::Strike => "M-5 -5L5 5M-5 5L5 -5",
        }
    }
}

/// Every shape and pattern, once in the page.
pub(super) fn sprite() -> Markup {
    html! {
        svg class="sprite" width="0" height="0" aria-hidden="true"
            focusable="false" {
            defs {
                @for shape in ALL {
                    path id=(shape.id()) class=(shape.id()) d=(shape.path()) {}
                }
                pattern id="hatch" width="6" height="6"
                    patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" {
                    rect width="6" height="6" class="hatch-ground" {}
                    rect width="2" height="6" class="hatch-stroke" {}
                }
            }
        }
    }
}

/// The shapes that occur, each with the words of its facts.
pub(super) fn legend(facts: &[Fact], noun: Noun) -> Markup {
    let mut known: Vec<Fact> = Vec::new();
    for fact in facts {
        if !known.contains(fact) {
            known.push(*fact);
        }
    }
    let of = |wanted: Shape| {
        let facts = known.iter().filter(|fact| shape(**fact) == wanted);
        let words: Vec<Text> =
            facts.map(|fact| words::fact_of(*fact, noun)).collect();
        (!words.is_empty()).then(|| joined(&words, ", ", "、"))
    };
    html! {
        ul class="legend" {
            @for shape in ALL {
                @if let Some(words) = of(shape) {
                    li {
                        svg class="mark" viewBox="-7 -7 14 14"
                            aria-hidden="true" focusable="false" {
                            use href={ "#" (shape.id()) } {}
                        }
                        " "
                        @if shape == Shape::Strike {
                            (both(&text! { en: "fault: ", zh: "故障：" }))
                        }
                        (both(&words))
                    }
                }
            }
        }
    }
}
