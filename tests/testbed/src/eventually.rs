//! Waiting for what another process is about to do.

use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Looks until `look` finds what it looks for, at most for `deadline`, and at least twice.
///
/// `look` says what it saw instead when it did not; the last such answer is in the error.
///
/// # Errors
/// [`Error::NotSeen`] after the deadline.
pub fn eventually<T>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<T, String>,
) -> Result<T, Error> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let _ = match look() {
        Ok(found) => return Ok(found),
        Err(seen) => seen,
    };
    loop {
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        let last = match look() {
            Ok(found) => return Ok(found),
            Err(seen) => seen,
        };
        if start.elapsed() >= deadline {
            return Err(Error::NotSeen {
                what: what.to_owned(),
                deadline,
                last,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_appears_later_is_found() {
        let mut looks = 0;
        let found = eventually(Duration::from_secs(5), "the third look", || {
            looks += 1;
            if looks == 3 {
                Ok(looks)
            } else {
                Err(format!("look {looks}"))
            }
        });
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn what_never_appears_is_reported_with_the_last_thing_seen() {
        let found: Result<(), _> = eventually(Duration::ZERO, "a unicorn", || {
            Err("only a horse".to_owned())
        });
        assert_eq!(
            found.unwrap_err().to_string(),
            "a unicorn: not within 0 s; last seen: only a horse"
        );
    }
}
