//! Every claim about the broker says what proves it: a scenario, or a source
//! that the chapter lists.

use std::collections::BTreeSet;

use rmq_lab::{
    book::page::{Block, Kind, Span, blocks, plain},
    text::Lang,
};

use super::{
    book::{Book, LANGUAGES, Paper},
    cited::{
        holds, is_short_for, is_title, numbers_in, set_off, titles,
        without_version,
    },
    inline::{Words, flat},
    rule::{Finding, Rule, Spoil, edit, spoil},
    structure::SECTIONS,
};

pub const RULES: &[Rule] = &[Rule {
    name: "every_claim_has_its_evidence",
    check: evidence,
    spoils: groundless,
}];

/// Of the sections that every chapter has, all but the first and the last
/// consist of claims.
const NAIVE: usize = 0;
const MYTHS: usize = SOURCES - 1;
const SOURCES: usize = SECTIONS.len() - 1;

/// What is wrong, and its line.
type Flaw = (usize, String);

/// A second-level heading, and what is below it.
struct Section {
    line: usize,
    title: String,
    blocks: Vec<Block>,
}

fn evidence(book: &Book) -> Vec<Finding> {
    let mut found = Vec::new();
    for pages in &book.chapters {
        for paper in &pages.texts {
            found.extend(of_paper(book, &pages.topic, paper));
        }
    }
    found
}

fn of_paper(book: &Book, topic: &str, paper: &Paper) -> Vec<Finding> {
    let lang = paper.lang as usize;
    let sections = sections(&paper.text);
    let place = |section: &Section| {
        SECTIONS.iter().position(|names| names[lang] == section.title)
    };
    let sources = sections.iter().filter(|s| place(s) == Some(SOURCES));
    let sources: Vec<_> = sources.flat_map(|s| &s.blocks).collect();
    let proof = Proof::with(book, topic, &sources);
    let flaws = sections.iter().flat_map(|section| {
        let mut flaws = match place(section) {
            Some(NAIVE | SOURCES) => return Vec::new(),
            Some(_) => proof.unproven(section),
            None => proof.bare(section),
        };
        flaws.extend(proof.strangers(section));
        flaws
    });
    flaws.map(|(line, says)| Finding::new(paper.at(line), says)).collect()
}

fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for block in blocks(text) {
        if let Kind::Heading(2, spans) = &block.kind {
            let (line, title) = (block.line, plain(spans));
            sections.push(Section { line, title, blocks: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.blocks.push(block);
        }
    }
    sections
}

/// What is proven by itself: a paragraph, an item of a list, a row of a table.
fn units(block: &Block) -> Vec<Words> {
    let line = block.line;
    match &block.kind {
        Kind::Paragraph(spans) => vec![Words { line, spans: spans.clone() }],
        Kind::List(_, items) => {
            items.iter().map(|item| whole(line, item)).collect()
        }
        Kind::Quote(inner) => vec![whole(line, inner)],
        Kind::Table(rows) => {
            let between = Span { text: " ".to_owned(), ..Span::default() };
            let rows = rows.iter().skip(1).map(|row| Words {
                line: row.line,
                spans: row.cells.join(&between),
            });
            rows.collect()
        }
        _ => Vec::new(),
    }
}

fn whole(line: usize, inner: &[Block]) -> Words {
    let line = inner.first().map_or(line, |block| block.line);
    let spans = flat(inner).into_iter().flat_map(|block| match block.kind {
        Kind::Paragraph(spans) => spans,
        _ => Vec::new(),
    });
    Words { line, spans: spans.collect() }
}

/// What a chapter can prove its claims with.
struct Proof<'b> {
    book: &'b Book,
    topic: &'b str,
    /// Titles of pages and of their sections.
    names: BTreeSet<String>,
    /// Releases, issues, days of a blog.
    numbers: BTreeSet<String>,
}

impl<'b> Proof<'b> {
    fn with(book: &'b Book, topic: &'b str, sources: &[&Block]) -> Self {
        let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        for words in sources.iter().flat_map(|block| units(block)) {
            let named = set_off(&words.spans).into_iter();
            names.extend(named.filter(|name| is_title(name)));
            let links = words.spans.iter().filter(|s| s.link.is_some());
            numbers.extend(links.flat_map(|span| numbers_in(&span.text)));
        }
        Self { book, topic, names, numbers }
    }

    fn proves(&self, spans: &[Span]) -> bool {
        spans.iter().any(|span| self.is_run(span))
            || set_off(spans).iter().any(|piece| self.is_named(piece))
            || numbers_in(&plain(spans))
                .iter()
                .any(|number| self.numbers.contains(number))
    }

    /// Whether it is a scenario, or the command that runs one. Without a topic
    /// it is of the chapter's own.
    fn is_run(&self, span: &Span) -> bool {
        let text = span.text.as_str();
        let name = match text.strip_prefix("rmq-lab demo ") {
            Some(rest) => rest.split(' ').next().unwrap_or_default(),
            None => text,
        };
        let target = match name.contains('/') {
            true => name.to_owned(),
            false => format!("{}/{name}", self.topic),
        };
        span.code && self.book.case(&target).is_some()
    }

    /// Whether a source is named: its title, with a version perhaps, or the
    /// first words of it.
    fn is_named(&self, piece: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|name| match name.contains(' ') {
            true => holds(piece, name) || is_short_for(piece, name),
            // A title of one word is a word of the language, too.
            false => piece == name || without_version(piece) == name,
        })
    }

    /// In a section of claims everything is to be proven by itself.
    fn unproven(&self, section: &Section) -> Vec<Flaw> {
        let notes = self.notes(section);
        let mut found = Vec::new();
        let mut before: Option<&Block> = None;
        for block in &section.blocks {
            let led = before.is_some_and(|before| self.leads(before, block));
            before = Some(block);
            if led {
                continue;
            }
            for words in units(block) {
                let said = plain(&words.spans);
                let noted =
                    notes.iter().any(|note| said.contains(note.as_str()));
                if !noted && !self.proves(&words.spans) {
                    let says = format!("neither scenario nor source: {said}");
                    found.push((words.line, says));
                }
            }
        }
        found
    }

    /// Whether a list or a table is proven as a whole: by the words before it,
    /// which end with a colon.
    fn leads(&self, before: &Block, block: &Block) -> bool {
        let many = matches!(block.kind, Kind::List(..) | Kind::Table(_));
        let colon = |spans: &[Span]| plain(spans).ends_with([':', '：']);
        let last = units(before).pop().map(|words| words.spans);
        many && last.is_some_and(|last| colon(&last) && self.proves(&last))
    }

    /// The marks of the notes that prove something: `[1]`.
    fn notes(&self, section: &Section) -> Vec<String> {
        let all = section.blocks.iter().flat_map(units);
        let proven = all.filter(|words| self.proves(&words.spans));
        let marks = proven.filter_map(|words| {
            let said = plain(&words.spans);
            let (mark, _) = said.strip_prefix('[')?.split_once(']')?;
            Some(format!("[{mark}]"))
        });
        marks.collect()
    }

    /// A section of the chapter's own has something proven in it, and in each
    /// table or beside it.
    fn bare(&self, section: &Section) -> Vec<Flaw> {
        let proven = section.blocks.iter().map(|block| {
            units(block).iter().any(|words| self.proves(&words.spans))
        });
        let proven: Vec<_> = proven.collect();
        let mut found = Vec::new();
        if !proven.contains(&true) {
            let says = format!("no evidence below ## {}", section.title);
            found.push((section.line, says));
        }
        for (nth, block) in section.blocks.iter().enumerate() {
            let beside = nth.saturating_sub(1)..proven.len().min(nth + 2);
            let table = matches!(block.kind, Kind::Table(_));
            if table && !proven[beside].contains(&true) {
                let says = "no evidence in the table, or beside it";
                found.push((block.line, says.to_owned()));
            }
        }
        found
    }

    /// Titles that are cited, and not among the sources.
    fn strangers(&self, section: &Section) -> Vec<Flaw> {
        let mut found = Vec::new();
        for words in section.blocks.iter().flat_map(units) {
            let titles = titles(&words.spans).into_iter();
            let unknown = titles.filter(|title| !self.is_named(title));
            found.extend(unknown.map(|title| {
                (words.line, format!("cites what is no source here: {title}"))
            }));
        }
        found
    }
}

/// What proves nothing, in every section of every chapter.
fn groundless(book: &Book) -> Vec<Spoil> {
    let mut spoils = Vec::new();
    for (nth, pages) in book.chapters.iter().enumerate() {
        let topic = book.topics.iter().find(|t| t.id == pages.topic);
        let run = topic.and_then(|topic| topic.scenarios.first());
        let run = run.map(|case| case.id.as_str()).unwrap_or_default();
        for lang in LANGUAGES {
            spoils.extend(said_only(nth, lang, run));
            spoils.extend(bare_sections(nth, lang, run));
            spoils.extend(bare_myth(book, nth, lang));
            spoils.push(no_sources(nth, lang));
        }
    }
    spoils
}

fn heading(place: usize, lang: Lang) -> String {
    format!("\n## {}\n", SECTIONS[place][lang as usize])
}

/// Something before one of the sections that all chapters have.
fn ahead_of(place: usize, nth: usize, lang: Lang, what: &str) -> Spoil {
    let heading = heading(place, lang);
    edit(nth, lang, &heading, &format!("\n{what}\n{heading}"))
}

fn said_only(nth: usize, lang: Lang, run: &str) -> Vec<Spoil> {
    let claims = [
        "- So it is.".to_owned(),
        "So it is.".to_owned(),
        "| a | b |\n|---|---|\n| so | it is |".to_owned(),
        "- So it is (the documentation says so).".to_owned(),
        "- So it is since 9.9.9 (release notes).".to_owned(),
        "- So it is (*No Such Guide*).".to_owned(),
        format!("- So it is (*No Such Guide*). → `{run}`"),
        format!("- So it is, {run} says."),
        "- So it is. → `never`".to_owned(),
        "- So it is. → `durability/never`".to_owned(),
        "- So it is [9].".to_owned(),
        format!("- So it is. → `{run} so`"),
        "- So it is (Queues are so, and Safety first).".to_owned(),
    ];
    let spoils = claims.iter().map(|what| ahead_of(MYTHS, nth, lang, what));
    // At the end of each other section of claims.
    let others = (NAIVE + 2..=SOURCES).filter(|place| *place != MYTHS);
    let others = others.map(|place| ahead_of(place, nth, lang, "- So it is."));
    spoils.chain(others).collect()
}

fn bare_sections(nth: usize, lang: Lang, run: &str) -> Vec<Spoil> {
    let table = "| a | b |\n|---|---|\n| so | it is |";
    let bare = [
        "## More\n\nSo it is.".to_owned(),
        format!("## More\n\nSo. → `{run}`\n\nSo it is:\n\n{table}"),
    ];
    bare.iter().map(|what| ahead_of(NAIVE + 1, nth, lang, what)).collect()
}

/// The first myth, without what marks its scenario or its source.
fn bare_myth(book: &Book, nth: usize, lang: Lang) -> Option<Spoil> {
    let text = &book.chapters[nth].texts[lang as usize].text;
    let from = text.find(&heading(MYTHS, lang))?;
    let mut rows = text[from..].lines().filter(|line| line.starts_with('|'));
    // After the head and the line below it.
    let row = rows.nth(2)?;
    Some(edit(nth, lang, row, &row.replace(['`', '*', '(', '（'], "")))
}

fn no_sources(nth: usize, lang: Lang) -> Spoil {
    spoil(format!("chapter {nth} {lang:?}: no sources"), move |book| {
        let text = &mut book.chapters[nth].texts[lang as usize].text;
        let heading = heading(SOURCES, lang);
        if let Some(at) = text.find(&heading) {
            text.truncate(at + heading.len());
        }
    })
}
