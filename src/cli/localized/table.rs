//! What help says of every command, argument and value, in both languages.
//!
//! Clap takes the English from the doc comments; a test holds it against the
//! English here, so that neither language is changed without the other.

use crate::text::Text;

/// What is said of a command itself, in a list and above its help.
pub(super) const ABOUT: &str = "";
/// What is said above its help only, where that is more.
pub(super) const LONG: &str = "about";
/// The name of clap's own command and option.
pub(in crate::cli) const HELP: &str = "help";

/// A command as it is typed, without the program; the id of an argument, or
/// `id=value`; and what is said of it.
pub(super) type Row = (&'static str, &'static str, Text);

macro_rules! rows {
    (@ ABOUT) => {
        ABOUT
    };
    (@ LONG) => {
        LONG
    };
    (@ $what:literal) => {
        $what
    };
    ($($command:literal $what:tt: $en:literal, $zh:literal;)+) => {
        &[$(($command, rows!(@ $what), Text::fixed($en, $zh))),+]
    };
}

/// What is said of it. What an argument of every command is stands at the
/// program.
pub(super) fn find(command: &str, what: &str) -> Option<&'static Text> {
    let command = match command.rsplit(' ').next() {
        Some(HELP) => HELP,
        _ => command,
    };
    let at = |command: &str| {
        let mut rows = ROWS.iter();
        rows.find(|row| row.0 == command && row.1 == what).map(|row| &row.2)
    };
    let everywhere = what != ABOUT && what != LONG;
    at(command).or_else(|| at("").filter(|_| everywhere))
}

pub(super) static ROWS: &[Row] = rows! {
    "" ABOUT: "Learn RabbitMQ's reliability by watching it break and hold",
        "看着 RabbitMQ 出错、看着它扛住，学会它的可靠性";
    "" LONG: "Learn RabbitMQ's reliability by watching it break and hold.\n\n\
        Every claim has a run that proves it on a real broker: a naive way \
        that breaks under a named fault, and a fixed way that survives it. \
        Everything runs in containers that the lab starts and removes.",
        "看着 RabbitMQ 出错、看着它扛住，学会它的可靠性。\n\n\
        每个结论，都有一次真实 broker 上的运行来证明：朴素写法在指定的故障下\
        出错，改进写法在同样的故障下扛住。一切都在容器里运行，容器由实验室\
        启动，也由它移除。";
    "" "lang": "Language; by default the locale's (LC_ALL, LC_MESSAGES, LANG)",
        "语言；默认跟随系统区域设置（LC_ALL、LC_MESSAGES、LANG）";
    "" "lang=en": "English", "英文";
    "" "lang=zh": "Chinese (simplified)", "简体中文";
    "" "color": "When to use colour; NO_COLOR is honoured",
        "何时使用颜色；遵守 NO_COLOR";
    "" "color=auto": "At a terminal", "在终端上才用";
    "" "color=always": "Always", "总是使用";
    "" "color=never": "Never", "从不使用";
    "" "help": "Print help", "显示帮助";
    "" "version": "Print version", "显示版本";
    "help" ABOUT: "Print this message or the help of the given subcommand(s)",
        "显示本页，或某个命令的帮助";

    "list" ABOUT: "Topics and scenarios, their mechanisms and what each needs",
        "主题和场景，各有哪些机制、需要什么";
    "list" "topic": "A topic; by default all of them", "主题；默认是全部";
    "list" "json": "One JSON object a line and scenario",
        "每个场景一行 JSON";

    "demo" ABOUT: "Run a topic, or one scenario of it, on a real broker",
        "在真实的 broker 上演示一个主题，或其中一个场景";
    "demo" "targets":
        "A topic, or topic/scenario; several are run one after another",
        "主题，或 主题/场景；给出多个时依次运行";
    "demo" "all": "Every topic", "所有主题";
    "demo" "messages": "Messages each way sends", "每种写法发多少条消息";
    "demo" "seed":
        "The seed that chooses which messages are struck; by default 1",
        "种子，决定故障命中哪几条消息";
    "demo" "step": "Wait for Enter between steps (classroom)",
        "每一步都等回车（适合上课）";
    "demo" "pace": "Pause so long between steps, such as 2s",
        "每一步之间停顿多久，例如 2s";
    "demo" "predict": "Ask for a prediction before each outcome",
        "公布结果之前先问你的预测";
    "demo" "no_predict":
        "Never ask; by default a single scenario at a terminal does",
        "不问预测；默认只在终端上跑单个场景时才问";
    "demo" "one_by_one":
        "One scenario after another, also where some could go on beside others",
        "场景逐个跑，能同时跑的也不同时跑";
    "demo" "without":
        "Take this mechanism out of the fixed way, and watch it fail",
        "从改进写法中去掉这个机制，看它怎么出错";
    "demo" "json": "Events as JSON lines on stdout, instead of the narrative",
        "不讲解，只把事件写到标准输出，每行一个 JSON";
    "demo" "report":
        "The run as one page for a browser, written when it is over",
        "结束时把这次运行写成报告：单个网页，用浏览器看";
    "demo" "hold":
        "Keep the stage and what the last way has of its own until Enter, and \
         tell where each is reached",
        "按回车之前，保留环境和最后一种写法自己的容器，并给出各自的地址";
    "demo" "broker": "RabbitMQ 4 (default) or 3, or an image of your own",
        "RabbitMQ 4 或 3，或自备的镜像";
    "demo" "quiet": "Two lines a scenario", "每个场景只讲两行";
    "demo" "verbose": "Every message with something wrong",
        "列出每一条出了问题的消息";

    "quiz" ABOUT: "Questions on cards, when they are due; progress is kept",
        "卡片上的题目，到期再考；会记住进度";
    "quiz" "topic": "A topic; by default all of them", "主题；默认是全部";
    "quiz" "cards": "At most so many cards", "最多考多少张卡片";

    "interview" ABOUT: "A mock interview that digs, against the clock",
        "模拟面试，会追问，限时";
    "interview" "topics": "Topics; by default all of them",
        "主题，可以有多个；默认是全部";
    "interview" "minutes": "How many minutes it takes", "面试多少分钟";
    "interview" "seed":
        "The seed that draws the questions, the same for every reader; by \
         default another one each time that suits what was answered before, \
         and is told",
        "抽题的种子，同一个种子对谁都抽出同样的题；默认每次另选一个，\
         照顾以前的作答，并告诉你是哪个";

    "reset" ABOUT: "Forget what was read, run and answered",
        "清除读过、跑过、答过的记录";
    "reset" "topic": "A topic; by default all of them", "主题；默认是全部";
    "reset" "yes": "Do not ask", "不询问，直接清除";

    "show" ABOUT: "The source of a scenario's ways, or their difference",
        "一个场景各种写法的源码，或它们的差别";
    "show" "target": "A topic, or topic/scenario", "主题，或 主题/场景";
    "show" "diff": "Only what differs between the naive and the fixed way",
        "只看朴素写法和改进写法差在哪里";
    "show" "without":
        "The fixed way without this mechanism, beside the fixed way",
        "改进写法去掉这个机制之后，与改进写法对照";

    "runs" ABOUT:
        "Recorded runs: those of this machine, and those that came with it",
        "运行记录：本机的，和随程序附带的";
    "runs" "json": "One JSON object a line and run", "每次运行一行 JSON";

    "trace" ABOUT:
        "The life of one message in a recorded run, event by event",
        "一次运行中某条消息的经过，逐个事件列出";
    "trace" "message":
        "A message, such as payment-0010, or its number where only one has it",
        "消息，例如 payment-0010；编号不重复时只写编号也行";
    "trace" "run":
        "The latest run, a run's id, a topic, topic/scenario, or a file; by \
         default the latest, or that of --scenario",
        "最近一次运行（latest）、运行的 id、主题、主题/场景，或文件；默认是\
         最近一次，或 --scenario 的那一次";
    "trace" "scenario": "Only in this scenario", "只看这个场景";
    "trace" "json": "One JSON object a line and scenario",
        "每个场景一行 JSON";

    "replay" ABOUT: "Tell a recorded run again, without Docker",
        "重放一次录像，不用 Docker";
    "replay" "what": "A run's id, a topic, topic/scenario, or a file",
        "运行的 id、主题、主题/场景，或文件";
    "replay" "step": "Wait for Enter between steps (classroom)",
        "每一步都等回车（适合上课）";
    "replay" "pace": "Pause so long between steps, such as 2s",
        "每一步之间停顿多久，例如 2s";
    "replay" "speed":
        "So many times the run's own pace; by default all at once",
        "当时的多少倍速；默认一次全部放完";
    "replay" "predict": "Ask for a prediction before each outcome",
        "公布结果之前先问你的预测";
    "replay" "json":
        "Events as JSON lines on stdout, instead of the narrative",
        "不讲解，只把事件写到标准输出，每行一个 JSON";
    "replay" "report":
        "The run as one page for a browser, written when it is over",
        "结束时把这次运行写成报告：单个网页，用浏览器看";
    "replay" "quiet": "Two lines a scenario", "每个场景只讲两行";
    "replay" "verbose": "Every message with something wrong",
        "列出每一条出了问题的消息";

    "read" ABOUT: "Read a chapter; without a topic, see which there are",
        "读一章；不写主题时，列出有哪些章";
    "read" "topic": "Its topic", "这一章的主题";
    "read" "questions":
        "Its questions instead: answers, follow-ups, and what is wrong",
        "只读这一章的题目：答案、追问、常见的错误回答";

    "hint" ABOUT: "A hint for what a scenario asks you to predict",
        "预测题的提示";
    "hint" "target": "A scenario, as topic/scenario", "场景，写成 主题/场景";
    "hint" "level": "How much of the way: 1 is a nudge, 3 nearly the answer",
        "提示到什么程度：1 只点一下，3 接近答案";

    "doctor" ABOUT:
        "Check Docker, memory, disk, images and leftovers; say how to mend \
         each",
        "检查 Docker、内存、磁盘、镜像和遗留物，并说明各自怎么解决";

    "images" ABOUT: "The images the lab starts from", "实验室用到的镜像";
    "images list" ABOUT: "Which are here", "本机有哪些";
    "images pull" ABOUT: "Pull the official ones", "拉取官方镜像";
    "images pull" "names":
        "Names as `images list` shows them; by default those of the demos",
        "镜像名，见 `images list`；默认是演示要用的那些";
    "images build" ABOUT: "Build ours from Debian packages",
        "用 Debian 软件包构建自己的镜像";
    "images build" "names":
        "Names as `images list` shows them; by default those of the demos",
        "镜像名，见 `images list`；默认是演示要用的那些";

    "clean" ABOUT: "Remove what runs left behind whose process is gone",
        "移除进程已不在的运行留下的东西";
    "clean" "all": "Also what belongs to runs that are still going on",
        "连同还在进行的运行的容器一起移除";

    "completions" ABOUT:
        "Completions for a shell: topics, scenarios and mechanisms too",
        "shell 的补全脚本，也能补全主题、场景和机制";
    "completions" "shell": "Which shell", "哪一种 shell";

    "man" ABOUT: "The manual page, for man(1)", "手册页，供 man(1) 使用";
};
