use super::*;
use crate::ledger::Counts;

type Ways = BTreeMap<WayName, WayResult>;

/// A way in which 20 of 20 strikes struck and 200 of 200 were applied.
fn held() -> WayResult {
    let counts = Counts {
        accepted: 200,
        attempted: 200,
        applied: 200,
        ..Counts::default()
    };
    WayResult {
        hit: 20,
        planned: 20,
        counts,
        as_expected: Some(true),
        why: None,
        came_to: None,
        figures: Vec::new(),
        anomalies: Vec::new(),
        took_ms: 1,
    }
}

/// Broke as its check expects.
fn broke() -> WayResult {
    let counts = Counts { duplicated: 20, ..held().counts };
    WayResult { counts, ..held() }
}

/// Did not do what its check expects.
fn astray(mut way: WayResult) -> WayResult {
    way.as_expected = Some(false);
    way.why = Some(text! { en: "not so", zh: "并非如此" });
    way
}

fn pair(naive: WayResult, fixed: WayResult) -> Ways {
    [(WayName::Naive, naive), (WayName::Fixed, fixed)].into()
}

fn fixed_and_without(fixed: WayResult, without: WayResult) -> Ways {
    [(WayName::Fixed, fixed), (WayName::Without, without)].into()
}

fn judged(ways: &Ways) -> (Verdict, Text) {
    judge(&Case { ways, without: None, tried: true, measure: false })
}

fn without_the_key(ways: &Ways) -> (Verdict, Text) {
    let key = text! { en: "the unique key", zh: "唯一键" };
    let without = Some(&key);
    judge(&Case { ways, without, tried: true, measure: false })
}

fn is(judged: (Verdict, Text), verdict: Verdict, en: &str, zh: &str) {
    assert_eq!(judged, (verdict, Text::made(en, zh)));
}

#[test]
fn a_naive_way_that_breaks_and_a_fixed_one_that_holds_prove_the_claim() {
    is(
        judged(&pair(broke(), held())),
        Verdict::Proven,
        "naive 20 of 200 doubled, fixed all 200 once",
        "朴素写法 200 条中重复 20 条，改进写法 200 条各一次",
    );
}

#[test]
fn whatever_is_wrong_is_counted() {
    let mut naive = broke();
    naive.counts.lost = 3;
    naive.counts.stuck = 2;
    naive.counts.unexpected = 1;
    is(
        judged(&pair(naive, held())),
        Verdict::Proven,
        "naive 3 lost, 20 doubled, 2 stuck, 1 unexpected of 200, \
         fixed all 200 once",
        "朴素写法 200 条中丢失 3 条、重复 20 条、卡住 2 条、来历不明 1 条，\
         改进写法 200 条各一次",
    );
}

#[test]
fn a_way_that_applied_too_few_is_not_said_to_have_applied_all() {
    let mut naive = held();
    naive.counts.applied = 190;
    is(
        judged(&pair(naive, held())),
        Verdict::Proven,
        "naive 190 of 200 applied, fixed all 200 once",
        "朴素写法 200 条中生效 190 条，改进写法 200 条各一次",
    );
}

#[test]
fn a_way_that_says_what_it_came_to_is_taken_at_its_word() {
    let mut naive = held();
    naive.came_to = Some(text! { en: "12 refused", zh: "拒绝 12 个" });
    let halfway = (WayName::Halfway, broke());
    let mut ways = pair(naive, held());
    ways.extend([halfway]);
    is(
        judged(&ways),
        Verdict::Proven,
        "naive 12 refused, halfway 20 of 200 doubled, fixed all 200 once",
        "朴素写法 拒绝 12 个，折中写法 200 条中重复 20 条，\
         改进写法 200 条各一次",
    );
}

#[test]
fn a_naive_way_that_does_not_break_refutes_the_claim() {
    is(
        judged(&pair(astray(held()), held())),
        Verdict::Refuted,
        "naive: not so",
        "朴素写法：并非如此",
    );
}

#[test]
fn a_fixed_way_that_does_not_hold_refutes_the_claim() {
    is(
        judged(&pair(broke(), astray(broke()))),
        Verdict::Refuted,
        "fixed: not so",
        "改进写法：并非如此",
    );
}

#[test]
fn a_trap_is_judged_alone() {
    let trap = |way| judged(&[(WayName::Trap, way)].into());
    is(
        trap(broke()),
        Verdict::Proven,
        "trap 20 of 200 doubled",
        "陷阱 200 条中重复 20 条",
    );
    is(
        trap(astray(held())),
        Verdict::Refuted,
        "trap: not so",
        "陷阱：并非如此",
    );
}

#[test]
fn a_way_that_did_not_come_to_its_end_proves_nothing() {
    let mut ran_out = held();
    ran_out.as_expected = None;
    is(
        judged(&pair(broke(), ran_out.clone())),
        Verdict::Inconclusive,
        "fixed: it did not come to an end",
        "改进写法：没有运行到结束",
    );
    ran_out.why = Some(text! { en: "waited in vain", zh: "白等" });
    is(
        judged(&pair(broke(), ran_out)),
        Verdict::Inconclusive,
        "fixed: waited in vain",
        "改进写法：白等",
    );
}

#[test]
fn a_way_that_sent_nothing_proves_nothing() {
    let mut silent = broke();
    silent.counts.attempted = 0;
    silent.counts.accepted = 0;
    is(
        judged(&pair(silent, held())),
        Verdict::Inconclusive,
        "naive: nothing was sent",
        "朴素写法：没有发送任何消息",
    );
}

#[test]
fn a_fault_that_did_not_strike_everywhere_proves_nothing() {
    for (hit, planned) in [(0, 20), (19, 20), (0, 0)] {
        let missed = WayResult { hit, planned, ..held() };
        is(
            judged(&pair(broke(), missed)),
            Verdict::Inconclusive,
            &format!("fixed: the fault struck {hit} of {planned}"),
            &format!("改进写法：故障只命中 {hit}/{planned}"),
        );
    }
}

#[test]
fn a_run_without_any_way_proves_nothing() {
    assert_eq!(judged(&Ways::new()).0, Verdict::Inconclusive);
}

#[test]
fn what_proves_nothing_refutes_nothing_either() {
    let missed = WayResult { hit: 0, ..astray(held()) };
    let (verdict, _) = judged(&pair(missed, astray(broke())));
    assert_eq!(verdict, Verdict::Inconclusive);
    let (verdict, _) = judge(&Case {
        ways: &pair(WayResult { hit: 0, ..broke() }, held()),
        without: None,
        tried: false,
        measure: false,
    });
    assert_eq!(verdict, Verdict::Inconclusive, "untried and not struck");
}

#[test]
fn on_a_version_that_was_not_tried_nothing_is_claimed() {
    for naive in [broke(), astray(held())] {
        for without in [None, Some(&Text::same("the key"))] {
            let (verdict, why) = judge(&Case {
                ways: &pair(naive.clone(), astray(held())),
                without,
                tried: false,
                measure: false,
            });
            assert_eq!(verdict, Verdict::Observed);
            assert!(why.en.contains("fixed all 200 once"), "{}", why.en);
        }
    }
}

#[test]
fn a_measure_needs_no_fault_to_strike() {
    let measured = |way: WayResult| {
        let ways = [(WayName::Measure, way)].into();
        let case =
            Case { ways: &ways, without: None, tried: true, measure: true };
        judge(&case).0
    };
    let unarmed = WayResult { hit: 0, planned: 0, ..held() };
    assert_eq!(measured(unarmed.clone()), Verdict::Proven);
    assert_eq!(measured(astray(unarmed.clone())), Verdict::Refuted);
    let silent = WayResult { counts: Counts::default(), ..unarmed };
    assert_eq!(measured(silent), Verdict::Inconclusive);
}

#[test]
fn a_mechanism_without_which_the_fixed_way_breaks_is_necessary() {
    is(
        without_the_key(&fixed_and_without(held(), broke())),
        Verdict::Proven,
        "the unique key is necessary: without it, 20 of 200 doubled",
        "「唯一键」不可缺少：去掉后，200 条中重复 20 条",
    );
}

#[test]
fn a_mechanism_that_shows_in_no_count_is_not_said_to_show_in_one() {
    is(
        without_the_key(&fixed_and_without(held(), held())),
        Verdict::Proven,
        "the unique key is necessary: without it, the check fails",
        "「唯一键」不可缺少：去掉后，检查不再通过",
    );
}

#[test]
fn a_mechanism_without_which_it_does_not_break_as_claimed_is_refuted() {
    is(
        without_the_key(&fixed_and_without(held(), astray(held()))),
        Verdict::Refuted,
        "without it: not so",
        "去掉之后：并非如此",
    );
}

#[test]
fn a_mechanism_of_a_way_that_does_not_hold_cannot_be_necessary() {
    for without in [broke(), astray(held())] {
        is(
            without_the_key(&fixed_and_without(astray(broke()), without)),
            Verdict::Refuted,
            "fixed: not so",
            "改进写法：并非如此",
        );
    }
}

#[test]
fn a_mechanism_that_was_never_taken_out_is_not_proven_necessary() {
    let fixed = || [(WayName::Fixed, held())].into();
    assert_eq!(without_the_key(&fixed()).0, Verdict::Inconclusive);
    let without = [(WayName::Without, astray(broke()))].into();
    assert_eq!(without_the_key(&without).0, Verdict::Inconclusive);
}

#[test]
fn a_mechanism_taken_out_where_no_fault_struck_proves_nothing() {
    let missed = WayResult { hit: 3, ..astray(broke()) };
    is(
        without_the_key(&fixed_and_without(held(), missed)),
        Verdict::Inconclusive,
        "without it: the fault struck 3 of 20",
        "去掉之后：故障只命中 3/20",
    );
}
