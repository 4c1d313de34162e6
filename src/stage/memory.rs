//! How much memory there is for what is to be started.
//!
//! A broker that is killed for want of memory says nothing: better to say it
//! beforehand.

use std::fs;

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
}
