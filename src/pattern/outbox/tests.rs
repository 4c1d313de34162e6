use std::time::Instant;

use rusqlite::params;

use super::*;
use crate::ledger::Noun;

const NOW: Moment = Moment(1_000_000);
const LEASE: Duration = Duration::from_secs(30);

fn outbox() -> Outbox {
    let db = Connection::open_in_memory().unwrap();
    db.busy_timeout(Duration::ZERO).unwrap();
    Outbox::over(db).unwrap()
}

fn order(number: u32) -> Outgoing {
    Outgoing { id: Noun::Order.number(number), body: b"{}".to_vec() }
}

fn with(rows: u32) -> Outbox {
    let mut outbox = outbox();
    write_all(&mut outbox, 1..=rows);
    outbox
}

fn write_all(outbox: &mut Outbox, numbers: impl Iterator<Item = u32>) {
    let written = outbox.transaction(|tx| {
        for number in numbers {
            assert!(write(tx, &order(number), NOW)?);
        }
        Ok::<_, OutboxError>(())
    });
    written.unwrap();
}

fn by<'a>(relay: &'a str, rows: u32) -> Claim<'a> {
    Claim { relay, rows, lease: LEASE, attempts: 3 }
}

fn numbers(due: &[Due]) -> Vec<u32> {
    due.iter().map(|row| row.message.id.number).collect()
}

fn all(due: &[Due], outcome: Outcome) -> Vec<Settled> {
    let settled =
        |row: &Due| Settled { seq: row.seq, attempt: row.attempt, outcome };
    due.iter().map(settled).collect()
}

fn state(outbox: &Outbox, number: u32) -> State {
    outbox.state(Noun::Order.number(number)).unwrap().unwrap().0
}

#[test]
fn a_message_stands_or_falls_with_its_business() {
    let mut outbox = outbox();
    let failed = outbox.transaction(|tx| {
        write(tx, &order(1), NOW)?;
        Err::<(), _>(OutboxError::Gone)
    });
    assert!(failed.is_err());
    assert_eq!(outbox.state(order(1).id).unwrap(), None);
    write_all(&mut outbox, 1..=1);
    assert_eq!(state(&outbox, 1), State::Pending);
}

#[test]
fn the_same_id_is_written_once() {
    let mut outbox = with(1);
    let again = outbox.transaction(|tx| write(tx, &order(1), NOW));
    assert!(!again.unwrap());
    assert_eq!(outbox.counts().unwrap()[&State::Pending], 1);
}

#[test]
fn what_one_relay_has_claimed_another_does_not_get() {
    let mut outbox = with(10);
    let first = outbox.claim(&by("a", 6), NOW).unwrap();
    assert_eq!(numbers(&first), [1, 2, 3, 4, 5, 6]);
    let second = outbox.claim(&by("b", 6), NOW).unwrap();
    assert_eq!(numbers(&second), [7, 8, 9, 10]);
    assert!(outbox.claim(&by("a", 6), NOW).unwrap().is_empty());
}

#[test]
fn when_a_lease_is_over_the_row_is_another_s() {
    let mut outbox = with(1);
    let dead = outbox.claim(&by("dead", 1), NOW).unwrap();
    assert!(
        outbox.claim(&by("b", 1), NOW.after(LEASE / 2)).unwrap().is_empty()
    );
    let later = outbox.claim(&by("b", 1), NOW.after(LEASE)).unwrap();
    assert_eq!(later[0].attempt, 2);
    // What the first now says of its attempt changes nothing, but a confirm.
    let stale = Outcome::Again(NOW);
    outbox.settle("dead", &all(&dead, stale)).unwrap();
    assert_eq!(state(&outbox, 1), State::Sent);
    outbox.settle("dead", &all(&dead, Outcome::Confirmed)).unwrap();
    assert_eq!(state(&outbox, 1), State::Confirmed);
}

#[test]
fn a_lease_that_is_renewed_is_not_over() {
    let mut outbox = with(2);
    let due = outbox.claim(&by("a", 2), NOW).unwrap();
    outbox.renew("a", &[due[0].seq], NOW.after(LEASE * 2)).unwrap();
    outbox.renew("b", &[due[1].seq], NOW.after(LEASE * 2)).unwrap();
    let over = outbox.claim(&by("b", 2), NOW.after(LEASE)).unwrap();
    assert_eq!(numbers(&over), [2]);
}

#[test]
fn a_relay_that_starts_again_takes_back_what_was_its_own() {
    let mut outbox = with(3);
    outbox.claim(&by("a", 2), NOW).unwrap();
    outbox.claim(&by("b", 1), NOW).unwrap();
    assert_eq!(outbox.release("a", |row| row != 1, NOW).unwrap(), 1);
    let again = outbox.claim(&by("c", 9), NOW).unwrap();
    assert_eq!(numbers(&again), [2]);
    assert_eq!(again[0].attempt, 1);
}

#[test]
fn a_late_confirm_counts_from_every_state() {
    for outcome in [
        Outcome::Unknown(NOW),
        Outcome::Again(NOW),
        Outcome::Returned,
        Outcome::Confirmed,
    ] {
        let mut outbox = with(1);
        let due = outbox.claim(&by("a", 1), NOW).unwrap();
        outbox.settle("a", &all(&due, outcome)).unwrap();
        outbox.settle("a", &all(&due, Outcome::Confirmed)).unwrap();
        assert_eq!(state(&outbox, 1), State::Confirmed, "{outcome:?}");
        assert!(outbox.claim(&by("a", 1), NOW).unwrap().is_empty());
    }
    let mut outbox = with(1);
    let due = outbox.claim(&Claim { attempts: 1, ..by("a", 1) }, NOW).unwrap();
    outbox.fail_exhausted(1, NOW.after(LEASE)).unwrap();
    assert_eq!(state(&outbox, 1), State::Failed);
    outbox.settle("a", &all(&due, Outcome::Confirmed)).unwrap();
    assert_eq!(state(&outbox, 1), State::Confirmed);
    assert!(outbox.untold(10).unwrap().is_empty());
}

#[test]
fn attempts_are_counted_and_end() {
    let mut outbox = with(1);
    let claim = by("a", 1);
    let mut now = NOW;
    for attempt in 1..=3 {
        let due = outbox.claim(&claim, now).unwrap();
        assert_eq!(due[0].attempt, attempt);
        now = now.after(Duration::from_secs(1));
        outbox.settle("a", &all(&due, Outcome::Unknown(now))).unwrap();
    }
    assert!(outbox.claim(&claim, now).unwrap().is_empty());
    // Not before it is due: its last confirm may still come.
    let early = Moment(now.0 - 1);
    assert!(outbox.fail_exhausted(3, early).unwrap().is_empty());
    assert_eq!(outbox.fail_exhausted(3, now).unwrap(), [order(1).id]);
    assert_eq!(outbox.age(now).unwrap(), None);
}

#[test]
fn what_failed_is_told_until_it_was_told_and_can_start_again() {
    let mut outbox = with(3);
    let due = outbox.claim(&by("a", 2), NOW).unwrap();
    outbox.settle("a", &all(&due[..1], Outcome::Returned)).unwrap();
    outbox.fail_exhausted(1, NOW.after(LEASE)).unwrap();
    let untold = outbox.untold(10).unwrap();
    let states: Vec<_> =
        untold.iter().map(|row| (row.message.as_str(), row.state)).collect();
    assert_eq!(
        states,
        [("order-0001", State::Returned), ("order-0002", State::Failed)]
    );
    outbox.mark_told(&untold, NOW).unwrap();
    assert!(outbox.untold(10).unwrap().is_empty());
    assert_eq!(outbox.replay(NOW).unwrap(), 2);
    let again = outbox.claim(&by("a", 9), NOW).unwrap();
    assert_eq!(numbers(&again), [1, 2, 3]);
    assert!(again.iter().all(|row| row.attempt == 1));
}

#[test]
fn what_is_replayed_while_it_is_told_of_is_told_again_when_it_fails() {
    let mut outbox = with(1);
    let give_up = |outbox: &mut Outbox| {
        outbox.claim(&by("a", 1), NOW).unwrap();
        outbox.fail_exhausted(1, NOW.after(LEASE)).unwrap();
    };
    give_up(&mut outbox);
    let untold = outbox.untold(10).unwrap();
    // The mail is out, and its reader is quicker than the note of it.
    outbox.replay(NOW).unwrap();
    outbox.mark_told(&untold, NOW).unwrap();
    give_up(&mut outbox);
    assert_eq!(outbox.untold(10).unwrap().len(), 1);
}

#[test]
fn the_age_is_that_of_the_oldest_open_row() {
    let mut outbox = with(1);
    let later = NOW.after(Duration::from_secs(5));
    let wrote = outbox.transaction(|tx| write(tx, &order(2), later));
    wrote.unwrap();
    let now = NOW.after(Duration::from_secs(9));
    assert_eq!(outbox.age(now).unwrap(), Some(Duration::from_secs(9)));
    let due = outbox.claim(&by("a", 1), now).unwrap();
    outbox.settle("a", &all(&due, Outcome::Confirmed)).unwrap();
    assert_eq!(outbox.age(now).unwrap(), Some(Duration::from_secs(4)));
}

#[test]
fn a_row_that_cannot_be_read_holds_nobody_up_and_is_told() {
    let mut outbox = with(2);
    let broken = "INSERT INTO outbox(message, body, written_ms, due_ms)
                  VALUES (?1, ?2, 1, 1)";
    outbox.db.execute(broken, params!["no id at all", b"x"]).unwrap();
    outbox.db.execute(broken, params!["order-0009", 1.5]).unwrap();
    let due = outbox.claim(&by("a", 10), NOW).unwrap();
    assert_eq!(numbers(&due), [1, 2]);
    let told = outbox.untold(10).unwrap();
    let whys: Vec<_> = told.iter().map(|row| row.why.clone()).collect();
    assert!(whys[0].as_ref().unwrap().contains("is not a message id"));
    assert!(whys[1].as_ref().unwrap().contains("body"), "{whys:?}");
    // Sending it again cannot mend it.
    assert_eq!(outbox.replay(NOW).unwrap(), 0);
}

#[test]
fn a_busy_database_is_told_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    let mut holder = Outbox::open(&path, Sync::Full).unwrap();
    let mut other = Outbox::open(&path, Sync::Full).unwrap();
    other.db.busy_timeout(Duration::ZERO).unwrap();
    let held = holder.begin().unwrap();
    let refused = other.transaction(|tx| write(tx, &order(1), NOW));
    let told = refused.unwrap_err();
    assert!(matches!(told, OutboxError::Busy(_)), "{told}");
    assert!(told.to_string().contains("nothing was written, try again"));
    held.rollback().unwrap();
    assert_eq!(other.state(order(1).id).unwrap(), None);
    assert!(other.transaction(|tx| write(tx, &order(1), NOW)).unwrap());
}

#[test]
fn a_full_disk_is_told_and_what_was_there_is_kept() {
    let mut outbox = with(10);
    let pages: u32 =
        outbox.db.query_row("PRAGMA page_count", [], |r| r.get(0)).unwrap();
    outbox.db.pragma_update(None, "max_page_count", pages).unwrap();
    let big = Outgoing { body: vec![0; 100_000], ..order(11) };
    let refused = outbox.transaction(|tx| write(tx, &big, NOW));
    let told = refused.unwrap_err();
    assert!(matches!(told, OutboxError::Full(_)), "{told}");
    assert!(told.to_string().contains("free some space"));
    assert_eq!(outbox.state(big.id).unwrap(), None);
    // A relay goes on: it changes rows and needs no more of them.
    let due = outbox.claim(&by("a", 20), NOW).unwrap();
    assert_eq!(due.len(), 10);
}

#[test]
fn a_damaged_file_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    std::fs::write(&path, "this was a database once, they say").unwrap();
    let told = Outbox::open(&path, Sync::Full).err().unwrap();
    assert!(matches!(told, OutboxError::Corrupt(_)), "{told}");
    assert!(told.to_string().contains(".recover"));
}

fn plan(outbox: &Outbox, sql: &str) -> Vec<String> {
    let mut explain =
        outbox.db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = explain.parameter_count();
    let values = rusqlite::params_from_iter(std::iter::repeat_n(1, parameters));
    let rows = explain.query_map(values, |row| row.get(3)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn no_scan_reads_what_is_confirmed() {
    let outbox = outbox();
    for (sql, index) in [
        (claim::CLAIM, "outbox_due"),
        (scan::EXHAUSTED, "outbox_due"),
        (scan::OLDEST, "outbox_due"),
        (scan::UNTOLD, "outbox_untold"),
    ] {
        let plan = plan(&outbox, sql);
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
        let whole = |step: &String| {
            step.starts_with("SCAN outbox") && !step.contains("INDEX outbox_")
        };
        assert!(!plan.iter().any(whole), "{plan:?}");
    }
}

/// Virtual machine steps, not seconds: the same on every machine.
fn steps(outbox: &Outbox, sql: &str, values: &[&dyn rusqlite::ToSql]) -> i32 {
    let mut statement = outbox.db.prepare(sql).unwrap();
    let mut rows = statement.query(values).unwrap();
    while rows.next().unwrap().is_some() {}
    drop(rows);
    statement.get_status(rusqlite::StatementStatus::VmStep)
}

#[test]
fn a_scan_costs_the_same_however_much_is_confirmed() {
    let mut outbox = with(100);
    let scan = |outbox: &Outbox| {
        let exhausted = steps(outbox, scan::EXHAUSTED, &[&NOW.0, &9]);
        exhausted + steps(outbox, scan::OLDEST, &[])
    };
    let before = scan(&outbox);
    write_all(&mut outbox, 1_001..=51_000);
    outbox
        .db
        .execute("UPDATE outbox SET state = 'confirmed' WHERE seq > 100", [])
        .unwrap();
    assert_eq!(scan(&outbox), before);
}

#[test]
fn a_million_pending_rows_are_claimed_in_steps_that_stay_small() {
    let mut outbox = outbox();
    outbox
        .db
        .execute_batch(
            "WITH RECURSIVE n(n) AS (
                SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000000)
             INSERT INTO outbox(message, body, written_ms, due_ms)
             SELECT printf('order-%04d', n), x'7b7d', n, n FROM n",
        )
        .unwrap();
    let claim = Claim { attempts: 9, ..by("a", 500) };
    let began = Instant::now();
    for round in 0..20 {
        let due = outbox.claim(&claim, Moment(2_000_000)).unwrap();
        assert_eq!(due.len(), 500);
        assert_eq!(due[0].message.id.number, round * 500 + 1);
        outbox.settle("a", &all(&due, Outcome::Confirmed)).unwrap();
    }
    // Generous: what must not be is a scan of the million for each round.
    assert!(began.elapsed() < Duration::from_secs(20));
    let mut open = outbox
        .db
        .prepare(
            "SELECT seq FROM outbox
             WHERE state IN ('pending', 'sent', 'unknown')
                AND due_ms <= 2000000 AND attempts < 9
             ORDER BY due_ms, seq LIMIT 500",
        )
        .unwrap();
    let mut rows = open.query([]).unwrap();
    while rows.next().unwrap().is_some() {}
    drop(rows);
    // It reads the rows it returns and sorts nothing.
    let sorts = open.get_status(rusqlite::StatementStatus::Sort);
    let steps = open.get_status(rusqlite::StatementStatus::VmStep);
    assert_eq!(sorts, 0);
    assert!(steps < 10_000, "{steps} steps");
}

#[tokio::test]
async fn a_group_commits_all_but_what_fails() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    let group =
        group::Group::start(Outbox::open(&path, Sync::Full).unwrap(), 50);
    let requests = (1..=100).map(|number| {
        let group = group.clone();
        async move {
            group
                .commit(move |tx| {
                    write(tx, &order(number), NOW)?;
                    // Every tenth customer is refused after the write.
                    match number % 10 {
                        0 => Err(OutboxError::Gone),
                        _ => Ok(number),
                    }
                })
                .await
        }
    });
    let answers = futures::future::join_all(requests).await;
    let outbox = Outbox::open(&path, Sync::Full).unwrap();
    for (number, answer) in (1..).zip(answers) {
        let there = outbox.state(order(number).id).unwrap().is_some();
        assert_eq!(answer.is_ok(), there, "order {number}");
        assert_eq!(answer.is_ok(), number % 10 != 0);
    }
}

#[tokio::test]
async fn a_group_that_cannot_commit_tells_every_caller() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    let mut holder = Outbox::open(&path, Sync::Full).unwrap();
    let writer = Outbox::open(&path, Sync::Full).unwrap();
    writer.db.busy_timeout(Duration::ZERO).unwrap();
    let held = holder.begin().unwrap();
    let group = group::Group::start(writer, 50);
    let told = group.commit(|tx| write(tx, &order(1), NOW)).await;
    let told = told.unwrap_err().to_string();
    assert!(told.contains("the outbox is busy"), "{told}");
    held.rollback().unwrap();
    assert!(group.commit(|tx| write(tx, &order(1), NOW)).await.unwrap());
}
