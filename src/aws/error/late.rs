//! What EC2 says of images and snapshots that fail after the call that makes them was answered with success.
//!
//! Keys, sources and quotas are checked while a copy goes on (EC2 API, `CopyImage`: "the action can appear to
//! complete, but eventually fails"). Sources: EC2 API, `StateReason`; EBS User Guide, "Copy a snapshot";
//! texts as users pasted them in public issues.

/// A sentence of EC2 about something that failed late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// A part of the state reason's code or message, or of a snapshot's state message.
    pub says: &'static str,
    /// What it means, and what to look at.
    pub advice: &'static str,
}

const KEY: &str = "the KMS key is disabled, or Amity's role may not use it: see the key's policy, and docs/iam.md";

/// What is known to be said, the more telling first.
pub const LATE: &[Late] = &[
    Late {
        says: "InvalidKMSKey",
        advice: KEY,
    },
    Late {
        says: "Given key ID is not accessible",
        advice: KEY,
    },
    Late {
        says: "DescribeKey permissions",
        advice: KEY,
    },
    Late {
        says: "InstanceTerminated",
        advice: "the instance was terminated or rebooted while it was captured: let it be until the image is available",
    },
    Late {
        says: "InvalidSnapshot.NotFound",
        advice: "a snapshot that was being read was deleted meanwhile",
    },
    Late {
        says: "VolumeLimitExceeded",
        advice: "the account has as many volumes as it may have in the region: delete some, or ask AWS for more",
    },
    Late {
        says: "Copy image failed with an internal error",
        advice: "often a KMS key that is disabled or that Amity's role may not use, such as the region's default key for \
                 encryption, or a source that went away meanwhile",
    },
];

/// EC2's words with what is known about them; `None` where EC2 says nothing.
pub(in crate::aws) fn explained(code: Option<&str>, words: Option<&str>) -> Option<String> {
    let said = words
        .or(code)
        .map(str::trim)
        .filter(|text| !text.is_empty())?;
    let is_said = |late: &&Late| {
        [code, words]
            .into_iter()
            .flatten()
            .any(|text| text.contains(late.says))
    };
    Some(match LATE.iter().find(is_said) {
        Some(late) => format!("{said} ({})", late.advice),
        None => said.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_failure_of_a_key_says_to_look_at_the_key() {
        let said = explained(
            Some("Client.InternalError"),
            Some(
                "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state",
            ),
        );
        assert!(said.is_some_and(|said| said.ends_with(&format!(" ({KEY})"))));
        let said = explained(None, Some("Given key ID is not accessible"));
        assert!(said.is_some_and(|said| said.contains("the key's policy")));
    }

    #[test]
    fn what_nobody_knows_is_said_as_ec2_says_it() {
        assert_eq!(
            explained(Some("Client.New"), Some("it broke")).as_deref(),
            Some("it broke")
        );
        assert_eq!(
            explained(Some("Client.New"), None).as_deref(),
            Some("Client.New")
        );
        assert_eq!(explained(None, Some(" ")), None);
    }

    #[test]
    fn each_sentence_has_its_own_advice() {
        for late in LATE {
            let said = explained(None, Some(late.says)).unwrap_or_default();
            assert!(said.contains(late.advice), "{said}");
        }
    }
}
