//! On real sockets, in real time; bounds above are generous.

use std::time::Instant;

use futures::future::join_all;

use super::*;
use crate::demos::shop::Taking;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const QUICK: Manner = Manner::taking(ms(1));

fn order(number: u32) -> MessageId {
    Noun::Order.number(number)
}

fn points(manner: Manner) -> Service {
    Service::open(Noun::Points, manner).unwrap()
}

async fn until(what: impl Fn() -> bool) {
    let limit = Instant::now() + ms(5000);
    while !what() {
        assert!(Instant::now() < limit, "waited in vain");
        tokio::time::sleep(ms(5)).await;
    }
}

#[tokio::test]
async fn a_call_makes_its_effect_and_takes_its_time() {
    let service = points(Manner::taking(ms(60)));
    let caller = service.client();
    let start = Instant::now();
    caller.call(order(7)).await.unwrap();
    let took = start.elapsed();
    assert!(took >= ms(60) && took < ms(560), "{took:?}");
    caller.call(order(7)).await.unwrap();
    caller.call(order(8)).await.unwrap();
    assert_eq!(service.made(), BTreeMap::from([(7, 2), (8, 1)]));
    let load = Load { calls: 3, refused: 0, most_at_once: 1, connections: 1 };
    assert_eq!(service.load(), load);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_above_the_capacity_is_refused_at_once() {
    let service = points(Manner::taking(ms(600)).at_once(4));
    let caller = service.client();
    let start = Instant::now();
    let calls = join_all((1..=10).map(|n| {
        let caller = caller.clone();
        async move { (caller.call(order(n)).await, start.elapsed()) }
    }))
    .await;
    for (answer, took) in &calls {
        match answer {
            Ok(()) => assert!(*took >= ms(600), "{took:?}"),
            busy => {
                assert_eq!(*busy, Err(CallFailed::Busy));
                assert!(*took < ms(600), "{took:?}");
            }
        }
    }
    assert_eq!(calls.iter().filter(|(answer, _)| answer.is_ok()).count(), 4);
    assert_eq!(service.made().len(), 4);
    let load = service.load();
    assert_eq!((load.calls, load.refused, load.most_at_once), (10, 6, 4));
    caller.call(order(11)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_it_refuses_and_opened_again_it_remembers() {
    let service = points(QUICK);
    let caller = service.client();
    for round in 1..=20 {
        // Several connections are kept, and all must notice.
        let calls = (0..4).map(|_| caller.call(order(round)));
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        service.close().await.unwrap();
        service.close().await.unwrap();
        assert!(service.is_down());
        for _ in 0..6 {
            assert_eq!(caller.call(order(99)).await, Err(CallFailed::Down));
        }
        service.reopen().await.unwrap();
        service.reopen().await.unwrap();
        assert!(!service.is_down());
    }
    assert_eq!(service.made(), (1..=20).map(|n| (n, 4)).collect());
}

#[tokio::test]
async fn closing_cuts_off_what_was_being_worked_on() {
    let service = points(Manner::taking(ms(5000)));
    let caller = service.client();
    let call = tokio::spawn(async move { caller.call(order(1)).await });
    until(|| service.load().calls == 1).await;
    let start = Instant::now();
    service.close().await.unwrap();
    let failed = call.await.unwrap().unwrap_err();
    assert_eq!(failed, CallFailed::CutOff);
    assert!(failed.may_be_made());
    assert!(start.elapsed() < ms(2000), "{:?}", start.elapsed());
    assert_eq!(service.made(), BTreeMap::new());
}

#[tokio::test]
async fn dropped_it_is_gone() {
    let service = points(QUICK);
    let caller = service.client();
    caller.call(order(1)).await.unwrap();
    let address = service.address();
    drop(service);
    let limit = Instant::now() + ms(5000);
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < limit, "it still listens");
        tokio::time::sleep(ms(5)).await;
    }
    assert!(caller.call(order(1)).await.is_err());
}

#[tokio::test]
async fn one_message_is_slow_and_the_others_are_not() {
    let service = points(QUICK);
    service.slow_for(order(2), ms(1200));
    let caller = service.client().with_timeout(ms(400));
    caller.call(order(1)).await.unwrap();
    assert_eq!(caller.call(order(2)).await, Err(CallFailed::TimedOut));
    assert!(!service.was_slow(order(2)));
    caller.call(order(3)).await.unwrap();
    // Nobody waits for it any longer; it is done all the same.
    until(|| service.was_slow(order(2))).await;
    assert!(!service.was_slow(order(1)));
    assert_eq!(service.made(), BTreeMap::from([(1, 1), (2, 1), (3, 1)]));
}

#[tokio::test]
async fn the_stock_service_says_what_is_sold_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::open(dir.path()).unwrap();
    shelf.stock(&["book"], 1).unwrap();
    let own = Shelf::open(dir.path()).unwrap();
    let service = Service::open_over(own, |_| "book".into(), QUICK).unwrap();
    let caller = service.client();
    caller.call(order(1)).await.unwrap();
    caller.call(order(1)).await.unwrap();
    assert_eq!(caller.call(order(2)).await, Err(CallFailed::SoldOut));
    assert_eq!(service.made(), BTreeMap::from([(1, 1)]));
    assert_eq!(shelf.left("book").unwrap(), 0);
    let again = shelf.take_if_any(order(1), "book").unwrap();
    assert_eq!((service.noun(), again), (Noun::Stock, Taking::Before));
}

#[test]
fn capacity_is_calls_at_once_by_latency() {
    assert_eq!(Manner::taking(ms(250)).at_once(5).capacity(), 20.0);
    assert_eq!(QUICK.capacity(), f64::INFINITY);
}
