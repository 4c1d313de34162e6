//! Tables of words: what they look like, and that they tear no terminal.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::{grid::grid, layout::Page, sample, *};
use crate::{
    event::{Grid, GridRow},
    text,
};

const LANGS: [Lang; 2] = [Lang::En, Lang::Zh];

fn page(lang: Lang, width: usize) -> Page {
    Page { lang, color: false, width }
}

fn lines(picture: &str) -> Vec<&str> {
    picture.trim_matches('\n').lines().collect()
}

#[test]
fn a_grid_stands_in_columns() {
    let english = "
 Lost of 60 orders
                    producer dies  Redis dies  broker dies
 table first                    0           0            0
 Redis without AOF              0          60            0
 memory                        60           0            0
";
    let chinese = "
 60 个订单中丢失
                 生产者死亡  Redis 死亡  broker 死亡
 先落库                   0           0            0
 Redis 不开 AOF           0          60            0
 内存                    60           0            0
";
    for (lang, picture) in LANGS.into_iter().zip([english, chinese]) {
        assert_eq!(grid(&page(lang, 80), &sample::deaths()), lines(picture));
    }
}

#[test]
fn where_room_is_short_the_heads_are_broken() {
    let english = "
 Lost of 60 orders
                    producer  Redis  broker
                        dies   dies    dies
 table first               0      0       0
 Redis without AOF         0     60       0
 memory                   60      0       0
";
    assert_eq!(grid(&page(Lang::En, 50), &sample::deaths()), lines(english));
}

#[test]
fn a_head_is_broken_at_a_space_rather_than_within_a_word() {
    let mut deaths = sample::deaths();
    deaths.columns[0] = text! { en: "lost", zh: "返回时 未落盘" };
    let chinese = "
 60 个订单中丢失
                 返回时  Redis  broker
                 未落盘   死亡    死亡
 先落库               0      0       0
 Redis 不开 AOF       0     60       0
 内存                60      0       0
";
    assert_eq!(grid(&page(Lang::Zh, 46), &deaths), lines(chinese));
}

#[test]
fn where_there_is_no_room_each_row_is_a_sentence() {
    let english = "
 Lost of 60 orders
 table first:
   producer dies 0, Redis dies 0,
   broker dies 0
 Redis without AOF:
   producer dies 0, Redis dies 60,
   broker dies 0
 memory:
   producer dies 60, Redis dies 0,
   broker dies 0
";
    assert_eq!(grid(&page(Lang::En, 38), &sample::deaths()), lines(english));
}

#[test]
fn a_grid_is_told_before_what_it_shows_is_claimed() {
    for lang in LANGS {
        let mut teller =
            teller::Teller::new(page(lang, 80), Detail::Normal, false);
        let events = sample::decoupling();
        let told: Vec<_> =
            events.iter().flat_map(|event| teller.told(event)).collect();
        let title = sample::deaths().title;
        let at = told.iter().position(|line| line.contains(title.say(lang)));
        assert!(told[at.unwrap()..].len() > 4, "{told:?}");
    }
}

fn words() -> impl Strategy<Value = Text> {
    ("[a-z 的丢…—]{0,30}", "[a-z 的丢…—]{0,30}")
        .prop_map(|(en, zh)| Text::made(en, zh))
}

proptest! {
    #[test]
    fn no_grid_is_wider_than_its_page(
        title in words(),
        columns in prop::collection::vec(words(), 0..6),
        names in prop::collection::vec(words(), 0..6),
        cell in words(),
        width in 20..120_usize,
    ) {
        let rows = names.into_iter().map(|name| GridRow {
            name,
            cells: vec![cell.clone(); columns.len()],
        });
        let rows = rows.collect();
        let drawn = Grid { title, columns: columns.clone(), rows };
        for lang in LANGS {
            let page = page(lang, width);
            for line in grid(&page, &drawn) {
                prop_assert!(page.width_of(&line) < width, "{line:?}");
            }
        }
    }
}
