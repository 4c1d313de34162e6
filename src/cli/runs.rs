//! `rmq-lab runs`: what is recorded.

use std::io::{self, Write};

use serde_json::json;

use super::{
    Manner,
    shelf::{self, Kept},
    state,
};
use crate::{
    book,
    demos::TOPICS,
    event::{Event, Verdict},
    narrate::{
        Detail, Events, Head, Unreadable, minute, verdict_word, wrapped,
    },
    text,
    text::Text,
};

/// One record, as it is listed.
struct Listed {
    /// What `replay` calls it: a run's id, or a topic.
    name: String,
    /// Its file; none of one that ships.
    path: Option<String>,
    bytes: u64,
    /// When the run began, or its record was last written to.
    when: Option<String>,
    seen: Result<Seen, Unreadable>,
    goes_on: bool,
}

/// What a record says at its beginning and at its end.
#[derive(Default)]
struct Seen {
    head: Head,
    /// How many scenarios came to each verdict, the worst first.
    verdicts: Vec<(Verdict, u32)>,
    took_ms: u64,
    ended: bool,
}

/// Lists the recorded runs, for a person or as JSON lines.
///
/// # Errors
/// When stdout is closed.
pub fn runs(json: bool, manner: Manner, out: &mut dyn Write) -> io::Result<()> {
    let kept: Vec<Listed> = shelf::kept().into_iter().map(of_kept).collect();
    let shipped: Vec<Listed> = book::recorded::shipped()
        .map(|(topic, bytes)| of_shipped(topic, bytes))
        .collect();
    if json {
        for listed in kept.iter().chain(&shipped) {
            writeln!(out, "{}", as_json(listed))?;
        }
        return Ok(());
    }
    let width = manner.style(Detail::Normal).width;
    let lang = manner.lang;
    say(head(&kept).say(lang), width, " ", out)?;
    // Never broken: it is there to be copied.
    writeln!(out, "   {}", state::runs().display())?;
    for listed in &kept {
        say(in_words(listed).say(lang), width, "   ", out)?;
    }
    if !shipped.is_empty() {
        writeln!(out)?;
        say(SHIPPED.say(lang), width, " ", out)?;
        for listed in &shipped {
            say(in_words(listed).say(lang), width, "   ", out)?;
        }
    }
    let mut can_be_told = kept
        .iter()
        .chain(&shipped)
        .filter(|listed| listed.seen.as_ref().is_ok_and(|seen| seen.ended));
    let name = can_be_told.next().map(|first| &first.name);
    if let Some(name) = name {
        let next = text! { en: "next    ", zh: "下一步  " };
        writeln!(out, "\n {}rmq-lab replay {name}", next.say(lang))?;
    }
    Ok(())
}

/// A text in lines; what goes on stands further to the right.
fn say(
    text: &str,
    width: usize,
    indent: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let further = format!("{indent}   ");
    let narrow = width.saturating_sub(3);
    let mut indent = indent;
    for line in wrapped(text, narrow, "") {
        writeln!(out, "{indent}{line}")?;
        indent = &further;
    }
    Ok(())
}

const SHIPPED: Text = text! {
    en: "Came with the program, to be told without Docker:",
    zh: "随程序附带，没有 Docker 也能看："
};

fn head(kept: &[Listed]) -> Text {
    match kept.is_empty() {
        true => text! {
            en: "No run is recorded yet; they will be in", zh: "还没有运行记录；以后会存放在"
        },
        false => text! {
            en: "Recorded runs, the newest first, times in UTC; they are in",
            zh: "运行记录，最新的在前，时间为 UTC，存放在"
        },
    }
}

fn of_kept(run: Kept) -> Listed {
    let seen = Events::open(&run.record()).and_then(look);
    Listed {
        path: Some(run.record().display().to_string()),
        bytes: state::bytes_in(&run.home),
        when: run.when,
        goes_on: state::goes_on(&run.home),
        name: run.id,
        seen,
    }
}

fn of_shipped(topic: &str, bytes: &'static [u8]) -> Listed {
    let seen = Events::of(io::Cursor::new(bytes)).and_then(look);
    let started = seen.as_ref().ok().and_then(|seen| seen.head.started.clone());
    Listed {
        name: topic.to_owned(),
        path: None,
        bytes: bytes.len() as u64,
        when: started,
        goes_on: false,
        seen,
    }
}

/// Goes through a record to its end, and keeps little of it.
fn look(events: Events) -> Result<Seen, Unreadable> {
    let mut seen = Seen::default();
    let mut verdicts = Vec::new();
    for stamped in events {
        let stamped = stamped?;
        if let Some(head) = Head::of(&stamped.event) {
            seen.head = head;
        }
        match stamped.event {
            Event::Verdict(ended) => verdicts.push(ended.verdict),
            Event::RunEnded { took_ms, .. } => {
                seen.ended = true;
                seen.took_ms = took_ms;
            }
            // Scenarios that ran beside each other are told in turn.
            _ if !seen.ended => seen.took_ms = seen.took_ms.max(stamped.at_ms),
            _ => {}
        }
    }
    for verdict in WORST_FIRST {
        let count = verdicts.iter().filter(|found| **found == verdict).count();
        if count > 0 {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            seen.verdicts.push((verdict, count));
        }
    }
    Ok(seen)
}

const WORST_FIRST: [Verdict; 4] = [
    Verdict::Refuted,
    Verdict::Inconclusive,
    Verdict::Observed,
    Verdict::Proven,
];

/// `38ccce  2026-11-26 10:17  idempotency  ✓ PROVEN 15  34 s  736 KB`
fn in_words(listed: &Listed) -> Text {
    let size = size(listed.bytes);
    let when = listed.when.as_deref().map(|when| Text::same(minute(when)));
    let when = when.unwrap_or(text! { en: "time unknown", zh: "时间不详" });
    let lead = Text::made(
        format!("{}  {}", listed.name, when.en),
        format!("{}  {}", listed.name, when.zh),
    );
    let seen = match &listed.seen {
        Ok(seen) => seen,
        Err(_) if listed.goes_on => {
            return Text::made(
                format!("{}  still goes on", lead.en),
                format!("{}  正在运行", lead.zh),
            );
        }
        Err(unreadable) => {
            let why = unreadable.why();
            return Text::made(
                format!("{}  {size}  ✗ the record {}", lead.en, why.en),
                format!("{}  {size}  ✗ 记录{}", lead.zh, why.zh),
            );
        }
    };
    let targets = match listed.path {
        Some(_) => in_short(&seen.head.scenarios),
        // It is called by its topic already.
        None => Text::default(),
    };
    let took = seen.took_ms / 1000;
    let parts = |pick: fn(&Text) -> &str, seconds: &str| {
        let verdicts = seen.verdicts.iter().map(|(verdict, count)| {
            let (glyph, word) = verdict_word(*verdict);
            format!("{glyph} {} {count}", pick(&word))
        });
        let verdicts = verdicts.collect::<Vec<_>>().join(", ");
        let ended = match (seen.ended, listed.goes_on) {
            (true, _) => Text::default(),
            (false, true) => text! { en: "still goes on", zh: "正在运行" },
            (false, false) => text! { en: "breaks off", zh: "中途中断" },
        };
        let parts = [
            pick(&lead).to_owned(),
            pick(&targets).to_owned(),
            verdicts,
            pick(&ended).to_owned(),
            format!("{took} {seconds}"),
            size.clone(),
        ];
        let said: Vec<_> =
            parts.into_iter().filter(|p| !p.is_empty()).collect();
        said.join("  ")
    };
    Text::made(parts(|text| &text.en, "s"), parts(|text| &text.zh, "秒"))
}

/// Whole topics by their names, and not more than three of anything.
fn in_short(scenarios: &[String]) -> Text {
    let mut names: Vec<String> = Vec::new();
    let mut rest: Vec<&String> = scenarios.iter().collect();
    for topic in TOPICS {
        let all: Vec<String> = topic
            .scenarios
            .iter()
            .map(|scenario| format!("{}/{}", topic.id, scenario.id))
            .collect();
        if all.len() > 1 && all.iter().all(|id| scenarios.contains(id)) {
            names.push(topic.id.to_owned());
            rest.retain(|id| !all.contains(id));
        }
    }
    names.extend(rest.into_iter().cloned());
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let names = names.join(", ");
    match more {
        0 => Text::same(names),
        more => text! {
            en: "{names} and {more} more", zh: "{names} 等，另有 {more} 个",
            names = names, more = more
        },
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} KB", bytes.div_ceil(1_000)),
        _ => {
            format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
        }
    }
}

fn as_json(listed: &Listed) -> serde_json::Value {
    let seen = listed.seen.as_ref();
    let state = match seen {
        _ if listed.goes_on => "going-on",
        Ok(seen) if seen.ended => "ended",
        Ok(_) | Err(Unreadable::Empty) => "broken-off",
        Err(Unreadable::Newer(..)) => "newer",
        Err(_) => "damaged",
    };
    let count = |wanted: Verdict| {
        let found = seen.ok().into_iter().flat_map(|seen| &seen.verdicts);
        found.filter(|(v, _)| *v == wanted).map(|(_, count)| count).sum::<u32>()
    };
    json!({
        "name": listed.name,
        "shipped": listed.path.is_none(),
        "state": state,
        "why": seen.err().map(Unreadable::why),
        "started": listed.when,
        "version": seen.ok().map(|seen| &seen.head.version),
        "scenarios": seen.ok().map(|seen| &seen.head.scenarios),
        "proven": count(Verdict::Proven),
        "refuted": count(Verdict::Refuted),
        "inconclusive": count(Verdict::Inconclusive),
        "observed": count(Verdict::Observed),
        "took_ms": seen.ok().map(|seen| seen.took_ms),
        "bytes": listed.bytes,
        "path": listed.path,
    })
}
