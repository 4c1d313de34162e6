//! The gate, with events that the tests make up.

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::*;

const SOON: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(30);

fn pressure(first: Duration) -> Pressure {
    let backoff =
        Backoff { first, most: Duration::from_secs(60), jitter: Jitter::None };
    Pressure::new(Retry::seeded(backoff, 1))
}

fn failed(pressure: &Pressure) -> u32 {
    pressure.0.borrow().retry.failed()
}

#[tokio::test]
async fn it_is_open_when_nothing_was_said() {
    let pressure = Pressure::default();
    assert!(pressure.is_open());
    pressure.ready().await;
    assert_eq!(pressure.seen(), Seen::default());
}

#[tokio::test]
async fn a_nack_shuts_it_for_the_delay() {
    let pressure = pressure(SHORT);
    pressure.nacked();
    assert!(!pressure.is_open());
    assert!(!pressure.is_blocked());
    let began = Instant::now();
    timeout(SOON, pressure.ready()).await.expect("it opens");
    assert!(began.elapsed() >= SHORT - Duration::from_millis(2));
    assert!(pressure.is_open());
    let seen = pressure.seen();
    assert_eq!(seen.nacks, 1);
    assert!(seen.waited > Duration::ZERO);
}

#[tokio::test]
async fn nacks_of_one_window_count_as_one_refusal() {
    let pressure = pressure(SOON);
    for _ in 0..1_000 {
        pressure.nacked();
    }
    assert_eq!(failed(&pressure), 1);
    assert_eq!(pressure.seen().nacks, 1_000);
}

#[tokio::test]
async fn refusals_in_a_row_wait_longer_until_a_confirm() {
    let pressure = pressure(Duration::from_millis(1));
    for expected in 1..=3 {
        pressure.nacked();
        assert_eq!(failed(&pressure), expected);
        timeout(SOON, pressure.ready()).await.expect("it opens");
    }
    pressure.confirmed();
    assert_eq!(failed(&pressure), 0);
}

#[tokio::test]
async fn a_confirm_does_not_cut_a_delay_short() {
    let pressure = pressure(SOON);
    pressure.nacked();
    pressure.confirmed();
    assert!(!pressure.is_open());
}

#[tokio::test]
async fn blocked_and_unblocked_shut_and_open_it_for_all_clones() {
    let pressure = Pressure::default();
    let (sender, events) = mpsc::unbounded_channel();
    let task = tokio::spawn(heed(pressure.clone(), events));
    sender.send(Event::ConnectionBlocked("low on memory".to_owned())).unwrap();
    until(|| pressure.is_blocked()).await;
    let waiting = tokio::spawn({
        let pressure = pressure.clone();
        async move { pressure.ready().await }
    });
    sleep(SHORT).await;
    assert!(!waiting.is_finished());
    sender.send(Event::ConnectionUnblocked).unwrap();
    timeout(SOON, waiting).await.expect("it opens").unwrap();
    let seen = pressure.seen();
    assert_eq!(seen.blocks, 1);
    assert!(seen.blocked >= SHORT);
    sleep(SHORT).await;
    assert_eq!(pressure.seen().blocked, seen.blocked, "the clock has stopped");
    drop(sender);
    timeout(SOON, task).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn said_twice_it_is_blocked_once() {
    let pressure = Pressure::default();
    let mut gate = Gate { pressure: pressure.clone(), blocked: false };
    gate.set(true);
    gate.set(true);
    assert_eq!(pressure.seen().blocks, 1);
    gate.set(false);
    assert!(pressure.is_open());
}

#[tokio::test]
async fn it_stays_shut_until_the_last_connection_is_unblocked() {
    let pressure = Pressure::default();
    let gate = || Gate { pressure: pressure.clone(), blocked: false };
    let (mut one, mut other) = (gate(), gate());
    one.set(true);
    other.set(true);
    one.set(false);
    assert!(!pressure.is_open());
    drop(other);
    assert!(pressure.is_open(), "a dead connection is not blocked");
}

#[tokio::test]
async fn a_connection_that_ends_blocks_nobody() {
    let pressure = Pressure::default();
    let (sender, events) = mpsc::unbounded_channel();
    sender.send(Event::ConnectionBlocked(String::new())).unwrap();
    let task = tokio::spawn(heed(pressure.clone(), events));
    until(|| pressure.is_blocked()).await;
    let listening = Listening(task.abort_handle());
    drop(listening);
    timeout(SOON, pressure.ready()).await.expect("it opens");
    assert_eq!(pressure.seen().blocks, 1);
}

#[tokio::test]
async fn the_delay_goes_on_behind_a_block() {
    let pressure = pressure(SHORT);
    let mut gate = Gate { pressure: pressure.clone(), blocked: false };
    gate.set(true);
    pressure.nacked();
    sleep(SHORT * 2).await;
    assert!(!pressure.is_open());
    gate.set(false);
    assert!(pressure.is_open());
}

async fn heed(pressure: Pressure, mut events: mpsc::UnboundedReceiver<Event>) {
    let events = futures::stream::poll_fn(move |cx| events.poll_recv(cx));
    listen(events, Gate { pressure, blocked: false }).await;
}

async fn until(happened: impl Fn() -> bool) {
    let wait = async {
        while !happened() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, wait).await.expect("it happens");
}
