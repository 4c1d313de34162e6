//! What a run came to, and the exit code that says so.

use std::time::{Duration, Instant};

use crate::{
    event::{Ended, Event, Verdict},
    problem::Exit,
};

/// What a run came to.
#[derive(Default)]
pub struct Summary {
    /// Each scenario that was run.
    pub ended: Vec<Ended>,
    /// How many could not be run here.
    pub skipped: u32,
    /// The broker's own boot, in milliseconds.
    pub boot_ms: u64,
    /// From nothing to everything answering.
    pub stage_up: Duration,
}

impl Summary {
    fn count(&self, verdict: Verdict) -> u32 {
        let count =
            self.ended.iter().filter(|ended| ended.verdict == verdict).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The worst verdict decides.
    pub fn exit(&self) -> Exit {
        exit_of(self.ended.iter().map(|ended| ended.verdict))
    }

    /// As the last event of the run.
    pub fn event(
        &self,
        began: Instant,
        down: Duration,
        left_behind: u32,
    ) -> Event {
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        Event::RunEnded {
            proven: self.count(Verdict::Proven),
            refuted: self.count(Verdict::Refuted),
            inconclusive: self.count(Verdict::Inconclusive),
            observed: self.count(Verdict::Observed),
            skipped: self.skipped,
            took_ms: ms(began.elapsed()),
            boot_ms: self.boot_ms,
            stage_up_ms: ms(self.stage_up),
            stage_down_ms: ms(down),
            left_behind,
        }
    }
}

/// The worst of some verdicts, as an exit code.
pub fn exit_of(verdicts: impl IntoIterator<Item = Verdict>) -> Exit {
    let exits = verdicts.into_iter().map(|verdict| match verdict {
        Verdict::Proven | Verdict::Observed => Exit::Proven,
        Verdict::Inconclusive => Exit::Inconclusive,
        Verdict::Refuted => Exit::Refuted,
    });
    let badness = |exit: &Exit| match exit {
        Exit::Proven => 0,
        Exit::Inconclusive => 1,
        _ => 2,
    };
    exits.max_by_key(badness).unwrap_or(Exit::Inconclusive)
}
