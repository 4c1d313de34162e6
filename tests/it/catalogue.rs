//! Generated from the catalogue: every scenario holds, every mechanism is
//! necessary, and no fault means no verdict.

use libtest_mimic::{Failed, Trial};
use rmq_lab::{
    event::{Ended, Verdict, WayName},
    lab::{ClusterOf, catalogue::Entry, run::How},
};

use crate::shared::{Brokers, Series, all, usual};

pub fn trials(brokers: &Brokers) -> Vec<Trial> {
    let (shared, others): (Vec<_>, Vec<_>) =
        all().partition(|entry| entry.scenario.needs.cluster.is_some());
    let trials = |entries: Vec<Entry>| -> Vec<Trial> {
        entries.into_iter().flat_map(|entry| of(brokers, entry)).collect()
    };
    spread(trials(shared), trials(others))
}

/// Trials that share a cluster wait for each other: they are spread among the
/// others, so that there is something else to do.
fn spread(few: Vec<Trial>, many: Vec<Trial>) -> Vec<Trial> {
    let (of_few, of_many) = (few.len().max(1), many.len());
    let mut few = few.into_iter();
    let mut spread = Vec::with_capacity(of_few + of_many);
    for (nth, trial) in many.into_iter().enumerate() {
        spread.push(trial);
        // How many of the few are due by now.
        let due = (nth + 1) * of_few / of_many.max(1);
        let there = nth * of_few / of_many.max(1);
        spread.extend(few.by_ref().take(due - there));
    }
    spread.extend(few);
    spread
}

fn of(brokers: &Brokers, entry: Entry) -> Vec<Trial> {
    let name = entry.target().replace('/', "::");
    let on_three = entry.scenario.needs.cluster == Some(ClusterOf::Three);
    // 3.13 is not among the tried versions, Debian's 3.10 is.
    let holds = if on_three { proven_or_observed } else { proven_and_struck };
    let mut trials = vec![brokers.trial(
        format!("scenario::{name}"),
        Series::Four,
        entry,
        usual(),
        holds,
    )];
    // A measure has no fault to disarm.
    if entry.scenario.ways.kind() != "measure" {
        trials.push(brokers.trial(
            format!("disarmed::{name}"),
            Series::Four,
            entry,
            How { armed: false, ..usual() },
            nothing_can_be_said,
        ));
    }
    // On a cluster of RabbitMQ 3 it would be the same run once more.
    if entry.scenario.needs.only_four.is_none() && !on_three {
        trials.push(brokers.trial(
            format!("scenario_on_3::{name}"),
            Series::Three,
            entry,
            usual(),
            proven_or_observed,
        ));
    }
    let ways = entry.scenario.ways.all();
    // What is one of the scenario's own ways has shown its teeth there: the
    // verdict asks for it.
    let mechanisms = entry.scenario.ways.mechanisms().iter();
    let others = mechanisms
        .filter(|mechanism| !ways.iter().any(|(_, way)| mechanism.is(way)));
    trials.extend(others.map(|mechanism| {
        brokers.trial(
            format!("teeth::{name}::{}", mechanism.id),
            Series::Four,
            entry,
            How { without: Some(mechanism), ..usual() },
            holds,
        )
    }));
    trials
}

/// A verdict is worth something only where every planned fault struck.
fn proven_and_struck(ended: &Ended) -> Result<(), Failed> {
    verdict_is(ended, Verdict::Proven)?;
    struck(ended)
}

fn proven_or_observed(ended: &Ended) -> Result<(), Failed> {
    if ended.verdict != Verdict::Observed {
        verdict_is(ended, Verdict::Proven)?;
    }
    struck(ended)
}

fn struck(ended: &Ended) -> Result<(), Failed> {
    let entry = all().find(|entry| entry.scenario.id == ended.scenario);
    if entry.is_some_and(|entry| entry.scenario.ways.kind() == "measure") {
        return Ok(());
    }
    for (way, result) in &ended.ways {
        if result.planned == 0 || result.hit != result.planned {
            let (hit, planned) = (result.hit, result.planned);
            return Err(format!("{way:?}: {hit} of {planned} struck").into());
        }
    }
    Ok(())
}

fn nothing_can_be_said(ended: &Ended) -> Result<(), Failed> {
    verdict_is(ended, Verdict::Inconclusive)?;
    for (way, result) in &ended.ways {
        // It went the whole way, and would have broken under the fault alone.
        let breaks = matches!(way, WayName::Naive | WayName::Trap);
        match (result.hit, result.as_expected) {
            (0, Some(false)) if breaks => {}
            (0, Some(_)) if !breaks => {}
            (hit, came) => {
                let why = result.why.as_ref().map_or("", |why| &why.en);
                let told = format!("{way:?}: {hit} struck, {came:?}: {why}");
                return Err(told.into());
            }
        }
    }
    Ok(())
}

fn verdict_is(ended: &Ended, expected: Verdict) -> Result<(), Failed> {
    if ended.verdict == expected {
        return Ok(());
    }
    let (verdict, why) = (ended.verdict, &ended.why.en);
    let again = &ended.again;
    Err(format!("{verdict:?}, not {expected:?}: {why}\n  {again}").into())
}
