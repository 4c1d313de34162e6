//! The recorded run of each topic that ships with the binary, for whoever has
//! no Docker. `scripts/record TOPIC` makes them.

use super::CHAPTERS;

/// The topics of which a run ships, and its record, compressed.
pub fn shipped() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let all = CHAPTERS.iter().map(|chapter| (chapter.topic, chapter.recorded));
    all.filter(|(_, bytes)| !bytes.is_empty())
}

/// The record of the run of this topic that ships.
pub fn of_topic(topic: &str) -> Option<&'static [u8]> {
    shipped().find(|(of, _)| *of == topic).map(|(_, bytes)| bytes)
}
