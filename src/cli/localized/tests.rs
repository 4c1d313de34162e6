use clap::{builder::StyledStr, error::ErrorKind};
use clap_complete::Shell;
use unicode_width::UnicodeWidthStr;

use super::{
    table::{ABOUT, LONG, ROWS, find},
    *,
};
use crate::{cli::completion, problem::Problem};

/// Rows of what clap adds by itself: `help`, `--help` and `--version`.
const OF_CLAP: usize = 3;

/// Every command, and how it is typed.
fn commands() -> Vec<(String, Command)> {
    fn add(path: &str, command: &Command, all: &mut Vec<(String, Command)>) {
        all.push((path.to_owned(), command.clone()));
        for inner in command.get_subcommands() {
            add(&below(path, inner.get_name()), inner, all);
        }
    }
    let mut all = Vec::new();
    add("", &Cli::command(), &mut all);
    all
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// However its lines are broken, and without the last full stop.
fn flat(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").trim_end_matches('.').to_owned()
}

/// That the table has what clap says, and the Chinese of it.
fn is_in_both(path: &str, what: &str, told: Option<&StyledStr>) {
    let row = find(path, what);
    let text = row.unwrap_or_else(|| panic!("no row {path:?} {what:?}"));
    let told = told.map(StyledStr::to_string).unwrap_or_default();
    assert_eq!(flat(&text.en), flat(&told), "{path:?} {what:?}");
    assert!(text.zh.contains(is_chinese), "{path:?} {what:?}");
}

#[test]
fn all_that_help_says_is_in_both_languages() {
    let mut rows = OF_CLAP;
    for (path, command) in commands() {
        is_in_both(&path, ABOUT, command.get_about());
        rows += 1;
        if command.get_long_about().is_some() {
            is_in_both(&path, LONG, command.get_long_about());
            rows += 1;
        }
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let id = arg.get_id().as_str();
            is_in_both(&path, id, arg.get_help());
            rows += 1;
            for value in arg.get_possible_values() {
                if value.get_help().is_some() {
                    let what = format!("{id}={}", value.get_name());
                    is_in_both(&path, &what, value.get_help());
                    rows += 1;
                }
            }
        }
    }
    assert_eq!(ROWS.len(), rows, "a row of nothing");
}

/// The help that these words bring.
fn help<'a>(words: impl IntoIterator<Item = &'a str>, width: usize) -> String {
    let words = std::iter::once("rmq-lab").chain(words);
    let tree = super::command(Lang::Zh, width);
    let error = tree.try_get_matches_from(words).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{error}");
    error.to_string()
}

#[test]
fn help_in_chinese_is_all_chinese_and_fits() {
    for (path, command) in commands() {
        for width in [60, 80] {
            let told = help(path.split_whitespace().chain(["--help"]), width);
            let usage = format!("用法：{}", below("rmq-lab", &path));
            assert!(told.contains(usage.trim()), "{told}");
            for english in ["Usage", "Options", "Print", "[default", ":\n"] {
                assert!(!told.contains(english), "{english}: {told}");
            }
            let chinese = told.lines().filter(|l| l.contains(is_chinese));
            for line in chinese {
                assert!(line.width_cjk() <= width, "{width}: {line}");
            }
            assert!(told.lines().all(|line| line.width_cjk() <= 80), "{told}");
            for arg in command.get_arguments().filter(|a| !a.is_hide_set()) {
                let text = find(&path, arg.get_id().as_str()).unwrap();
                let start: String = text.zh.chars().take(4).collect();
                assert!(told.contains(&start), "{start}: {told}");
            }
        }
    }
}

#[test]
fn the_command_help_brings_the_same_page() {
    assert_eq!(help(["help", "demo"], 80), help(["demo", "--help"], 80));
    assert_eq!(help(["help"], 80), help(["-h"], 80));
    assert!(help(["help", "help"], 80).contains("显示本页"));
    assert!(help(["help", "images", "pull"], 80).contains("拉取官方镜像"));
}

#[test]
fn the_command_help_is_told_its_language_behind_it_too() {
    let words = ["rmq-lab", "help", "demo", "--lang", "zh"];
    let error = parse(words, Lang::Zh).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{error}");
    assert!(error.to_string().contains("用法：rmq-lab demo"), "{error}");
}

#[test]
fn a_default_and_what_can_be_chosen_are_told() {
    let demo = help(["demo", "--help"], 80);
    assert!(demo.contains("      --messages <N>\n"), "{demo}");
    assert!(demo.contains("每种写法发多少条消息 [默认值：200]\n"), "{demo}");
    assert!(demo.contains("  -q, --quiet\n"), "{demo}");
    assert!(demo.contains("          - zh：简体中文\n"), "{demo}");
    assert!(help(["completions", "-h"], 80).contains("[可选：bash, "));
}

/// What is said of these words, in whose English clap has the last word.
fn refusal(words: &str) -> Problem {
    let words: Vec<OsString> = std::iter::once("rmq-lab")
        .chain(words.split_whitespace())
        .map(OsString::from)
        .collect();
    let lang = lang(&words, |_| None);
    assert_eq!(lang, Lang::Zh, "{words:?}");
    let error = parse(words, lang).unwrap_err();
    let problem = refused(&error);
    let told = flat(&error.to_string());
    let start = format!("error: {}", problem.error.en);
    assert!(told.starts_with(&start), "{start:?} is not {told:?}");
    problem
}

#[test]
fn what_clap_refuses_is_told_in_chinese() {
    let told = [
        ("dance --lang zh", "没有命令 \"dance\""),
        ("demo x --mesages 5 --lang=zh", "没有选项 \"--mesages\""),
        ("doctor everything --lang zh", "多了参数 \"everything\""),
        ("--lang zh demo x --messages", "--messages <N> 后面缺少值"),
        (
            "demo x --lang zh --messages lots",
            "--messages <N> 的值 \"lots\" 无效：应为 1 到 10000000 的整数",
        ),
        ("list --color pink --lang zh", "--color <WHEN> 的值 \"pink\" 无效"),
        ("demo --lang zh", "缺少参数 <TARGET>..."),
        ("demo x -q -v --lang zh", "--quiet 不能与 --verbose 同时使用"),
        ("list --json --json --lang zh", "--json 只能写一次"),
        ("list --json=yes --lang zh", "--json 后面多了一个值 \"yes\""),
    ];
    for (words, zh) in told {
        assert_eq!(refusal(words).error.zh, zh, "{words}");
    }
}

#[test]
fn a_refusal_says_what_was_meant_and_where_help_is() {
    let helps = |words: &str| -> Vec<String> {
        let helps = refusal(words).help.into_iter();
        helps.map(|help| help.zh.into_owned()).collect()
    };
    assert_eq!(
        helps("dmeo --lang zh"),
        ["是不是 \"demo\"？", "完整用法：rmq-lab --help"]
    );
    assert_eq!(
        helps("demo x --mesages 5 --lang zh"),
        ["是不是 \"--messages\"？", "完整用法：rmq-lab demo --help"]
    );
    assert_eq!(
        helps("list --color pink --lang zh"),
        ["可选：auto, always, never", "完整用法：rmq-lab --help"]
    );
}

#[test]
fn the_language_is_found_where_nothing_else_is_understood() {
    let lang = |words: &str, locale: &'static str| {
        let words: Vec<_> =
            words.split_whitespace().map(OsString::from).collect();
        lang(&words, |name| (name == "LANG").then(|| locale.to_owned()))
    };
    assert_eq!(lang("rmq-lab --lang zh dance", "en_US"), Lang::Zh);
    assert_eq!(lang("rmq-lab dance --what --lang=zh", "C"), Lang::Zh);
    assert_eq!(lang("rmq-lab dance --lang en", "zh_CN.UTF-8"), Lang::En);
    assert_eq!(lang("rmq-lab dance --lang fr", "zh_CN.UTF-8"), Lang::Zh);
    assert_eq!(lang("rmq-lab dance --lang", "zh_CN.UTF-8"), Lang::Zh);
    assert_eq!(lang("rmq-lab dance -- --lang zh", "C"), Lang::En);
}

/// What a shell or `man` is given in this language.
fn written(write: impl Fn(Lang, &mut Vec<u8>), lang: Lang) -> String {
    let mut out = Vec::new();
    write(lang, &mut out);
    String::from_utf8(out).unwrap()
}

fn manual(lang: Lang) -> String {
    written(|lang, out| completion::man(lang, out).unwrap(), lang)
}

fn completions(shell: Shell, lang: Lang) -> String {
    written(
        |lang, out| completion::completions(shell, lang, out).unwrap(),
        lang,
    )
}

/// Of the rows, those whose English is not a word that stands in a script
/// anyway.
fn sentences() -> impl Iterator<Item = &'static table::Row> {
    ROWS.iter().filter(|row| row.2.en.contains(' '))
}

#[test]
fn completions_tell_each_word_in_the_language() {
    for shell in [Shell::Fish, Shell::Zsh, Shell::Elvish, Shell::PowerShell] {
        let [en, zh] = [Lang::En, Lang::Zh].map(|l| completions(shell, l));
        assert!(!en.contains(is_chinese), "{shell}");
        for (path, what, text) in sentences() {
            let at = format!("{shell}: {path:?} {what:?}");
            assert!(!zh.contains(&*text.en), "{at}");
            // Not every shell is told what an argument is.
            if *what == ABOUT && !path.is_empty() {
                assert!(zh.contains(&*text.zh), "{at}");
            }
        }
    }
    let [en, zh] = [Lang::En, Lang::Zh].map(|l| completions(Shell::Bash, l));
    assert_eq!(en, zh, "bash tells nothing");
}

#[test]
fn the_manual_is_in_the_language() {
    let [en, zh] = [Lang::En, Lang::Zh].map(manual);
    assert!(!en.contains(is_chinese), "{en}");
    for heading in en.lines().filter(|line| line.starts_with(".SH")) {
        assert!(!zh.contains(heading), "{heading}: {zh}");
    }
    for english in ["Possible", "default:", "subcommands", "Print help"] {
        assert!(!zh.contains(english), "{english}: {zh}");
    }
    for (path, what, text) in sentences() {
        let first = text.en.lines().next().unwrap_or_default();
        assert!(!zh.contains(first), "{path:?} {what:?}: {zh}");
    }
}
