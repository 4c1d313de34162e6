//! The narrator: takes events from everywhere, stamps and records them, and
//! has them told.
//!
//! A view may be slow (a terminal held by Ctrl-S, a pipe into a pager), and
//! the experiment must not notice: the view lives on a thread of its own and
//! gets its events through a channel. The record is written at once.

mod desk;

use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{
    event::{Choice, Event, Stamped},
    text::{Lang, Text},
};

use self::desk::{Desk, ToView, fail, tell_all};
use super::{
    View,
    person::{Answer, Person, Wish},
    record::Record,
};

/// The pace of the telling, never of the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Everything as it comes.
    Through,
    /// A pause between steps.
    Every(Duration),
    /// Enter between steps.
    Step,
}

/// What cannot be written any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The view: a closed pipe is `BrokenPipe`.
    View(io::ErrorKind),
    /// The record, and what the system said: a full disk.
    Record(io::ErrorKind, String),
}

/// Shared by everything that has something to tell.
#[derive(Clone)]
pub struct Narrator {
    inner: Arc<Inner>,
    aside: Option<Arc<Mutex<Aside>>>,
}

/// What happens while something else is told, and is told later.
enum Aside {
    Kept(Vec<Stamped>),
    Told,
}

struct Inner {
    began: Instant,
    pace: Pace,
    lang: Lang,
    desk: Mutex<Desk>,
    failure: watch::Sender<Option<Failure>>,
    /// The person wants no more.
    left: watch::Sender<bool>,
    person: tokio::sync::Mutex<Person>,
    teller: Mutex<Option<JoinHandle<()>>>,
}

impl Narrator {
    /// Begins to tell a run that began at `began`.
    pub fn new(
        began: Instant,
        record: Option<Record>,
        view: Box<dyn View>,
        pace: Pace,
        lang: Lang,
    ) -> Self {
        Self::to_person(began, record, view, pace, lang, Person::at_terminal())
    }

    pub(super) fn to_person(
        began: Instant,
        record: Option<Record>,
        view: Box<dyn View>,
        pace: Pace,
        lang: Lang,
        person: Person,
    ) -> Self {
        let (failure, _) = watch::channel(None);
        let (sender, receiver) = mpsc::channel();
        let failed = failure.clone();
        let spawned = std::thread::Builder::new()
            .name("narrate".to_owned())
            .spawn(move || tell_all(view, &receiver, &failed));
        let teller = match spawned {
            Ok(handle) => Some(handle),
            Err(error) => {
                fail(&failure, Failure::View(error.kind()));
                None
            }
        };
        let desk = Desk {
            record,
            queued: Vec::new(),
            already: HashSet::new(),
            view: Some(sender),
        };
        Self {
            aside: None,
            inner: Arc::new(Inner {
                began,
                pace,
                lang,
                desk: Mutex::new(desk),
                failure,
                left: watch::Sender::new(false),
                person: tokio::sync::Mutex::new(person),
                teller: Mutex::new(teller),
            }),
        }
    }

    /// Stamps an event, records it, and has it told: now, or what belongs
    /// to a way with a pace at the next [`checkpoint`](Self::checkpoint); what
    /// happens [`aside`](Self::aside) when its turn comes. Waits for nobody.
    pub fn tell(&self, event: Event) {
        let mut aside = self.is_aside();
        let mut desk = self.inner.desk();
        let at_ms = u64::try_from(self.inner.began.elapsed().as_millis())
            .unwrap_or(u64::MAX);
        let event = Stamped { at_ms, event };
        match aside.as_deref_mut() {
            Some(Aside::Kept(kept)) => kept.push(event),
            Some(Aside::Told) | None => self.inner.take(&mut desk, event),
        }
    }

    /// For what goes on while something else is told: its events get the time
    /// at which they happen, and are recorded and told from
    /// [`in_turn`](Self::in_turn) on. Until then it may not ask.
    pub fn aside(&self) -> Self {
        let kept = Aside::Kept(Vec::new());
        let aside = Some(Arc::new(Mutex::new(kept)));
        Self { inner: self.inner.clone(), aside }
    }

    /// Its turn has come: what happened so far is told, and the rest as it
    /// comes.
    pub fn in_turn(&self) {
        let Some(mut aside) = self.is_aside() else { return };
        let Aside::Kept(kept) = std::mem::replace(&mut *aside, Aside::Told)
        else {
            return;
        };
        let mut desk = self.inner.desk();
        kept.into_iter().for_each(|e| self.inner.take(&mut desk, e));
    }

    fn is_aside(&self) -> Option<MutexGuard<'_, Aside>> {
        let aside = self.aside.as_ref()?;
        Some(aside.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells an event of a recorded run, with the time it had.
    pub fn retell(&self, event: Stamped) {
        self.inner.take(&mut self.inner.desk(), event);
    }

    /// The first thing that could not be written, if any.
    pub fn failed(&self) -> Option<Failure> {
        self.inner.failure.borrow().clone()
    }

    /// Waits until something cannot be written; otherwise for ever.
    pub async fn failure(&self) -> Failure {
        let mut failures = self.inner.failure.subscribe();
        let failed = failures
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|f| f.clone());
        match failed {
            Some(failure) => failure,
            None => std::future::pending().await,
        }
    }

    /// Waits until the person wants to leave; otherwise for ever. Whoever has
    /// something asked, or told step by step, listens to this beside it, and
    /// ends the run as an interrupted one.
    pub async fn left(&self) {
        let mut left = self.inner.left.subscribe();
        let said = left.wait_for(|left| *left).await.is_ok();
        if !said {
            std::future::pending::<()>().await;
        }
    }

    /// The person leaves: nothing more is told to them.
    async fn leave<T>(&self) -> T {
        self.inner.left.send_replace(true);
        std::future::pending().await
    }

    /// Nothing is in flight: whatever is queued is told, step by step where
    /// there is a pace. Returns when the view has told it all; never, if the
    /// person [leaves](Self::left).
    pub async fn checkpoint(&self) {
        // Nobody sees it yet.
        if matches!(self.is_aside().as_deref(), Some(Aside::Kept(_))) {
            return;
        }
        let (queued, pauses) = self.inner.desk().take_queued();
        if queued.is_empty() {
            return self.inner.told().await;
        }
        let steps = pauses.iter().filter(|pauses| **pauses).count();
        self.inner.send(ToView::Ahead(queued.clone()));
        let mut step = 0;
        for (stamped, pauses) in queued.into_iter().zip(pauses) {
            if pauses {
                step += 1;
                self.told().await;
                if self.failed().is_none() {
                    self.pause(step, steps).await;
                }
            }
            self.inner.send(ToView::Tell(Box::new(stamped)));
        }
        self.inner.told().await;
    }

    /// Tells whatever is left, without pauses, and waits until it is told.
    /// Call it before the program ends, however it ends.
    pub async fn finish(&self) {
        let queued = std::mem::take(&mut self.inner.desk().queued);
        if !queued.is_empty() {
            self.inner.send(ToView::Ahead(queued.clone()));
            queued.into_iter().for_each(|stamped| {
                self.inner.send(ToView::Tell(Box::new(stamped)))
            });
        }
        self.inner.told().await;
    }

    /// Waits until the view has told what it was given.
    pub(super) async fn told(&self) {
        self.inner.told().await;
    }

    async fn pause(&self, step: usize, steps: usize) {
        let mut person = self.inner.person.lock().await;
        match self.inner.pace {
            Pace::Through => {}
            Pace::Every(pause) => {
                person.wait(step, steps, pause, self.inner.lang).await
            }
            Pace::Step => {
                let lang = self.inner.lang;
                if person.enter(step, steps, lang).await == Wish::Leave {
                    self.leave::<()>().await;
                }
            }
        }
    }

    /// Asks for one of the choices: its key, or `None` for Enter, the end of
    /// input, and whoever answers twice what cannot be answered. Returns never
    /// if the person [leaves](Self::left). The question itself stands in the
    /// scenario's head.
    pub async fn ask(
        &self,
        _question: &Text,
        choices: &[Choice],
    ) -> Option<char> {
        self.checkpoint().await;
        let keys: Vec<char> = choices.iter().map(|choice| choice.key).collect();
        let mut person = self.inner.person.lock().await;
        match person.ask(&keys, self.inner.lang).await {
            Answer::Key(key) => Some(key),
            Answer::Skip => None,
            Answer::Leave => self.leave().await,
        }
    }

    /// The stage is kept: waits for Enter, or the end of input.
    pub async fn hold(&self) {
        self.checkpoint().await;
        self.inner.person.lock().await.hold(self.inner.lang).await;
    }
}

impl std::fmt::Debug for Narrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Narrator")
            .field("pace", &self.inner.pace)
            .finish_non_exhaustive()
    }
}
