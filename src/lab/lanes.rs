//! Which scenarios of a run may go on beside each other.
//!
//! Scenarios on clusters spend most of their time waiting for nodes that boot
//! and for silence to be noticed. Those that stand on nothing in common need
//! not wait for each other. Whoever stands on the broker that all share has it
//! to itself, and not the machine: nodes may boot meanwhile. Of times that are
//! measured in a run of a topic only ratios are told.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use super::{ClusterOf, Needs, clusters::THREES};

/// What a scenario has to itself while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The broker of the stage, and whatever is started beside it.
    Stage,
    /// A cluster of RabbitMQ 3 that scenarios share.
    Three,
    /// The cluster of RabbitMQ 4 that scenarios share.
    Four,
    /// A cluster of its own.
    Nodes,
}

impl Lane {
    /// What a scenario with these needs has to itself, in a run that is about
    /// this major version of the broker.
    pub fn of(needs: &Needs, major: u16) -> BTreeSet<Self> {
        let mut lanes = BTreeSet::new();
        match needs.cluster {
            Some(ClusterOf::Run) if major >= 4 => lanes.insert(Self::Four),
            Some(_) => lanes.insert(Self::Three),
            None => false,
        };
        if needs.nodes > 0 {
            lanes.insert(Self::Nodes);
        }
        if lanes.is_empty() || needs.stage {
            lanes.insert(Self::Stage);
        }
        lanes
    }

    /// How many may be in it at once.
    const fn room(self) -> usize {
        match self {
            Self::Three => THREES,
            Self::Stage | Self::Four | Self::Nodes => 1,
        }
    }
}

/// Scenarios that wait for their turn, and those that run. Each is known by
/// its place in the list.
#[derive(Debug)]
pub struct Turns {
    waiting: VecDeque<Turn>,
    running: Vec<Turn>,
    at_once: usize,
}

/// A scenario's place, what it has to itself, how long it takes, and its
/// topic: topics follow each other.
#[derive(Clone, Debug)]
struct Turn {
    place: usize,
    lanes: BTreeSet<Lane>,
    seconds: u32,
    topic: &'static str,
}

impl Turn {
    /// It stands on the one broker that boots first and stays, and waits most
    /// of its time: beside others it asks little more of the machine.
    fn is_light(&self) -> bool {
        self.lanes.iter().all(|lane| *lane == Lane::Stage)
    }
}

impl Turns {
    /// Scenarios by topic, lanes and seconds ([`Needs::seconds`]), of which so
    /// many may run at once, and beside them one that stands on no cluster.
    /// Those of a topic that stand on more than one thing come first. With one
    /// at once it is one, and in turn.
    pub fn new(
        all: impl IntoIterator<Item = (&'static str, BTreeSet<Lane>, u32)>,
        at_once: usize,
    ) -> Self {
        let mut waiting: Vec<_> = (0..)
            .zip(all)
            .map(|(place, (topic, lanes, seconds))| Turn {
                place,
                lanes,
                seconds,
                topic,
            })
            .collect();
        if at_once > 1 {
            // At the end it would run alone.
            for topic in waiting.chunk_by_mut(|a, b| a.topic == b.topic) {
                topic.sort_by_key(|turn| Reverse(turn.lanes.len()));
            }
        }
        let (waiting, at_once) = (waiting.into(), at_once.max(1));
        Self { waiting, running: Vec::new(), at_once }
    }

    /// The next that may begin now, if any: of the lane that has most to do
    /// yet, lest it be alone at the end. It runs then, until it is
    /// [`over`](Self::over).
    pub fn begin(&mut self) -> Option<usize> {
        let on_clusters =
            self.running.iter().filter(|turn| !turn.is_light()).count();
        let (room, light) = match self.at_once {
            1 => (self.running.is_empty(), self.running.is_empty()),
            most => (on_clusters < most, true),
        };
        let first = self.running.iter().chain(&self.waiting);
        let topic = first.min_by_key(|turn| turn.place)?.topic;
        let mut taken: BTreeMap<Lane, usize> = BTreeMap::new();
        for lane in self.running.iter().flat_map(|turn| &turn.lanes) {
            *taken.entry(*lane).or_default() += 1;
        }
        // Nobody overtakes who waits for the same.
        let free = |turn: &Turn| {
            let mut free = turn.topic == topic
                && if turn.is_light() { light } else { room };
            for lane in &turn.lanes {
                let taken = taken.entry(*lane).or_default();
                free &= *taken < lane.room();
                *taken += 1;
            }
            free
        };
        let fits: Vec<bool> = self.waiting.iter().map(free).collect();
        let free = (0..self.waiting.len()).filter(|nth| fits[*nth]);
        let next = match self.at_once {
            1 => free.min()?,
            // Of equals the first of the list.
            _ => free.rev().max_by_key(|nth| self.to_do(topic, *nth))?,
        };
        let turn = self.waiting.remove(next)?;
        let place = turn.place;
        self.running.push(turn);
        Some(place)
    }

    /// The seconds that are waited for in the lane of this one, for each who
    /// may be in it; of its lanes the one with the most.
    fn to_do(&self, topic: &str, nth: usize) -> u32 {
        let lanes = self.waiting.get(nth).map(|turn| &turn.lanes);
        let in_lane = |lane: &Lane| {
            let all = self.waiting.iter().filter(|turn| {
                turn.topic == topic && turn.lanes.contains(lane)
            });
            let room = u32::try_from(lane.room()).unwrap_or(1);
            all.map(|turn| turn.seconds).sum::<u32>() / room
        };
        lanes.into_iter().flatten().map(in_lane).max().unwrap_or_default()
    }

    /// One that ran has come to its end.
    pub fn over(&mut self, place: usize) {
        self.running.retain(|turn| turn.place != place);
    }

    /// Nothing that comes after this one begins any more.
    pub fn none_after(&mut self, place: usize) {
        self.waiting.retain(|turn| turn.place < place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "a";
    const B: &str = "b";

    fn turns(all: &[(&'static str, &[Lane])], at_once: usize) -> Turns {
        let all = all
            .iter()
            .map(|(topic, lanes)| (*topic, lanes.iter().copied().collect(), 1));
        Turns::new(all, at_once)
    }

    fn begun(turns: &mut Turns) -> Vec<usize> {
        std::iter::from_fn(|| turns.begin()).collect()
    }

    #[test]
    fn those_with_nothing_in_common_begin_at_once() {
        use Lane::*;
        let all: [(_, &[Lane]); 4] =
            [(A, &[Four]), (A, &[Three]), (A, &[Four]), (A, &[Stage])];
        let mut turns = turns(&all, 9);
        assert_eq!(begun(&mut turns), [0, 3, 1]);
        turns.over(1);
        assert!(begun(&mut turns).is_empty());
        turns.over(0);
        assert_eq!(begun(&mut turns), [2]);
    }

    #[test]
    fn clusters_of_three_are_two() {
        use Lane::*;
        let all: [(_, &[Lane]); 4] =
            [(A, &[Three]), (A, &[Three]), (A, &[Three]), (A, &[Three])];
        let mut turns = turns(&all, 9);
        assert_eq!(begun(&mut turns), [0, 1]);
        turns.over(1);
        assert_eq!(begun(&mut turns), [2]);
        turns.over(0);
        assert_eq!(begun(&mut turns), [3]);
    }

    #[test]
    fn who_needs_two_comes_first_where_others_run_beside_it() {
        use Lane::*;
        let all: [(_, &[Lane]); 4] = [
            (A, &[Four]),
            (A, &[Three, Nodes]),
            (B, &[Stage, Three]),
            (B, &[Four]),
        ];
        assert_eq!(begun(&mut turns(&all, 9)), [1, 0]);
        assert_eq!(begun(&mut turns(&all, 1)), [0]);
    }

    #[test]
    fn no_more_than_so_many_at_once() {
        use Lane::*;
        let all: [(_, &[Lane]); 3] =
            [(A, &[Four]), (A, &[Three]), (A, &[Nodes])];
        let mut one_by_one = turns(&all, 0);
        assert_eq!(begun(&mut one_by_one), [0]);
        one_by_one.over(0);
        assert_eq!(begun(&mut one_by_one), [1]);
        assert_eq!(begun(&mut turns(&all, 2)), [0, 2]);
    }

    #[test]
    fn who_needs_two_is_not_overtaken_for_ever() {
        use Lane::*;
        let all: [(_, &[Lane]); 4] = [
            (A, &[Four]),
            (A, &[Four, Nodes]),
            (A, &[Nodes]),
            (A, &[Nodes, Four]),
        ];
        let mut turns = turns(&all, 2);
        assert_eq!(begun(&mut turns), [1]);
        turns.over(1);
        assert_eq!(begun(&mut turns), [3]);
        turns.over(3);
        assert_eq!(begun(&mut turns), [0, 2]);
    }

    #[test]
    fn beside_those_on_clusters_there_may_be_one_that_needs_none() {
        use Lane::*;
        let all: [(_, &[Lane]); 4] =
            [(A, &[Four]), (A, &[Three]), (A, &[Stage]), (A, &[Stage])];
        let mut two = turns(&all, 2);
        assert_eq!(begun(&mut two), [2, 0, 1]);
        two.over(2);
        assert_eq!(begun(&mut two), [3]);
        let mut one = turns(&all, 1);
        assert_eq!(begun(&mut one), [0]);
    }

    #[test]
    fn the_lane_that_has_most_to_do_goes_first() {
        use Lane::*;
        let all = [
            (A, [Four].into(), 30),
            (A, [Stage].into(), 10),
            (A, [Stage].into(), 30),
            (A, [Nodes].into(), 90),
        ];
        let mut one_by_one = Turns::new(all.clone(), 1);
        assert_eq!(begun(&mut one_by_one), [0]);
        let mut two = Turns::new(all, 2);
        assert_eq!(begun(&mut two), [3, 1, 0]);
        two.over(1);
        assert_eq!(begun(&mut two), [2]);
    }

    #[test]
    fn topics_follow_each_other() {
        use Lane::*;
        let all: [(_, &[Lane]); 3] =
            [(A, &[Stage]), (A, &[Stage]), (B, &[Four])];
        let mut turns = turns(&all, 9);
        assert_eq!(begun(&mut turns), [0]);
        turns.over(0);
        assert_eq!(begun(&mut turns), [1]);
        turns.over(1);
        assert_eq!(begun(&mut turns), [2]);
    }

    #[test]
    fn after_a_failure_only_what_comes_before_it_begins() {
        use Lane::*;
        let all: [(_, &[Lane]); 4] =
            [(A, &[Four]), (A, &[Four]), (A, &[Three]), (A, &[Four])];
        let mut turns = turns(&all, 9);
        assert_eq!(begun(&mut turns), [0, 2]);
        turns.over(2);
        turns.none_after(2);
        turns.over(0);
        assert_eq!(begun(&mut turns), [1]);
        turns.over(1);
        assert!(begun(&mut turns).is_empty());
    }

    #[test]
    fn what_a_scenario_stands_on_says_its_lane() {
        let four = Needs { cluster: Some(ClusterOf::Run), ..Needs::BROKER };
        assert_eq!(Lane::of(&four, 4), [Lane::Four].into());
        assert_eq!(Lane::of(&four, 3), [Lane::Three].into());
        let both = Needs {
            cluster: Some(ClusterOf::Three),
            nodes: 3,
            ..Needs::BROKER
        };
        assert_eq!(Lane::of(&both, 4), [Lane::Three, Lane::Nodes].into());
        assert_eq!(Lane::of(&Needs::BROKER, 4), [Lane::Stage].into());
    }
}
