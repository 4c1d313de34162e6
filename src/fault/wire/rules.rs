//! Which faults wait for which message, and what became of those that met theirs.
//!
//! Filled by [`super::Wire::arm`], emptied by the trackers. Pure: it must not know frames or
//! sockets.

use super::{MissReason, WireFault};
use std::collections::HashMap;

/// The armed faults of one wire, shared by its connections. Each is taken at most once.
#[derive(Debug, Default)]
pub(super) struct Rules {
    armed: HashMap<WireFault, HashMap<String, usize>>,
}

impl Rules {
    pub(super) fn arm(&mut self, message: String, fault: WireFault) {
        *self.armed.entry(fault).or_default().entry(message).or_default() += 1;
    }

    pub(super) fn disarm_all(&mut self) {
        self.armed.clear();
    }

    /// Whether any message waits for `fault`: the cheap question, asked for every frame.
    pub(super) fn any(&self, fault: WireFault) -> bool {
        self.armed.contains_key(&fault)
    }

    /// Takes one `fault` armed for `message`.
    pub(super) fn take(&mut self, message: &str, fault: WireFault) -> bool {
        let Some(messages) = self.armed.get_mut(&fault) else {
            return false;
        };
        let Some(times) = messages.get_mut(message) else {
            return false;
        };
        *times -= 1;
        if *times == 0 {
            messages.remove(message);
        }
        if messages.is_empty() {
            self.armed.remove(&fault);
        }
        true
    }

    /// Takes the first of `faults` that is armed for `message`.
    pub(super) fn take_one_of(
        &mut self,
        message: &str,
        faults: &[WireFault],
    ) -> Option<WireFault> {
        faults.iter().copied().find(|fault| self.take(message, *fault))
    }

    /// What is still armed, a fault armed twice named twice, in the order of the messages' names.
    pub(super) fn list(&self) -> Vec<(String, WireFault)> {
        let mut all: Vec<_> = self
            .armed
            .iter()
            .flat_map(|(fault, messages)| {
                messages
                    .iter()
                    .map(move |(message, times)| (message, *fault, *times))
            })
            .flat_map(|(message, fault, times)| {
                std::iter::repeat_n((message.clone(), fault), times)
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

/// What a connection has to tell about a fault that it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Strike {
        fault: WireFault,
        message: String,
        also: Vec<String>,
        open: Vec<String>,
        fenced: bool,
    },
    Miss {
        fault: WireFault,
        message: String,
        reason: MissReason,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_taken_as_often_as_it_was_armed() {
        let mut rules = Rules::default();
        rules.arm("a".into(), WireFault::SwallowAck);
        rules.arm("a".into(), WireFault::SwallowAck);
        assert_eq!(rules.list().len(), 2);
        assert!(!rules.take("b", WireFault::SwallowAck));
        assert!(rules.take("a", WireFault::SwallowAck));
        assert!(rules.take("a", WireFault::SwallowAck));
        assert!(!rules.take("a", WireFault::SwallowAck));
        assert!(!rules.any(WireFault::SwallowAck));
    }
}
