//! Verdicts that no scenario of the catalogue should ever get, from
//! scenarios that are wrong on purpose.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use rmq_lab::{
    demos::shop::{self, Handled, Handler, Shop},
    event::{Column, Ended, Verdict},
    lab::{
        Failpoints, Hits, Lab, Needs, Predict, Scenario, Strike, Topic, Ways,
        check::{
            doubled_exactly_where_struck, every_message_once,
            lost_exactly_where_struck,
        },
        run::How,
    },
    ledger::Noun,
    mechanism,
    pattern::consumer::Delivery,
    text,
    text::Text,
    way,
};

use crate::shared::{Brokers, Series, made, usual};

pub fn trials(brokers: &Brokers) -> Vec<Trial> {
    let usual = usual();
    let useless = USELESS.ways.mechanisms().first();
    let trial = |name: &str, scenario, how, verdict, why: &'static str| {
        let entry = made(&TOPIC, scenario);
        let name = format!("verdict::{name}");
        brokers.trial(name, Series::Four, entry, how, move |ended| {
            ended_with(ended, verdict, why)
        })
    };
    vec![
        trial(
            "a_fixed_way_that_holds_without_its_mechanism_is_refuted",
            &USELESS,
            How { without: useless, ..usual },
            Verdict::Refuted,
            "holds without it",
        ),
        trial(
            "a_fixed_way_that_breaks_in_another_way_than_claimed_is_refuted",
            &OTHERWISE,
            How { without: OTHERWISE.ways.mechanisms().first(), ..usual },
            Verdict::Refuted,
            "lost: expected and not so",
        ),
        trial(
            "a_naive_way_that_passes_the_fixed_ways_check_is_refuted",
            &TOOTHLESS,
            usual,
            Verdict::Refuted,
            "the fixed way's check holds without",
        ),
        trial(
            "a_naive_way_that_does_not_break_is_refuted",
            &HARMLESS,
            usual,
            Verdict::Refuted,
            "naive: doubled: expected and not so",
        ),
        trial(
            "a_run_that_sends_nothing_is_inconclusive",
            &SILENT,
            usual,
            Verdict::Inconclusive,
            "nothing was sent",
        ),
        trial(
            "a_wait_that_runs_out_is_inconclusive",
            &WAITING,
            usual,
            Verdict::Inconclusive,
            "in vain for the cows to come home",
        ),
        trial(
            "a_handler_that_fails_is_inconclusive",
            &FAILING,
            usual,
            Verdict::Inconclusive,
            "an error: out of stamps",
        ),
        trial(
            "a_version_that_was_not_tried_is_observed",
            &UNTRIED,
            usual,
            Verdict::Observed,
            "naive",
        ),
    ]
}

fn ended_with(
    ended: &Ended,
    verdict: Verdict,
    why: &str,
) -> Result<(), Failed> {
    match ended.verdict == verdict && ended.why.en.contains(why) {
        true => Ok(()),
        false => Err(format!("{:?}: {}", ended.verdict, ended.why.en).into()),
    }
}

static TOPIC: Topic = Topic {
    id: "trial",
    title: text! { en: "", zh: "" },
    noun: Noun::Payment,
    scenarios: &[],
};

const NO_TEXT: Text = text! { en: "-", zh: "-" };

macro_rules! scenario {
    ($name:ident, tried: $tried:expr, naive: $naive:expr, fixed: $fixed:expr, $mechanisms:expr) => {
        static $name: Scenario = Scenario {
            id: stringify!($name),
            recipe: NO_TEXT,
            fault: NO_TEXT,
            predict: Predict {
                question: NO_TEXT,
                choices: &[NO_TEXT],
                right: 0,
            },
            needs: Needs::BOOKS,
            strikes: &[Strike::SwallowAck],
            hits: Hits::OneInTen,
            tried: $tried,
            ways: Ways::Pair {
                naive: $naive,
                fixed: $fixed,
                mechanisms: $mechanisms,
            },
            columns: &[Column::Confirmed],
            figures: &[],
            bars: &[],
            claim: NO_TEXT,
            fix: NO_TEXT,
            limit: NO_TEXT,
            say: NO_TEXT,
            source: &[],
        };
    };
}

const TRIED: &[(u16, u16)] = &[(4, 3)];

const BREAKS: rmq_lab::lab::Way =
    way!(paid, pay_always, doubled_exactly_where_struck, NO_TEXT);
const HOLDS: rmq_lab::lab::Way =
    way!(paid, pay_once, every_message_once, NO_TEXT);

scenario!(USELESS, tried: TRIED, naive: BREAKS, fixed: HOLDS,
    &[mechanism!("blessing", paid, pay_once, doubled_exactly_where_struck, NO_TEXT)]);
scenario!(OTHERWISE, tried: TRIED, naive: BREAKS, fixed: HOLDS,
    &[mechanism!("patience", paid, pay_always, lost_exactly_where_struck, NO_TEXT)]);
scenario!(TOOTHLESS, tried: TRIED,
    naive: way!(paid, pay_once, every_message_once, NO_TEXT), fixed: HOLDS,
    &[mechanism!("blessing", paid, pay_once, every_message_once, NO_TEXT)]);
scenario!(HARMLESS, tried: TRIED,
    naive: way!(paid, pay_once, doubled_exactly_where_struck, NO_TEXT),
    fixed: HOLDS, &[]);
scenario!(SILENT, tried: TRIED,
    naive: way!(does_nothing, pay_once, every_message_once, NO_TEXT),
    fixed: HOLDS, &[]);
scenario!(WAITING, tried: TRIED,
    naive: way!(waits_in_vain, pay_always, doubled_exactly_where_struck, NO_TEXT),
    fixed: HOLDS, &[]);
scenario!(FAILING, tried: TRIED,
    naive: way!(paid, fail_to_pay, doubled_exactly_where_struck, NO_TEXT),
    fixed: HOLDS, &[]);
scenario!(UNTRIED, tried: &[(9, 9)], naive: BREAKS, fixed: HOLDS, &[]);

async fn paid(lab: Lab, handle: Handler) -> anyhow::Result<()> {
    shop::publish(&lab).await?;
    shop::consume(&lab, handle).await?;
    shop::settle(&lab).await
}

async fn does_nothing(_: Lab, _: Handler) -> anyhow::Result<()> {
    Ok(())
}

async fn waits_in_vain(lab: Lab, handle: Handler) -> anyhow::Result<()> {
    paid(lab.clone(), handle).await?;
    let what = text! { en: "the cows to come home", zh: "牛回家" };
    let never = || async { Ok(false) };
    lab.wait_until(what, Duration::from_millis(50), never).await
}

async fn pay_always(
    payment: &Delivery,
    shop: &mut Shop,
    _: &Failpoints,
) -> Handled {
    shop.books.transaction(payment.id, |entry| entry.pay())?;
    Ok(payment.ack().await?)
}

async fn pay_once(
    payment: &Delivery,
    shop: &mut Shop,
    _: &Failpoints,
) -> Handled {
    shop.books.transaction(payment.id, |entry| {
        if entry.first_time()? {
            entry.pay()?;
        }
        Ok(())
    })?;
    Ok(payment.ack().await?)
}

async fn fail_to_pay(_: &Delivery, _: &mut Shop, _: &Failpoints) -> Handled {
    anyhow::bail!("out of stamps")
}
