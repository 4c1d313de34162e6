//! The workbook: chapters, their questions and hints, and how far a reader
//! has come.
//!
//! The texts are those of `chapters/`, embedded in the binary; nothing here
//! knows of Docker, of a terminal or of a run. A chapter's number and topic
//! are its directory's name.

pub mod arrows;
pub mod chapter;
pub mod hints;
pub mod interview;
pub mod moment;
pub mod next;
pub mod outline;
pub mod page;
pub mod progress;
pub mod prose;
pub mod questions;
pub mod recorded;
pub mod schedule;
pub mod selection;
pub mod shown;
pub mod store;

pub use chapter::{CHAPTERS, Chapter};
pub use moment::Moment;
pub use next::{Step, next_step, step_in};
pub use outline::{Outline, TopicOutline};
pub use progress::{Progress, Standing};
pub use store::Store;
