//! Amounts with their units, as a person reads them: `1.8 ms`, `13 298/s`.
//!
//! ASCII only and the same in both languages, so that they line up.

use crate::event::Unit;

/// What stands where nothing was measured.
pub(super) const NONE: &str = "-";

/// How much of what.
pub(super) fn amount(value: f64, unit: Unit) -> String {
    let number = number(value, unit);
    if number == NONE {
        return number;
    }
    match unit {
        Unit::Count => number,
        Unit::Ms => format!("{number} ms"),
        Unit::PerSecond => format!("{number}/s"),
        Unit::Times => format!("{number}x"),
        Unit::Percent => format!("{number} %"),
    }
}

/// As many digits as tell something: two figures where it is small.
fn number(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let whole = matches!(unit, Unit::Count | Unit::Percent);
    let size = value.abs();
    let digits = match size {
        _ if size == 0.0 || (whole && value.fract() == 0.0) => 0,
        ..0.005 => return "<0.01".to_owned(),
        ..0.995 => 2,
        ..9.95 => 1,
        _ => 0,
    };
    grouped(&format!("{value:.digits$}"))
}

/// Thousands apart from 10 000 on: a year is not written `2 026`.
pub(super) fn grouped(number: &str) -> String {
    let digits = number.chars().filter(char::is_ascii_digit).count();
    if digits < 5 || number.contains('.') {
        return number.to_owned();
    }
    let mut told = String::new();
    for (n, c) in number.chars().enumerate() {
        let left = number.len() - n;
        if n > 0 && left.is_multiple_of(3) && !told.ends_with('-') {
            told.push(' ');
        }
        told.push(c);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_the_digits_that_tell_something() {
        for (value, unit, told) in [
            (0.0, Unit::Ms, "0 ms"),
            (0.001, Unit::Ms, "<0.01 ms"),
            (0.42, Unit::Ms, "0.42 ms"),
            (0.999, Unit::Ms, "1.0 ms"),
            (1.84, Unit::Ms, "1.8 ms"),
            (9.97, Unit::Ms, "10 ms"),
            (411.6, Unit::Ms, "412 ms"),
            (13_298.2, Unit::PerSecond, "13 298/s"),
            (1_479.0, Unit::PerSecond, "1479/s"),
            (9.6, Unit::Times, "9.6x"),
            (2.0, Unit::Times, "2.0x"),
            (42.0, Unit::Percent, "42 %"),
            (2.5, Unit::Percent, "2.5 %"),
            (5.0, Unit::Count, "5"),
            (1_234_567.0, Unit::Count, "1 234 567"),
            (-123_456.0, Unit::Count, "-123 456"),
            (f64::NAN, Unit::Ms, "-"),
        ] {
            assert_eq!(amount(value, unit), told);
        }
    }
}
