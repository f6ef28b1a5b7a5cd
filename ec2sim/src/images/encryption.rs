//! Which key the snapshots of a copy get (docs: `AMIEncryption`, how-ami-copy-works,
//! ebs-copy-snapshot), and what is refused at once. Whether a key works shows late.

use crate::error::ApiError;
use crate::kms;
use crate::state::Snapshot;
use crate::world::{Call, World};

/// What the caller says about encryption.
pub(super) struct Encryption {
    pub encrypted: Option<bool>,
    pub key: Option<String>,
}

/// How one snapshot of the copy is encrypted.
pub(super) enum Outcome {
    Plain,
    Key(String),
    /// A key that the caller may name, and that nobody can use.
    NoSuchKey,
}

impl World {
    /// The table of docs `AMIEncryption`, how-ami-copy-works and ebs-copy-snapshot.
    pub(super) fn encrypt(
        &self,
        call: &Call,
        source_region: &str,
        original: &Snapshot,
        wanted: &Encryption,
    ) -> Outcome {
        // What is encrypted must be decrypted first, with its own key (docs: AMIEncryption).
        if let Some(key) = &original.key
            && !self.key_works(key, &call.account, source_region)
        {
            return Outcome::NoSuchKey;
        }
        let place = self.place(&call.account, &call.region);
        let own_here = original.owner == call.account && source_region == call.region;
        let key = match (&wanted.key, &original.key) {
            (Some(name), _) => match self.key_named(name, &call.account, &call.region) {
                Some(key) => key,
                None => return Outcome::NoSuchKey,
            },
            (None, Some(key)) if own_here => key.clone(),
            // Own, from another region: the default key only where encryption is the default.
            (None, Some(_)) if original.owner == call.account && !place.encryption_by_default => {
                kms::aws_managed(&call.account, &call.region)
            }
            (None, Some(_)) => self.default_key(&call.account, &call.region),
            (None, None) if wanted.encrypted == Some(true) || place.encryption_by_default => {
                self.default_key(&call.account, &call.region)
            }
            (None, None) => return Outcome::Plain,
        };
        if self.key_works(&key, &call.account, &call.region) {
            Outcome::Key(key)
        } else {
            Outcome::NoSuchKey
        }
    }
}

impl Encryption {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if self.key.is_some() && self.encrypted != Some(true) {
            return Err(ApiError::new(
                "InvalidParameterDependency",
                "The parameter KmsKeyId requires the parameter Encrypted to be set.",
            ));
        }
        Ok(())
    }

    pub(super) fn check_sources(&self, snapshots: &[Snapshot]) -> Result<(), ApiError> {
        let encrypted = snapshots.iter().find(|snapshot| snapshot.key.is_some());
        match encrypted {
            Some(snapshot) if self.encrypted == Some(false) => Err(ApiError::new(
                "InvalidRequest",
                format!(
                    "Snapshot {} is encrypted. Creating an unencrypted copy from an encrypted snapshot is not \
                     supported.",
                    snapshot.id
                ),
            )),
            _ => Ok(()),
        }
    }
}
