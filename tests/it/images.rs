//! The images that are here have the shape that the stage relies on.

use std::process::Command;

use libtest_mimic::{Failed, Trial};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

pub fn trials() -> Vec<Trial> {
    ["rabbitmq-4", "rabbitmq-3", "redis", "tools"]
        .map(|name| {
            Trial::test(
                format!("image::{name}_keeps_the_contract"),
                move || keeps_the_contract(name),
            )
        })
        .into()
}

fn keeps_the_contract(name: &str) -> Result<(), Failed> {
    let ensured = Command::new(format!("{ROOT}/images/lab-image"))
        .args(["ensure", name])
        .output()?;
    let told = String::from_utf8_lossy(&ensured.stdout).into_owned();
    let reference = told.split('\t').nth(1).ok_or("no image")?;
    let checked = Command::new(format!("{ROOT}/images/contract"))
        .arg(reference)
        .output()?;
    if checked.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&checked.stdout).into_owned().into())
}
