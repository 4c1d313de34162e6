//! What a person sees: said in both languages, at two widths, within them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::{layout::Page, sample, *};
use crate::event::{Event, Verdict, WayName};

fn style(lang: Lang, width: usize) -> Style {
    Style {
        lang,
        color: false,
        width,
        detail: Detail::Normal,
        interactive: false,
    }
}

fn told(events: &[Stamped], style: Style) -> String {
    let mut out = Vec::new();
    let mut terminal = Terminal::new(&mut out, style);
    for event in events {
        terminal.tell(event).unwrap();
    }
    drop(terminal);
    String::from_utf8(out).unwrap()
}

/// Whether a line may be too wide: it is there to be copied. Of a command
/// that goes on behind a backslash that is a word that no line can hold.
fn is_copied(line: &str) -> bool {
    ["rmq-lab ", "/home/", "lab-7f3a-broker \\"]
        .iter()
        .any(|start| line.trim_start().starts_with(start))
}

fn too_wide(told: &str, lang: Lang, width: usize) -> Vec<&str> {
    let columns = |line: &str| match lang {
        Lang::En => line.width(),
        Lang::Zh => line.width_cjk(),
    };
    told.lines()
        .filter(|line| !is_copied(line) && columns(line) > width)
        .collect()
}

fn without_ink(told: &str) -> String {
    let mut plain = String::new();
    let mut rest = told;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain + rest
}

#[test]
fn no_line_is_wider_than_the_page() {
    let runs = [
        sample::single(20),
        sample::single(0),
        sample::topic(),
        sample::decoupling(),
    ];
    let widths = [80, 60, 40];
    let both = |width| [(Lang::En, width), (Lang::Zh, width)];
    for (lang, width) in widths.into_iter().flat_map(both) {
        for detail in [Detail::Quiet, Detail::Normal, Detail::Verbose] {
            for run in &runs {
                let told = told(run, Style { detail, ..style(lang, width) });
                assert_eq!(
                    too_wide(&told, lang, width),
                    Vec::<&str>::new(),
                    "{told}"
                );
            }
        }
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    for lang in [Lang::En, Lang::Zh] {
        for run in [sample::single(0), sample::topic(), sample::decoupling()] {
            let plain = told(&run, style(lang, 80));
            let inked = told(&run, Style { color: true, ..style(lang, 80) });
            assert_ne!(plain, inked);
            assert_eq!(plain, without_ink(&inked));
        }
    }
}

#[test]
fn a_scenario_fits_on_a_laptops_terminal() {
    for lang in [Lang::En, Lang::Zh] {
        let mut events = vec![sample::run_started(1)];
        events.extend(sample::scenario(1, 1, 20));
        // The reader's own answer takes a line.
        let lines =
            told(&sample::stamped(events), style(lang, 80)).lines().count() + 1;
        assert!(lines <= 24, "{lines} lines in {lang:?}");
    }
}

#[test]
fn a_scenario_says_what_the_sketch_says() {
    let english = told(&sample::single(20), style(Lang::En, 80));
    for words in [
        " Recipe  \"Look the id up",
        " NAIVE   mark, then pay ",
        "hit 20 of 20",
        " 3 fault    payment-0010  marked, killed, redelivered, \"seen\", acked\n",
        " 3 fault    payment-0010  killed, rolled back, redelivered, paid, acked\n",
        "confirmed = paid + LOST     paid twice",
        "b: The mark outlived the crash, the money did not. You said a.",
        " ✓ PROVEN  naive lost 20 of 200, fixed 0 ",
        "\n next    rmq-lab show idempotency/mark-first --diff\n",
    ] {
        assert!(english.contains(words), "{words:?} not in\n{english}");
    }
    let chinese = told(&sample::single(20), style(Lang::Zh, 80));
    for words in [
        "已确认 = 已支付 + 丢失",
        "命中 20/20",
        " 3 故障  payment-0010  已标记，消费者被杀，重新投递，判为重复，已 ack\n",
        "你选的是 a。",
        " ✓ 已证实  ",
    ] {
        assert!(chinese.contains(words), "{words:?} not in\n{chinese}");
    }
}

#[test]
fn what_both_ways_share_is_told_once() {
    let told = told(&sample::single(20), style(Lang::En, 80));
    assert_eq!(told.matches("1 publish").count(), 1);
    assert_eq!(told.matches("1 as above\n").count(), 1);
    assert_eq!(told.matches("2 consume").count(), 2, "these differ");
    assert_eq!(
        told.matches("docker exec").count(),
        1,
        "the same but for the vhost"
    );
}

#[test]
fn a_command_can_be_pasted_at_any_width() {
    let command = "docker exec lab-7f3a-broker rabbitmqctl -p naive list_queues name messages";
    for width in [40, 60, 80] {
        let told = told(&sample::single(20), style(Lang::En, width));
        let begin = told.find("docker exec").unwrap();
        let lines = told[begin..].split_inclusive('\n');
        // What a shell makes of it.
        let mut pasted = String::new();
        for line in lines {
            assert!(line.trim_end().len() <= width, "{line}");
            pasted.push_str(line);
            if !line.ends_with("\\\n") {
                break;
            }
        }
        let words: Vec<_> =
            pasted.split_whitespace().filter(|w| *w != "\\").collect();
        assert_eq!(words.join(" "), command, "{told}");
    }
    let told = told(&sample::single(20), style(Lang::En, 40));
    let next = "rmq-lab show idempotency/mark-first --diff";
    assert!(told.lines().any(|line| line.trim() == next), "{told}");
}

#[test]
fn whatever_is_refuted_is_told_in_full_even_quietly() {
    for detail in [Detail::Quiet, Detail::Normal] {
        let told =
            told(&sample::single(0), Style { detail, ..style(Lang::En, 80) });
        for words in [
            "✗ REFUTED",
            "expected that exactly the struck 20 are lost, found 0 lost",
            "payment-0200  last known: ",
            "/home/student/.local/share/rmq-lab/runs/7f3a.jsonl",
            "broker log  /home/student",
            "rmq-lab demo idempotency/mark-first --messages 200 --seed 7",
        ] {
            assert!(told.contains(words), "{words:?} not in\n{told}");
        }
        assert!(
            !told.contains(" Say "),
            "an answer that was not shown is not taught"
        );
        assert!(!told.contains("You said"), "nor is a guess held against it");
    }
}

#[test]
fn quietly_a_proven_scenario_takes_two_lines() {
    let told = told(
        &sample::single(20),
        Style { detail: Detail::Quiet, ..style(Lang::En, 80) },
    );
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(
        lines[0].starts_with(" ✓ PROVEN  idempotency/mark-first "),
        "{told}"
    );
    assert_eq!(lines[1], "   naive lost 20 of 200, fixed 0");
}

#[test]
fn verbosely_every_message_with_something_wrong_has_its_story() {
    let told = told(
        &sample::single(20),
        Style { detail: Detail::Verbose, ..style(Lang::En, 80) },
    );
    assert!(
        told.contains("   payment-0200  lost: marked, killed, redelivered"),
        "{told}"
    );
}

#[test]
fn a_topic_ends_with_a_line_for_each_scenario() {
    let english = told(&sample::topic(), style(Lang::En, 80));
    for words in [
        " idempotency    naive     fixed\n",
        " ✓ mark-first   20 lost   0\n",
        " ✗ mark-first   0         0  REFUTED\n",
        " - streams      left out\n",
        "1 of 3 proven, 1 refuted, 1 left out, 34 s, of which the broker's boot 3.5 s;",
        "nothing left behind",
        " next    rmq-lab show idempotency --diff\n",
    ] {
        assert!(english.contains(words), "{words:?} not in\n{english}");
    }
}

#[test]
fn a_topic_that_went_well_leads_to_its_chapter_and_its_cards() {
    let mut events = sample::topic();
    let set = |events: &mut [Stamped], to: &[(&'static str, Verdict)]| {
        let mut to = to.iter();
        for stamped in events {
            if let Event::Verdict(ended) = &mut stamped.event {
                let (topic, verdict) = to.next().unwrap();
                ended.topic = (*topic).to_owned();
                ended.verdict = *verdict;
            }
        }
    };
    let own = "idempotency";
    let next = |events: &[Stamped], lang| {
        let told = told(events, style(lang, 80));
        let lines: Vec<_> = told.lines().rev().take(2).collect();
        format!("{}\n{}", lines[1], lines[0])
    };
    set(&mut events, &[(own, Verdict::Proven), (own, Verdict::Observed)]);
    assert_eq!(
        next(&events, Lang::En),
        " next    rmq-lab read idempotency\n         rmq-lab quiz idempotency"
    );
    assert_eq!(
        next(&events, Lang::Zh),
        " 下一步  rmq-lab read idempotency\n         rmq-lab quiz idempotency"
    );
    for wrong in [Verdict::Refuted, Verdict::Inconclusive] {
        set(&mut events, &[(own, Verdict::Proven), (own, wrong)]);
        let told = next(&events, Lang::En);
        let end = "\n next    rmq-lab show idempotency --diff";
        assert!(told.ends_with(end), "{told}");
    }
    let two = [("durability", Verdict::Proven), (own, Verdict::Proven)];
    set(&mut events, &two);
    let told = next(&events, Lang::En);
    assert!(told.ends_with("\n next    rmq-lab list"), "{told}");
}

#[test]
fn the_login_is_told_before_the_first_step() {
    let told = told(
        &sample::topic(),
        Style { detail: Detail::Quiet, ..style(Lang::En, 80) },
    );
    let login = told.find("user teacher   password pUq3-kk2e-9sFa").unwrap();
    assert!(told.find("http://127.0.0.1:49153/").unwrap() < login);
    assert!(login < told.find("PROVEN").unwrap());
}

#[test]
fn sums_that_do_not_add_up_are_not_written_as_a_sum() {
    let mut result = sample::result(20, true);
    result.counts.parked = 5;
    result.counts.applied -= 5;
    let ways = BTreeMap::from([(WayName::Trap, result)]);
    let ended = Event::Verdict(Box::new(sample::ended(Verdict::Proven, ways)));
    let told = told(&sample::stamped(vec![ended]), style(Lang::En, 80));
    assert!(!told.contains(" = paid"), "{told}");
    assert!(told.contains(" trap "), "{told}");
}

#[test]
fn a_way_that_was_broken_off_is_told_as_far_as_it_came() {
    let mut events = vec![sample::scenario_started(1, 1)];
    events.extend(sample::naive(sample::result(20, true)));
    events.pop();
    events.push(Event::Error {
        error: Text::same("gone"),
        help: Vec::new(),
        exit: 3,
    });
    let told = told(&sample::stamped(events), style(Lang::En, 80));
    assert!(told.contains(" 1 publish  200 payments"), "{told}");
    assert!(told.contains("payment-0010  marked, killed"), "{told}");
    assert!(!told.contains("gone"), "errors are told on stderr, by main");
}

#[test]
fn a_problem_is_told_as_cargo_tells_it() {
    let error = Text::fixed("no topic \"idempotancy\"", "没有主题 idempotancy");
    let help =
        [Text::fixed("did you mean \"idempotency\"?", "是不是 idempotency？")];
    assert_eq!(
        error_lines(&error, &help, Lang::En, false),
        "error: no topic \"idempotancy\"\n  help: did you mean \"idempotency\"?\n"
    );
    let inked = error_lines(&error, &help, Lang::Zh, true);
    assert_eq!(
        without_ink(&inked),
        error_lines(&error, &help, Lang::Zh, false)
    );
}

#[test]
fn a_report_that_replaces_something_says_so_in_its_line() {
    let line = |replaced, lang| {
        report_line(Path::new("run.html"), replaced, lang, false)
    };
    assert_eq!(line(false, Lang::En), " report  run.html");
    assert_eq!(
        line(true, Lang::En),
        " report  run.html  (replaced what was there)"
    );
    assert_eq!(
        line(true, Lang::Zh),
        format!("{}  （替换了原有文件）", line(false, Lang::Zh))
    );
}

#[test]
fn a_paragraph_stays_behind_its_indent() {
    assert_eq!(wrapped("one two three", 10, "  "), ["  one two", "  three"]);
    assert_eq!(wrapped("一二三四五", 8, "  "), ["  一二三", "  四五"]);
    assert_eq!(wrapped("", 80, "  "), [""], "a free line");
}

fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,30}",
        "[一-龥，。；（）“”、！？]{0,30}",
        "[a-z0-9/_.-]{30,90}",
        Just("— … × → · \t\n".to_owned()),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    // No file beside the sources: what fails is shown, and becomes a test.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_exceeds_the_width(
        text in any_text(),
        lead in any_text(),
        right in "[ -~]{0,20}",
        width in 20usize..=80,
        zh: bool,
    ) {
        let lang = if zh { Lang::Zh } else { Lang::En };
        let page = Page { lang, color: false, width };
        let lead = page.cut(&lead, 30);
        for line in page.spread(&format!(" {lead} "), layout::Ink::Plain, &text, &right) {
            prop_assert!(page.width_of(&line) <= width, "{line:?}");
        }
        let units = [text.clone(), right, text];
        for line in page.flow(" x ", layout::Ink::Plain, &units, "   ") {
            prop_assert!(page.width_of(&line) <= width, "{line:?}");
        }
    }

    #[test]
    fn wrapping_loses_no_word(text in any_text(), width in 20usize..=80) {
        let page = Page { lang: Lang::Zh, color: false, width };
        let bare = |text: &str| -> String {
            text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect()
        };
        prop_assert_eq!(bare(&page.wrap(&text, width).concat()), bare(&text));
    }

    #[test]
    fn any_scenario_stays_on_its_page(
        words in prop::collection::vec(any_text(), 4),
        width in 20usize..=80,
        zh: bool,
    ) {
        let lang = if zh { Lang::Zh } else { Lang::En };
        let text = |n: usize| Text::same(words[n].replace("rmq-lab", ""));
        let mut events = sample::scenario(1, 2, 20);
        for event in &mut events {
            match event {
                Event::ScenarioStarted { recipe, fault, question, choices, .. } => {
                    (*recipe, *fault, *question) = (text(0), text(1), text(2));
                    choices[0].text = text(3);
                }
                Event::WayStarted { title, .. } => *title = text(1),
                Event::Step { verb, text: told, .. } => {
                    *told = text(0);
                    *verb = Text::same(words[3].chars().take(12).collect::<String>());
                }
                Event::Verdict(ended) => (ended.claim, ended.why) = (text(2), text(3)),
                _ => {}
            }
        }
        let told = told(&sample::stamped(events), style(lang, width));
        let wide = too_wide(&told, lang, width);
        prop_assert!(wide.is_empty(), "{wide:?}");
    }
}
