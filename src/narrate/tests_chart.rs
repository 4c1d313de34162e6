//! Bars, curves and figures: what they say, and that they tear no terminal.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::{
    chart::chart, curve::curve, layout::Page, sample, spinner::Busy,
    table::table, teller::Teller, *,
};
use crate::event::{Bar, BarGroup, Chart, Event, Gauge, Unit, WayResult};

const LANGS: [Lang; 2] = [Lang::En, Lang::Zh];

fn page(lang: Lang, width: usize) -> Page {
    Page { lang, color: false, width }
}

fn told(events: &[Stamped], lang: Lang, detail: Detail) -> String {
    let mut teller = Teller::new(page(lang, 80), detail, false);
    let lines: Vec<_> = events.iter().flat_map(|e| teller.told(e)).collect();
    lines.join("\n")
}

fn gauges(queue: bool) -> Vec<(u64, BTreeMap<Gauge, f64>)> {
    let samples = sample::samples(WayName::Fixed, queue).into_iter();
    let gauges = samples.map(|event| match event {
        Event::Sample { since_ms, gauges, .. } => (since_ms, gauges),
        other => panic!("{other:?}"),
    });
    gauges.collect()
}

fn lines(picture: &str) -> Vec<&str> {
    picture.trim_matches('\n').lines().collect()
}

#[test]
fn bars_stand_side_by_side() {
    let english = "
 How long the caller waits
 p50  naive  ########### 121 ms
      fixed  = 1.8 ms
 p95  naive  ######################## 253 ms
      fixed  = 6.2 ms
 p99  naive  ####################################### 412 ms
      fixed  = 14 ms
";
    let chinese = "
 调用方等多久
 p50  朴素  ############ 121 ms
      改进  = 1.8 ms
 p95  朴素  ######################### 253 ms
      改进  = 6.2 ms
 p99  朴素  ######################################## 412 ms
      改进  = 14 ms
";
    for (lang, picture) in LANGS.into_iter().zip([english, chinese]) {
        assert_eq!(chart(&page(lang, 60), &sample::waits()), lines(picture));
    }
}

#[test]
fn the_bars_of_a_measure_have_their_own_names() {
    let english = "
 Confirmed messages per second
 one by one  ====== 1479/s
 by 100      ========================================================= 13 298/s
 window 500  =========================================== 9944/s
";
    let mut rates = sample::rates();
    assert_eq!(chart(&page(Lang::En, 80), &rates), lines(english));
    // Names that leave no room stand above their bars.
    for bar in &mut rates.groups[0].bars {
        bar.name.zh = format!("{}才确认一次", bar.name.zh).into();
    }
    let chinese = "
 每秒确认的消息数
 逐条确认才确认一次
   === 1479/s
 每 100 条才确认一次
   =========================== 13 298/s
 窗口 500才确认一次
   ==================== 9944/s
";
    assert_eq!(chart(&page(Lang::Zh, 40), &rates), lines(chinese));
}

#[test]
fn a_curve_shows_a_surge_that_drains() {
    let english = "
 arrivals  avg 400/s |#############
 served    avg 100/s |::::::::::::::::::::::::::::::::::::::::::::::::::::
 depth       max 299 |           :###:....
                     |        ..#############:....
                     |      :#######################::...
                     |   ::#################################::...
                     | .############################################:....
                     +------------+------------+------------+------------+-----
                     0            1            2            3            4 s
   arrivals end at 1.0 s, deepest 299 at 1.0 s, empty at 4.0 s
";
    let chinese = "
 到达  平均 400/s |##############
 处理  平均 100/s |:::::::::::::::::::::::::::::::::::::::::::::::::::::::
 积压    最高 299 |           .:###:....
                  |         .##############:....
                  |      ::########################::...
                  |   .:###################################::....
                  | .##############################################::....
                  +-------------+------------+-------------+-------------+-----
                  0             1            2             3             4 秒
   1.0 秒到达停止，1.0 秒最深 299，4.0 秒排空
";
    for (lang, picture) in LANGS.into_iter().zip([english, chinese]) {
        let drawn = curve(&page(lang, 80), &gauges(true));
        assert_eq!(drawn, lines(picture));
    }
}

#[test]
fn what_was_not_sampled_is_not_drawn() {
    let drawn = curve(&page(Lang::En, 80), &gauges(false)).join("\n");
    assert!(drawn.contains("arrivals  avg 400/s |###"), "{drawn}");
    assert!(!drawn.contains("depth") && !drawn.contains("empty"), "{drawn}");
    assert_eq!(drawn.lines().count(), 5, "{drawn}");
    assert!(curve(&page(Lang::En, 80), &gauges(true)[..1]).is_empty());
    assert!(curve(&page(Lang::En, 80), &[]).is_empty());
}

#[test]
fn what_does_not_drain_is_said_to_be_left() {
    let drawn = curve(&page(Lang::En, 80), &gauges(true)[..20]).join("\n");
    assert!(drawn.contains("209 left at the end"), "{drawn}");
    let mut still = gauges(true);
    for (_, gauges) in &mut still {
        gauges.insert(Gauge::Depth, 0.0);
    }
    let drawn = curve(&page(Lang::En, 80), &still).join("\n");
    assert!(drawn.contains(" depth         max 0 |\n"), "{drawn}");
}

#[test]
fn figures_are_further_columns() {
    let three = table(&page(Lang::En, 80), &sample::halfway());
    assert_eq!(
        three,
        [
            "              accepted     refused        p99     served",
            " naive             111         289     412 ms      100/s",
            " halfway           388          12          -          -",
            " fixed             400           0      14 ms      100/s",
        ]
    );
    let measure = table(&page(Lang::Zh, 80), &sample::measure());
    assert_eq!(
        measure,
        ["              p99      处理", " 实测      3.1 ms     100/s"]
    );
    let narrow = table(&page(Lang::En, 40), &sample::halfway());
    assert_eq!(narrow[0], " naive   accepted 111, refused 289,");
    assert!(narrow.contains(&"         p99 -, served -".to_owned()));
    let narrow = table(&page(Lang::En, 20), &sample::measure());
    assert!(narrow[0].starts_with(" measured p99"), "{narrow:?}");
    let mut nobody = sample::measure();
    nobody.figures = vec!["p42".into()];
    assert!(table(&page(Lang::En, 80), &nobody).is_empty());
}

#[test]
fn curves_and_bars_are_told_in_their_place_and_not_quietly() {
    let run = sample::decoupling();
    for lang in LANGS {
        let all = told(&run, lang, Detail::Normal);
        let (axis, table, bars, claim) = match lang {
            Lang::En => ("4 s\n", " accepted ", "How long", " Claim "),
            Lang::Zh => ("4 秒\n", "已受理", "调用方", " 结论 "),
        };
        let place = |words| all.find(words).expect(words);
        assert!(place(axis) < place(table), "{all}");
        assert!(place(table) < place(bars), "{all}");
        assert!(place(bars) < place(claim), "{all}");
        let quiet = told(&run, lang, Detail::Quiet);
        assert!(!quiet.contains('|') && !quiet.contains("##"), "{quiet}");
    }
}

#[test]
fn the_summary_says_what_a_way_says_of_itself() {
    let english = told(&sample::decoupling(), Lang::En, Detail::Normal);
    for words in [
        "\n ✓ peak       289 of 400 refused   0 of 400 refused\n",
        "\n ✓ window     0 of 400 refused\n",
    ] {
        assert!(english.contains(words), "{english}");
    }
    let mut three = sample::decoupling();
    for stamped in &mut three {
        if let Event::Verdict(ended) = &mut stamped.event {
            **ended = sample::halfway();
        }
    }
    let english = told(&three, Lang::En, Detail::Normal);
    let last = english.rsplit_once(" naive  ").unwrap().1;
    assert!(!last.contains("12 of 400"), "{last}");
}

#[test]
fn results_that_fit_in_no_column_say_whose_they_are() {
    let long = |way: &mut WayResult| {
        way.came_to = Some(Text::same("a long way from home, and from you"));
    };
    let mut run = sample::decoupling();
    for stamped in &mut run {
        if let Event::Verdict(ended) = &mut stamped.event
            && ended.scenario == "peak"
        {
            ended.ways.values_mut().for_each(long);
        }
    }
    let words = "a long way from home, and from you";
    let english = told(&run, Lang::En, Detail::Normal);
    let flat: Vec<&str> = english.split_whitespace().collect();
    let flat = flat.join(" ");
    let pair = format!("✓ peak: naive {words}; fixed {words}");
    assert!(flat.contains(&pair), "{english}");
    let chinese = told(&run, Lang::Zh, Detail::Normal);
    assert!(chinese.contains("peak: 朴素 a long way"), "{chinese}");
}

fn step(verb: Text, text: Text) -> Event {
    Event::Step { way: WayName::Naive, n: 1, verb, text }
}

/// The first way of the peak, with a step instead of its own.
fn struck(step: Event) -> Vec<Stamped> {
    let mut run = sample::decoupling();
    let at = |e: &Stamped| matches!(e.event, Event::Step { .. });
    let first = run.iter().position(at).unwrap();
    run[first].event = step;
    let end = |e: &Stamped| matches!(e.event, Event::WayEnded { .. });
    let end = run.iter().position(end).unwrap();
    run.truncate(end + 1);
    run
}

#[test]
fn what_struck_the_stage_is_said_in_words() {
    let work = step(Text::fixed("work", "干活"), Text::same("all day"));
    let run = struck(work);
    let english = told(&run, Lang::En, Detail::Normal);
    assert!(english.contains("\n 2 fault    in a surge\n"), "{english}");
    assert!(english.contains(" hit 1 of 1\n"), "{english}");
    let chinese = told(&run, Lang::Zh, Detail::Normal);
    assert!(chinese.contains("\n 2 故障  遇上高峰\n"), "{chinese}");
}

#[test]
fn what_a_scenario_says_of_its_fault_is_not_said_again() {
    let run = struck(step(words::FAULT_VERB.clone(), Text::same("a rush")));
    let english = told(&run, Lang::En, Detail::Normal);
    assert!(english.contains("\n 1 fault    a rush\n"), "{english}");
    assert!(!english.contains("in a surge"), "{english}");
    // A fault step without words of its own has the lab's.
    let run = struck(step(words::FAULT_VERB.clone(), Text::default()));
    let english = told(&run, Lang::En, Detail::Normal);
    assert!(english.contains("\n 1 fault    in a surge\n"), "{english}");
}

#[test]
fn the_spinner_counts_strikes_on_the_stage() {
    let run = struck(step(Text::same("work"), Text::default()));
    for glimpsed in [false, true] {
        let mut teller = Teller::new(page(Lang::En, 80), Detail::Normal, true);
        for event in &run[..run.len() - 1] {
            match glimpsed {
                true => teller.glimpse(event),
                false => drop(teller.told(event)),
            }
        }
        let Some(Busy::Way(_, words)) = teller.busy() else { panic!("idle") };
        assert_eq!(words, "NAIVE  call the service: 1 struck");
    }
}

#[test]
fn nothing_drawn_is_of_ambiguous_width() {
    for lang in LANGS {
        for width in 20..=80 {
            let page = page(lang, width);
            let mut drawn = curve(&page, &gauges(true));
            drawn.extend(curve(&page, &gauges(false)));
            drawn.extend(chart(&page, &sample::waits()));
            drawn.extend(chart(&page, &sample::rates()));
            drawn.extend(table(&page, &sample::halfway()));
            drawn.extend(table(&page, &sample::measure()));
            for line in drawn {
                assert_eq!(line.width(), line.width_cjk(), "{line}");
                assert!(line.width() < width, "{width}: {line}");
            }
        }
    }
}

fn any_chart() -> impl Strategy<Value = Chart> {
    let name = prop_oneof!["[ -~]{0,40}", "[一-龥]{0,20}", Just(String::new())];
    let value = prop_oneof![Just(0.0), 0.001..1.0, 1.0..1e6, Just(f64::NAN)];
    let bar = (name.clone(), value)
        .prop_map(|(name, value)| Bar { name: Text::same(name), value });
    let group = (name.clone(), prop::collection::vec(bar, 0..4))
        .prop_map(|(name, bars)| BarGroup { name: Text::same(name), bars });
    (name, prop::collection::vec(group, 0..4)).prop_map(|(title, groups)| {
        Chart { title: Text::same(title), unit: Unit::PerSecond, groups }
    })
}

fn any_samples() -> impl Strategy<Value = Vec<(u64, BTreeMap<Gauge, f64>)>> {
    let gauge = prop::sample::select(vec![
        Gauge::Depth,
        Gauge::Arrivals,
        Gauge::Served,
    ]);
    let value = prop_oneof![Just(0.0), 0.0..1e6, Just(f64::INFINITY)];
    let gauges = prop::collection::btree_map(gauge, value, 0..4);
    prop::collection::vec((0..100_000u64, gauges), 0..100)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chart_stays_on_its_page(any in any_chart(), width in 20usize..=80, zh: bool) {
        let page = page(if zh { Lang::Zh } else { Lang::En }, width);
        for line in chart(&page, &any) {
            prop_assert!(page.width_of(&line) < width, "{line:?}");
        }
    }

    #[test]
    fn what_is_more_than_nothing_is_seen(small in 1e-9..1e-3, large in 1.0..1e6) {
        let bars = [small, large, 0.0];
        let bars = bars.map(|value| Bar { name: WayName::Fixed.word(), value });
        let group = BarGroup { name: Text::default(), bars: bars.into() };
        let any = Chart { title: Text::default(), unit: Unit::Ms, groups: vec![group] };
        let signs = |line: &String| line.matches('=').count();
        let drawn: Vec<_> = chart(&page(Lang::En, 80), &any).iter().map(signs).collect();
        prop_assert_eq!(drawn[0], 1);
        prop_assert!(drawn[1] > 40);
        prop_assert_eq!(drawn[2], 0);
    }

    #[test]
    fn any_curve_stays_on_its_page(any in any_samples(), width in 20usize..=80, zh: bool) {
        let page = page(if zh { Lang::Zh } else { Lang::En }, width);
        for line in curve(&page, &any) {
            prop_assert!(page.width_of(&line) < width, "{line:?}");
        }
    }
}
