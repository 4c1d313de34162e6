//! A window over confirms that the tests answer, in any order.

use std::{collections::BTreeMap, future::Ready, future::ready};

use futures::{FutureExt, future::BoxFuture};
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;

type Fake = BoxFuture<'static, Heard>;

fn attempt(number: u32) -> Attempt {
    let id = MessageId::payment(number);
    let message = Arc::new(Outgoing { id, body: Vec::new() });
    Attempt { message, number: 1 }
}

fn heard(answer: Answer, returned: Option<u32>) -> Heard {
    Heard { answer, returned: returned.map(MessageId::payment) }
}

fn ack() -> Heard {
    heard(Answer::Confirmed, None)
}

/// A window with the payments 1 to `count` on their way, and what answers
/// for each.
fn window(count: u32) -> (Window<Fake>, Vec<Option<oneshot::Sender<Heard>>>) {
    let mut window = Window::new(8);
    let answers = (1..=count).map(|number| push(&mut window, number));
    let answers = answers.map(Some).collect();
    (window, answers)
}

fn push(window: &mut Window<Fake>, number: u32) -> oneshot::Sender<Heard> {
    let (sender, receiver) = oneshot::channel();
    let lost = || heard(Answer::Unknown, None);
    let confirm = receiver.map(move |said| said.unwrap_or_else(|_| lost()));
    window.push(attempt(number), Duration::ZERO, confirm.boxed());
    sender
}

fn say(answers: &mut [Option<oneshot::Sender<Heard>>], of: u32, what: Heard) {
    let sender = answers[of as usize - 1].take().expect("answered once");
    assert!(sender.send(what).is_ok());
}

fn hear(window: &mut Window<Fake>) -> bool {
    let mut nobody = Context::from_waker(Waker::noop());
    window.poll_hear(&mut nobody).is_ready()
}

fn taken(window: &mut Window<Fake>) -> Vec<(u32, Answer)> {
    let next = || {
        let (attempt, answer) = window.take()?;
        Some((attempt.message.id.number, answer))
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn nothing_is_heard_until_the_broker_answers() {
    let (mut window, _answers) = window(2);
    assert!(!hear(&mut window));
    assert_eq!(window.unanswered(), 2);
    assert_eq!(taken(&mut window), []);
}

#[test]
fn an_answered_publish_makes_room_at_once() {
    let (mut window, mut answers) = window(3);
    say(&mut answers, 1, ack());
    assert!(hear(&mut window));
    assert_eq!(window.unanswered(), 2);
}

#[test]
fn an_answer_is_final_when_all_that_was_on_its_way_is_heard() {
    let (mut window, mut answers) = window(2);
    say(&mut answers, 1, ack());
    hear(&mut window);
    let later = push(&mut window, 3);
    assert_eq!(taken(&mut window), []);
    say(&mut answers, 2, ack());
    hear(&mut window);
    // What went out after the first was heard says nothing about the first;
    // of the second it may.
    assert_eq!(taken(&mut window), [(1, Answer::Confirmed)]);
    assert!(later.send(ack()).is_ok());
    hear(&mut window);
    let rest = [(2, Answer::Confirmed), (3, Answer::Confirmed)];
    assert_eq!(taken(&mut window), rest);
    assert!(window.is_empty());
}

#[test]
fn a_publish_is_late_once_and_may_still_be_answered() {
    let (mut window, mut answers) = window(3);
    say(&mut answers, 2, ack());
    let mut nobody = Context::from_waker(Waker::noop());
    window.on_their_way[1].ask(&mut nobody);
    let late = |window: &mut Window<Fake>| {
        let next = || Some(window.late(Duration::ZERO)?.number);
        std::iter::from_fn(next).collect::<Vec<_>>()
    };
    assert_eq!(late(&mut window), [1, 3]);
    assert!(late(&mut window).is_empty());
    assert_eq!(window.oldest(), None);
    let last = push(&mut window, 4);
    assert_eq!(window.oldest(), Some(Duration::ZERO));
    say(&mut answers, 1, ack());
    say(&mut answers, 3, ack());
    hear(&mut window);
    assert_eq!(late(&mut window), [4]);
    assert!(last.send(ack()).is_ok());
    hear(&mut window);
    let all = [1, 2, 3, 4].map(|number| (number, Answer::Confirmed));
    assert_eq!(taken(&mut window), all);
}

#[test]
fn a_return_that_rides_on_a_later_confirm_finds_its_message() {
    let (mut window, mut answers) = window(3);
    say(&mut answers, 1, ack());
    hear(&mut window);
    say(&mut answers, 2, ack());
    say(&mut answers, 3, heard(Answer::Confirmed, Some(1)));
    hear(&mut window);
    assert_eq!(
        taken(&mut window),
        [(1, Answer::Returned), (2, Answer::Confirmed), (3, Answer::Confirmed)]
    );
}

#[test]
fn a_return_may_ride_on_a_nack() {
    let (mut window, mut answers) = window(2);
    say(&mut answers, 1, heard(Answer::Nacked, Some(2)));
    say(&mut answers, 2, ack());
    hear(&mut window);
    let both = [(1, Answer::Nacked), (2, Answer::Returned)];
    assert_eq!(taken(&mut window), both);
}

#[test]
fn giving_up_keeps_the_answers_that_are_here() {
    let (mut window, mut answers) = window(3);
    say(&mut answers, 2, ack());
    say(&mut answers, 3, heard(Answer::Nacked, None));
    window.give_up();
    let all =
        [(1, Answer::Unknown), (2, Answer::Confirmed), (3, Answer::Nacked)];
    assert_eq!(taken(&mut window), all);
    assert!(window.lost());
    assert!(!window.lost());
}

#[test]
fn an_answer_that_is_there_at_once_is_not_asked_for_again() {
    let mut window: Window<Ready<Heard>> = Window::new(1);
    window.push(attempt(1), Duration::ZERO, ready(ack()));
    window.give_up();
    let (_, answer) = window.take().expect("heard");
    assert_eq!(answer, Answer::Confirmed);
}

#[test]
fn the_oldest_is_the_first_without_an_answer() {
    let mut window: Window<Fake> = Window::new(2);
    let (sender, receiver) = oneshot::channel();
    let confirm = receiver.map(|said| said.expect("answered")).boxed();
    window.push(attempt(1), Duration::from_secs(1), confirm);
    let pending = std::future::pending().boxed();
    window.push(attempt(2), Duration::from_secs(2), pending);
    assert_eq!(window.oldest(), Some(Duration::from_secs(1)));
    assert!(sender.send(ack()).is_ok());
    hear(&mut window);
    assert_eq!(window.oldest(), Some(Duration::from_secs(2)));
}

/// What happens to a window, in the order of lapin 4.12 and RabbitMQ 4.3.
#[derive(Clone, Debug)]
enum Step {
    /// Some more are published.
    Publish(u8),
    /// One frame answers all up to here; each return that is waiting goes to
    /// one of those, chosen by chance.
    Answer { up_to: u8, chance: u64, nack: bool },
    /// The publisher looks.
    Hear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1u8..8).prop_map(Step::Publish),
        (1u8..12, any::<u64>(), prop::bool::weighted(0.2)).prop_map(
            |(up_to, chance, nack)| Step::Answer { up_to, chance, nack }
        ),
        Just(Step::Hear),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn every_attempt_gets_its_own_answer_and_only_one(
        steps in steps(), unroutable in prop::collection::vec(any::<bool>(), 500),
    ) {
        let comes_back = |number: u32| unroutable[number as usize % 500];
        let mut window = Window::new(8);
        let mut answers = Vec::new();
        let mut answered = 0usize;
        let mut expected = BTreeMap::new();
        let mut told = BTreeMap::new();
        let end = [Step::Answer { up_to: u8::MAX, chance: 1, nack: false }];
        for step in steps.into_iter().chain(end.into_iter().cycle().take(4)) {
            match step {
                Step::Publish(count) => for _ in 0..count {
                    let number = answers.len() as u32 + 1;
                    answers.push(Some(push(&mut window, number)));
                },
                Step::Answer { up_to, chance, nack } => {
                    let end = answers.len().min(answered + up_to as usize);
                    let mut frame: Vec<usize> = (answered..end).collect();
                    let mut back: Vec<u32> = frame.iter()
                        .map(|index| *index as u32 + 1)
                        .filter(|number| comes_back(*number))
                        .collect();
                    answered = end;
                    // Any order within the frame, as from a hash map.
                    frame.sort_by_key(|index| chance.rotate_left(
                        *index as u32 * 7) ^ *index as u64);
                    for index in frame {
                        let number = index as u32 + 1;
                        let answer = match nack {
                            true => Answer::Nacked,
                            false => Answer::Confirmed,
                        };
                        let rides = (!back.is_empty()).then(|| back.remove(0));
                        say(&mut answers, number, heard(answer, rides));
                        expected.insert(number, match comes_back(number) {
                            true => Answer::Returned,
                            false => answer,
                        });
                        // The publisher looks while lapin is at it.
                        if chance.rotate_right(number).is_multiple_of(3) {
                            hear(&mut window);
                        }
                        for (number, answer) in taken(&mut window) {
                            prop_assert!(told.insert(number, answer).is_none());
                        }
                    }
                }
                Step::Hear => { hear(&mut window); }
            }
            for (number, answer) in taken(&mut window) {
                prop_assert!(told.insert(number, answer).is_none());
            }
        }
        hear(&mut window);
        for (number, answer) in taken(&mut window) {
            prop_assert!(told.insert(number, answer).is_none());
        }
        prop_assert!(window.is_empty());
        prop_assert_eq!(told, expected);
    }
}

#[test]
fn who_waits_for_many_is_not_told_of_few() {
    let (mut window, mut answers) = window(4);
    let mut nobody = Context::from_waker(Waker::noop());
    for number in [1, 2] {
        say(&mut answers, number, ack());
        assert!(window.poll_hear_many(3, &mut nobody).is_pending());
        assert_eq!(window.unanswered(), 4);
    }
    say(&mut answers, 3, ack());
    assert!(window.poll_hear_many(3, &mut nobody).is_ready());
    assert_eq!(window.unanswered(), 1);
}

#[test]
fn an_early_answer_of_the_last_of_many_waits_for_the_oldest() {
    let (mut window, mut answers) = window(3);
    let mut nobody = Context::from_waker(Waker::noop());
    say(&mut answers, 3, ack());
    assert!(window.poll_hear_many(3, &mut nobody).is_pending());
    say(&mut answers, 1, ack());
    assert!(window.poll_hear_many(3, &mut nobody).is_ready());
    assert_eq!(window.unanswered(), 2);
}
