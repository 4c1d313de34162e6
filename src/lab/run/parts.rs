//! The ways of a scenario that are to be run, and how each is judged.

use super::super::{Check, Mechanism, Outcome, Run, Scenario, Way};
use crate::{event::WayName, text, text::Text};

/// One way of a scenario as it is to be run.
pub(super) struct Part {
    pub name: WayName,
    pub title: Text,
    pub run: Run,
    check: Check,
    /// How it must break, where a mechanism was taken out.
    breaks: Option<Check>,
    /// The fixed way's check, and how it must fail, of a way that is the fixed
    /// one without a mechanism: what `--without` would run again.
    fails: Vec<(Check, &'static Mechanism)>,
}

impl Part {
    /// Whether the way came to what is claimed of it. With a mechanism taken
    /// out, the fixed way's own check must fail, and in the way claimed: a
    /// check that fails for another reason shows nothing.
    pub fn judge(&self, outcome: &Outcome) -> Result<(), Text> {
        let Some(breaks) = self.breaks else {
            (self.check)(outcome)?;
            return self.fails.iter().try_for_each(|(fixed, mechanism)| {
                necessary(*fixed, mechanism, outcome)
            });
        };
        match (self.check)(outcome) {
            Ok(()) => Err(text! {
                en: "the fixed way holds without it",
                zh: "去掉之后改进写法依然成立"
            }),
            Err(_) => breaks(outcome),
        }
    }
}

/// Whether the fixed way's check fails for what came of leaving the mechanism
/// out, and in the way claimed.
fn necessary(
    fixed: Check,
    mechanism: &Mechanism,
    outcome: &Outcome,
) -> Result<(), Text> {
    match fixed(outcome) {
        Ok(()) => {
            let (en, zh) = (&mechanism.name.en, &mechanism.name.zh);
            Err(Text::made(
                format!("the fixed way's check holds without {en}"),
                format!("去掉「{zh}」，改进写法的检查依然通过"),
            ))
        }
        Err(_) => (mechanism.breaks)(outcome),
    }
}

/// The ways to run: those of the scenario, or, without a mechanism, the fixed
/// one and the same without it.
pub(super) fn parts(
    scenario: &Scenario,
    without: Option<&'static Mechanism>,
) -> Vec<Part> {
    let part = |name, way: &Way| Part {
        name,
        title: way.title.clone(),
        run: way.run,
        check: way.check,
        breaks: None,
        fails: fails(scenario, name, way),
    };
    match (scenario.ways.fixed(), without) {
        (Some(fixed), Some(mechanism)) => vec![
            part(WayName::Fixed, fixed),
            Part {
                title: mechanism.name.clone(),
                run: mechanism.without,
                breaks: Some(mechanism.breaks),
                ..part(WayName::Without, fixed)
            },
        ],
        _ => {
            let all = scenario.ways.all().into_iter();
            all.map(|(name, way)| part(name, way)).collect()
        }
    }
}

/// Which mechanisms a way shows to be necessary by being the fixed way without
/// them.
fn fails(
    scenario: &Scenario,
    name: WayName,
    way: &Way,
) -> Vec<(Check, &'static Mechanism)> {
    let (Some(fixed), false) = (scenario.ways.fixed(), name == WayName::Fixed)
    else {
        return Vec::new();
    };
    let mechanisms = scenario.ways.mechanisms().iter();
    let left_out = mechanisms.filter(|mechanism| mechanism.is(way));
    left_out.map(|mechanism| (fixed.check, mechanism)).collect()
}
