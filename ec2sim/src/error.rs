//! What EC2 and STS answer instead of a result.
//!
//! Codes are those of the EC2 Developer Guide, page "Error codes for the Amazon EC2 API"; texts
//! are as users pasted them in public issues, where such a text was found.

use std::fmt::Display;

/// An error as the service words it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiError {
    /// The code clients decide by, such as `InvalidAMIID.NotFound`.
    pub code: String,
    /// The sentence for a person.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
}

impl ApiError {
    /// A client error with HTTP status 400.
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status: 400,
        }
    }

    /// An error with the HTTP status that AWS sends with this code (docs: DG errors-overview,
    /// "Common client error codes" and "Server error codes"; others are 400).
    pub(crate) fn with_its_status(code: &str, message: &str) -> Self {
        let status = match code {
            "AuthFailure" => 401,
            "UnauthorizedOperation"
            | "AccessDenied"
            | "Blocked"
            | "ExpiredToken"
            | "InvalidClientTokenId"
            | "OptInRequired"
            | "PendingVerification" => 403,
            "DryRunOperation" => 412,
            "InternalError" | "InternalFailure" | "InsufficientInstanceCapacity" => 500,
            "RequestLimitExceeded" | "ServiceUnavailable" | "Unavailable" => 503,
            _ => 400,
        };
        Self::new(code, message).with_status(status)
    }

    /// The same error with another HTTP status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(crate) fn invalid_combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(
            "MissingParameter",
            format!("The request must contain the parameter {parameter}"),
        )
    }

    /// Something EC2 knows and this simulator does not: never pass over it in silence.
    pub(crate) fn not_modelled(what: impl Display) -> Self {
        Self::new(
            "UnsupportedOperation",
            format!("ec2sim does not model {what}."),
        )
    }

    /// Also what a region that is not enabled answers to good credentials.
    pub(crate) fn bad_credentials() -> Self {
        Self::new(
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
        )
        .with_status(401)
    }

    pub(crate) fn dry_run() -> Self {
        Self::new(
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        )
        .with_status(412)
    }

    /// HTTP 503, not 429 (hashicorp/packer#12160).
    pub(crate) fn throttled() -> Self {
        Self::new("RequestLimitExceeded", "Request limit exceeded.").with_status(503)
    }

    pub(crate) fn internal() -> Self {
        Self::new("InternalError", "An internal error has occurred").with_status(500)
    }

    /// `prefix` is that of the resource type, such as `ami`.
    pub(crate) fn malformed_id(prefix: &str, id: &str) -> Self {
        let code = match prefix {
            "ami" => "InvalidAMIID.Malformed",
            "snap" => "InvalidSnapshotID.Malformed",
            "i" => "InvalidInstanceID.Malformed",
            "lt" => "InvalidLaunchTemplateId.Malformed",
            "sg" => "InvalidGroupId.Malformed",
            "subnet" => "InvalidSubnetID.Malformed",
            "vol" => "InvalidVolumeID.Malformed",
            "vpc" => "InvalidVpcID.Malformed",
            _ => "InvalidID",
        };
        Self::new(
            code,
            format!("Invalid id: \"{id}\" (expecting \"{prefix}-...\")"),
        )
    }

    pub(crate) fn images_not_found(ids: &[String]) -> Self {
        let list = ids.join(", ");
        let message = match ids.len() {
            1 => format!("The image id '[{list}]' does not exist"),
            _ => format!("The image ids '[{list}]' do not exist"),
        };
        Self::new("InvalidAMIID.NotFound", message)
    }

    pub(crate) fn image_not_found(id: &str) -> Self {
        Self::images_not_found(&[id.to_owned()])
    }

    /// An image in a state in which it cannot be launched or changed (SUSE-Enceladus/ec2imgutils#45).
    pub(crate) fn image_in_state(id: &str, state: impl Display) -> Self {
        Self::new(
            "InvalidAMIID.Unavailable",
            format!(
                "The AMI ID '{id}' is currently {state} and may not be used for this operation"
            ),
        )
    }

    pub(crate) fn not_your_image(id: &str) -> Self {
        Self::new("AuthFailure", format!("Not authorized for image:{id}")).with_status(403)
    }

    pub(crate) fn image_gone(id: &str) -> Self {
        Self::new(
            "InvalidAMIID.Unavailable",
            format!("The image ID '{id}' is no longer available"),
        )
    }

    pub(crate) fn snapshot_not_found(id: &str) -> Self {
        Self::new(
            "InvalidSnapshot.NotFound",
            format!("The snapshot '{id}' does not exist."),
        )
    }

    pub(crate) fn instances_not_found(ids: &[String]) -> Self {
        let list = ids.join(", ");
        let message = match ids.len() {
            1 => format!("The instance ID '{list}' does not exist"),
            _ => format!("The instance IDs '{list}' do not exist"),
        };
        Self::new("InvalidInstanceID.NotFound", message)
    }

    pub(crate) fn instance_not_found(id: &str) -> Self {
        Self::instances_not_found(&[id.to_owned()])
    }
}

/// Refuses what has not the form of an id of this type.
pub(crate) fn check_id(prefix: &str, id: &str) -> Result<(), ApiError> {
    let digits = id
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'));
    match digits {
        Some(hex)
            if (hex.len() == 8 || hex.len() == 17)
                && hex.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            Ok(())
        }
        _ => Err(ApiError::malformed_id(prefix, id)),
    }
}
