//! What can be typed wrong. Every usage error ends with 64.

use libtest_mimic::Trial;

use super::asked::{Asked, events};

/// Wrong, and refused before anything begins.
fn refused(words: &str) -> Asked {
    Asked::to(words).exits(64).says_nothing()
}

pub fn trials() -> Vec<Trial> {
    [names(), numbers(), options(), words(), in_chinese()]
        .into_iter()
        .flatten()
        .collect()
}

fn names() -> Vec<Trial> {
    vec![
        refused("demo idempotancy")
            .says_on_stderr("error: no topic \"idempotancy\"\n")
            .and("  help: did you mean \"idempotency\"?\n")
            .named("an_unknown_topic_brings_the_nearest_one"),
        refused("demo quantum-entanglement")
            .says_on_stderr("error: no topic \"quantum-entanglement\"\n")
            .and("  help: rmq-lab list tells what there is\n")
            .named("a_topic_like_no_other_brings_the_list"),
        refused("demo mark-first")
            .says_on_stderr("error: no topic \"mark-first\"\n")
            .and("  help: did you mean \"idempotency/mark-first\"?\n")
            .named("a_scenario_without_its_topic_is_found"),
        refused("demo idempotency/inbx")
            .says_on_stderr("error: no scenario \"inbx\" in idempotency\n")
            .and("  help: did you mean \"idempotency/inbox\"?\n")
            .named("an_unknown_scenario_brings_the_nearest_one"),
        refused("demo idempotency/")
            .says_on_stderr("error: no scenario \"\" in idempotency\n")
            .named("a_scenario_without_a_name_is_refused"),
        refused("demo")
            .word("")
            .says_on_stderr("error: no topic \"\"\n")
            .named("a_topic_without_a_name_is_refused"),
        refused("demo idempotency/inbox idempotency/outbox")
            .says_on_stderr("error: no scenario \"outbox\"")
            .named("one_wrong_target_among_right_ones_stops_them_all"),
        refused("demo idempotency/inbox --without uniq-key")
            .says_on_stderr(
                "error: no mechanism \"uniq-key\" in idempotency/inbox\n",
            )
            .and("  help: did you mean \"unique-key\"?\n")
            .named("an_unknown_mechanism_brings_the_nearest_one"),
        refused("demo idempotency/inbox --without luck")
            .says_on_stderr("error: no mechanism \"luck\"")
            .and("  help: it has: unique-key, one-transaction, ack-last\n")
            .named("a_mechanism_like_no_other_brings_all_there_are"),
        refused("show idempotancy --diff")
            .says_on_stderr("help: did you mean \"idempotency\"?")
            .named("show_knows_the_nearest_topic_too"),
        refused("images build rabitmq")
            .says_on_stderr("error: no image \"rabitmq\"\n")
            .and("  help: there are rabbitmq-4, rabbitmq-3,")
            .named("an_unknown_image_brings_those_there_are"),
        refused("__producer")
            .says_on_stderr("error: __producer expects a task from the lab")
            .and("stdin: nothing came\n  help: it is a producer that the lab")
            .named("a_producer_without_a_lab_says_what_it_is"),
        refused("__producer")
            .through(["sh", "-c", "echo hello | \"$0\" \"$@\""])
            .says_on_stderr("stdin: expected value at line 1 column 1\n")
            .named("a_producer_takes_no_task_that_it_cannot_read"),
        Asked::to("__producer")
            .exits(64)
            .at_a_terminal(80)
            .says("error: __producer expects a task from the lab")
            .named("a_producer_does_not_wait_for_somebody_to_type"),
    ]
}

fn numbers() -> Vec<Trial> {
    let refused_number = |typed: &str| {
        refused("demo idempotency --messages").word(typed).says_on_stderr(
            &format!(
                "error: invalid value '{typed}' for '--messages <N>': \
                 a whole number from 1 to 10000000\n"
            ),
        )
    };
    vec![
        refused_number("0").named("no_messages_at_all_are_refused"),
        refused_number("-1").named("fewer_messages_than_none_are_refused"),
        refused_number("lots").named("messages_that_are_no_number"),
        refused_number("1.5").named("half_a_message_is_refused"),
        refused_number("10000001").named("too_many_messages_are_refused"),
        refused_number("99999999999999999999")
            .named("more_messages_than_a_number_holds_are_refused"),
        refused("demo idempotency/inbox --messages 1")
            .says_on_stderr("error: idempotency/inbox needs at least ")
            .and(" messages to show anything\n  help: --messages ")
            .named("messages_too_few_for_the_faults_are_refused"),
        refused("demo idempotency --seed -1")
            .says_on_stderr(
                "error: invalid value '-1' for '--seed <S>': a whole number",
            )
            .named("a_seed_below_zero_is_refused"),
        refused("demo idempotency --pace quickly")
            .says_on_stderr(
                "error: invalid value 'quickly' for '--pace <TIME>': a time \
                 such as 2s or 500ms\n",
            )
            .named("a_pace_that_is_no_time_is_refused"),
        refused("demo idempotency --pace 2h")
            .says_on_stderr("for '--pace <TIME>': at most 10m\n")
            .named("a_pace_that_nobody_lives_to_see_is_refused"),
    ]
}

fn options() -> Vec<Trial> {
    let at_a_terminal = |option: &str| {
        refused(&format!("demo idempotency/inbox {option}")).says_on_stderr(
            &format!(
                "error: {option} needs a terminal: nobody could press Enter \
                 here\n"
            ),
        )
    };
    let to_a_program = |option: &str| {
        Asked::to(&format!("demo idempotency/inbox {option} --json"))
            .exits(64)
            .says_on_stderr(&format!(
                "error: {option} waits for a person, and --json speaks to a \
                 program\n"
            ))
    };
    vec![
        at_a_terminal("--step").named("step_needs_somebody_at_a_terminal"),
        refused("demo idempotency/inbox --predict")
            .says_on_stderr(
                "error: --predict asks at a terminal: nobody could answer \
                 here\n",
            )
            .named("predict_needs_somebody_at_a_terminal"),
        at_a_terminal("--hold").named("hold_needs_somebody_at_a_terminal"),
        to_a_program("--step").named("step_and_json_contradict_each_other"),
        to_a_program("--predict")
            .named("predict_and_json_contradict_each_other"),
        to_a_program("--hold").named("hold_and_json_contradict_each_other"),
        refused("demo idempotency --pace 2s --step")
            .says_on_stderr("'--pace <TIME>' cannot be used with '--step'")
            .named("pace_and_step_contradict_each_other"),
        refused("demo idempotency/inbox --predict --no-predict")
            .says_on_stderr("'--predict' cannot be used with '--no-predict'")
            .named("predict_and_no_predict_contradict_each_other"),
        refused("demo idempotency -q -v")
            .says_on_stderr("'--quiet' cannot be used with '--verbose'")
            .named("quiet_and_verbose_contradict_each_other"),
        refused("demo idempotency --without unique-key")
            .says_on_stderr("error: --without takes a mechanism out of one")
            .and("help: for example: rmq-lab demo idempotency/inbox --without")
            .named("a_mechanism_cannot_be_taken_out_of_a_topic"),
        refused("show idempotency --without unique-key")
            .says_on_stderr("error: --without takes a mechanism out of one")
            .and("help: for example: rmq-lab show idempotency/inbox --without")
            .named("nor_shown_without_in_a_topic"),
        refused("demo idempotency/message-id --without unique-key")
            .says_on_stderr("error: no mechanism \"unique-key\"")
            .and("help: it is a trap: there is nothing to take out\n")
            .named("a_trap_has_nothing_to_take_out"),
        refused("demo idempotency --broker five")
            .says_on_stderr(
                "'--broker <3|4|IMAGE>': 3, 4, or an image such as rabbitmq:",
            )
            .named("a_broker_that_is_no_image_is_refused"),
        refused("demo idempotency --lang fr")
            .says_on_stderr("[possible values: en, zh]")
            .named("a_language_it_does_not_speak_is_refused"),
        Asked::to("demo idempotancy --json")
            .exits(64)
            .says_on_stderr("error: no topic \"idempotancy\"\n")
            .looks_like(|ended| match events(ended)?.as_slice() {
                [error] if error["event"] == "error" && error["exit"] == 64 => {
                    Ok(())
                }
                other => Err(format!("not one event of an error: {other:?}")),
            })
            .named("a_program_gets_the_error_as_an_event_too"),
    ]
}

fn words() -> Vec<Trial> {
    vec![
        refused("demo")
            .says_on_stderr("arguments were not provided:\n  <TARGET>...\n")
            .named("a_demo_of_nothing_is_refused"),
        refused("demo idempotency --all")
            .says_on_stderr("cannot be used with '--all'")
            .named("one_topic_and_every_topic_contradict_each_other"),
        refused("dance")
            .says_on_stderr("error: unrecognized subcommand 'dance'\n")
            .named("an_unknown_command_is_refused"),
        refused("dmeo idempotency")
            .says_on_stderr("similar subcommand exists: 'demo'")
            .named("an_unknown_command_brings_the_nearest_one"),
        refused("completions fush")
            .says_on_stderr("similar value exists: 'fish'")
            .named("an_unknown_shell_brings_the_nearest_one"),
        refused("doctor everything")
            .says_on_stderr("error: unexpected argument 'everything' found\n")
            .named("a_word_too_many_is_refused"),
        refused("demo idempotency --mesages 5")
            .says_on_stderr("similar argument exists: '--messages'")
            .named("an_unknown_option_brings_the_nearest_one"),
    ]
}

fn in_chinese() -> Vec<Trial> {
    vec![
        refused("dmeo idempotency --lang zh")
            .says_on_stderr("错误: 没有命令 \"dmeo\"\n")
            .and("  办法: 是不是 \"demo\"？\n")
            .and("  办法: 完整用法：rmq-lab --help\n")
            .named("an_unknown_command_is_refused_in_chinese"),
        refused("--lang zh demo idempotency --mesages 5")
            .says_on_stderr("错误: 没有选项 \"--mesages\"\n")
            .and("  办法: 是不是 \"--messages\"？\n")
            .named("an_unknown_option_is_refused_in_chinese"),
        refused("demo idempotency --lang=zh --messages")
            .says_on_stderr("错误: --messages <N> 后面缺少值\n")
            .named("an_option_without_its_value_is_refused_in_chinese"),
        refused("demo idempotency --messages 0")
            .with("LC_ALL", "zh_CN.UTF-8")
            .says_on_stderr("错误: --messages <N> 的值 \"0\" 无效：应为 1 到 ")
            .named("a_value_is_refused_in_the_language_of_the_locale"),
    ]
}
