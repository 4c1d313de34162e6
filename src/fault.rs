//! What goes wrong, for real.
//!
//! [`wire`] is an AMQP-aware proxy between a client and the broker, which can
//! strike at a chosen message; [`container`] strikes a whole container, and
//! [`parted`] cuts brokers apart without cutting their clients off, and
//! [`balancer`] strikes what stands before them.
//! A fault says when it has struck; a scenario whose fault never struck
//! proves nothing.

pub mod balancer;
pub mod container;
pub mod parted;
pub mod wire;
