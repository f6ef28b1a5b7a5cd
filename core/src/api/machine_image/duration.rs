//! Lengths of time as users write them: hours, minutes and seconds.

use jiff::SignedDuration;

/// Reads what the rules of these fields let through: one to three numbers of at most five digits,
/// each with its unit.
pub(super) fn parse(text: &str) -> Option<SignedDuration> {
    let mut sum = SignedDuration::ZERO;
    let mut parts = 0;
    for part in text.split_inclusive(['h', 'm', 's']) {
        let (number, unit) = part.split_at_checked(part.len().checked_sub(1)?)?;
        let is_number =
            (1..=5).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let number: i64 = number.parse().ok().filter(|_| is_number)?;
        sum += match unit {
            "h" => SignedDuration::from_hours(number),
            "m" => SignedDuration::from_mins(number),
            "s" => SignedDuration::from_secs(number),
            _ => return None,
        };
        parts += 1;
    }
    (1..=3).contains(&parts).then_some(sum)
}
