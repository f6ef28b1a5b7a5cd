//! How volumes and snapshots are encrypted by default in a place, which decides whether copies can be shared: a setting of the
//! account that hardly ever changes. Source: EC2 API, `GetEbsEncryptionByDefault`, `GetEbsDefaultKmsKeyId`.

use amity_core::image::identity::Place;
use amity_core::image::observed::EbsDefaults;
use aws_sdk_ec2::Client as Ec2;
use jiff::SignedDuration;

use super::Inventory;
use crate::aws::calls::{self, EC2Calls};
use crate::aws::error::Failure;

const ENCRYPTS: &str = "GetEbsEncryptionByDefault";
const KEY: &str = "GetEbsDefaultKmsKeyId";

/// How long an answer serves: whoever was told that copies cannot be shared changes it, and waits.
const FRESH: SignedDuration = SignedDuration::from_mins(1);

impl Inventory {
    /// What was answered of late.
    pub(super) fn known_ebs_defaults(&self, place: &Place, object: &str) -> Option<EbsDefaults> {
        if self.state().why_unreadable(place, object).is_some() {
            return Some(EbsDefaults::Unknown);
        }
        self.ebs_defaults.get(place, self.clock.now())
    }

    /// Asks how copies to a place are encrypted by default.
    pub(super) async fn read_ebs_defaults(&self, place: &Place) {
        let defaults = match self.sessions.proven(&place.account) {
            None => EbsDefaults::Unknown,
            Some(session) => {
                let ec2 = session.ec2(&place.region);
                let read = defaults(&ec2, self.sessions.calls());
                match self.in_turn(place, ENCRYPTS, read).await {
                    Ok(Ok(defaults)) => defaults,
                    Ok(Err(failure)) => {
                        tracing::debug!(%place, %failure, "the defaults for encryption were not read");
                        EbsDefaults::Unknown
                    }
                    Err(_) => EbsDefaults::Unknown,
                }
            }
        };
        let now = self.clock.now();
        self.ebs_defaults
            .put(place.clone(), defaults, now + FRESH, now);
    }
}

async fn defaults(ec2: &Ec2, calls: &EC2Calls) -> Result<EbsDefaults, Failure> {
    let encrypts = ec2.get_ebs_encryption_by_default();
    let encrypts = calls::read(calls, ENCRYPTS, || encrypts.clone().send()).await?;
    let key = ec2.get_ebs_default_kms_key_id();
    let key = calls::read(calls, KEY, || key.clone().send()).await?;
    let (Some(encrypts), Some(key)) = (encrypts.ebs_encryption_by_default(), key.kms_key_id())
    else {
        return Err(Failure::unknown(
            "EC2's answer is broken: it does not say how volumes are encrypted by default",
        ));
    };
    Ok(EbsDefaults::Known {
        encrypts,
        default_key: key.to_owned(),
    })
}
