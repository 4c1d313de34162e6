//! What a text points to is there: files, scenarios, chapters.

use std::path::{Component, Path};

use rmq_lab::{
    book::{
        arrows::{Piece, pieces},
        page::{Kind, blocks, is_address, plain},
    },
    text::Lang,
};

use super::{
    book::{Book, LANGUAGES, README, README_ZH},
    inline::{flat, words},
    rule::{Finding, Rule, Spoil, append, edit, spoil},
    structure::SECTIONS,
    texts,
};

pub const RULES: &[Rule] = &[
    Rule { name: "every_link_leads_somewhere", check: links, spoils: dead },
    Rule {
        name: "every_arrow_leads_to_a_scenario",
        check: arrows,
        spoils: lost_arrows,
    },
    Rule {
        name: "every_scenario_that_is_mentioned_exists",
        check: mentions,
        spoils: strangers,
    },
    Rule { name: "sources_can_be_followed", check: sources, spoils: dead_ends },
    Rule {
        name: "readme_lists_every_scenario",
        check: listed,
        spoils: unlisted,
    },
];

fn links(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for paper in book.texts() {
        let all = words(paper);
        let links = all.iter().flat_map(|words| {
            let links = words.spans.iter().filter_map(|s| s.link.as_ref());
            links.map(|link| (words.line, link))
        });
        for (line, link) in links {
            let outside = ["https://", "http://", "mailto:"];
            if outside.iter().any(|scheme| link.starts_with(scheme)) {
                continue;
            }
            let (path, part) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => paper.path.clone(),
                path => beside(&paper.path, path),
            };
            let line = paper.line_of(link, line);
            let dead = !book.files.contains(&target)
                || !part.is_empty() && !has_part(book, &target, part);
            if dead {
                let says = format!("leads nowhere: {link}");
                found.push(Finding::new(paper.at(line), says));
            }
        }
    }
    found
}

/// A relative path, seen from a file.
fn beside(file: &str, path: &str) -> String {
    let mut parts: Vec<_> = file.split('/').collect();
    parts.pop();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            Component::Normal(name) => parts.push(name.to_str().unwrap_or("")),
            _ => {}
        }
    }
    parts.join("/")
}

/// Whether a text has a heading that is linked to so.
fn has_part(book: &Book, path: &str, part: &str) -> bool {
    let paper = book.texts().find(|paper| paper.path == path);
    paper.is_none_or(|paper| {
        flat(&blocks(&paper.text)).iter().any(|block| match &block.kind {
            Kind::Heading(_, spans) => slug(&plain(spans)) == part,
            _ => false,
        })
    })
}

/// As GitHub makes it.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn dead(book: &Book) -> Vec<Spoil> {
    let mut spoils = Vec::new();
    for nth in 0..book.chapters.len() {
        for lang in LANGUAGES {
            spoils.push(append(nth, lang, "See [there](../nowhere.md)."));
            spoils.push(append(nth, lang, "See [here](#no-such-part)."));
        }
    }
    spoils.push(spoil("a link of README", |book| {
        let more = "\n| a | b |\n|---|---|\n| [x](nowhere) | y |\n";
        book.papers[0].text.push_str(more);
    }));
    spoils.push(spoil("a chapter is gone", |book| {
        book.files.retain(|path| !path.starts_with("chapters/01"));
    }));
    spoils
}

fn arrows(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for pages in &book.chapters {
        for paper in &pages.texts {
            for words in words(paper) {
                for piece in pieces(&words.spans, &pages.topic) {
                    let says = match piece {
                        Piece::Runs(runs) => runs.into_iter().find_map(|run| {
                            let is = book.case(&run).is_some();
                            (!is).then(|| format!("→ no scenario {run}"))
                        }),
                        // An arrow is for scenarios, and for nothing else.
                        Piece::Words(span) => (span.text.contains('→')
                            && !span.code)
                            .then(|| "→ leads to no scenario".to_owned()),
                    };
                    found.extend(says.map(|says| {
                        let line = paper.line_of("→", words.line);
                        Finding::new(paper.at(line), says)
                    }));
                }
            }
        }
    }
    found
}

fn lost_arrows(book: &Book) -> Vec<Spoil> {
    let mut spoils = Vec::new();
    for nth in 0..book.chapters.len() {
        for lang in LANGUAGES {
            spoils.push(edit(nth, lang, "→ `", "→ `un"));
            spoils.push(append(nth, lang, "So. → `never`"));
            spoils.push(append(nth, lang, "So. → `idempotency/never`"));
            spoils.push(append(nth, lang, "- So. → `never`"));
            spoils.push(append(nth, lang, "So → there."));
            let table = "| a | b |\n|---|---|\n| c | → `never` |";
            spoils.push(append(nth, lang, table));
        }
    }
    spoils
}

fn mentions(book: &Book) -> Vec<Finding> {
    let mut said: Vec<(String, String)> = book
        .texts()
        .flat_map(|paper| {
            let lines = paper.text.lines().enumerate();
            lines.map(|(nth, line)| (paper.at(nth + 1), line.to_owned()))
        })
        .collect();
    let texts = texts::all(book).into_iter();
    said.extend(texts.flat_map(|(at, text)| {
        LANGUAGES.map(|lang| (at.clone(), text.say(lang).to_owned()))
    }));
    let strangers = said.iter().flat_map(|(at, line)| {
        let unknown = targets(book, line).filter(|t| book.case(t).is_none());
        unknown.map(move |target| {
            Finding::new(at, format!("no scenario {target}"))
        })
    });
    strangers.collect()
}

/// What looks like `topic/scenario` in a line, for the topics there are. Part
/// of a longer path it is not one.
fn targets<'t>(
    book: &'t Book,
    line: &'t str,
) -> impl Iterator<Item = String> + 't {
    let path = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '_' | '.')
    };
    line.split(move |c: char| !path(c)).filter_map(move |word| {
        let word = word.trim_end_matches('.');
        let (topic, scenario) = word.split_once('/')?;
        let known = book.topics.iter().any(|one| one.id == topic);
        let plain = |c: char| c.is_ascii_lowercase() || c == '-';
        let named = !scenario.is_empty() && scenario.chars().all(plain);
        (known && named).then(|| word.to_owned())
    })
}

fn strangers(book: &Book) -> Vec<Spoil> {
    let mut spoils = Vec::new();
    for nth in 0..book.chapters.len() {
        for lang in LANGUAGES {
            spoils.push(append(nth, lang, "As durability/never shows."));
        }
    }
    spoils.push(append(0, Lang::En, "```sh\nrmq-lab demo beyond/never\n```"));
    spoils.push(spoil("in an answer", |book| {
        if let Ok(file) = &mut book.chapters[0].questions.read {
            let said = &mut file.questions[0].answer.zh;
            said.to_mut().push_str("（decoupling/never）");
        }
    }));
    spoils.push(spoil("in a hint", |book| {
        if let Ok(file) = &mut book.chapters[0].hints.read {
            file.scenarios[0].hint[0].en = "See idempotency/never.".into();
        }
    }));
    spoils.push(spoil("in README", |book| {
        book.papers[0].text.push_str("\nrmq-lab demo durability/never\n");
    }));
    spoils
}

/// A source is a link, and a safe one; no address is wanting or left over.
fn sources(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for paper in book.chapter_texts() {
        let heading = format!("## {}", last_section(paper.lang));
        let from = paper.line_of(&heading, 1);
        let all = words(paper);
        let own = all.iter().filter(|words| words.line > from);
        let spans: Vec<_> = own
            .flat_map(|w| w.spans.iter().map(move |s| (w.line, s)))
            .collect();
        if spans.iter().all(|(_, span)| span.link.is_none()) {
            found.push(Finding::new(paper.at(from), "no source is a link"));
        }
        for (line, span) in &spans {
            let link = span.link.as_deref();
            if let Some(link) = link.filter(|l| !l.starts_with("https://")) {
                let says = format!("a source that is not https: {link}");
                found.push(Finding::new(paper.at(*line), says));
            }
            // What leads nowhere stays as it was typed.
            if span.text.contains("][") {
                let says = format!("a link without an address: {}", span.text);
                found.push(Finding::new(paper.at(*line), says));
            }
        }
        let lines = paper.text.lines().enumerate();
        for (nth, line) in lines.filter(|(_, line)| is_address(line)) {
            let name = line.split("]:").next().unwrap_or_default();
            let (named, bare) = (format!("]{name}]"), format!("{name}][]"));
            if !paper.text.contains(&named) && !paper.text.contains(&bare) {
                let says = format!("nobody follows {line}");
                found.push(Finding::new(paper.at(nth + 1), says));
            }
        }
    }
    found
}

fn last_section(lang: Lang) -> &'static str {
    SECTIONS[SECTIONS.len() - 1][lang as usize]
}

fn dead_ends(book: &Book) -> Vec<Spoil> {
    let mut spoils = Vec::new();
    for nth in 0..book.chapters.len() {
        for lang in LANGUAGES {
            spoils.push(edit(nth, lang, "]: https://", "]: http://"));
            spoils.push(append(nth, lang, "[no-one]: https://a.b"));
            spoils.push(append(nth, lang, "- See [*there*][no-where]."));
            spoils.push(append(nth, lang, "- See [there](http://a.b)."));
            let what = format!("{nth} {lang:?}: no address");
            spoils.push(spoil(what, move |book| {
                let text = &mut book.chapters[nth].texts[lang as usize].text;
                let lines = text.lines().filter(|line| !is_address(line));
                *text = lines.map(|line| format!("{line}\n")).collect();
            }));
            let what = format!("{nth} {lang:?}: titles only");
            spoils.push(spoil(what, move |book| {
                let text = &mut book.chapters[nth].texts[lang as usize].text;
                let heading = format!("## {}", last_section(lang));
                let end = text.find(&heading).map(|at| at + heading.len());
                text.truncate(end.unwrap_or_default());
                text.push_str("\n\n- *A Guide*.\n");
            }));
        }
    }
    spoils
}

/// The table of topics and scenarios: each row exists, and none is missing.
fn listed(book: &Book) -> Vec<Finding> {
    let papers = book.papers.iter();
    let papers =
        papers.filter(|paper| [README, README_ZH].contains(&&*paper.path));
    let mut found = Vec::new();
    for paper in papers {
        let (mut topic, mut listed) = (String::new(), Vec::new());
        for block in flat(&blocks(&paper.text)) {
            let Kind::Table(rows) = block.kind else { continue };
            let head = rows.first().and_then(|row| row.cells.get(1));
            let head = head.map(|cell| plain(cell)).unwrap_or_default();
            if !["scenario", "场景"].contains(&head.as_str()) {
                continue;
            }
            for row in rows.iter().skip(1) {
                let cell = |nth: usize| {
                    row.cells.get(nth).map(|c| plain(c)).unwrap_or_default()
                };
                if !cell(0).is_empty() {
                    topic = cell(0);
                }
                let target = format!("{topic}/{}", cell(1));
                if book.case(&target).is_none() {
                    let says = format!("lists {target}, which does not exist");
                    found.push(Finding::new(paper.at(row.line), says));
                }
                listed.push(target);
            }
        }
        let missing = book.cases().map(|(target, _)| target);
        let missing = missing.filter(|target| !listed.contains(target));
        found.extend(missing.map(|target| {
            Finding::new(&paper.path, format!("does not list {target}"))
        }));
    }
    found
}

fn unlisted(book: &Book) -> Vec<Spoil> {
    let rows = book.cases().map(|(target, case)| {
        let row = format!("| `{}` |", case.id);
        spoil(format!("README without {target}"), move |book| {
            let text = &mut book.papers[0].text;
            *text = text.replace(&row, "| `never` |");
        })
    });
    rows.collect()
}
