//! Pages for whoever reads them: in either language, by ear, on any ground.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{
    tests::{first, made},
    tests_undone::four_orders,
};
use crate::narrate::sample;

fn without_style(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    format!("{head}{body}")
}

/// What the style sheet hides must have a counterpart that it shows.
#[test]
fn every_word_has_its_counterpart() {
    for events in [
        sample::topic(),
        sample::single(0),
        sample::decoupling(),
        four_orders(4),
    ] {
        let page = made(events);
        for element in ["span", "text"] {
            let of = |lang: &str| {
                let start = format!("<{element} ");
                let tags = page.split(&start).skip(1);
                let tags = tags.filter_map(|rest| rest.split_once('>'));
                tags.filter(|(tag, _)| {
                    tag.contains(&format!("lang=\"{lang}\""))
                })
                .count()
            };
            assert_eq!(of("en"), of("zh-Hans"), "{element}");
        }
    }
}

#[test]
fn headings_are_in_order_and_names_are_not_given_twice() {
    for events in [
        sample::topic(),
        sample::single(20),
        sample::decoupling(),
        four_orders(4),
    ] {
        let page = without_style(&made(events));
        let mut level = 0;
        for heading in page.split("<h").skip(1) {
            let Some(next) =
                heading.chars().next().and_then(|c| c.to_digit(10))
            else {
                continue;
            };
            assert!(next <= level + 1, "h{level}, then h{next}");
            level = next;
        }
        assert_eq!(page.matches("<h1").count(), 1);
        let mut ids: Vec<&str> = page
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once('"')?.0))
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
        // Whatever names something by its id finds it.
        for attribute in ["aria-labelledby", "aria-describedby", "for", "href"]
        {
            let start = format!(" {attribute}=\"");
            let by = page.split(&start).skip(1);
            for name in by.filter_map(|rest| Some(rest.split_once('"')?.0)) {
                let name = name.trim_start_matches('#');
                assert!(ids.contains(&name), "{attribute}={name}");
            }
        }
    }
}

#[test]
fn every_picture_has_a_name_and_stands_beside_numbers() {
    for events in [sample::single(20), sample::decoupling(), four_orders(4)] {
        let page = made(events);
        for picture in page.split("<svg").skip(1) {
            let svg = picture.split_once("</svg>").unwrap().0;
            let tag = svg.split_once('>').unwrap().0;
            if tag.contains("role=\"img\"") {
                assert!(svg.contains("<title>") && svg.contains("<desc>"));
            } else {
                assert!(tag.contains("aria-hidden=\"true\""), "{tag}");
            }
        }
        let pictures = page.matches("class=\"lanes\"").count();
        let tables = page.matches("The lanes as a table").count();
        assert!(tables <= pictures);
    }
}

/// WCAG 2: text has a contrast of at least 4.5 to what it stands on.
#[test]
fn every_ink_can_be_read_on_every_ground() {
    const STYLE: &str = include_str!("page.css");
    let (light, rest) = STYLE.split_once("@media screen").unwrap();
    let (dark, _) = rest.split_once("/* One of the two").unwrap();
    for theme in [light, dark] {
        let ink =
            |name: &str| luminance(first(theme, &format!("--{name}: #"), ";"));
        let contrast = |a: f64, b: f64| (a.max(b) + 0.05) / (a.min(b) + 0.05);
        let inks = ["ink", "muted", "link", "good", "bad", "warn", "info"];
        for name in inks {
            for ground in ["ground", "card", "sunk"] {
                let found = contrast(ink(name), ink(ground));
                assert!(found >= 4.5, "{name} on {ground}: {found:.2}");
            }
        }
        for name in ["good", "bad", "warn", "info"] {
            let found = contrast(ink(name), ink(&format!("{name}-soft")));
            assert!(found >= 4.5, "{name} on its own: {found:.2}");
        }
    }
}

fn luminance(hex: &str) -> f64 {
    let part = |n: usize| {
        let byte = u8::from_str_radix(&hex[n * 2..n * 2 + 2], 16).unwrap();
        let share = f64::from(byte) / 255.0;
        match share {
            ..=0.040_45 => share / 12.92,
            _ => ((share + 0.055) / 1.055).powf(2.4),
        }
    };
    0.2126 * part(0) + 0.7152 * part(1) + 0.0722 * part(2)
}
