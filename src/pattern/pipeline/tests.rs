//! A publisher whose broker is not there.

use std::sync::Mutex;

use tokio::time::sleep;

use super::*;
use crate::ledger::MessageId;

/// Nobody listens on this port.
const NOWHERE: &str = "amqp://127.0.0.1:1/%2f";

#[derive(Default)]
struct Book(Mutex<Vec<(u32, Fact)>>);

impl Witness for Book {
    fn saw(&self, message: MessageId, fact: Fact) {
        self.0.lock().unwrap().push((message.number, fact));
    }
}

fn publisher(unknown: Resend) -> (PipelinedPublisher, Arc<Book>) {
    let book = Arc::new(Book::default());
    let settings = Settings { unknown, ..Settings::default() };
    let route = Route::queue("payments");
    let witness = book.clone();
    let publisher = PipelinedPublisher::open(NOWHERE, route, witness, settings);
    (publisher, book)
}

fn payments(count: u32) -> impl Iterator<Item = Outgoing> {
    (1..=count).map(|number| Outgoing {
        id: MessageId::payment(number),
        body: Vec::new(),
    })
}

#[tokio::test]
async fn without_a_broker_every_attempt_is_unknown_and_it_gives_up() {
    let attempts = 2;
    let (mut publisher, book) = publisher(Resend::UntilConfirmed { attempts });
    let gave_up = publisher.publish_all(payments(3)).await.unwrap_err();
    let first =
        GaveUp { id: MessageId::payment(1), attempts, last: Answer::Unknown };
    assert_eq!(gave_up, first);
    let summary = publisher.summary();
    assert_eq!(summary.messages, 1, "no more are taken");
    assert_eq!((summary.sent, summary.unknown), (2, 2));
    let attempt = [(1, Fact::Sent), (1, Fact::Unknown)];
    assert_eq!(*book.0.lock().unwrap(), [attempt, attempt].concat());
}

#[tokio::test]
async fn what_is_not_to_be_sent_again_is_left_and_said() {
    let (mut publisher, _) = publisher(Resend::Never);
    let summary = publisher.publish_all(payments(2)).await.unwrap();
    assert_eq!((summary.sent, summary.unknown), (2, 2));
    let left: Vec<_> = summary.left.iter().map(|left| left.id.number).collect();
    assert_eq!(left, [1, 2]);
}

#[tokio::test]
async fn each_finish_begins_a_new_summary() {
    let (mut publisher, _) = publisher(Resend::Never);
    for _ in 0..2 {
        let summary = publisher.publish_all(payments(1)).await.unwrap();
        assert_eq!(summary.messages, 1);
    }
    assert_eq!(publisher.finish().await.unwrap().messages, 1);
}

#[tokio::test]
async fn attending_with_nothing_to_do_is_just_waiting() {
    let (mut publisher, _) = publisher(Resend::Never);
    let nap = sleep(Duration::from_millis(1));
    publisher.attend(nap).await;
    assert_eq!(publisher.summary(), &Summary::default());
}

#[tokio::test]
async fn an_answer_that_was_here_before_is_news() {
    let (publisher, _) = publisher(Resend::Never);
    let mut publisher = publisher.keeping_news();
    let message = Arc::new(payments(1).next().unwrap());
    let attempt = Attempt { message, number: 1 };
    let answered = async {
        let answer = Answer::Confirmed;
        window::Heard { answer, returned: None }
    };
    publisher.window.push(attempt, Duration::ZERO, Publish::new(answered));
    let heard = publisher.hear_until(std::future::pending::<()>());
    let heard = tokio::time::timeout(Duration::from_secs(5), heard).await;
    assert!(heard.is_ok(), "it waits for what it has heard");
    assert_eq!(publisher.take_news().answered.len(), 1);
}
