//! How the life of one message is told: its ways side by side where there is
//! room for two, one below the other where there is not. What stands between
//! the naive and the fixed way is told below the two.

use crate::{
    event::WayName,
    ledger::{Fact, Kind, Noun},
    text,
    text::Text,
};

use super::{
    Style,
    ending::at_seconds,
    layout::{Ink, Page},
    life::{Fate, InWay, Life, Moment},
    recorded::Head,
    words,
};

/// Below this two columns tear what is in them.
const ROOM_FOR_TWO: usize = 72;
/// What happened to a message more often than this is told by its beginning
/// and its end.
const MOST: usize = 48;

/// The life of a message in one scenario of a recorded run, in lines.
pub fn trace(life: &Life, head: &Head, style: &Style) -> Vec<String> {
    let width = style.width.clamp(20, 80);
    let page = &Page { lang: style.lang, color: style.color, width };
    let mut lines = title(page, life, head);
    for way in &life.ways {
        let lead = page.margin(page.say(&words::head(way.way)));
        lines.extend(page.hang(&lead, Ink::Bold, page.say(&way.title)));
    }
    let told: Vec<&InWay> =
        life.ways.iter().filter(|way| way.fate != Fate::Unseen).collect();
    lines.push(String::new());
    // Of three the two are compared that everybody asks for first.
    let (between, ends): (Vec<&InWay>, Vec<&InWay>) = told
        .iter()
        .copied()
        .partition(|way| told.len() > 2 && way.way == WayName::Halfway);
    match ends.as_slice() {
        [left, right] if width >= ROOM_FOR_TWO => {
            lines.extend(beside(page, life, left, right));
            for way in between {
                lines.push(String::new());
                lines.extend(column(page, life, way, page.width - 2));
            }
        }
        _ => {
            for way in &told {
                lines.extend(column(page, life, way, page.width - 2));
            }
        }
    }
    lines.push(String::new());
    for way in &life.ways {
        lines.extend(fate(page, life, way));
    }
    let mut moments = told.iter().flat_map(|way| &way.moments);
    let (mark, legend) = match moments.any(|moment| moment.struck) {
        true => (STRUCK, &LEGEND),
        false => (" ", &TIMES),
    };
    let lead = format!(" {mark} ");
    lines.extend(page.hang(&lead, Ink::Yellow, page.say(legend)));
    lines
}

/// In the column before the times: a fault that struck.
const STRUCK: &str = "!";

const LEGEND: Text = text! {
    en: "a fault that struck; times are seconds since the run began",
    zh: "命中的故障；时间为运行开始后的秒数"
};

const TIMES: Text = text! {
    en: "times are seconds since the run began", zh: "时间为运行开始后的秒数"
};

/// That this is a record, of when, and of what.
fn title(page: &Page, life: &Life, head: &Head) -> Vec<String> {
    let when = head.when().map(|when| format!("{when} UTC"));
    let of = [when, Some(head.run.clone())];
    let of: Vec<String> = of.into_iter().flatten().collect();
    let of = format!("{}: {}", page.say(&words::RECORDED), of.join(", "));
    let lead = format!(" {}  {}", life.message, life.target);
    let mut lines = page.spread(&lead, Ink::Bold, "", &of);
    if head.struck_only {
        lines.extend(page.hang(" ", Ink::Plain, page.say(&STRUCK_ONLY)));
    }
    lines
}

/// That a record of many messages knows little of most of them.
pub const STRUCK_ONLY: Text = text! {
    en: "With so many messages only the facts of the struck ones were recorded.",
    zh: "消息太多，只记录了被命中消息的经过。"
};

fn beside(
    page: &Page,
    life: &Life,
    left: &InWay,
    right: &InWay,
) -> Vec<String> {
    // A free column at each edge, and two between them.
    let columns = (page.width - 4) / 2;
    let left = column(page, life, left, columns);
    let mut right = column(page, life, right, columns).into_iter();
    let mut lines: Vec<String> = left
        .into_iter()
        .map(|cell| match right.next() {
            Some(beside) => format!("{}  {beside}", pad(page, &cell, columns)),
            None => cell,
        })
        .collect();
    let gap = " ".repeat(columns + 2);
    lines.extend(right.map(|cell| format!("{gap}{cell}")));
    lines
}

/// As [`Page::pad`], and ink takes no room.
fn pad(page: &Page, cell: &str, columns: usize) -> String {
    let mut plain = String::new();
    let mut rest = cell;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    let gap = columns.saturating_sub(page.width_of(&plain));
    format!("{cell}{}", " ".repeat(gap))
}

/// One way: its name, and what happened with times before it.
fn column(
    page: &Page,
    life: &Life,
    way: &InWay,
    columns: usize,
) -> Vec<String> {
    let narrow = Page { width: columns, ..*page };
    let name = format!(" {}", page.say(&way.way.word()));
    let mut lines = vec![page.paint(Ink::Bold, &name)];
    let left_out = way.moments.len().saturating_sub(MOST);
    let times = way.moments.iter().map(|moment| time(moment).len());
    let times = times.max().unwrap_or_default();
    for (n, moment) in way.moments.iter().enumerate() {
        if left_out > 0 && (MOST / 2..MOST / 2 + left_out).contains(&n) {
            if n == MOST / 2 {
                let told = text! {
                    en: "... {n} more between (--json has them)",
                    zh: "中间还有 {n} 条（见 --json）", n = left_out
                };
                lines.extend(narrow.hang("   ", Ink::Plain, page.say(&told)));
            }
            continue;
        }
        lines.extend(line(&narrow, life.message.noun, moment, times));
    }
    lines
}

/// ` !  3.642  killed`
fn line(page: &Page, noun: Noun, moment: &Moment, times: usize) -> Vec<String> {
    let mark = if moment.struck { STRUCK } else { " " };
    let lead = format!(" {mark} {:>times$}  ", time(moment));
    let ink = if moment.struck { Ink::Yellow } else { Ink::Plain };
    let word = words::fact_of(moment.fact, noun);
    let told = match moment.stage {
        true => Text::made(
            format!("{} (the stage)", word.en),
            format!("{}（整个环境）", word.zh),
        ),
        false => word,
    };
    page.hang(&lead, ink, page.say(&told))
}

fn time(moment: &Moment) -> String {
    at_seconds(moment.at_ms).trim_end_matches(" s").to_owned()
}

/// ` ✗ naive  lost: …`
fn fate(page: &Page, life: &Life, way: &InWay) -> Vec<String> {
    let (glyph, ink, told) = in_words(&way.fate, life.message.noun);
    let lead = format!(" {glyph} {}  ", page.say(&way.way.word()));
    page.hang(&lead, ink, page.say(&told))
}

/// A glyph, its ink, and what became of a message.
fn in_words(fate: &Fate, noun: Noun) -> (&'static str, Ink, Text) {
    let done = words::fact_of(Fact::Applied, noun);
    match fate {
        Fate::Wrong { kinds, applied } => {
            let told: Vec<Text> = kinds
                .iter()
                .map(|kind| wrong(*kind, &done, *applied))
                .collect();
            let join = |sep: &str, pick: fn(&Text) -> &str| {
                told.iter().map(pick).collect::<Vec<_>>().join(sep)
            };
            let told = Text::made(
                join("; ", |text| &text.en),
                join("；", |text| &text.zh),
            );
            ("✗", Ink::Red, told)
        }
        Fate::Once => {
            let told = Text::made(
                format!("{} once", done.en),
                format!("{}，只有一次", done.zh),
            );
            ("✓", Ink::Green, told)
        }
        Fate::Parked => (
            "✓",
            Ink::Green,
            text! {
                en: "parked in a queue that people look after",
                zh: "转入有人处理的队列"
            },
        ),
        Fate::Reported => (
            "✓",
            Ink::Green,
            text! {
                en: "given up by its producer, and somebody was told",
                zh: "生产者已放弃，并已通知到人"
            },
        ),
        Fate::Refused => (
            "-",
            Ink::Plain,
            text! {
                en: "refused: its caller was told no, and nobody was promised it",
                zh: "被拒绝：调用方当场得知，没有承诺过"
            },
        ),
        Fate::NotTaken => (
            "-",
            Ink::Plain,
            text! {
                en: "not taken over by the broker, and nobody was promised it",
                zh: "broker 没有接收，也没有承诺过"
            },
        ),
        Fate::Unanswered => (
            "?",
            Ink::Yellow,
            text! {
                en: "no answer: neither confirmed nor failed, and never promised",
                zh: "没有应答：既未确认也未失败，也没有承诺过"
            },
        ),
        Fate::Unnamed => (
            "?",
            Ink::Yellow,
            text! {
                en: "not known: more messages went wrong here than the record names",
                zh: "无从得知：这里出错的消息比记录点名的多"
            },
        ),
        Fate::BrokenOff => (
            "?",
            Ink::Yellow,
            text! {
                en: "not known: the way did not come to its end",
                zh: "无从得知：该写法没有运行到结束"
            },
        ),
        Fate::Unseen => (
            "-",
            Ink::Plain,
            text! {
                en: "nothing is recorded of it", zh: "没有它的任何记录"
            },
        ),
    }
}

fn wrong(kind: Kind, done: &Text, applied: u16) -> Text {
    let (en, zh) = (&done.en, &done.zh);
    match kind {
        Kind::Lost => Text::made(
            format!(
                "LOST: confirmed or promised, never {en}, and nowhere to be found"
            ),
            "丢失：已确认或已承诺，却没有生效，也无处可寻",
        ),
        Kind::Duplicated => Text::made(
            format!("doubled: {en} {applied} times"),
            format!("重复：{zh} {applied} 次"),
        ),
        Kind::Stuck => Text::made(
            format!("stuck: not {en}, and still in the queue"),
            "卡住：没有生效，仍在队列中",
        ),
        Kind::Unexpected => text! {
            en: "unexpected: nobody had sent it", zh: "来历不明：没有人发送过它"
        },
    }
}
