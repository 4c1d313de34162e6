//! A mail server that delivers nothing: it keeps every mail it is given.
//!
//! Each is a file in a Maildir before the server says 250, and outlives its
//! process (`images/tools/mail-sink`).

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail_parser::{HeaderForm, MessageParser};
use testcontainers::{
    GenericImage, ImageExt,
    core::{IntoContainerPort, WaitFor},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{Engine, docker::Container, image::Image, ports};
use crate::{event::Service, problem::Problem, text, text::Text};

/// A mail sink that answers.
#[derive(Clone)]
pub struct MailSink {
    /// What it is and how long it took to boot.
    pub service: Service,
    /// Where it takes mail, by SMTP.
    pub smtp: SocketAddr,
    container: Container,
}

/// A mail that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// For whom it was given to the server: `ops@example.com`, and several
    /// parted by `, `.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text, lines parted by `\n`, without line breaks at its end.
    pub body: String,
}

const PORT: u16 = 2525;
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Each mail as one line, in the order in which they came: a Maildir's names
/// begin with the time, its parts not filled up with zeros. The last line
/// tells a mailbox that was read to its end from one that was not.
const READ_ALL: &str = "set -e; cd /mail/new; \
    for mail in $(ls -v); do base64 -w 0 \"$mail\"; echo; done; echo .";

impl MailSink {
    /// Starts a mail sink named `name` and waits until it greets.
    ///
    /// # Errors
    /// A [`Problem`] when it does not.
    pub async fn start(
        engine: &Engine,
        image: &Image,
        name: &str,
    ) -> Result<Self, Problem> {
        let began = Instant::now();
        let request = |[port]: [u16; 1]| {
            let bindings = ports::bindings([(PORT, port)]);
            GenericImage::new(&image.name, &image.tag)
                .with_exposed_port(PORT.tcp())
                .with_wait_for(WaitFor::Nothing)
                .with_cmd(["mail-sink"])
                .with_host_config_modifier(move |host| {
                    host.publish_all_ports = Some(false);
                    host.port_bindings = Some(bindings.clone());
                })
        };
        let (container, [port]) = engine.start_on_ports(name, request).await?;
        let mut sink = Self {
            service: Service {
                product: "mail sink".to_owned(),
                image: image.reference(),
                source: image.source.clone(),
                container: format!("{}-{name}", engine.prefix()),
                boot_ms: 0,
            },
            smtp: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            container,
        };
        if !sink.answers(READY_WITHIN).await {
            return Err(silent(&sink.container.log().await));
        }
        let boot = began.elapsed().as_millis();
        sink.service.boot_ms = u64::try_from(boot).unwrap_or(u64::MAX);
        Ok(sink)
    }

    /// Whether it greets within `limit`.
    pub async fn answers(&self, limit: Duration) -> bool {
        let greeted = async {
            // A half-open Docker proxy accepts and then says nothing.
            let second = Duration::from_secs(1);
            while !timeout(second, greets(self.smtp)).await.unwrap_or(false) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(limit, greeted).await.is_ok()
    }

    /// Every mail that it took so far, in the order in which they came. What
    /// it has said 250 to is among them.
    ///
    /// # Errors
    /// A [`Problem`] when the mailbox cannot be read, or holds what is no
    /// mail. It is read by a command in the container: the sink must run.
    pub async fn received(&self) -> Result<Vec<Letter>, Problem> {
        let told = self.container.exec(&["sh", "-c", READ_ALL]).await?;
        letters(&told).ok_or_else(unreadable)
    }

    /// The container's id, for faults.
    pub fn container(&self) -> &str {
        self.container.id()
    }
}

/// 220 is the greeting of a server that takes mail (RFC 5321, section 3.1).
async fn greets(smtp: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect(smtp).await else { return false };
    let mut stream = BufReader::new(stream);
    let mut greeting = String::new();
    let read = stream.read_line(&mut greeting).await;
    let _ = stream.write_all(b"QUIT\r\n").await;
    read.is_ok() && greeting.starts_with("220 ")
}

/// All of them, or nothing: a mailbox that was read in part tells too little.
fn letters(told: &str) -> Option<Vec<Letter>> {
    let mails = told.strip_suffix(".\n")?;
    mails.lines().map(|mail| letter(&STANDARD.decode(mail).ok()?)).collect()
}

fn letter(mail: &[u8]) -> Option<Letter> {
    let mail = MessageParser::default().parse(mail)?;
    // The sink's own line, below whatever the sender wrote.
    let to = mail.header_as("X-RcptTo", HeaderForm::Raw);
    let to = to.last()?.as_text()?.split_whitespace().collect::<Vec<_>>();
    let body = mail.body_text(0)?.replace("\r\n", "\n");
    Some(Letter {
        to: to.join(" "),
        subject: mail.subject().unwrap_or_default().to_owned(),
        body: body.trim_end_matches('\n').to_owned(),
    })
}

fn silent(log: &str) -> Problem {
    let last = log.lines().last().unwrap_or_default().to_owned();
    Problem::environment(text! {
        en: "the mail sink does not answer: {last}", zh: "收信服务没有应答：{last}",
        last = last
    })
    .help(AGAIN)
}

fn unreadable() -> Problem {
    Problem::environment(text! {
        en: "the mail sink's mailbox cannot be read", zh: "无法读取收信服务的邮箱"
    })
    .help(AGAIN)
}

const AGAIN: Text = text! {
    en: "its image may be damaged: rmq-lab images build tools",
    zh: "镜像可能已损坏：rmq-lab images build tools"
};

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mails: &[&str]) -> String {
        let lines = mails.iter().map(|mail| STANDARD.encode(mail) + "\n");
        lines.collect::<String>() + ".\n"
    }

    const PLAIN: &str = "Subject: 3 orders\r\nX-RcptTo: ops@example.com\r\n\
        \r\norder-0001\r\norder-0002\r\n";
    const CHINESE: &str = "Subject: =?utf-8?b?6K6i5Y2V?=\r\n\
        X-RcptTo: forged@example.com\r\nX-RcptTo: a@example.com,\r\n \
        b@example.com\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: base64\r\n\r\n6K6i5Y2V\r\n";

    #[test]
    fn each_mail_becomes_a_letter() {
        let letters = letters(&told(&[PLAIN, CHINESE])).unwrap();
        let [plain, chinese] = letters.as_slice() else { panic!() };
        assert_eq!(plain.to, "ops@example.com");
        assert_eq!(plain.subject, "3 orders");
        assert_eq!(plain.body, "order-0001\norder-0002");
        assert_eq!(chinese.to, "a@example.com, b@example.com");
        assert_eq!(chinese.subject, "订单");
        assert_eq!(chinese.body, "订单");
    }

    #[test]
    fn an_empty_mailbox_is_no_broken_one() {
        assert_eq!(letters(".\n"), Some(Vec::new()));
        assert_eq!(letters(""), None);
        let whole = told(&[PLAIN]);
        assert_eq!(letters(whole.strip_suffix(".\n").unwrap()), None);
    }
}
