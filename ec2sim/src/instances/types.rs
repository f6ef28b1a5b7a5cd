//! Instance types, as far as a launch depends on them: what the name says (docs: EC2 instance-type-names), and which ones
//! a region offers that says nothing.

use crate::filters::matches;
use crate::state::{Region, Zone};

/// What a region offers that says nothing; the choice is ours.
pub(crate) const USUAL: [&str; 33] = [
    "c5.large",
    "c5.xlarge",
    "c6i.large",
    "c6i.xlarge",
    "c7g.large",
    "c7g.xlarge",
    "m1.small",
    "m5.large",
    "m5.xlarge",
    "m5.2xlarge",
    "m6i.large",
    "m6i.xlarge",
    "m7g.large",
    "m7g.xlarge",
    "m7i.large",
    "r5.large",
    "r6g.large",
    "t2.nano",
    "t2.micro",
    "t2.small",
    "t3.nano",
    "t3.micro",
    "t3.small",
    "t3.medium",
    "t3.large",
    "t3.xlarge",
    "t3a.nano",
    "t3a.medium",
    "t4g.nano",
    "t4g.micro",
    "t4g.small",
    "t4g.medium",
    "t4g.large",
];

/// What is launched where nobody names a type (model: `RunInstances`).
pub(super) const DEFAULT: &str = "m1.small";

impl Region {
    /// The types that are offered somewhere in the region.
    pub(crate) fn types(&self) -> Vec<String> {
        if self.instance_types.is_empty() {
            USUAL.map(str::to_owned).to_vec()
        } else {
            self.instance_types.iter().cloned().collect()
        }
    }
}

impl Zone {
    /// Whether it offers a type that its region has.
    pub(crate) fn offers(&self, instance_type: &str) -> bool {
        !self
            .without
            .iter()
            .any(|pattern| matches(pattern, instance_type))
    }

    /// Whether it has room for one.
    pub(super) fn has_room(&self, instance_type: &str) -> bool {
        !self
            .full
            .iter()
            .any(|pattern| matches(pattern, instance_type))
    }
}

/// `arm64` for the types with a processor of AWS's own.
pub(super) fn architecture(instance_type: &str) -> &'static str {
    let family = instance_type.split('.').next().unwrap_or_default();
    let after_number = family.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let attributes = after_number.trim_start_matches(|c: char| c.is_ascii_digit());
    if family == "a1" || attributes.starts_with('g') {
        "arm64"
    } else {
        "x86_64"
    }
}

/// Whether it is of the Nitro System, which latest console output is for.
pub(super) fn is_nitro(instance_type: &str) -> bool {
    let old = [
        "m1.", "m2.", "m3.", "m4.", "c1.", "c3.", "c4.", "r3.", "r4.", "t1.", "t2.", "i2.", "i3.",
        "d2.", "x1.",
    ];
    !old.iter().any(|family| instance_type.starts_with(family))
}

/// Processors by the size, as most families have them.
pub(super) fn vcpus(instance_type: &str) -> u32 {
    let (family, size) = instance_type.split_once('.').unwrap_or((instance_type, ""));
    let burstable = family.starts_with('t') && family != "t2" && family != "t1";
    match size {
        "nano" | "micro" | "small" | "medium" if burstable => 2,
        "nano" | "micro" | "small" | "medium" => 1,
        "large" => 2,
        "xlarge" => 4,
        "metal" => 96,
        _ => {
            let times: Option<u32> = size
                .strip_suffix("xlarge")
                .and_then(|times| times.parse().ok());
            times.map_or(2, |times| times.saturating_mul(4))
        }
    }
}
