use std::{path::Path, sync::Mutex};

use tokio::time::{sleep, timeout};

use super::*;
use crate::{
    ledger::Noun,
    pattern::outbox::{Outbox, State, Sync},
};

/// Nobody listens there.
const NOWHERE: &str = "amqp://127.0.0.1:1/%2f";

fn order(number: u32) -> Outgoing {
    Outgoing { id: Noun::Order.number(number), body: b"{}".to_vec() }
}

fn outbox(dir: &Path) -> Outbox {
    Outbox::open(&dir.join("shop.db"), Sync::Normal).unwrap()
}

#[derive(Default)]
struct Seen(Mutex<Vec<(u32, Fact)>>);

impl Witness for Seen {
    fn saw(&self, message: MessageId, fact: Fact) {
        self.0.lock().unwrap().push((message.number, fact));
    }
}

fn started(dir: &Path, witness: Arc<Seen>, attempts: u32) -> Direct {
    let backoff = Backoff {
        first: Duration::from_millis(1),
        most: Duration::from_millis(1),
        jitter: Jitter::None,
    };
    let settings = Settings { attempts, backoff, room: 10, seed: 1 };
    let (route, table) =
        (Route::queue("orders"), Group::start(outbox(dir), 100));
    Direct::start(NOWHERE, route, table, witness, settings)
}

#[tokio::test]
async fn what_uses_its_attempts_up_goes_to_the_table() {
    let dir = tempfile::tempdir().unwrap();
    let witness = Arc::new(Seen::default());
    let direct = started(dir.path(), witness.clone(), 2);
    for number in 1..=3 {
        direct.send(order(number)).await.unwrap();
    }
    let empty = async {
        while direct.held() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), empty).await.unwrap();
    let table = outbox(dir.path());
    for number in 1..=3 {
        let state = table.state(Noun::Order.number(number)).unwrap();
        assert_eq!(state, Some((State::Pending, 0)), "order {number}");
    }
    // Never connected, nothing was ever put on the wire.
    let mut seen = witness.0.lock().unwrap().clone();
    seen.sort_unstable_by_key(|(number, _)| *number);
    assert_eq!(seen, [1, 2, 3].map(|number| (number, Fact::Stored)));
}

#[tokio::test]
async fn what_is_in_memory_dies_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let direct = started(dir.path(), Arc::default(), u32::MAX);
    for number in 1..=3 {
        direct.send(order(number)).await.unwrap();
    }
    assert_eq!(direct.held(), 3);
    direct.die().await;
    assert!(outbox(dir.path()).counts().unwrap().is_empty());
}
