//! The narration's own words, in both languages.
//!
//! What a scenario says stands beside the scenario; here stand the words that
//! all of them share. *Confirmed* (broker to producer) and *acked* (consumer
//! to broker) are kept apart in either language.

use crate::{
    event::{Column, Gauge, Verdict, WayName},
    ledger::{Fact, Kind, Noun},
    text::Text,
};

macro_rules! words {
    ($($name:ident: $en:literal, $zh:literal;)+) => {
        $(pub(super) static $name: Text = Text::fixed($en, $zh);)+
    };
}

words! {
    STAGE: "Stage", "环境";
    MANAGE: "Watch", "管理台";
    USER: "user", "用户";
    PASSWORD: "password", "密码";
    RECIPE: "Recipe", "做法";
    FAULT: "Fault", "故障";
    QUESTION: "?", "?";
    CLAIM: "Claim", "结论";
    FIX: "Fix", "对策";
    LIMIT: "Limit", "边界";
    SAY: "Say", "答法";
    NEXT: "next", "下一步";
    FAULT_VERB: "fault", "故障";
    COMMA: ", ", "，";
    COLON: ": ", "：";
    THE_STRUCK: "the struck messages:", "被命中的消息：";
    AGAIN: "again", "重跑";
    RECORD: "record", "记录";
    REPORT: "report", "报告";
    REPLACED: "(replaced what was there)", "（替换了原有文件）";
    BROKER_LOG: "broker log", "broker 日志";
    RECORDED: "recorded", "录像";
    RECORDED_HEAD: "RECORDED", "录像";
    LEFT_OUT: "left out", "已跳过";
    SENT_AGAIN: "sent again", "再次发送";
    NOTHING_KNOWN: "nothing known", "没有任何记录";
    ERROR: "error", "错误";
    HELP: "help", "办法";
    MEAN: "avg", "平均";
    MOST: "max", "最高";
}

/// The word of a verdict, with a glyph before it.
pub(super) const fn verdict(verdict: Verdict) -> (&'static str, Text) {
    match verdict {
        Verdict::Proven => ("✓", Text::fixed("PROVEN", "已证实")),
        Verdict::Refuted => ("✗", Text::fixed("REFUTED", "被推翻")),
        Verdict::Inconclusive => ("?", Text::fixed("NOT PROVEN", "无法判定")),
        Verdict::Observed => ("~", Text::fixed("OBSERVED", "仅观察")),
    }
}

/// A way as the head of its section.
pub(super) const fn head(way: WayName) -> Text {
    match way {
        WayName::Naive => Text::fixed("NAIVE", "朴素"),
        WayName::Halfway => Text::fixed("HALFWAY", "折中"),
        WayName::Fixed => Text::fixed("FIXED", "改进"),
        WayName::Without => Text::fixed("WITHOUT", "去掉"),
        WayName::Trap => Text::fixed("TRAP", "陷阱"),
        WayName::Measure => Text::fixed("MEASURE", "测量"),
    }
}

/// What a gauge shows.
pub(super) const fn gauge(gauge: Gauge) -> Text {
    match gauge {
        Gauge::Depth => Text::fixed("depth", "积压"),
        Gauge::Arrivals => Text::fixed("arrivals", "到达"),
        Gauge::Served => Text::fixed("served", "处理"),
    }
}

/// The head of a column.
pub(super) const fn column(column: Column) -> Text {
    match column {
        Column::Accepted => Text::fixed("accepted", "已受理"),
        Column::Refused => Text::fixed("refused", "已拒绝"),
        Column::Confirmed => Text::fixed("confirmed", "已确认"),
        Column::Attempts => Text::fixed("attempts", "发布次数"),
        Column::Undone => Text::fixed("undone", "已撤销"),
        Column::Reported => Text::fixed("reported", "已报告"),
        Column::Parked => Text::fixed("parked", "转人工"),
        Column::Returned => Text::fixed("returned", "被退回"),
        Column::Unknown => Text::fixed("unknown", "未知"),
        Column::Deliveries => Text::fixed("deliveries", "投递次数"),
        Column::Applied => Text::fixed("applied", "已生效"),
        Column::Lost => Text::fixed("LOST", "丢失"),
        Column::Doubled => Text::fixed("doubled", "重复"),
        Column::Stuck => Text::fixed("stuck", "卡住"),
    }
}

/// What is wrong with a message.
pub(super) const fn kind(kind: Kind) -> Text {
    match kind {
        Kind::Lost => Text::fixed("lost", "丢失"),
        Kind::Duplicated => Text::fixed("doubled", "重复"),
        Kind::Stuck => Text::fixed("stuck", "卡住"),
        Kind::Unexpected => Text::fixed("unexpected", "来历不明"),
    }
}

/// A fact in a word or two, as a link of a message's story.
pub(super) const fn fact(fact: Fact) -> Text {
    match fact {
        Fact::Accepted => Text::fixed("accepted", "已受理"),
        Fact::Sent => Text::fixed("sent", "已发送"),
        Fact::Confirmed => Text::fixed("confirmed", "已确认"),
        Fact::Nacked => Text::fixed("nacked", "被拒收（nack）"),
        Fact::Returned => Text::fixed("returned", "被退回（return）"),
        Fact::Unknown => Text::fixed("no answer", "无应答"),
        Fact::Delivered => Text::fixed("delivered", "投递"),
        Fact::Redelivered => Text::fixed("redelivered", "重新投递"),
        Fact::Parked => Text::fixed("parked", "转入人工队列"),
        Fact::Reported => Text::fixed("reported", "已报告失败"),
        Fact::Dropped => Text::fixed("dropped as a duplicate", "发布前去重"),
        Fact::Marked => Text::fixed("marked", "已标记"),
        Fact::Leased => Text::fixed("leased", "已租用"),
        Fact::Seen => Text::fixed("\"seen\"", "判为重复"),
        Fact::Busy => Text::fixed("still leased", "租约仍在"),
        Fact::Applied => Text::fixed("applied", "已生效"),
        Fact::RolledBack => Text::fixed("rolled back", "已回滚"),
        Fact::Acked => Text::fixed("acked", "已 ack"),
        Fact::Requeued => Text::fixed("requeued", "放回队列"),
        Fact::Killed => Text::fixed("killed", "消费者被杀"),
        Fact::AckSwallowed => Text::fixed("ack swallowed", "ack 丢在网上"),
        Fact::ConfirmWithheld => Text::fixed("confirm withheld", "确认没送到"),
        Fact::CutBeforePublish => {
            Text::fixed("cut before it arrived", "发布途中断连")
        }
        Fact::Repeated => Text::fixed("requested again", "客户重复提交"),
        Fact::Replayed => Text::fixed("replayed", "被重放"),
        Fact::Met => Text::fixed("two at once", "两方同时"),
        Fact::Overtaken => Text::fixed("overtaken", "被后号抢先"),
        Fact::Refused => Text::fixed("refused", "被拒绝"),
        Fact::Slowed => Text::fixed("served slowly", "服务变慢"),
        Fact::SoldOut => Text::fixed("wanted the last one", "要抢最后一件"),
        Fact::ServiceDown => Text::fixed("service down", "服务宕机"),
        Fact::Surged => Text::fixed("in a surge", "遇上高峰"),
        Fact::QueueFull => Text::fixed("queue full", "队列已满"),
        Fact::HalfStored => Text::fixed(
            "stored in one, refused by the other",
            "一个队列存下，另一个拒收",
        ),
        Fact::Joined => Text::fixed("somebody joined", "新成员加入"),
        Fact::Alarmed => Text::fixed("memory alarm", "内存告警"),
        Fact::BrokerKilled => Text::fixed("broker killed", "broker 被杀"),
        Fact::Paused => Text::fixed("broker paused", "broker 停顿"),
        Fact::Unreachable => Text::fixed("broker unreachable", "broker 连不上"),
        Fact::Unroutable => Text::fixed("no queue for its key", "路由不到队列"),
        Fact::NoExchange => Text::fixed("no such exchange", "交换机不存在"),
        Fact::ProducerKilled => Text::fixed("producer killed", "生产者被杀"),
        Fact::RelayKilled => Text::fixed("relay died", "转发进程挂掉"),
        Fact::RedisKilled => Text::fixed("Redis killed", "Redis 被杀"),
        Fact::Expired => Text::fixed("expired", "已过期"),
        Fact::QueueDeleted => Text::fixed("queue.delete", "遇上 queue.delete"),
        Fact::BrokerRestarted => Text::fixed("broker restarted", "broker 重启"),
        Fact::DiskLost => Text::fixed("disk lost", "磁盘没了"),
        Fact::Poisoned => Text::fixed("poison", "毒消息"),
        Fact::Deployed => Text::fixed("consumer redeployed", "消费者被替换"),
        Fact::Unbound => Text::fixed("no dead-letter queue", "死信无处可去"),
        Fact::HeldUp => Text::fixed("kept waiting", "被挡在后面"),
        Fact::SecondLap => Text::fixed("its delay over", "延时到期"),
        Fact::AckTimedOut => {
            Text::fixed("past the ack timeout", "超过 ack 时限")
        }
        Fact::Cancelled => {
            Text::fixed("consumer cancelled", "消费者被 broker 取消")
        }
        Fact::AckedUndone => Text::fixed("acked, not done", "没做完就被 ack"),
        Fact::OtherChannel => {
            Text::fixed("acked on another channel", "在别的 channel 上 ack")
        }
        Fact::EarlyReturn => Text::fixed("early return", "提前返回"),
        Fact::Parted => Text::fixed("brokers cut apart", "broker 之间断网"),
        Fact::BalancerKilled => {
            Text::fixed("balancer killed", "主负载均衡被杀")
        }
        Fact::ProxyKilled => Text::fixed("HAProxy killed", "HAProxy 进程被杀"),
        Fact::BalancersParted => {
            Text::fixed("balancers cut apart", "负载均衡之间断网")
        }
        Fact::Idle => Text::fixed("idle too long", "空闲太久"),
        Fact::Stored => Text::fixed("stored", "已落库"),
        Fact::Buffered => Text::fixed("in Redis", "已进 Redis"),
        Fact::TimedOut => Text::fixed("confirm late", "确认超时"),
        Fact::GivenUp => Text::fixed("marked failed", "标记为失败"),
    }
}

/// A fact of a message: a payment that was applied was paid.
pub(super) const fn fact_of(fact: Fact, noun: Noun) -> Text {
    match (fact, noun) {
        (Fact::Applied, Noun::Payment) => Text::fixed("paid", "已支付"),
        (Fact::Applied, Noun::Order) => Text::fixed("done", "已完成"),
        _ => self::fact(fact),
    }
}

/// The head of a column, in the words of what the messages are about.
pub(super) const fn column_of(column: Column, noun: Noun) -> Text {
    match (column, noun) {
        (Column::Applied, Noun::Payment) => Text::fixed("paid", "已支付"),
        (Column::Applied, Noun::Order) => Text::fixed("done", "已完成"),
        (Column::Doubled, Noun::Payment) => {
            Text::fixed("paid twice", "重复支付")
        }
        _ => self::column(column),
    }
}

/// How an image got here.
pub(super) fn source(source: &str) -> Text {
    match source {
        "present" => Text::fixed("present", "已有"),
        "pulled" => Text::fixed("pulled", "已拉取"),
        "built" => Text::fixed("built", "构建"),
        other => Text::same(other),
    }
}
