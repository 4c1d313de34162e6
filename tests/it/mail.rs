//! A notice that is sent by SMTP, and read back out of the mail sink.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use rmq_lab::{
    fault::container::{kill, start},
    pattern::alert::{Mailer, Notice},
    stage::{
        BrokerChoice, Engine, Letter, MailSink, Stage, Wanted,
        image::{Reference, resolve},
    },
};

use crate::faults::{expect, on_an_engine, told};

pub fn trials() -> Vec<Trial> {
    vec![
        on_an_engine("mail::a_notice_arrives_whole", a_notice_arrives_whole),
        on_an_engine(
            "mail::what_a_killed_sink_took_outlives_it",
            what_a_killed_sink_took_is_kept,
        ),
    ]
}

const FROM: &str = "Shop <shop@example.com>";
const BOOT: Duration = Duration::from_secs(30);

/// What mail is known to break: other scripts, lines longer than SMTP
/// allows, and a line of a single dot, which ends a mail.
fn difficult() -> Notice {
    let ids: Vec<_> = (1..=300).map(|n| format!("order-{n:04}")).collect();
    let ids = ids.join(" ");
    Notice {
        subject: "放弃重发：300 个订单 (order-0001 to order-0300)".to_owned(),
        body: format!(
            "重发次数用尽，请人工处理。\n.\n..two\n\n{ids}\n  最后一行"
        ),
    }
}

async fn a_notice_arrives_whole(engine: &Engine) -> Result<(), Failed> {
    let wanted =
        Wanted { broker: BrokerChoice::Four, redis: false, mail: true };
    let stage = Stage::up(engine, &wanted, &|_| {}).await.map_err(told)?;
    let sink = stage.mail.as_ref().ok_or("no mail sink")?;
    let services = stage.services();
    let names: Vec<_> = services.iter().map(|s| s.product.as_str()).collect();
    expect("it is told beside the broker", names.contains(&"mail sink"))?;
    let none = sink.received().await.map_err(told)?;
    expect("nothing has come yet", none.is_empty())?;

    let plain = Notice { subject: "2 orders".into(), body: "a\nb".into() };
    let notices = [difficult(), plain];
    let mut sent = Vec::new();
    for n in 0..12 {
        let to = format!("ops-{n}@fixed.{}.example", engine.run());
        let notice = &notices[n % 2];
        Mailer::new(sink.smtp, FROM, &to)?.send(notice).await?;
        let Notice { subject, body } = notice.clone();
        sent.push(Letter { to, subject, body });
    }
    let received = sink.received().await.map_err(told)?;
    if received != sent {
        return Err(format!("sent {sent:#?}, received {received:#?}").into());
    }
    Ok(())
}

async fn what_a_killed_sink_took_is_kept(
    engine: &Engine,
) -> Result<(), Failed> {
    let tools = Reference::Named("tools");
    let image = resolve(engine, tools, &|_| {}).await.map_err(told)?;
    engine.make_network().await.map_err(told)?;
    let sink = MailSink::start(engine, &image, "mail").await.map_err(told)?;
    let mailer = Mailer::new(sink.smtp, FROM, "ops@example.com")?;

    mailer.send(&difficult()).await?;
    kill(engine, sink.container()).await.map_err(told)?;
    let refused = mailer.send(&difficult()).await.err();
    let may_pass = refused.ok_or("a dead server took a mail")?.may_pass();
    expect("what a dead server did not take may be sent again", may_pass)?;
    let blind = sink.received().await.is_err();
    expect("a mailbox that cannot be read is not an empty one", blind)?;

    start(engine, sink.container()).await.map_err(told)?;
    expect("started again it greets at its port", sink.answers(BOOT).await)?;
    mailer.send(&difficult()).await?;
    let received = sink.received().await.map_err(told)?;
    expect("both are there, and no third", received.len() == 2)
}
