//! The page itself: everything it needs is in it, and nothing is fetched.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    text,
    text::{Lang, Text},
};

use super::{
    heading::{broken_off, contents, particulars, sums, title},
    log::Log,
    marks::sprite,
    say::{both, tag},
    scene::scene,
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A browser may run and show what is in the page, and ask nobody.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'";

/// The whole page.
pub(super) fn document(log: &Log, lang: Lang, recorded: bool) -> Markup {
    let title = title(log);
    let alone = log.scenes.len() < 2;
    let named = |lang: Lang| format!("{} - rmq-lab", title.say(lang));
    html! {
        (DOCTYPE)
        html lang=(tag(lang))
            data-title-en=(named(Lang::En))
            data-title-zh=(named(Lang::Zh)) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content="rmq-lab";
                title { (named(lang)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#main" { (both(&text! {
                    en: "Skip to the scenarios",
                    zh: "跳到场景"
                })) }
                (sprite())
                div class="page" {
                    (head(log, &title, lang, recorded))
                    (contents(log))
                    main id="main" tabindex="-1" {
                        @for (n, told) in log.scenes.iter().enumerate() {
                            (scene(log, told, &format!("s{n}"), alone))
                        }
                        @if log.scenes.is_empty() {
                            p { (both(&text! {
                                en: "No scenario has begun.",
                                zh: "没有场景开始运行。"
                            })) }
                        }
                    }
                    footer { (both(&text! {
                        en: "Made by rmq-lab from the events of this run. \
                             The containers named in commands are gone with \
                             it; --hold keeps them.",
                        zh: "由 rmq-lab 根据这次运行的事件生成。命令里的容器\
                             已随运行移除；加 --hold 可保留。"
                    })) }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

fn head(log: &Log, title: &Text, lang: Lang, recorded: bool) -> Markup {
    html! {
        header {
            fieldset class="switch" {
                legend { "Language · 语言" }
                input type="radio" name="lang" id="in-en" checked[lang == Lang::En];
                label for="in-en" lang="en" { "English" }
                input type="radio" name="lang" id="in-zh" checked[lang == Lang::Zh];
                label for="in-zh" lang="zh-Hans" { "中文" }
            }
            p class="eyebrow" { (both(&text! {
                en: "rmq-lab report",
                zh: "rmq-lab 报告"
            })) }
            h1 { (both(title)) }
            p class="sums" { (both(&sums(log))) }
            (broken_off(log, recorded))
            (particulars(log, recorded))
        }
    }
}
