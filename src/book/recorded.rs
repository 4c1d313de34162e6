//! The recorded run of each topic that ships with the binary, for whoever has
//! no Docker. `scripts/record TOPIC` makes them.

macro_rules! recorded {
    ($topic:literal, $directory:literal) => {
        (
            $topic,
            include_bytes!(concat!(
                "../../chapters/",
                $directory,
                "/recorded.jsonl.gz"
            )),
        )
    };
}

/// By topic, in the order of reading. Empty, where none was made yet.
static ALL: &[(&str, &[u8])] = &[
    recorded!("decoupling", "01-decoupling"),
    recorded!("producer-loss", "02-producer-loss"),
    recorded!("idempotency", "03-idempotency"),
    recorded!("durability", "04-durability"),
    recorded!("mirrored-ha", "05-mirrored-ha"),
    recorded!("beyond", "06-beyond"),
];

/// The topics of which a run ships, and its record, compressed.
pub fn shipped() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let all = ALL.iter().map(|(topic, bytes)| (*topic, *bytes));
    all.filter(|(_, bytes)| !bytes.is_empty())
}

/// The record of the run of this topic that ships.
pub fn of_topic(topic: &str) -> Option<&'static [u8]> {
    shipped().find(|(of, _)| *of == topic).map(|(_, bytes)| bytes)
}
