//! `amity explain`: what a reason of a condition means, and what to do.

use std::io::Write;

use amity_core::api::conditions::{REASONS, Reason, TYPES};

use super::Error;

/// The flags of `amity explain`.
#[expect(clippy::doc_markdown, reason = "help prints it as it stands")]
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// A reason as a condition has it, such as NotGranted, or a condition, such as Stalled. Without one, all are listed.
    #[arg(value_name = "REASON")]
    reason: Option<String>,
}

impl Explain {
    /// Prints it.
    ///
    /// # Errors
    /// There is no such reason.
    pub fn run(self) -> Result<(), Error> {
        let text = match self.reason {
            Some(name) => explained(&name)?,
            None => listed(),
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

fn explained(name: &str) -> Result<String, String> {
    let is_it = |other: &str| other.eq_ignore_ascii_case(name);
    if let Some(reason) = REASONS.iter().find(|reason| is_it(reason.name)) {
        let Reason {
            name,
            conditions,
            meaning,
            remedy,
        } = reason;
        let at = conditions.join(", ");
        return Ok(format!(
            "{name} (at {at})\n\n{meaning}\n\nWhat to do: {remedy}\n"
        ));
    }
    if let Some((name, meaning)) = TYPES.iter().find(|(name, _)| is_it(name)) {
        let may_have = REASONS.iter().filter(|one| one.conditions.contains(name));
        let names: Vec<_> = may_have.map(|reason| reason.name).collect();
        return Ok(format!(
            "{name} (a condition)\n\n{meaning}\n\nReasons: {}\n",
            names.join(", ")
        ));
    }
    let alike = REASONS.iter().filter(|reason| {
        let (a, b) = (reason.name.to_lowercase(), name.to_lowercase());
        a.contains(&b) || b.contains(&a)
    });
    let alike: Vec<_> = alike.map(|reason| reason.name).collect();
    let hint = if alike.is_empty() {
        "amity explain lists all".to_owned()
    } else {
        format!("perhaps {}", alike.join(" or "))
    };
    Err(format!("there is no reason {name}: {hint}"))
}

fn listed() -> String {
    let widest = REASONS.iter().map(|reason| reason.name.len()).max();
    let widest = widest.unwrap_or_default();
    let lines = REASONS.iter().map(|reason| {
        let first = reason
            .meaning
            .split_inclusive(". ")
            .next()
            .unwrap_or_default();
        format!("{:widest$}  {}\n", reason.name, first.trim_end())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_found_however_it_is_written() {
        assert!(
            explained("notgranted")
                .unwrap()
                .starts_with("NotGranted (at ")
        );
        assert!(explained("stalled").unwrap().contains("NotGranted"));
    }

    #[test]
    fn what_is_none_leads_to_what_is_like_it() {
        let error = explained("Granted").unwrap_err();
        assert!(error.contains("NotGranted"), "{error}");
    }

    #[test]
    fn all_are_listed_in_a_line_each() {
        assert_eq!(listed().lines().count(), REASONS.len());
    }
}
