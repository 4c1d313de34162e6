//! How much memory there is for what is to be started.
//!
//! A broker that is killed for want of memory says nothing: better to say it
//! beforehand.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::Engine;
use crate::{problem::Problem, text};

/// What a broker takes when it has nothing to do, in MiB (110 to 155 were
/// measured in clusters of both series). With less it does not even boot: it
/// is not started.
const IDLE_MIB: u64 = 150;
/// What it wants at work, in MiB: twice that. With less it may get by.
pub const AT_WORK_MIB: u32 = 300;

/// So much memory is left for brokers at most, in MiB; `None` where nobody can
/// tell. Of an engine on this machine the kernel says how much is available;
/// of another, as Docker Desktop's or a remote one, only the whole is known.
pub async fn available_mib(engine: Option<&Engine>) -> Option<u64> {
    let told = fs::read_to_string("/proc/meminfo").ok();
    let here = told.as_deref().and_then(Here::of);
    let there = match engine {
        Some(engine) => engine.memory_mib().await,
        None => None,
    };
    at_most(here.as_ref(), there)
}

/// This machine's memory, in MiB.
#[derive(Debug, PartialEq, Eq)]
struct Here {
    total: u64,
    available: u64,
}

impl Here {
    /// Of the lines of proc(5), `/proc/meminfo`.
    fn of(meminfo: &str) -> Option<Self> {
        let line = |name: &str| {
            meminfo.lines().find_map(|line| {
                let kib = line.strip_prefix(name)?.trim().strip_suffix("kB")?;
                kib.trim().parse::<u64>().ok().map(|kib| kib / 1024)
            })
        };
        let (total, available) = (line("MemTotal:")?, line("MemAvailable:")?);
        Some(Self { total, available })
    }
}

/// An engine that has as much as this machine in all is on it.
fn at_most(here: Option<&Here>, engine_total: Option<u64>) -> Option<u64> {
    match (here, engine_total) {
        (Some(here), Some(total)) if here.total != total => Some(total),
        (Some(here), _) => Some(here.available),
        (None, total) => total,
    }
}

/// Brokers that are being started: their memory is promised, and not taken yet.
static STARTING: AtomicUsize = AtomicUsize::new(0);

/// Memory that brokers will have taken when they are up. Kept until then.
#[derive(Debug)]
pub struct Claim(usize);

impl Drop for Claim {
    fn drop(&mut self) {
        STARTING.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Keeps memory for so many brokers more, beside those that others start.
///
/// # Errors
/// As [`is_enough`].
pub fn claim(brokers: usize, available: Option<u64>) -> Result<Claim, Problem> {
    let others = STARTING.fetch_add(brokers, Ordering::Relaxed);
    let claim = Claim(brokers);
    is_enough(others + brokers, available).map(|()| claim)
}

/// That so many brokers more fit into the memory.
///
/// # Errors
/// A [`Problem`] where they do not, even idle.
pub fn is_enough(
    brokers: usize,
    available: Option<u64>,
) -> Result<(), Problem> {
    let wanted = IDLE_MIB * brokers as u64;
    match available {
        Some(free) if free < wanted => Err(Problem::environment(text! {
            en: "{brokers} brokers want {wanted} MiB of memory at least, twice \
                 that at work, and {free} are available at most",
            zh: "{brokers} 个 broker 至少需要 {wanted} MiB 内存，\
                 工作时再加一倍，现在最多可用 {free}",
            brokers = brokers, wanted = wanted, free = free
        })
        .help(text! {
            en: "end other programs, or give Docker more memory",
            zh: "请关闭其他程序，或给 Docker 更多内存"
        })),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_how_much_is_available() {
        let told = "MemTotal:  2048000 kB\nMemAvailable:   1048576 kB\n";
        let here = Here { total: 2000, available: 1024 };
        assert_eq!(Here::of(told), Some(here));
        assert_eq!(Here::of("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn of_another_machine_only_the_whole_is_known() {
        let here = Here { total: 2000, available: 1024 };
        assert_eq!(at_most(Some(&here), Some(2000)), Some(1024));
        assert_eq!(at_most(Some(&here), Some(1900)), Some(1900));
        assert_eq!(at_most(Some(&here), None), Some(1024));
        assert_eq!(at_most(None, Some(1900)), Some(1900));
        assert_eq!(at_most(None, None), None);
    }

    #[test]
    fn at_work_a_broker_wants_twice_of_what_it_wants_at_least() {
        assert_eq!(u64::from(AT_WORK_MIB), 2 * IDLE_MIB);
    }

    #[test]
    fn too_little_is_refused_and_the_unknown_is_not() {
        assert!(is_enough(3, Some(449)).is_err());
        assert!(is_enough(3, Some(450)).is_ok());
        assert!(is_enough(3, None).is_ok());
    }

    #[test]
    fn what_others_start_is_counted_until_it_is_up() {
        // More than all other tests together may have claimed.
        let free = Some(150 * 100);
        let first = claim(60, free).unwrap();
        assert!(claim(60, free).is_err());
        drop(first);
        assert!(claim(60, free).is_ok());
    }
}
