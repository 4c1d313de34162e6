//! Messages over time: a lane for each that was struck or ended wrong, with a
//! mark for each fact and a band from each strike to the next thing known.
//! All others are counted above the lanes.

use maud::{Markup, html};

use crate::{
    ledger::{Fact, Noun},
    narrate::words,
    text,
    text::Text,
};

use super::{
    about, anomalies,
    log::Scene,
    marks::{Shape, is_strike, legend, shape},
    say::{across, at_once, both, down, drawn, moment, px},
    scale::Scale,
    tracks::Track,
    way::{StageStrike, Way},
};

/// The picture in its own units: about as many as pixels.
pub(super) const WIDTH: f64 = 960.0;
pub(super) const LEFT: f64 = 124.0;
pub(super) const RIGHT: f64 = 858.0;
const LANE: f64 = 22.0;
/// Room for a mark: two that would cover each other are moved apart.
const APART: f64 = 12.5;
/// Columns of the counts.
const COLUMNS: usize = 120;

/// The lanes of a way as a figure; nothing where nothing is known.
pub(super) fn lanes(
    id: &str,
    scene: &Scene,
    way: &Way,
    struck_only: bool,
) -> Markup {
    let Some(span) = span(way) else { return html! {} };
    // Of calls that never became messages there is nothing to draw.
    let empty = way.tracks.strikes == 0
        && way.flow.rows().next().is_none()
        && way.lanes().is_empty();
    if empty {
        return html! {};
    }
    let picture = Picture {
        lanes: way.lanes(),
        scale: Scale::new(span, (LEFT, RIGHT)),
        noun: noun(scene, way),
        way,
    };
    let title = text! { en: "Messages over time", zh: "消息时间线" };
    let said = about::about(way, picture.lanes.len(), struck_only);
    let (caption, about) = (format!("{id}-cap"), format!("{id}-about"));
    html! {
        figure class="wide" {
            div class="picture" {
                figcaption id=(caption) { (both(&title)) }
                p class="note" id=(about) { (both(&said)) }
                (picture.legend())
                div class="scroll" role="region" tabindex="0"
                    aria-labelledby=(caption) {
                    (picture.svg(&title, &caption, &about))
                }
            }
            (anomalies::facts(&picture.lanes, picture.noun))
        }
    }
}

/// What the messages are about: of the lanes, else of the scenario.
pub(super) fn noun(scene: &Scene, way: &Way) -> Noun {
    let ended = scene.ended.as_ref().map(|ended| ended.noun);
    let lane = || way.lanes().first().map(|lane| lane.message.noun);
    ended.or_else(lane).unwrap_or(Noun::Order)
}

/// From the first thing known to the last, and a little more.
pub(super) fn span(way: &Way) -> Option<(u64, u64)> {
    let (mut from, mut to) = way.tracks.span?;
    for strike in &way.stage {
        from = from.min(strike.at);
        to = to.max(strike.until.unwrap_or(strike.at));
    }
    let margin = (to - from) / 60;
    Some((from.saturating_sub(margin), to + margin))
}

struct Picture<'a> {
    lanes: Vec<Track>,
    scale: Scale,
    noun: Noun,
    way: &'a Way,
}

impl Picture<'_> {
    fn legend(&self) -> Markup {
        let facts = self.lanes.iter().flat_map(|lane| &lane.facts);
        let last = self.lanes.iter().filter_map(Track::last);
        let facts = facts.map(|(_, fact)| *fact);
        let all: Vec<Fact> = facts.chain(last.map(|(fact, _)| fact)).collect();
        html! { @if !all.is_empty() { (legend(&all, self.noun)) } }
    }

    fn svg(&self, title: &Text, caption: &str, about: &str) -> Markup {
        let rows: Vec<(Fact, u64)> = self.way.flow.rows().collect();
        let stage = self.way.stage.len().min(3) as f64;
        let top = 6.0 + stage * 16.0;
        let lanes_top = top + rows.len() as f64 * LANE + 8.0;
        let bottom = lanes_top + self.lanes.len() as f64 * LANE;
        let height = bottom + 24.0;
        html! {
            svg viewBox={ "0 0 " (px(WIDTH)) " " (px(height)) } role="img"
                class="lanes" aria-labelledby=(caption)
                aria-describedby=(about) {
                title { (at_once(title)) }
                desc { (at_once(&self.said())) }
                (self.scale.axis(top, bottom))
                (gaps(&self.scale, &self.way.stage, top, bottom))
                (self.rows(&rows, top))
                @for (n, lane) in self.lanes.iter().enumerate() {
                    (self.lane(lane, lanes_top + n as f64 * LANE + LANE / 2.0))
                }
                (self.stage(top, bottom))
            }
        }
    }

    /// In a sentence, for who cannot see it.
    fn said(&self) -> Text {
        let wrong = self.lanes.iter().filter(|l| l.wrong.is_some()).count();
        text! {
            en: "{lanes} lanes, {wrong} of messages that ended wrong; \
                 {strikes} strikes on messages, {stage} on the stage",
            zh: "{lanes} 条泳道，其中 {wrong} 条消息结局不对；命中消息 \
                 {strikes} 次，命中环境 {stage} 次",
            lanes = self.lanes.len(), wrong = wrong,
            strikes = self.way.tracks.strikes, stage = self.way.stage.len()
        }
    }

    /// How many messages came how far, and when.
    fn rows(&self, rows: &[(Fact, u64)], top: f64) -> Markup {
        let (from, to) = span(self.way).unwrap_or_default();
        let columns: Vec<_> = rows
            .iter()
            .map(|(fact, _)| self.way.flow.columns(*fact, (from, to), COLUMNS))
            .collect();
        html! {
            @for (n, ((fact, sum), columns)) in
                rows.iter().zip(&columns).enumerate() {
                @let floor = top + (n + 1) as f64 * LANE - 3.0;
                @let name = words::fact_of(*fact, self.noun);
                (drawn((LEFT - 10.0, floor - 4.0), "end", &name))
                path class="floor" d=(across(floor, LEFT, RIGHT)) {}
                path class={ "flow " (shape(*fact).id()) }
                    d=(self.columns(columns, floor)) {}
                text x=(px(RIGHT + 10.0)) y=(px(floor - 4.0)) {
                    (crate::narrate::amount::grouped(&sum.to_string()))
                }
            }
        }
    }

    fn columns(&self, columns: &[(u64, u64, u64)], floor: f64) -> String {
        // On a scale of its own: it shows when, the sum how many.
        let most = columns.iter().map(|(.., count)| *count).max();
        let most = most.unwrap_or(1).max(1) as f64;
        let mut path = String::new();
        for (from, to, count) in columns.iter().filter(|(.., n)| *n > 0) {
            let height = (*count as f64 / most * (LANE - 5.0)).max(1.5);
            let (left, right) = (self.scale.x(*from), self.scale.x(*to));
            let wide = (right - left - 0.6).max(1.2);
            path.push_str(&format!(
                "M{} {}v-{}h{}v{}z",
                px(left),
                px(floor),
                px(height),
                px(wide),
                px(height)
            ));
        }
        path
    }

    /// The strikes on the stage by name; more than three share their lines.
    fn stage(&self, top: f64, bottom: f64) -> Markup {
        html! {
            @for (n, strike) in self.way.stage.iter().enumerate() {
                @let x = self.scale.x(strike.at);
                @let y = top - 5.0 - (n % 3) as f64 * 16.0;
                path class="strike-line" d=(down(x, y - 8.0, bottom)) {}
                @let late = x > (LEFT + RIGHT) / 2.0;
                @let place = if late { x - 5.0 } else { x + 5.0 };
                @let class = if late { "strike-name end" } else { "strike-name" };
                (drawn((place, y), class, &words::fact(strike.what)))
            }
        }
    }

    fn lane(&self, lane: &Track, y: f64) -> Markup {
        let places = self.places(lane);
        let ends = (places.first(), places.last());
        let wrong = lane.wrong.map(|(kind, _)| words::kind(kind));
        let class = if wrong.is_some() { "lane wrong" } else { "lane" };
        html! {
            g class=(class) {
                text x=(px(LEFT - 10.0)) y=(px(y + 4.0)) class="end id" {
                    (lane.message.to_string())
                }
                @for strike in &lane.strikes {
                    (self.band(lane, *strike, y))
                }
                @if let (Some((first, ..)), Some((last, ..))) = ends {
                    path class="line" d=(across(y, *first, *last)) {}
                }
                @for (x, at, fact) in &places {
                    use href={ "#" (shape(*fact).id()) } x=(px(*x)) y=(px(y)) {
                        title {
                            (moment(*at)) " s "
                            (at_once(&words::fact_of(*fact, lane.message.noun)))
                        }
                    }
                }
                @if let Some(wrong) = &wrong {
                    (drawn((RIGHT + 10.0, y + 4.0), "", &Text::made(
                        format!("✗ {}", wrong.en), format!("✗ {}", wrong.zh)
                    )))
                }
            }
        }
    }

    /// From a strike to the next thing known.
    fn band(&self, lane: &Track, (at, what): (u64, Fact), y: f64) -> Markup {
        let next = lane.facts.iter().find(|(then, _)| *then > at);
        let left = self.scale.x(at);
        let right = next.map_or(RIGHT, |(then, _)| self.scale.x(*then));
        let class = if next.is_some() { "band" } else { "band for-good" };
        html! {
            rect class=(class) x=(px(left)) y=(px(y - LANE / 2.0 + 1.0))
                width=(px((right - left).max(3.0))) height=(px(LANE - 2.0)) {
                title {
                    (moment(at)) " s "
                    (at_once(&words::fact_of(what, lane.message.noun)))
                }
            }
        }
    }

    /// Where the marks stand: at their times, or beside each other.
    fn places(&self, lane: &Track) -> Vec<(f64, u64, Fact)> {
        let mut facts = lane.facts.clone();
        if facts.is_empty() {
            facts.extend(lane.last().map(|(fact, at)| (at, fact)));
        }
        let apart = APART.min((RIGHT - LEFT) / facts.len().max(1) as f64);
        let mut places: Vec<(f64, u64, Fact)> = Vec::new();
        for (at, fact) in facts {
            let least = places.last().map_or(LEFT, |(x, ..)| x + apart);
            places.push((self.scale.x(at).max(least), at, fact));
        }
        let mut most = RIGHT;
        for (x, ..) in places.iter_mut().rev() {
            *x = x.min(most);
            most = *x - apart;
        }
        places
    }
}

/// The time in which nothing moved after a strike on the stage.
pub(super) fn gaps(
    scale: &Scale,
    stage: &[StageStrike],
    top: f64,
    bottom: f64,
) -> Markup {
    let gap = |strike: &StageStrike| {
        let left = scale.x(strike.at);
        let right = strike.until.map_or(scale.right, |until| scale.x(until));
        (left, right.max(left + 3.0))
    };
    html! {
        @for strike in stage {
            @let (left, right) = gap(strike);
            rect class="band" x=(px(left)) y=(px(top))
                width=(px(right - left)) height=(px(bottom - top)) {
                title { (at_once(&strike_said(strike))) }
            }
        }
    }
}

/// A strike on the stage and how long nothing moved.
pub(super) fn strike_said(strike: &StageStrike) -> Text {
    let (at, what) = (moment(strike.at), words::fact(strike.what));
    let gap = strike.until.map(|until| until.saturating_sub(strike.at));
    match gap {
        Some(gap) => Text::made(
            format!("{at} s {}; a message moved after {gap} ms", what.en),
            format!("{at} 秒 {}；{gap} 毫秒后消息恢复流动", what.zh),
        ),
        None => Text::made(
            format!("{at} s {}; no message moved again", what.en),
            format!("{at} 秒 {}；此后消息不再流动", what.zh),
        ),
    }
}

/// The strike that a lane is known by.
pub(super) fn struck_by(lane: &Track) -> Vec<Fact> {
    let told = lane.strikes.iter().map(|(_, what)| *what);
    let seen = lane.facts.iter().map(|(_, fact)| *fact);
    let mut all: Vec<Fact> =
        told.chain(seen.filter(|f| is_strike(*f))).collect();
    let mut known = Vec::new();
    all.retain(|fact| {
        let new = !known.contains(fact);
        known.push(*fact);
        new && shape(*fact) == Shape::Strike
    });
    all
}
