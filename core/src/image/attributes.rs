//! What of an image may change after it was made, besides its tags.

use std::fmt;

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};

use crate::api::DeregistrationProtection;

/// How long a protected image cannot be deregistered after its protection was taken off, where it was put on with
/// a cooldown (EC2 User Guide, "Protect an AMI from deregistration").
const COOLDOWN: SignedDuration = SignedDuration::from_hours(24);

/// Attributes as `DescribeImages` shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// `Description`; empty where there is none.
    pub description: String,
    /// Whether `ImdsSupport` is `v2.0`: instances that are launched from it use IMDSv2 only.
    pub requires_imds_v2: bool,
    /// `DeprecationTime`: EC2 keeps whole minutes.
    pub deprecation: Option<Timestamp>,
    /// `DeregistrationProtection`.
    pub protection: Protection,
    /// `Public`: everybody may launch it.
    pub public: bool,
    /// Whether `Platform` is `windows`, which nothing changes.
    pub is_windows: bool,
}

/// Whether an image can be deregistered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protection {
    /// It can.
    #[default]
    Disabled,
    /// It cannot, until that is disabled.
    Enabled,
    /// It cannot, until a day after that is disabled.
    EnabledWithCooldown,
    /// It can from then on.
    DisabledAfter(Timestamp),
}

impl From<DeregistrationProtection> for Protection {
    fn from(asked: DeregistrationProtection) -> Self {
        match asked {
            DeregistrationProtection::Disabled => Self::Disabled,
            DeregistrationProtection::Enabled => Self::Enabled,
            DeregistrationProtection::EnabledWithCooldown => Self::EnabledWithCooldown,
        }
    }
}

/// A change of one attribute: one call to EC2.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttributeChange {
    /// Another description.
    Description(String),
    /// `ImdsSupport`, which cannot be undone.
    RequireImdsV2,
    /// When EC2 shall call it deprecated, in whole minutes; never, if `None`.
    Deprecation(Option<Timestamp>),
    /// `Disabled`, `Enabled` or `EnabledWithCooldown`.
    Protection(Protection),
    /// Whether everybody may launch it.
    Public(bool),
}

impl Attributes {
    /// Whether nothing is left to do of a change.
    pub fn show(&self, change: &AttributeChange) -> bool {
        match change {
            AttributeChange::Description(text) => self.description == *text,
            AttributeChange::RequireImdsV2 => self.requires_imds_v2,
            AttributeChange::Deprecation(at) => {
                self.deprecation.map(whole_minutes) == at.map(whole_minutes)
            }
            AttributeChange::Protection(Protection::Disabled) => {
                matches!(
                    self.protection,
                    Protection::Disabled | Protection::DisabledAfter(_)
                )
            }
            // EC2 is not known to take a cooldown off while the protection stays.
            AttributeChange::Protection(Protection::Enabled) => matches!(
                self.protection,
                Protection::Enabled | Protection::EnabledWithCooldown
            ),
            AttributeChange::Protection(protection) => self.protection == *protection,
            AttributeChange::Public(public) => self.public == *public,
        }
    }

    /// The attributes as they are once EC2 shows a change that was made at `at`.
    pub fn apply(&mut self, change: &AttributeChange, at: Timestamp) {
        match change {
            AttributeChange::Description(text) => self.description.clone_from(text),
            AttributeChange::RequireImdsV2 => self.requires_imds_v2 = true,
            AttributeChange::Deprecation(at) => self.deprecation = *at,
            AttributeChange::Protection(Protection::Disabled) => {
                self.protection = match self.protection {
                    Protection::EnabledWithCooldown => Protection::DisabledAfter(at + COOLDOWN),
                    Protection::DisabledAfter(until) => Protection::DisabledAfter(until),
                    Protection::Enabled | Protection::Disabled => Protection::Disabled,
                };
            }
            AttributeChange::Protection(protection) => self.protection = *protection,
            AttributeChange::Public(public) => self.public = *public,
        }
    }
}

impl AttributeChange {
    /// The EC2 action that makes it.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Description(_) | Self::RequireImdsV2 | Self::Public(_) => "ModifyImageAttribute",
            Self::Deprecation(Some(_)) => "EnableImageDeprecation",
            Self::Deprecation(None) => "DisableImageDeprecation",
            Self::Protection(Protection::Enabled | Protection::EnabledWithCooldown) => {
                "EnableImageDeregistrationProtection"
            }
            Self::Protection(Protection::Disabled | Protection::DisabledAfter(_)) => {
                "DisableImageDeregistrationProtection"
            }
        }
    }
}

impl fmt::Display for AttributeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Description(text) => write!(f, "description={text:?}"),
            Self::RequireImdsV2 => f.write_str("imdsSupport=v2.0"),
            Self::Deprecation(Some(at)) => {
                write!(f, "deprecateAt={}", at.strftime("%Y-%m-%dT%H:%MZ"))
            }
            Self::Protection(Protection::EnabledWithCooldown) => f.write_str("withCooldown=true"),
            Self::Protection(Protection::Enabled) => f.write_str("withCooldown=false"),
            Self::Public(true) => f.write_str("+all"),
            Self::Public(false) => f.write_str("-all"),
            Self::Deprecation(None) | Self::Protection(_) => Ok(()),
        }
    }
}

/// The time to the minute, as EC2 rounds it (EC2 API, `EnableImageDeprecation`).
pub fn whole_minutes(time: Timestamp) -> Timestamp {
    time.round(TimestampRound::new().smallest(Unit::Minute))
        .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_applied_shows() {
        let changes = [
            AttributeChange::Description("web".to_owned()),
            AttributeChange::RequireImdsV2,
            AttributeChange::Deprecation(Some(at("2027-01-01T00:00:00Z"))),
            AttributeChange::Protection(Protection::EnabledWithCooldown),
            AttributeChange::Protection(Protection::Disabled),
            AttributeChange::Protection(Protection::Enabled),
            AttributeChange::Deprecation(None),
            AttributeChange::Public(true),
            AttributeChange::Public(false),
        ];
        let mut attributes = Attributes::default();
        for change in &changes {
            assert!(!attributes.show(change), "{change:?}");
            attributes.apply(change, at("2026-01-01T00:00:00Z"));
            assert!(attributes.show(change), "{change:?}");
        }
    }

    #[test]
    fn a_cooldown_begins_when_the_protection_is_taken_off_and_only_then() {
        let mut attributes = Attributes {
            protection: Protection::EnabledWithCooldown,
            ..Attributes::default()
        };
        let off = AttributeChange::Protection(Protection::Disabled);
        let until = Protection::DisabledAfter(at("2026-01-02T00:00:00Z"));
        attributes.apply(&off, at("2026-01-01T00:00:00Z"));
        assert_eq!(attributes.protection, until);
        attributes.apply(&off, at("2026-01-01T12:00:00Z"));
        assert_eq!(attributes.protection, until);
    }

    #[test]
    fn a_deprecation_is_the_same_to_the_minute() {
        let attributes = Attributes {
            deprecation: Some(at("2026-01-01T00:01:00Z")),
            ..Attributes::default()
        };
        let shows = |text| attributes.show(&AttributeChange::Deprecation(Some(at(text))));
        assert!(shows("2026-01-01T00:01:29Z") && shows("2026-01-01T00:00:30Z"));
        assert!(!shows("2026-01-01T00:01:30Z"));
        assert!(!attributes.show(&AttributeChange::Deprecation(None)));
    }
}
