//! How a scenario begins: what it stands on, the recipe, the fault, the
//! question.

use crate::{
    event::{Choice, Event, Login, Place, Service},
    text,
    text::Text,
};

use super::{
    Detail,
    layout::{Ink, MARGIN, Page},
    recorded::Head,
    words,
};

/// That all this was recorded: when, by which version, and that nothing of it
/// happens now.
pub(super) fn recorded(page: &Page, started: &Event) -> Vec<String> {
    let Some(head) = Head::of(started) else { return Vec::new() };
    let when = head.when().map(|when| format!("{when} UTC, "));
    let told = text! {
        en: "{when}rmq-lab {version}, run {run}; nothing runs now",
        zh: "{when}rmq-lab {version}，运行 {run}；现在什么都没有运行",
        when = when.unwrap_or_default(), run = head.run, version = head.version
    };
    let lead = format!(" {}  ", page.say(&words::RECORDED_HEAD));
    page.hang(&lead, Ink::Bold, page.say(&told))
}

/// What stands, and where it is reached while somebody can look at it. What a
/// way has of its own goes with it, unless it is kept. What is only `recorded`
/// is reached nowhere any more.
pub(super) fn stands(
    page: &Page,
    detail: Detail,
    recorded: bool,
    event: &Event,
) -> Vec<String> {
    let Event::StageUp { services, management, way, places } = event else {
        return Vec::new();
    };
    let looks = management.is_some() || detail == Detail::Verbose;
    if way.is_some() && !looks {
        return Vec::new();
    }
    let mut lines = Vec::new();
    if detail != Detail::Quiet {
        lines.extend(stage(page, services));
    }
    if recorded {
        return lines;
    }
    let login = management.iter();
    lines.extend(login.flat_map(|login| self::management(page, login)));
    if looks {
        lines.extend(self::places(page, places));
    }
    lines
}

/// What the run stands on: broker and Redis, where from, how fast.
fn stage(page: &Page, services: &[Service]) -> Vec<String> {
    let mut of_a_kind: Vec<Vec<&Service>> = Vec::new();
    for service in services {
        match of_a_kind.iter_mut().find(|all| all[0].product == service.product)
        {
            Some(all) => all.push(service),
            None => of_a_kind.push(vec![service]),
        }
    }
    let services: Vec<String> =
        of_a_kind.iter().map(|all| service(page, all)).collect();
    let lead = page.pad(&format!(" {}", page.say(&words::STAGE)), MARGIN);
    page.flow(&lead, Ink::Bold, &services, "; ")
}

/// One service, or the nodes of a cluster, told by the slowest.
fn service(page: &Page, of_a_kind: &[&Service]) -> String {
    let Some(first) = of_a_kind.first() else { return String::new() };
    let source = words::source(&first.source);
    let slowest = of_a_kind.iter().map(|s| s.boot_ms).max();
    let boot = page.seconds(slowest.unwrap_or_default());
    let product = match of_a_kind.len() {
        1 => first.product.clone(),
        nodes => format!("{} ×{nodes}", first.product),
    };
    let told = Text::made(
        format!("{product} ({}, boot {boot})", source.en),
        format!("{product}（{}，启动 {boot}）", source.zh),
    );
    page.say(&told).to_owned()
}

/// Where to watch: each on one line, to be copied.
fn management(page: &Page, login: &Login) -> Vec<String> {
    let lead =
        |label: &Text| page.pad(&format!(" {}", page.say(label)), MARGIN);
    let user = format!("{} {}", page.say(&words::USER), login.user);
    let password = format!("{} {}", page.say(&words::PASSWORD), login.password);
    let url = page.paint(Ink::Cyan, &login.url);
    let mut lines =
        vec![format!("{}{url}", page.paint(Ink::Bold, &lead(&words::MANAGE)))];
    lines.extend(page.flow(
        &" ".repeat(MARGIN),
        Ink::Plain,
        &[user, password],
        "   ",
    ));
    lines
}

/// Where clients and browsers go, side by side while they fit.
fn places(page: &Page, places: &[Place]) -> Vec<String> {
    let all: Vec<String> = places
        .iter()
        .map(|place| format!("{} {}", page.say(&place.what), place.at))
        .collect();
    page.flow(&" ".repeat(MARGIN), Ink::Plain, &all, "   ")
}

/// The head of a scenario.
pub(super) fn scenario(
    page: &Page,
    recorded: bool,
    event: &Event,
) -> Vec<String> {
    let Event::ScenarioStarted {
        topic,
        scenario,
        index,
        of,
        on,
        recipe,
        fault,
        question,
        choices,
        without,
        ..
    } = event
    else {
        return Vec::new();
    };
    let place = if *of > 1 { format!("  {index}/{of}") } else { String::new() };
    let mut on = on.join(", ");
    if recorded {
        let mark = page.say(&words::RECORDED);
        on = if on.is_empty() {
            mark.to_owned()
        } else {
            format!("{mark}: {on}")
        };
    }
    let mut lines =
        page.spread(&format!(" {topic}/{scenario}{place}"), Ink::Bold, "", &on);
    lines.extend(self::recipe(page, recipe, fault));
    if let Some((mechanism, called)) = without {
        let told = text! {
            en: "without {mechanism}: {en}", zh: "去掉 {mechanism}：{en}",
            mechanism = mechanism, en = page.say(called)
        };
        lines.extend(page.labelled(&Text::default(), page.say(&told)));
    }
    lines.extend(asked(page, question, choices));
    lines
}

/// What is on trial, and what happens to it.
pub(super) fn recipe(page: &Page, recipe: &Text, fault: &Text) -> Vec<String> {
    let labels = [(&words::RECIPE, recipe), (&words::FAULT, fault)];
    let told = labels.into_iter().filter(|(_, text)| !text.is_empty());
    told.flat_map(|(label, text)| page.labelled(label, page.say(text)))
        .collect()
}

/// The question, and what can be answered: on one line where they fit.
pub(super) fn asked(
    page: &Page,
    question: &Text,
    choices: &[Choice],
) -> Vec<String> {
    if question.is_empty() && choices.is_empty() {
        return Vec::new();
    }
    let lead = page.pad(&format!(" {}", page.say(&words::QUESTION)), MARGIN);
    let choices: Vec<String> = choices
        .iter()
        .map(|c| format!("{} {}", c.key, page.say(&c.text)))
        .collect();
    let mut all = choices.clone();
    all.insert(0, page.say(question).to_owned());
    all.retain(|unit| !unit.is_empty());
    let together = page.flow(&lead, Ink::Bold, &all, "   ");
    if together.len() == 1 || question.is_empty() {
        return together;
    }
    let mut lines = page.hang(&lead, Ink::Bold, page.say(question));
    lines.extend(page.flow(&" ".repeat(MARGIN), Ink::Plain, &choices, "   "));
    lines
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::text::Lang;

    fn told(detail: Detail, held: bool, recorded: bool) -> Vec<String> {
        let mut event = sample::own_stage(vec![Place {
            what: Text::fixed("virtual IP", "虚拟 IP"),
            at: "172.18.255.254:5672".to_owned(),
        }]);
        if let (Event::StageUp { management, .. }, true) = (&mut event, held) {
            *management = Some(Login {
                url: "http://127.0.0.1:49153".to_owned(),
                user: "lab".to_owned(),
                password: "pUq3-kk2e-9sFa".to_owned(),
            });
        }
        let page = Page { lang: Lang::En, color: false, width: 80 };
        stands(&page, detail, recorded, &event)
    }

    #[test]
    fn what_a_way_has_of_its_own_is_told_while_it_can_be_looked_at() {
        assert!(told(Detail::Normal, false, false).is_empty());
        let address = "         virtual IP 172.18.255.254:5672";
        for (detail, held) in [
            (Detail::Quiet, true),
            (Detail::Normal, true),
            (Detail::Verbose, false),
        ] {
            let told = told(detail, held, false);
            assert_eq!(told.last().map(String::as_str), Some(address));
        }
    }

    #[test]
    fn where_it_was_reached_is_not_told_again() {
        for detail in [Detail::Normal, Detail::Verbose] {
            let told = told(detail, true, true).join("\n");
            assert!(told.contains("HAProxy"), "{told}");
            for then in ["172.18", "49153", "pUq3"] {
                assert!(!told.contains(then), "{told}");
            }
        }
    }
}
