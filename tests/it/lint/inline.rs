//! Every line of words in a text, wherever it stands.

use rmq_lab::book::page::{Block, Kind, Span, blocks};

use super::book::Paper;

/// Words, and the line of the file on which they begin.
pub struct Words {
    pub line: usize,
    pub spans: Vec<Span>,
}

/// All of them, headings and cells too.
pub fn words(paper: &Paper) -> Vec<Words> {
    let mut all = Vec::new();
    for block in flat(&blocks(&paper.text)) {
        let line = block.line;
        match block.kind {
            Kind::Heading(_, spans) | Kind::Paragraph(spans) => {
                all.push(Words { line, spans });
            }
            Kind::Table(rows) => {
                all.extend(rows.into_iter().flat_map(|row| {
                    let line = row.line;
                    row.cells
                        .into_iter()
                        .map(move |spans| Words { line, spans })
                }));
            }
            _ => {}
        }
    }
    all
}

/// Blocks, each list and quotation followed by what is in it.
pub fn flat(blocks: &[Block]) -> Vec<Block> {
    let mut all = Vec::new();
    for block in blocks {
        all.push(block.clone());
        match &block.kind {
            Kind::List(_, items) => {
                all.extend(items.iter().flat_map(|item| flat(item)));
            }
            Kind::Quote(inner) => all.extend(flat(inner)),
            _ => {}
        }
    }
    all
}

/// What is said, with an `x` for each piece of code.
pub fn prose(spans: &[Span]) -> String {
    let word = |span: &Span| match span.code {
        true => "x".to_owned(),
        false => span.text.clone(),
    };
    spans.iter().map(word).collect()
}
