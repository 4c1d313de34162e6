//! The real program from the outside: what is typed, what is said, and how
//! it ends. Whatever is wrong is told in one sentence, with the right exit
//! code, and nothing is left behind.

mod asked;
mod conversation;
pub mod engine;
mod picture;
mod pipes;
mod places;
mod read;
mod recorded;
mod report;
mod right;
pub mod running;
mod study;
mod terminal;
mod wrong;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    [
        wrong::trials(),
        places::trials(),
        report::trials(),
        picture::trials(),
        pipes::trials(),
        terminal::trials(),
        right::trials(),
        study::trials(),
        read::trials(),
        recorded::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
