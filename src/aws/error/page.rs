//! `docs/errors.md`: the table of codes for a person to look up.

use std::fmt::Write as _;

use amity_core::api::conditions;

use super::codes::{self, Code};
use super::kind::Kind;
use super::late::LATE;
use super::{BY_ITSELF, NOW_AND_THEN};

/// The meaning of a code that says what the one before it says.
pub(super) const THE_SAME: &str = "The same.";

/// The page, made of what Amity decides by.
pub fn page() -> String {
    let mut page = String::from(
        "<!-- Written from src/aws/error/. -->\n# What EC2 answers, and what Amity does\n\n\
         The message of a condition names the call, the account, the region and what it was of, and has AWS's code and \
         words. Here is what each code means. Every failure has one of five classes, which `amity_ec2_calls_total` counts \
         by: `throttled`, `unknown` (no answer that says anything: it may have been done), `not_sent`, `denied` and \
         `refused`. The reasons are explained in [conditions.md](conditions.md).\n",
    );
    for kind in Kind::ALL {
        section(&mut page, *kind);
    }
    late(&mut page);
    page
}

fn section(page: &mut String, kind: Kind) {
    let class = kind.class().label();
    let _ = write!(
        page,
        "\n## {}\n\nClass `{class}`. {}\n\n",
        kind.title(),
        kind.conduct()
    );
    let codes: Vec<&Code> = codes::all().filter(|code| code.kind == kind).collect();
    if codes.is_empty() {
        let remedy = if kind == Kind::Unlisted {
            NOW_AND_THEN
        } else {
            BY_ITSELF
        };
        let _ = writeln!(
            page,
            "At the object: {}. What you do: {remedy}.",
            reasons(kind, &["CopyImage", "DeregisterImage"])
        );
        return;
    }
    page.push_str("| code | answered by | what it means | reason | what you do |\n| --- | --- | --- | --- | --- |\n");
    for alike in codes.chunk_by(|_, next| next.meaning == THE_SAME) {
        let first = alike[0];
        let names: Vec<String> = alike.iter().map(|code| name(code)).collect();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            names.join(" "),
            calls(first),
            first.meaning,
            reasons(kind, first.calls),
            remedy(first)
        );
    }
}

fn name(code: &Code) -> String {
    match code.text {
        Some(text) => format!("`{}` “…{text}…”", code.name),
        None => format!("`{}`", code.name),
    }
}

fn calls(code: &Code) -> String {
    if code.calls == codes::ANY {
        return "any call".to_owned();
    }
    let calls: Vec<String> = code.calls.iter().map(|call| format!("`{call}`")).collect();
    calls.join(" ")
}

/// The reasons by call: one for all where they are alike.
fn reasons(kind: Kind, calls: &[&str]) -> String {
    let is_read = |call: &&&str| {
        ["Describe", "Get", "AssumeRole"]
            .iter()
            .any(|read| call.starts_with(read))
    };
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    let is_told = |call: &&&str| !is_read(call) && !kind.is_done(call);
    for call in calls.iter().filter(is_told) {
        let first = if kind.passes(call) {
            "`Progressing` for two minutes, then "
        } else {
            ""
        };
        let reason = format!("{first}`{}`", kind.reason(call));
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, calls)) => calls.push(call),
            None => reasons.push((reason, vec![call])),
        }
    }
    if calls.iter().any(|call| is_read(&call)) {
        let read = if kind.is_source_not_there() {
            conditions::SOURCE_NOT_FOUND
        } else {
            kind.unreadable()
        };
        let reason = format!("`{read}`");
        if reasons.iter().all(|(other, _)| *other != reason) {
            reasons.push((reason, vec!["reading"]));
        }
    }
    // The reason of most calls stands without their names.
    reasons.sort_by_key(|(_, calls)| std::cmp::Reverse(calls.len()));
    let mut told: Vec<String> = Vec::new();
    for (index, (reason, calls)) in reasons.iter().enumerate() {
        told.push(if index == 0 {
            reason.clone()
        } else {
            format!("{reason} ({})", calls.join(", "))
        });
    }
    told.join("; ")
}

fn remedy(code: &Code) -> String {
    let remedy = code
        .remedy
        .replace("{region}", "the region")
        .replace("{account}", "the account")
        .replace("account the account", "the account")
        .replace("{of}", "what the message names")
        .replace("{permission}", "the action that the message names");
    let mut letters = remedy.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

fn late(page: &mut String) {
    page.push_str(
        "\n## Failures after the call\n\nEC2 takes a capture or a copy and says later that it failed: the image is `failed`. \
         A copy is tried again, eight times in all (`CopyFailed`); a capture is not (`CaptureFailed`), since that might \
         restart the instance again. The message has EC2's words, with this:\n\n| EC2 says | what it means |\n| --- | --- |\n",
    );
    for late in LATE {
        let _ = writeln!(page, "| “{}” | {} |", late.says, late.advice);
    }
}
