//! Any bytes in any chunks, and the state machine against a plain model.

use super::super::amqp::{made::*, method_frame};
use super::super::rules::Report;
use super::super::{WireFault, amqp};
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Sends `bytes` through a lane in chunks of the given lengths, then the end.
fn through(
    protocol: Protocol,
    direction: Direction,
    session: &mut Session,
    rules: &mut Rules,
    bytes: &[u8],
    chunks: &[usize],
) -> Vec<u8> {
    let mut lane = Lane::new(protocol, direction);
    let (mut rest, mut out) = (bytes, Vec::new());
    let mut chunks = chunks.iter().copied().cycle();
    while !rest.is_empty() {
        let room = lane.room();
        let len =
            chunks.next().unwrap_or(1).clamp(1, rest.len()).min(room.len());
        room[..len].copy_from_slice(&rest[..len]);
        rest = &rest[len..];
        lane.filled(len);
        let burst = lane.relay(session, rules);
        out.extend_from_slice(lane.bytes(&burst));
    }
    out.extend(lane.flush(session));
    out
}

fn chunks() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1..9usize, 1..300usize, 1..40_000usize], 1..20)
}

/// Bytes that look like frames often enough to get past the first check.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..40),
        Just(b"AMQP\0\0\x09\x01".to_vec()),
        (0..12u8, any::<u16>(), 0..40u32, vec(any::<u8>(), 0..40)).prop_map(
            |(k, c, len, rest)| {
                [&[k][..], &c.to_be_bytes(), &len.to_be_bytes(), &rest, &[0xCE]]
                    .concat()
            }
        ),
        (any::<u16>(), any::<u16>(), vec(any::<u8>(), 0..30)).prop_map(
            |(class, method, arguments)| method_frame(
                1, class, method, &arguments
            )
        ),
        (0..130u16, vec(any::<u8>(), 0..30)).prop_map(|(method, arguments)| {
            method_frame(1, 60, method, &arguments)
        }),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let publish = (1..4u16, vec(any::<u8>(), 0..3000), any::<u8>()).prop_map(
        |(c, bytes, id)| {
            let id = format!("m{id}");
            let head =
                header(c, bytes.len() as u64, (id != "m0").then_some(&id));
            vec![publish(c), head, body(c, &bytes)]
        },
    );
    let one = prop_oneof![
        publish,
        (0..9u64, any::<bool>())
            .prop_map(|(tag, multiple)| vec![ack(1, tag, multiple)]),
        Just(vec![vec![8, 0, 0, 0, 0, 0, 0, 0xCE]]),
        (1..4u16).prop_map(|c| vec![
            method_frame(c, 20, 10, &[0]),
            method_frame(c, 85, 10, &[0])
        ]),
    ];
    vec(one, 0..30).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn any_bytes_come_out_as_they_went_in(bytes in noise(), chunks in chunks()) {
        for protocol in [Protocol::Amqp, Protocol::Stream] {
            for direction in [Direction::ToBroker, Direction::ToClient] {
                let (mut session, mut rules) = (Session::new(protocol), Rules::default());
                let out = through(protocol, direction, &mut session, &mut rules, &bytes, &chunks);
                prop_assert_eq!(&out, &bytes);
            }
        }
    }

    #[test]
    fn any_bytes_survive_armed_faults(bytes in noise(), chunks in chunks()) {
        for direction in [Direction::ToBroker, Direction::ToClient] {
            let (mut session, mut rules) = (Session::new(Protocol::Amqp), Rules::default());
            rules.arm("none".into(), WireFault::CutBeforePublish);
            rules.arm("none".into(), WireFault::CutBeforeConfirm);
            rules.arm("none".into(), WireFault::SwallowAck);
            let out =
                through(Protocol::Amqp, direction, &mut session, &mut rules, &bytes, &chunks);
            prop_assert_eq!(out.len(), bytes.len());
        }
    }

    #[test]
    fn chunks_do_not_matter(frames in frames(), chunks in chunks(), hold in any::<bool>()) {
        let bytes = [&b"AMQP\0\0\x09\x01"[..], &frames.concat()].concat();
        let (mut session, mut rules) = (Session::new(Protocol::Amqp), Rules::default());
        if hold {
            rules.arm("another".into(), WireFault::CutBeforePublish);
        }
        let up = Direction::ToBroker;
        let out = through(Protocol::Amqp, up, &mut session, &mut rules, &bytes, &chunks);
        prop_assert_eq!(out, bytes);
        let traffic = session.take_book(true).traffic;
        prop_assert_eq!(traffic.frames_to_broker, frames.len() as u64);
        prop_assert_eq!(traffic.unparsed, 0);
    }

    #[test]
    fn what_is_reported_unknown_is_what_the_model_says(steps in vec(step(), 0..120)) {
        let mut model = Model::default();
        let (mut session, mut rules) = (Session::new(Protocol::Amqp), Rules::default());
        let up = |session: &mut Session, rules: &mut Rules, frame: &[u8]| {
            session.on_frame(Direction::ToBroker, frame, rules)
        };
        for channel in 1..=CHANNELS {
            up(&mut session, &mut rules, &method_frame(channel, 20, 10, &[0]));
            up(&mut session, &mut rules, &method_frame(channel, 85, 10, &[0]));
        }
        for step in steps {
            match step {
                Step::Publish(channel) => {
                    let id = model.publish(channel);
                    for frame in [publish(channel), header(channel, 0, Some(&id))] {
                        up(&mut session, &mut rules, &frame);
                    }
                }
                Step::Confirm { channel, at, multiple, positive } => {
                    let Some(tag) = model.confirm(channel, at, multiple) else { continue };
                    let kind = if positive { 80 } else { 120 };
                    let arguments = [&tag.to_be_bytes()[..], &[u8::from(multiple)]].concat();
                    let frame = method_frame(channel, 60, kind, &arguments);
                    let decision = session.on_frame(Direction::ToClient, &frame, &mut rules);
                    prop_assert_eq!(decision, Decision::Forward);
                    session.reached();
                }
            }
        }
        rules.arm("last".into(), WireFault::CutBeforePublish);
        up(&mut session, &mut rules, &publish(1));
        up(&mut session, &mut rules, &header(1, 0, Some("last")));
        session.finish();
        let reports = session.take_book(true).reports;
        let [Report::Strike { also, .. }] = &reports[..] else {
            return Err(TestCaseError::fail(format!("{reports:?}")));
        };
        let reported: BTreeSet<String> = also.iter().cloned().collect();
        prop_assert_eq!(reported.len(), also.len());
        prop_assert_eq!(reported, model.unknown());
    }

    #[test]
    fn the_client_is_told_of_all_but_the_swallowed(
        order in vec((any::<prop::sample::Index>(), any::<bool>()), 1..40),
        target in 1..=20u64,
    ) {
        let (mut session, mut rules) = (Session::new(Protocol::Amqp), Rules::default());
        rules.arm(target.to_string(), WireFault::SwallowConfirm);
        let frames = [method_frame(1, 20, 10, &[0]), method_frame(1, 85, 10, &[0])];
        for frame in frames.into_iter().chain((1..=20).flat_map(|tag: u64| {
            [publish(1), header(1, 0, Some(&tag.to_string()))]
        })) {
            session.on_frame(Direction::ToBroker, &frame, &mut rules);
        }
        let mut open: BTreeSet<u64> = (1..=20).collect();
        let mut told: BTreeSet<u64> = BTreeSet::new();
        for (at, multiple) in &order {
            let Some(tag) = open.iter().nth(at.index(open.len().max(1))).copied() else { break };
            open.retain(|t| if *multiple { *t > tag } else { *t != tag });
            let frame = ack(1, tag, *multiple);
            let seen = match session.on_frame(Direction::ToClient, &frame, &mut rules) {
                Decision::Forward => frame,
                Decision::Replace(bytes) => bytes,
                Decision::Drop | Decision::Cut => Vec::new(),
            };
            for frame in seen.chunks(21) {
                if let amqp::Amqp::Method(_, amqp::Method::Ack { tag, multiple }) = amqp::decode(frame) {
                    told.extend(if multiple { (1..=tag).collect() } else { vec![tag] });
                }
            }
        }
        let expected: BTreeSet<u64> =
            (1..=20).filter(|t| !open.contains(t) && *t != target).collect();
        prop_assert_eq!(told, expected);
    }
}

const CHANNELS: u16 = 3;

#[derive(Clone, Debug)]
enum Step {
    Publish(u16),
    Confirm {
        channel: u16,
        at: prop::sample::Index,
        multiple: bool,
        positive: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let confirm = (
        1..=CHANNELS,
        any::<prop::sample::Index>(),
        any::<bool>(),
        any::<bool>(),
    );
    prop_oneof![
        3 => (1..=CHANNELS).prop_map(Step::Publish),
        1 => confirm.prop_map(|(channel, at, multiple, positive)| {
            Step::Confirm { channel, at, multiple, positive }
        }),
    ]
}

/// What the client knows, kept the plain way.
#[derive(Default)]
struct Model {
    channels: BTreeMap<u16, Vec<(String, bool)>>,
    published: usize,
}

impl Model {
    fn publish(&mut self, channel: u16) -> String {
        self.published += 1;
        let id = format!("m{}", self.published);
        self.channels.entry(channel).or_default().push((id.clone(), false));
        id
    }

    /// The tag that the broker confirms: any that it has seen.
    fn confirm(
        &mut self,
        channel: u16,
        at: prop::sample::Index,
        multiple: bool,
    ) -> Option<u64> {
        let all =
            self.channels.get_mut(&channel).filter(|all| !all.is_empty())?;
        let at = at.index(all.len());
        let from = if multiple { 0 } else { at };
        all[from..=at].iter_mut().for_each(|(_, known)| *known = true);
        Some(at as u64 + 1)
    }

    fn unknown(&self) -> BTreeSet<String> {
        let all = self.channels.values().flatten();
        all.filter(|(_, known)| !known).map(|(id, _)| id.clone()).collect()
    }
}
