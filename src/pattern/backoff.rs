//! How long to wait before the next attempt.
//!
//! *When:* before anything is tried again that others may be trying again at
//! the same moment: a publish that was refused, a connection. *Cost:*
//! latency, up to the cap for each attempt. *Does not protect from:* trying
//! for ever. The caller counts the attempts.
//!
//! Doubling gives the other side time to recover. Jitter keeps those that
//! failed together from coming back together, which is what knocks the other
//! side over again. Full jitter picks anywhere between nothing and the
//! doubled delay: of the kinds compared in the source it needed the fewest
//! calls.
//!
//! Source: AWS Architecture Blog, "Exponential Backoff And Jitter".

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

/// A rule for delays. Attempts count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay after the first attempt; each further one doubles it.
    pub first: Duration,
    /// No delay is longer.
    pub most: Duration,
    /// What chance does to it.
    pub jitter: Jitter,
}

/// What chance does to a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Nothing: whoever failed together comes back together.
    None,
    /// Anything from half of it to the whole: for whoever must not come back
    /// too soon.
    Equal,
    /// Anything from no delay at all to the whole of it.
    Full,
}

impl Backoff {
    /// How long to wait after `attempt`.
    pub fn delay(&self, attempt: u32, rng: &mut impl Rng) -> Duration {
        let longest = self.longest(attempt);
        match self.jitter {
            Jitter::None => longest,
            Jitter::Equal => rng.random_range(longest / 2..=longest),
            Jitter::Full => rng.random_range(Duration::ZERO..=longest),
        }
    }

    /// How long to wait after `attempt` at most: what there is without
    /// jitter.
    pub fn longest(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1);
        // Past 31 doublings the factor has no bits left: that is the cap.
        let longest = 1u32
            .checked_shl(doublings)
            .and_then(|factor| self.first.checked_mul(factor));
        match longest {
            Some(longest) => longest.min(self.most),
            None if self.first.is_zero() => Duration::ZERO,
            None => self.most,
        }
    }
}

/// A [`Backoff`] that knows how many attempts have failed in a row.
#[derive(Clone, Debug)]
pub struct Retry {
    backoff: Backoff,
    rng: StdRng,
    failed: u32,
}

impl Retry {
    /// With the same seed the delays are the same.
    pub fn seeded(backoff: Backoff, seed: u64) -> Self {
        Self { backoff, rng: StdRng::seed_from_u64(seed), failed: 0 }
    }

    /// With delays of its own.
    pub fn new(backoff: Backoff) -> Self {
        Self::seeded(backoff, rand::random())
    }

    /// One more attempt has failed: how long to wait now.
    pub fn next_delay(&mut self) -> Duration {
        self.failed = self.failed.saturating_add(1);
        self.backoff.delay(self.failed, &mut self.rng)
    }

    /// It worked: the next delay is the first one again.
    pub fn reset(&mut self) {
        self.failed = 0;
    }

    /// Attempts that have failed in a row.
    pub fn failed(&self) -> u32 {
        self.failed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn backoff(first: u32, most: u32, jitter: Jitter) -> Backoff {
        Backoff { first: MS * first, most: MS * most, jitter }
    }

    #[test]
    fn without_jitter_it_doubles_up_to_the_cap() {
        let backoff = backoff(10, 100, Jitter::None);
        let mut rng = StdRng::seed_from_u64(1);
        let delays = (1..=6).map(|n| backoff.delay(n, &mut rng).as_millis());
        assert_eq!(delays.collect::<Vec<_>>(), [10, 20, 40, 80, 100, 100]);
    }

    #[test]
    fn no_attempt_yet_is_like_the_first() {
        let backoff = backoff(10, 100, Jitter::None);
        assert_eq!(backoff.longest(0), backoff.longest(1));
    }

    #[test]
    fn full_jitter_uses_the_whole_range() {
        let backoff = backoff(100, 100, Jitter::Full);
        let mut retry = Retry::seeded(backoff, 7);
        let delays: Vec<_> = (0..200).map(|_| retry.next_delay()).collect();
        assert!(delays.iter().any(|delay| *delay < MS * 10));
        assert!(delays.iter().any(|delay| *delay > MS * 90));
    }

    #[test]
    fn equal_jitter_waits_for_half_at_least() {
        let backoff = backoff(100, 100, Jitter::Equal);
        let mut retry = Retry::seeded(backoff, 7);
        let delays: Vec<_> = (0..200).map(|_| retry.next_delay()).collect();
        assert!(
            delays.iter().all(|delay| (MS * 50..=MS * 100).contains(delay))
        );
        assert!(delays.iter().any(|delay| *delay < MS * 60));
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let backoff = backoff(10, 1_000, Jitter::Full);
        let delays = |seed| {
            let mut retry = Retry::seeded(backoff, seed);
            (0..20).map(|_| retry.next_delay()).collect::<Vec<_>>()
        };
        assert_eq!(delays(3), delays(3));
        assert_ne!(delays(3), delays(4));
    }

    #[test]
    fn success_starts_again_from_the_first_delay() {
        let mut retry = Retry::seeded(backoff(10, 1_000, Jitter::None), 1);
        retry.next_delay();
        assert_eq!(retry.next_delay(), MS * 20);
        retry.reset();
        assert_eq!(retry.next_delay(), MS * 10);
    }

    fn jitters() -> impl Strategy<Value = Jitter> {
        prop_oneof![Just(Jitter::None), Just(Jitter::Equal), Just(Jitter::Full)]
    }

    fn attempts() -> impl Strategy<Value = u32> {
        prop_oneof![0u32..70, Just(u32::MAX), any::<u32>()]
    }

    proptest! {
        #[test]
        fn never_above_the_cap(
            first: u64, most: u64, attempt in attempts(), seed: u64,
            jitter in jitters(),
        ) {
            let backoff = Backoff {
                first: Duration::from_nanos(first),
                most: Duration::from_nanos(most),
                jitter,
            };
            let mut rng = StdRng::seed_from_u64(seed);
            prop_assert!(backoff.delay(attempt, &mut rng) <= backoff.most);
        }

        #[test]
        fn twice_the_one_before_or_the_cap(
            first in 0u32..10_000, most in 0u32..1_000_000,
            attempt in 1u32..u32::MAX,
        ) {
            let backoff = backoff(first, most, Jitter::None);
            let twice = backoff.longest(attempt) * 2;
            prop_assert_eq!(
                backoff.longest(attempt + 1),
                twice.min(backoff.most)
            );
        }

        #[test]
        fn jitter_only_shortens(attempt in attempts(), seed: u64) {
            let mut rng = StdRng::seed_from_u64(seed);
            let delay = backoff(10, 1_000, Jitter::Full)
                .delay(attempt, &mut rng);
            prop_assert!(delay <= backoff(10, 1_000, Jitter::None)
                .longest(attempt));
        }

        #[test]
        fn the_longest_time_there_is_does_not_overflow(attempt in attempts()) {
            let backoff = Backoff {
                first: Duration::MAX, most: Duration::MAX, jitter: Jitter::Full,
            };
            let mut rng = StdRng::seed_from_u64(1);
            prop_assert!(backoff.delay(attempt, &mut rng) <= Duration::MAX);
        }
    }
}
