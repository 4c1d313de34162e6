//! However a demo is ended, nothing is left: by Ctrl-C at ten moments, and
//! while a cluster or balancers start; by SIGTERM and SIGHUP; and what a
//! SIGKILL leaves goes at the next start. Two demos side by side do not
//! disturb each other.

use std::{
    fs,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    cli::{
        engine::Engine,
        running::{
            Ended, Running, belongings, runs_in, still_there,
            with_in_their_environment,
        },
    },
    shared::binary,
};

/// Cleaning up may take so long.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// The slowest machine puts a stage up within this.
const SOON: Duration = Duration::from_secs(60);

/// Waits for the moment at which the signal is sent.
type Moment = fn(&mut Running) -> Result<(), String>;

/// A trial of its own.
type Story = fn() -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = TEN_MOMENTS
        .iter()
        .map(|(name, moment)| {
            Trial::test(format!("signals::ctrl_c_{name}"), move || {
                Lab::topic()?.ends_by("INT", 130, *moment)
            })
        })
        .collect();
    let others: [(&str, Story); 11] = [
        ("ctrl_c_before_it_can_listen", ctrl_c_at_once),
        ("ctrl_c_while_an_image_is_pulled", ctrl_c_in_a_pull),
        ("ctrl_c_while_a_cluster_forms", || {
            let lab = Lab::demo("mirrored-ha/quorum-failover", &[])?;
            lab.ends_by("INT", 130, |lab| {
                awaits(lab, "a cluster of 3 brokers")?;
                // The nodes are there, and none of them answers yet.
                sleep(Duration::from_millis(1500));
                Ok(())
            })
        }),
        ("ctrl_c_while_balancers_start", || {
            let lab = Lab::demo("mirrored-ha/one-balancer", &[])?;
            lab.ends_by("INT", 130, |lab| {
                awaits(lab, "the balancers to answer")
            })
        }),
        ("a_second_ctrl_c_stops_no_cleaning", ctrl_c_twice),
        ("sigterm_ends_it_with_143", || {
            Lab::topic()?.ends_by("TERM", 143, |lab| {
                lab.until("a strike", SOON, is("struck")).map(drop)
            })
        }),
        ("sighup_ends_it_with_129", || {
            Lab::topic()?.ends_by("HUP", 129, |lab| {
                lab.until("the stage", SOON, is("stage-up")).map(drop)
            })
        }),
        ("what_a_sigkill_leaves_goes_at_the_next_start", killed),
        ("two_demos_at_once_do_not_disturb_each_other", two_at_once),
        ("ctrl_c_leaves_no_producer", || producers_go_by("INT")),
        ("a_sigkill_leaves_no_producer", || producers_go_by("KILL")),
    ];
    trials.extend(
        others.map(|(name, trial)| {
            Trial::test(format!("signals::{name}"), trial)
        }),
    );
    trials
}

/// From the first word to the second scenario.
const TEN_MOMENTS: &[(&str, Moment)] = &[
    ("at_its_first_word", |lab| begun(lab, 0)),
    ("while_the_network_is_made", |lab| begun(lab, 60)),
    ("while_containers_are_made", |lab| begun(lab, 250)),
    ("when_the_broker_begins_to_boot", |lab| boots(lab, 0)),
    ("while_the_broker_boots", |lab| boots(lab, 1500)),
    ("when_the_stage_stands", |lab| {
        lab.until("the stage", SOON, is("stage-up")).map(drop)
    }),
    ("while_messages_are_published", |lab| {
        let sent = |event: &Value| event["fact"] == "sent";
        lab.until("a message that is sent", SOON, sent).map(drop)
    }),
    ("when_a_fault_has_struck", |lab| {
        lab.until("a strike", SOON, is("struck")).map(drop)
    }),
    ("while_the_fixed_way_runs", |lab| {
        let fixed = |event: &Value| {
            event["event"] == "way-started" && event["way"] == "fixed"
        };
        lab.until("the fixed way", SOON, fixed)?;
        sleep(Duration::from_millis(100));
        Ok(())
    }),
    ("in_the_second_scenario", |lab| {
        let second = |event: &Value| event["index"] == 2;
        lab.until("the second scenario", SOON, second)?;
        sleep(Duration::from_millis(300));
        Ok(())
    }),
];

fn begun(lab: &mut Running, ms: u64) -> Result<(), String> {
    lab.until("the beginning", SOON, is("run-started"))?;
    sleep(Duration::from_millis(ms));
    Ok(())
}

fn boots(lab: &mut Running, ms: u64) -> Result<(), String> {
    lab.until("the broker's boot", SOON, is("waiting"))?;
    sleep(Duration::from_millis(ms));
    Ok(())
}

/// The stage stands, and a way waits for more that it has begun to start.
fn awaits(lab: &mut Running, what: &str) -> Result<(), String> {
    lab.until("the stage", SOON, is("stage-up"))?;
    let begun = |event: &Value| {
        event["event"] == "waiting" && event["what"]["en"] == what
    };
    lab.until(what, SOON, begun).map(drop)
}

fn is(kind: &str) -> impl Fn(&Value) -> bool + use<'_> {
    move |event| event["event"] == kind
}

/// A demo with a state directory of its own.
struct Lab {
    running: Running,
    state: TempDir,
}

impl Lab {
    /// A whole topic: time enough to be interrupted.
    fn topic() -> Result<Self, String> {
        Self::demo("idempotency", &[])
    }

    /// The cheapest scenario there is.
    fn scenario() -> Result<Self, String> {
        Self::demo("idempotency/concurrent", &[])
    }

    fn demo(target: &str, env: &[(&str, &str)]) -> Result<Self, String> {
        let state = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mut command = Command::new(binary());
        command
            .args(["demo", target, "--no-predict", "--json", "--seed", "7"])
            .env("RMQ_LAB_STATE", state.path())
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            // As a shell starts it: Ctrl-C reaches the whole group.
            .process_group(0);
        Ok(Self { running: Running::start(command)?, state })
    }

    /// What it has on the engine now.
    fn has(&self) -> Result<Vec<String>, String> {
        belongings(self.running.pid(), &runs_in(self.state.path()))
    }

    fn ends_by(
        mut self,
        signal: &str,
        code: i32,
        moment: Moment,
    ) -> Result<(), Failed> {
        moment(&mut self.running)?;
        // Only where containers stand; looking takes time.
        let stands = self.running.heard("stage-up");
        let had = if stands { self.has()? } else { Vec::new() };
        if stands && had.is_empty() {
            return Err("the stage stands, and has nothing".into());
        }
        self.running.signal(signal)?;
        let ended = self.goes(&had)?;
        if ended.status.code() != Some(code) {
            return Err(told(&ended, &format!("not {code}")).into());
        }
        // Before anything was started there is nothing to say.
        let started = ended.stdout.contains("\"event\":\"waiting\"");
        if started
            && !ended.stdout.contains("\"what was started to be removed\"")
        {
            return Err(told(&ended, "it did not say what it does").into());
        }
        Ok(())
    }

    /// It ends in time, without a word on stderr, and nothing is left.
    fn goes(self, had: &[String]) -> Result<Ended, String> {
        let Self { running, state } = self;
        let pid = running.pid();
        let ended = running.end(GONE_WITHIN)?;
        let mut left = belongings(pid, &runs_in(state.path()))?;
        left.extend(still_there(had)?);
        if !left.is_empty() {
            return Err(told(&ended, &format!("left behind: {left:?}")));
        }
        let work = runs_in(state.path()).into_iter().find(|run| {
            state.path().join("runs").join(run).join("work").exists()
        });
        if let Some(run) = work.filter(|_| ended.status.code().is_some()) {
            return Err(told(&ended, &format!("work files of {run} left")));
        }
        match ended.stderr.is_empty() {
            true => Ok(ended),
            false => Err(told(&ended, "something on stderr")),
        }
    }

    /// It comes to its end, and proves what it claims.
    fn proves(self) -> Result<(), String> {
        let Self { running, state } = self;
        let pid = running.pid();
        let ended = running.end(Duration::from_secs(90))?;
        if ended.status.code() != Some(0)
            || !ended.stdout.contains("\"verdict\":\"proven\"")
            || !ended.stdout.contains("\"left_behind\":0")
        {
            return Err(told(&ended, "not proven"));
        }
        let left = belongings(pid, &runs_in(state.path()))?;
        match left.is_empty() {
            true => Ok(()),
            false => Err(told(&ended, &format!("left behind: {left:?}"))),
        }
    }
}

fn told(ended: &Ended, why: &str) -> String {
    let lines: Vec<_> = ended.stdout.lines().collect();
    let tail = lines[lines.len().saturating_sub(5)..].join("\n");
    let (status, took) = (ended.status, ended.took);
    format!("{why}: {status} after {took:?}\n{tail}\n{}", ended.stderr)
}

/// The system ends it, or it ends itself; a shell tells no difference.
fn ctrl_c_at_once() -> Result<(), Failed> {
    let lab = Lab::topic()?;
    lab.running.signal("INT")?;
    let ended = lab.goes(&[])?;
    let code = ended.status.code().or(ended.status.signal().map(|s| 128 + s));
    match code {
        Some(130) => Ok(()),
        _ => Err(told(&ended, "not 130").into()),
    }
}

/// A registry that takes the call and never answers.
fn ctrl_c_in_a_pull() -> Result<(), Failed> {
    let engine = Engine::with_a_registry_that_hangs();
    let temporary = tempfile::tempdir()?;
    let place = temporary.path().to_string_lossy().into_owned();
    let host = engine.host();
    let env = [("DOCKER_HOST", host.as_str()), ("TMPDIR", place.as_str())];
    let mut lab = Lab::demo("idempotency/concurrent", &env)?;
    let pulling = |event: &Value| {
        let text = event["text"]["en"].as_str().unwrap_or_default();
        text.contains("pulling")
    };
    lab.running.until("the pull", SOON, pulling)?;
    sleep(Duration::from_millis(300));
    lab.running.signal_group("INT")?;
    let ended = lab.goes(&[])?;
    if ended.status.code() != Some(130) {
        return Err(told(&ended, "not 130").into());
    }
    // The script that pulls cleans up by itself, and soon.
    let mut left = Vec::new();
    for _ in 0..50 {
        left = with_in_their_environment(&host);
        let files = fs::read_dir(&temporary)?.filter_map(Result::ok);
        left.extend(files.map(|file| file.path().display().to_string()));
        if left.is_empty() {
            return Ok(());
        }
        sleep(Duration::from_millis(100));
    }
    Err(format!("processes or files left: {left:?}").into())
}

fn ctrl_c_twice() -> Result<(), Failed> {
    let mut lab = Lab::topic()?;
    lab.running.until("the stage", SOON, is("stage-up"))?;
    let had = lab.has()?;
    lab.running.signal("INT")?;
    sleep(Duration::from_millis(100));
    // It may be gone already.
    let _ = lab.running.signal("INT");
    let ended = lab.goes(&had)?;
    match ended.status.code() {
        Some(130) => Ok(()),
        _ => Err(told(&ended, "not 130").into()),
    }
}

/// Nobody can clean up after SIGKILL; the next to start does.
fn killed() -> Result<(), Failed> {
    let mut living = Lab::topic()?;
    living.running.until("the other's stage", SOON, is("stage-up"))?;
    let others = living.has()?;
    // Any lab that starts on this engine at the same moment reaps as well:
    // then there was nothing to be seen, and it is done again.
    let left = (0..3).find_map(|_| match left_by_a_sigkill() {
        Ok(left) if left.is_empty() => None,
        other => Some(other),
    });
    let left = left.unwrap_or(Err("a SIGKILL left nothing".to_owned()))?;
    let mut next = Lab::scenario()?;
    next.running.until("the next stage", SOON, is("stage-up"))?;
    let not_reaped = still_there(&left)?;
    if !not_reaped.is_empty() {
        return Err(format!("not reaped: {not_reaped:?}").into());
    }
    let untouched = still_there(&others)?;
    if untouched != others {
        return Err("the other's were touched".into());
    }
    if living.running.has_ended() {
        return Err("the other lab ended".into());
    }
    next.proves()?;
    living.ends_by("INT", 130, |_| Ok(()))
}

/// The containers, network and volumes of a lab that was killed.
fn left_by_a_sigkill() -> Result<Vec<String>, String> {
    let mut lab = Lab::scenario()?;
    lab.running.until("the stage", SOON, is("stage-up"))?;
    let had = lab.has()?;
    lab.running.signal("KILL")?;
    let ended = lab.running.end(GONE_WITHIN)?;
    match ended.status.signal() {
        Some(9) => still_there(&had),
        _ => Err(told(&ended, "not killed")),
    }
}

fn two_at_once() -> Result<(), Failed> {
    let (one, other) = (Lab::scenario()?, Lab::scenario()?);
    one.proves()?;
    Ok(other.proves()?)
}

/// A demo that starts processes of its own is ended while one is there.
fn producers_go_by(name: &str) -> Result<(), Failed> {
    let mut lab = Lab::demo("producer-loss/dual-write", &[])?;
    lab.running.until("a kill", SOON, is("struck"))?;
    let state = lab.state.path().to_string_lossy().into_owned();
    let own = || with_in_their_environment(&state);
    // The lab itself, and a producer.
    if !comes_true(|| own().len() > 1) {
        return Err("it has no producer".into());
    }
    lab.running.signal(name)?;
    let ended = lab.running.end(GONE_WITHIN)?;
    let gone = comes_true(|| own().is_empty());
    // What a SIGKILL leaves on the engine goes.
    Command::new(binary()).arg("clean").output()?;
    match gone {
        true => Ok(()),
        false => Err(told(&ended, &format!("left: {:?}", own())).into()),
    }
}

/// Soon, or not at all.
fn comes_true(is_so: impl Fn() -> bool) -> bool {
    (0..500).any(|_| {
        let so = is_so();
        if !so {
            sleep(Duration::from_millis(10));
        }
        so
    })
}
