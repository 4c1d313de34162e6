//! Telling somebody: a mail, when a program has given up.
//!
//! *When:* a program gave something up that a person has to decide about: a
//! message that was sent again often enough, rows that wait too long. One
//! mail for many of them, not one for each. *Cost:* a mail server that is
//! watched itself, and a reader who acts: an alert that nobody has to act on
//! teaches people to ignore alerts. *Does not protect from:* the same alert
//! twice. It is sent at least once: a crash after the mail server took it and
//! before that was written down sends it again, and so does an answer that
//! got lost. Nor from a mail server that is down: send first and mark as
//! reported afterwards, then the rows stay unreported and are tried again.
//!
//! The mail server's 250 means what a broker's confirm means: it took
//! responsibility. Nobody has read anything yet.
//!
//! There is no TLS and no password here, which is right on the loopback
//! address only. For any other server take `lettre` with its feature
//! `tokio1-rustls`, and `AsyncSmtpTransport::relay`.
//!
//! Source: RFC 5321, sections 4.2.1 (4yz: try again, 5yz: do not) and 6.1
//! (a 250 after the mail is responsibility taken).

use std::{net::SocketAddr, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp,
};
use tokio::time::timeout;

/// What somebody is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// One line: what is wrong, and how many.
    pub subject: String,
    /// Which ones, since when, and what to do.
    pub body: String,
}

/// Sends notices by SMTP, from one address to another. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    smtp: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Mailbox,
    limit: Duration,
}

/// Why a notice was not sent, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// An address that is none.
    #[error("{0:?} is no mail address: write name@host")]
    NoAddress(String),
    /// The notice cannot be put into a mail.
    #[error("no mail can be made of the notice ({0}): change its text")]
    NotMade(#[source] lettre::error::Error),
    /// The server said no, and will say so again.
    #[error(
        "the mail server refused the mail for good ({0}): correct the \
         addresses or the server's rules, the same mail will fail again"
    )]
    Refused(#[source] smtp::Error),
    /// The server was not reached, said "later", or was cut off.
    #[error(
        "the mail server did not take the mail ({0}): leave it unreported \
         and send it again later"
    )]
    Failed(#[source] smtp::Error),
    /// No answer: the server may have taken the mail all the same.
    #[error(
        "the mail server did not answer within {0:?}: leave it unreported \
         and send it again later, it may then arrive twice"
    )]
    TimedOut(Duration),
}

impl AlertError {
    /// Whether sending the same again later may help.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::TimedOut(_))
    }
}

/// A server that is well answers in milliseconds.
const LIMIT: Duration = Duration::from_secs(5);

impl Mailer {
    /// Sends by the SMTP server at `smtp`; addresses are `name@host`, or
    /// `Name <name@host>`.
    ///
    /// # Errors
    /// [`AlertError::NoAddress`].
    pub fn new(
        smtp: SocketAddr,
        from: &str,
        to: &str,
    ) -> Result<Self, AlertError> {
        let host = smtp.ip().to_string();
        let smtp =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
                .port(smtp.port())
                .build();
        Ok(Self { smtp, from: mailbox(from)?, to: mailbox(to)?, limit: LIMIT })
    }

    /// Gives up on a mail after `limit` instead of 5 s.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Sends a notice. `Ok`: the server took responsibility for it. Write
    /// that down only then.
    ///
    /// # Errors
    /// [`AlertError`]; [`AlertError::may_pass`] says whether to send it again.
    pub async fn send(&self, notice: &Notice) -> Result<(), AlertError> {
        let mail = Message::builder()
            .from(self.from.clone())
            .to(self.to.clone())
            .message_id(None)
            .subject(one_line(&notice.subject))
            .header(ContentType::TEXT_PLAIN)
            .body(notice.body.clone())
            .map_err(AlertError::NotMade)?;
        // The library's own limit covers the connecting alone: a server that
        // accepts and then says nothing would be waited for without end.
        match timeout(self.limit, self.smtp.send(mail)).await {
            Err(_) => Err(AlertError::TimedOut(self.limit)),
            Ok(Err(no)) if no.is_permanent() => Err(AlertError::Refused(no)),
            Ok(Err(error)) => Err(AlertError::Failed(error)),
            Ok(Ok(_)) => Ok(()),
        }
    }
}

fn mailbox(address: &str) -> Result<Mailbox, AlertError> {
    address.parse().map_err(|_| AlertError::NoAddress(address.to_owned()))
}

/// A line break in a header would begin another one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
    };

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);

    fn notice() -> Notice {
        Notice { subject: "3 orders".into(), body: "order-0001".into() }
    }

    async fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        (listener, at)
    }

    fn mailer(at: SocketAddr) -> Mailer {
        Mailer::new(at, "shop@example.com", "ops@example.com").unwrap()
    }

    /// A server that greets, and answers each command with the next line.
    async fn answering(answers: &'static [&'static str]) -> SocketAddr {
        let (listener, at) = listening().await;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut commands = BufReader::new(read).lines();
            for answer in answers {
                write.write_all(answer.as_bytes()).await.unwrap();
                write.write_all(b"\r\n").await.unwrap();
                let _ = commands.next_line().await;
            }
        });
        at
    }

    #[test]
    fn what_is_no_address_is_refused_at_once() {
        let at = SocketAddr::from(([127, 0, 0, 1], 25));
        let error = Mailer::new(at, "shop@example.com", "ops").err().unwrap();
        assert!(!error.may_pass());
        assert!(error.to_string().contains("name@host"));
    }

    #[test]
    fn a_line_break_in_a_subject_begins_no_header() {
        assert_eq!(one_line("3 orders\r\nBcc: all@x"), "3 orders Bcc: all@x");
    }

    #[tokio::test]
    async fn a_server_that_is_down_may_be_up_later() {
        let (listener, at) = listening().await;
        drop(listener);
        let error = mailer(at).send(&notice()).await.unwrap_err();
        assert!(matches!(error, AlertError::Failed(_)), "{error}");
        assert!(error.may_pass());
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_not_waited_for_without_end() {
        let (_listener, at) = listening().await;
        let error = mailer(at).within(SHORT).send(&notice()).await.unwrap_err();
        assert!(matches!(error, AlertError::TimedOut(SHORT)), "{error}");
        assert!(error.may_pass());
    }

    #[tokio::test]
    async fn a_refusal_for_good_is_told_from_one_for_now() {
        let at = answering(&["220 x", "250 x", "550 no such sender"]).await;
        let error = mailer(at).send(&notice()).await.unwrap_err();
        assert!(matches!(error, AlertError::Refused(_)), "{error}");
        assert!(!error.may_pass());
        let at = answering(&["220 x", "250 x", "451 later"]).await;
        let error = mailer(at).send(&notice()).await.unwrap_err();
        assert!(matches!(error, AlertError::Failed(_)), "{error}");
    }
}
