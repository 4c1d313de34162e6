//! Where events arrive: they are recorded, queued where there is a pace, and
//! handed to the view, which lives on a thread of its own.

use std::{
    collections::HashSet,
    sync::{MutexGuard, PoisonError, mpsc},
};

use tokio::sync::{oneshot, watch};

use super::{Failure, Inner, Pace};
use crate::{
    event::{Event, Stamped},
    narrate::{View, record::Record, words},
};

/// Where events arrive: one lock, so that record and view agree on the order.
pub(super) struct Desk {
    pub record: Option<Record>,
    pub queued: Vec<Stamped>,
    /// The steps of the scenario that were paused at: the same is told once.
    pub already: HashSet<(String, String)>,
    pub view: Option<mpsc::Sender<ToView>>,
}

pub(super) enum ToView {
    Tell(Box<Stamped>),
    Glimpse(Box<Stamped>),
    Ahead(Vec<Stamped>),
    Told(oneshot::Sender<()>),
}

/// Where the telling pauses: before each step that is not the same in an
/// earlier way, and before the verdict.
fn is_step(stamped: &Stamped, already: &mut HashSet<(String, String)>) -> bool {
    match &stamped.event {
        // The story of the fault is each way's own.
        Event::Step { verb, .. } if verb.en == words::FAULT_VERB.en => true,
        Event::Step { verb, text, .. } => {
            already.insert((verb.en.to_string(), text.en.to_string()))
        }
        Event::Verdict(_) => true,
        _ => false,
    }
}

impl Desk {
    /// What is queued, and which of it is paused before.
    pub fn take_queued(&mut self) -> (Vec<Stamped>, Vec<bool>) {
        let queued = std::mem::take(&mut self.queued);
        let already = &mut self.already;
        let pauses = queued.iter().map(|e| is_step(e, already)).collect();
        (queued, pauses)
    }
}

impl Inner {
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic elsewhere must not silence the narrator.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self, desk: &mut Desk, event: Stamped) {
        if let Some(record) = &mut desk.record
            && let Err(error) = record.tell(&event)
        {
            desk.record = None;
            fail(
                &self.failure,
                Failure::Record(error.kind(), error.to_string()),
            );
        }
        if matches!(event.event, Event::ScenarioStarted { .. }) {
            desk.already.clear();
        }
        // With a pace, whatever belongs to a way is told later, and so is the
        // verdict.
        let later = self.pace != Pace::Through
            && (!desk.queued.is_empty()
                || matches!(
                    event.event,
                    Event::WayStarted { .. } | Event::Verdict(_)
                ));
        let message = if later {
            desk.queued.push(event.clone());
            ToView::Glimpse(Box::new(event))
        } else {
            ToView::Tell(Box::new(event))
        };
        if let Some(view) = &desk.view
            && view.send(message).is_err()
        {
            // The view failed, and said so.
            desk.view = None;
        }
    }

    pub(super) fn send(&self, message: ToView) {
        if let Some(view) = &self.desk().view {
            // A view that is gone has said why.
            let _ = view.send(message);
        }
    }

    pub(super) async fn told(&self) {
        let (sender, receiver) = oneshot::channel();
        self.send(ToView::Told(sender));
        // Dropped unanswered when the view is gone: then there is nothing
        // more to wait for.
        let _ = receiver.await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.desk().view = None;
        let teller =
            self.teller.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(teller) = teller {
            // A view that panicked has been heard on stderr.
            let _ = teller.join();
        }
    }
}

/// The view's thread: ends with the channel, or with the first failure.
pub(super) fn tell_all(
    mut view: Box<dyn View>,
    events: &mpsc::Receiver<ToView>,
    failure: &watch::Sender<Option<Failure>>,
) {
    for event in events {
        let told = match event {
            ToView::Tell(event) => view.tell(&event),
            ToView::Glimpse(event) => {
                view.glimpse(&event);
                Ok(())
            }
            ToView::Ahead(events) => {
                view.ahead(&events);
                Ok(())
            }
            ToView::Told(sender) => {
                // Nobody waits any more: that is their business.
                let _ = sender.send(());
                Ok(())
            }
        };
        if let Err(error) = told {
            return fail(failure, Failure::View(error.kind()));
        }
    }
}

/// Keeps the first failure.
pub(super) fn fail(failure: &watch::Sender<Option<Failure>>, failed: Failure) {
    failure.send_if_modified(|first| {
        let is_first = first.is_none();
        if is_first {
            *first = Some(failed);
        }
        is_first
    });
}
