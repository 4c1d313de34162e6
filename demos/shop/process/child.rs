//! The producer's side: what a function works with inside the process.

use std::{
    future::pending,
    io::{self, BufRead, IsTerminal, Read, Write},
    thread,
};

use anyhow::bail;
use futures::future::BoxFuture;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use rusqlite::Transaction;

use super::{News, Point, Stop, Task, WORD, orders::open};
use crate::{
    demos::shop::orders::order,
    ledger::{Fact, MessageId, Noun},
    pattern::{outbox::Outbox, publisher::Outgoing},
    problem::{Exit, Problem},
    text,
};

/// What a producer's work comes to.
pub type Done = anyhow::Result<()>;
/// The whole work of one process.
pub type Work = for<'a> fn(&'a mut Producer) -> BoxFuture<'a, Done>;

/// A task is a line shorter than this.
const LONGEST: u64 = 64 * 1024;

/// Where this process was started as a producer, does that and says how it
/// ended. `works` are all that there are, by the names of their functions.
pub fn asked(works: &[(&str, Work)]) -> Option<Result<(), Problem>> {
    let word = std::env::args_os().nth(1)?;
    (word == WORD).then(|| begin(works))
}

fn begin(works: &[(&str, Work)]) -> Result<(), Problem> {
    let task = task()?;
    let known = works.iter().find(|(name, _)| *name == task.work);
    let Some((_, work)) = known else {
        let work = task.work;
        return Err(no_task(format!("nothing is called {work:?}")));
    };
    // Nothing more is read, and nothing more is written to it as long as the
    // lab lives: at its end the lab is gone, and so is its producer.
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(Exit::HungUp as i32);
    });
    run(task, *work).map_err(|error| {
        let error = format!("{error:#}");
        Problem::environment(text! {
            en: "the producer cannot go on: {error}",
            zh: "生产者进程无法继续：{error}", error = error
        })
    })
}

fn task() -> Result<Task, Problem> {
    let (stdin, mut line) = (io::stdin(), Vec::new());
    if !stdin.is_terminal() {
        let read = stdin.lock().take(LONGEST).read_until(b'\n', &mut line);
        read.map_err(no_task)?;
    }
    if line.trim_ascii().is_empty() {
        return Err(no_task("nothing came"));
    }
    serde_json::from_slice(&line).map_err(no_task)
}

/// Somebody typed the word, or something else than a lab started it.
fn no_task(why: impl std::fmt::Display) -> Problem {
    Problem::usage(text! {
        en: "{word} expects a task from the lab on stdin: {why}",
        zh: "{word} 应从标准输入收到实验交给它的任务：{why}",
        word = WORD, why = why
    })
    .help(text! {
        en: "it is a producer that the lab starts to kill it: \
             rmq-lab demo producer-loss/dual-write",
        zh: "它是实验启动来杀掉的生产者进程：\
             rmq-lab demo producer-loss/dual-write"
    })
}

/// One thread is enough, and quickly there.
fn run(task: Task, work: Work) -> Done {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut producer =
                Producer { outbox: open(&task.database)?, link: None, task };
            work(&mut producer).await?;
            if let Some((connection, _)) = producer.link {
                connection.close(200, "done".into()).await?;
            }
            Ok(())
        })
}

/// The hands of a producer: its customers, its database, its broker.
pub struct Producer {
    /// The shop's database, with the outbox in it.
    pub outbox: Outbox,
    link: Option<(Connection, Channel)>,
    task: Task,
}

impl Producer {
    /// The next order that a customer places. Whose order dies with the
    /// process gets an error, and does not come again.
    pub fn next_order(&mut self) -> Option<Outgoing> {
        self.task.orders.next().map(|n| order(Noun::Order.number(n)))
    }

    /// Does the business of an order in one transaction.
    ///
    /// # Errors
    /// The work's own, or what SQLite says; then nothing of it happened.
    pub fn transaction(
        &mut self,
        order: &Outgoing,
        work: impl FnOnce(&Transaction<'_>) -> Done,
    ) -> Done {
        let stop = self.task.stop;
        self.outbox.transaction(|tx| {
            work(tx)?;
            stand(stop, Point::BeforeCommit, order.id)
        })?;
        saw(order.id, Fact::Stored)?;
        stand(stop, Point::AfterCommit, order.id)
    }

    /// Publishes a message and waits for the confirm; connects at the first.
    ///
    /// # Errors
    /// When the broker does not confirm it.
    pub async fn publish(&mut self, message: &Outgoing) -> Done {
        let (id, stop) = (message.id, self.task.stop);
        let channel = self.channel().await?;
        saw(id, Fact::Sent)?;
        let confirm = channel
            .basic_publish(
                "".into(),
                self.task.queue.as_str().into(),
                BasicPublishOptions { mandatory: true, ..Default::default() },
                &message.body,
                BasicProperties::default()
                    .with_delivery_mode(2)
                    .with_message_id(id.to_string().into()),
            )
            .await?;
        if stops(stop, Point::AfterPublish, id)? {
            // The thread is not held: the connection still has to write.
            pending::<()>().await;
        }
        match confirm.await? {
            Confirmation::Ack(None) => saw(id, Fact::Confirmed)?,
            other => bail!("{id} was not confirmed: {other:?}"),
        }
        stand(stop, Point::AfterConfirm, id)
    }

    async fn channel(&mut self) -> anyhow::Result<Channel> {
        if let Some((_, channel)) = &self.link {
            return Ok(channel.clone());
        }
        let how = ConnectionProperties::default();
        let connection = Connection::connect(&self.task.amqp, how).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        self.link = Some((connection, channel.clone()));
        Ok(channel)
    }
}

/// Says so and stands still, where this is the place to be killed at.
fn stand(stop: Option<Stop>, at: Point, over: MessageId) -> Done {
    if stops(stop, at, over)? {
        loop {
            thread::park();
        }
    }
    Ok(())
}

fn stops(
    stop: Option<Stop>,
    at: Point,
    over: MessageId,
) -> anyhow::Result<bool> {
    let here = Stop { at, over };
    if stop != Some(here) {
        return Ok(false);
    }
    tell(News::Stands(here))?;
    Ok(true)
}

fn saw(message: MessageId, fact: Fact) -> Done {
    tell(News::Saw(message, fact))
}

/// Stdout writes whole lines at once.
fn tell(news: News) -> Done {
    Ok(writeln!(io::stdout(), "{}", serde_json::to_string(&news)?)?)
}
