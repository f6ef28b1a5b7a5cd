//! Every error code of EC2 and STS that Amity can meet, in one table: [`lookup`] decides by it, and
//! [`super::page`] shows it.
//!
//! Sources: EC2 Developer Guide, "Error codes for the Amazon EC2 API" and "Request throttling"; STS API
//! Reference, "Common errors"; texts as users pasted them in public issues.

mod access;
mod busy;
mod requests;
mod things;

use super::Kind;

/// One code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// As AWS writes it.
    pub name: &'static str,
    /// What sort of failure it is.
    pub kind: Kind,
    /// The calls that answer it.
    pub calls: &'static [&'static str],
    /// A part of AWS's sentence, where the code alone does not say enough. Texts are looked at before the
    /// entry without one.
    pub text: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
    /// What the user does. `{region}`, `{account}`, `{of}` (an id) and `{permission}` are filled in.
    pub remedy: &'static str,
}

/// Any call.
pub(super) const ANY: &[&str] = &[
    "GetCallerIdentity",
    "AssumeRole",
    "DescribeRegions",
    "DescribeImages",
    "DescribeSnapshots",
    "DescribeInstances",
    "CreateImage",
    "CopyImage",
    "CreateTags",
    "DeleteTags",
    "DeregisterImage",
    "DeleteSnapshot",
];

/// For whom nothing is to be done.
const BY_ITSELF: &str = "it is tried again by itself";

/// Declares codes: `"name" ["part of the text"] Kind [calls] "meaning" "remedy";`.
macro_rules! codes {
    ($($name:literal $(($text:literal))? $kind:ident [$($call:tt)*] $meaning:literal, $remedy:expr;)+) => {
        pub(super) const CODES: &[super::Code] = &[$(super::Code {
            name: $name,
            kind: crate::aws::error::Kind::$kind,
            calls: super::calls!($($call)*),
            text: super::text!($($text)?),
            meaning: $meaning,
            remedy: $remedy,
        }),+];
    };
}

macro_rules! calls {
    (ANY) => { super::ANY };
    ($($call:ident)*) => { &[$(stringify!($call)),*] };
}

macro_rules! text {
    () => {
        None
    };
    ($text:literal) => {
        Some($text)
    };
}

use {calls, codes, text};

/// Every entry of the table.
pub fn all() -> impl Iterator<Item = &'static Code> {
    [busy::CODES, access::CODES, things::CODES, requests::CODES]
        .into_iter()
        .flatten()
}

/// The entry of a code, by AWS's sentence where that matters.
pub(super) fn lookup(code: &str, words: &str) -> Option<&'static Code> {
    let named = || all().filter(|entry| entry.name == code);
    named()
        .find(|entry| entry.text.is_some_and(|text| words.contains(text)))
        .or_else(|| named().find(|entry| entry.text.is_none()))
}
