//! Parameters of Systems Manager.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::Tags;

/// What a parameter's value is said to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DataType {
    /// Any text; also what AWS's public parameters are.
    #[default]
    #[serde(rename = "text")]
    Text,
    /// An image id.
    #[serde(rename = "aws:ec2:image")]
    Image,
}

impl DataType {
    /// As Systems Manager writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "aws:ec2:image",
        }
    }
}

/// A parameter of type `String`, in one of its versions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    /// Its value.
    pub value: String,
    /// What the value is said to be.
    pub data_type: DataType,
    /// How often it was written.
    pub version: u64,
    /// When it was written last.
    pub modified: Timestamp,
}

/// What there is of a parameter besides its present version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub description: Option<String>,
    pub tags: Tags,
    /// The versions before the present one, as far as they are kept.
    pub earlier: BTreeMap<u64, Parameter>,
    /// The highest version number that nobody gets again, although it is none of the parameter's.
    pub used_up: u64,
}

/// Whether everybody may read a parameter of this name: only AWS can make such (docs: SSM
/// parameter-store-public-parameters).
pub(crate) fn is_public(name: &str) -> bool {
    name.starts_with("/aws/")
}

/// The ARN of a parameter; that of a public one names no account.
pub(crate) fn arn(region: &str, account: &str, name: &str) -> String {
    let account = if is_public(name) { "" } else { account };
    let path = name.strip_prefix('/').unwrap_or(name);
    format!("arn:aws:ssm:{region}:{account}:parameter/{path}")
}
