//! The demos: one file per topic, and the plain catalogue of them all.
//!
//! A demo is a story told by data and a few short functions. What is the same
//! for all lies in [`crate::lab`], what an application would write in
//! [`crate::pattern`], and the shop that all stories play in, in [`shop`].

pub mod beyond;
pub mod decoupling;
pub mod durability;
pub mod idempotency;
pub mod mirrored_ha;
pub mod producer_loss;
pub mod shop;

use crate::{lab::Topic, problem::Problem};

/// Every topic, in the order of reading.
pub const TOPICS: &[&Topic] = &[
    &decoupling::TOPIC,
    &producer_loss::TOPIC,
    &idempotency::TOPIC,
    &durability::TOPIC,
    &mirrored_ha::TOPIC,
    &beyond::TOPIC,
];

/// Does what a process of a demo's own is to do, where this is one. Every
/// `main` that a demo may start once more asks this first.
pub fn asked() -> Option<Result<(), Problem>> {
    shop::process::asked(producer_loss::WORKS)
}
