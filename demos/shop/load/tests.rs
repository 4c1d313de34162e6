use proptest::{collection::vec, prelude::*};

use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn percentiles_are_values_that_were_measured() {
    let mut hundred: Vec<_> = (1..=100).rev().map(ms).collect();
    let wanted =
        Percentiles { p50: ms(50), p95: ms(95), p99: ms(99), max: ms(100) };
    assert_eq!(Percentiles::of(&mut hundred), Some(wanted));
    // The textbook's five: 15, 20, 35, 40, 50.
    let mut five = [35, 20, 15, 50, 40].map(ms);
    let wanted =
        Percentiles { p50: ms(35), p95: ms(50), p99: ms(50), max: ms(50) };
    assert_eq!(Percentiles::of(&mut five), Some(wanted));
    let one = Percentiles { p50: ms(7), p95: ms(7), p99: ms(7), max: ms(7) };
    assert_eq!(Percentiles::of(&mut [ms(7)]), Some(one));
    assert_eq!(Percentiles::of(&mut []), None);
}

#[test]
fn a_tank_fills_and_drains() {
    let flood = Fluid { arrival: 200.0, service: 50.0 };
    assert_eq!(flood.backlog_after(4.0), 600.0);
    assert_eq!(flood.drain_time(600.0), 12.0);
    let trickle = Fluid { arrival: 10.0, service: 50.0 };
    assert_eq!(trickle.backlog_after(4.0), 0.0);
    let shut = Fluid { arrival: 10.0, service: 0.0 };
    assert_eq!(shut.drain_time(1.0), f64::INFINITY);
    assert_eq!(shut.drain_time(0.0), 0.0);
}

#[test]
fn little_knows_the_wait_from_who_is_inside() {
    assert_eq!(little(200.0, 50.0), 0.25);
    assert_eq!(little(200.0, 0.0), 0.0);
}

#[test]
fn a_depth_counts_for_as_long_as_it_held() {
    let mut depth = DepthIntegral::default();
    assert_eq!(depth.mean(), None);
    depth.add(ms(1000), 4.0);
    assert_eq!(depth.mean(), None);
    depth.add(ms(4000), 100.0);
    assert_eq!(depth.mean(), Some(4.0));
    depth.add(ms(5000), 0.0);
    assert_eq!(depth.mean(), Some(28.0));
    // Back in time: no time has passed.
    depth.add(ms(2000), 7.0);
    assert_eq!(depth.mean(), Some(28.0));
    depth.add(ms(9000), 0.0);
    assert_eq!(depth.mean(), Some((12.0 + 100.0 + 28.0) / 8.0));
}

#[tokio::test]
async fn arrivals_keep_their_pace() {
    let mut pace = Pace::new(200.0, 20);
    let start = Instant::now();
    for n in 1..=20u32 {
        assert_eq!(pace.next().await, Some(n));
        assert!(start.elapsed() >= ms(5) * (n - 1));
    }
    assert_eq!(pace.next().await, None);
    assert!(start.elapsed() < ms(1000), "{:?}", start.elapsed());
}

#[tokio::test]
async fn whoever_falls_behind_catches_up() {
    let mut pace = Pace::new(10.0, 6);
    assert_eq!(pace.next().await, Some(1));
    let start = Instant::now();
    std::thread::sleep(ms(500));
    // One who began again from here would need as long once more.
    for n in 2..=6 {
        assert_eq!(pace.next().await, Some(n));
    }
    assert!(start.elapsed() < ms(900), "{:?}", start.elapsed());
}

#[tokio::test]
async fn who_stops_waiting_loses_no_arrival() {
    let mut pace = Pace::new(2.0, 2);
    assert_eq!(pace.next().await, Some(1));
    let hasty = tokio::time::timeout(ms(1), pace.next()).await;
    assert!(hasty.is_err());
    assert_eq!(pace.next().await, Some(2));
}

#[tokio::test]
async fn at_no_pace_nothing_comes_after_the_first() {
    for rate in [0.0, -1.0, f64::NAN] {
        let mut pace = Pace::new(rate, 3);
        assert_eq!(pace.next().await, Some(1));
        assert_eq!(pace.next().await, None);
    }
}

proptest! {
    #[test]
    fn so_many_percent_do_not_exceed_it(
        mut waits in vec(0u64..50, 1..300),
    ) {
        let mut measured: Vec<_> = waits.iter().copied().map(ms).collect();
        let of = Percentiles::of(&mut measured).unwrap();
        waits.sort_unstable();
        for (percent, value) in [(50, of.p50), (95, of.p95), (99, of.p99)] {
            let within = |limit: &dyn Fn(Duration) -> bool| {
                waits.iter().filter(|wait| limit(ms(**wait))).count() * 100
            };
            prop_assert!(measured.contains(&value));
            prop_assert!(within(&|w| w <= value) >= percent * waits.len());
            prop_assert!(within(&|w| w < value) < percent * waits.len());
        }
        prop_assert_eq!(of.max, *measured.last().unwrap());
    }

    #[test]
    fn a_tank_without_inflow_is_empty_when_it_says(
        arrival in 1.0..1e4, service in 1.0..1e4, seconds in 0.0..1e4,
    ) {
        let fluid = Fluid { arrival, service };
        let backlog = fluid.backlog_after(seconds);
        prop_assert!(backlog >= 0.0);
        let served = fluid.drain_time(backlog) * service;
        prop_assert!((served - backlog).abs() <= backlog * 1e-9);
    }

    /// Little's law holds of every history that begins and ends empty: the
    /// area under the depth is the sum of all stays.
    #[test]
    fn depth_measured_is_what_little_says(
        stays in vec((0u64..1000, 1u64..1000), 1..60),
    ) {
        let end = 2000;
        let mut changes = vec![(0, 0), (end, 0)];
        for (come, stay) in &stays {
            changes.extend([(*come, 1), (come + stay, -1)]);
        }
        changes.sort_unstable();
        let mut depth = DepthIntegral::default();
        let mut inside = 0;
        for (at, change) in changes {
            inside += change;
            depth.add(ms(at), f64::from(inside));
        }
        let seconds = ms(end).as_secs_f64();
        let count = stays.len() as f64;
        let total: Duration = stays.iter().map(|(_, stay)| ms(*stay)).sum();
        let mean = total.as_secs_f64() / count;
        let told = little(count / seconds, depth.mean().unwrap());
        prop_assert!((told - mean).abs() < 1e-3, "{told} {mean}");
    }

    #[test]
    fn arrivals_do_not_drift(n in 1u32..1_000_000, rate in 1u32..5000) {
        let due = due(n, f64::from(rate)).unwrap();
        let exact = Duration::from_secs(u64::from(n)) / rate;
        prop_assert!(due.abs_diff(exact) < Duration::from_micros(1));
    }
}
