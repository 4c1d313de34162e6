//! The workbook: chapters, their questions and hints, and how far a reader
//! has come.
//!
//! The texts are those of `chapters/`, embedded in the binary; nothing here
//! knows of Docker, of a terminal or of a run. A chapter's number and topic
//! are its directory's name.

pub mod chapter;
pub mod hints;
pub mod questions;
pub mod recorded;

pub use chapter::{CHAPTERS, Chapter};
