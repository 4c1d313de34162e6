//! How much memory there is for what is to be started.
//!
//! A broker that is killed for want of memory says nothing: better to say it
//! beforehand.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{problem::Problem, text};

/// What a broker takes when it has nothing to do, in MiB (110 to 155 were
/// measured in clusters of both series).
const IDLE_MIB: u64 = 150;

/// Available memory in MiB, as the kernel estimates it; `None` where it cannot
/// be told, as on macOS.
pub fn available_mib() -> Option<u64> {
    available(&fs::read_to_string("/proc/meminfo").ok()?)
}

/// The line of proc(5), `/proc/meminfo`.
fn available(meminfo: &str) -> Option<u64> {
    meminfo.lines().find_map(|line| {
        let kib =
            line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB")?;
        kib.trim().parse::<u64>().ok().map(|kib| kib / 1024)
    })
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
            en: "{brokers} brokers want {wanted} MiB of memory at least, and \
                 {free} are available",
            zh: "{brokers} 个 broker 至少需要 {wanted} MiB 内存，现在可用 {free}",
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
        assert_eq!(available(told), Some(1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
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
