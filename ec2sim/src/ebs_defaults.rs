//! `GetEbsEncryptionByDefault`, `EnableEbsEncryptionByDefault`, `DisableEbsEncryptionByDefault`
//! and `GetEbsDefaultKmsKeyId`: settings of an account in a region (model; docs: EBS
//! encryption-by-default).
//!
//! They are in force at once, and for what is made from then on only.

use crate::error::ApiError;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

impl World {
    pub(crate) fn get_ebs_encryption_by_default(
        &self,
        call: &Call,
        parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        parameters.finish_action()?;
        let on = self
            .place(&call.account, &call.region)
            .encryption_by_default;
        Ok(answer(on))
    }

    pub(crate) fn set_ebs_encryption_by_default(
        &mut self,
        call: &Call,
        parameters: Parameters,
        on: bool,
    ) -> Result<Reply, ApiError> {
        parameters.finish_action()?;
        if let Some(place) = self.place_mut(&call.account, &call.region) {
            place.encryption_by_default = on;
        }
        Ok(answer(on))
    }

    /// The AWS managed key goes by its alias, one of the account's own by its ARN (example of the
    /// AWS CLI).
    pub(crate) fn get_ebs_default_kms_key_id(
        &self,
        call: &Call,
        parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        parameters.finish_action()?;
        let own = self.place(&call.account, &call.region).default_key;
        let key = own.unwrap_or_else(|| "alias/aws/ebs".to_owned());
        Ok(Reply::of(|xml| xml.text("kmsKeyId", key)))
    }
}

fn answer(on: bool) -> Reply {
    Reply::of(|xml| xml.text("ebsEncryptionByDefault", on))
}
