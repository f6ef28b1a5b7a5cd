//! Launch templates.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::state::LaunchData;

/// A launch template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LaunchTemplate {
    /// `lt-…`
    pub id: String,
    /// The account that it belongs to.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// The number of its default version.
    pub default_version: u64,
    /// The highest number that a version ever had; none is given again.
    pub latest_version: u64,
    /// The versions that are there, by number.
    pub versions: BTreeMap<u64, TemplateVersion>,
}

/// A version of a launch template, which never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TemplateVersion {
    /// When it was made.
    pub created: Timestamp,
    /// The ARN of who made it.
    pub created_by: String,
    /// Free text.
    pub description: Option<String>,
    /// What it says of a launch.
    pub data: LaunchData,
}

impl LaunchTemplate {
    /// A template whose versions name these images, or none, and say nothing else. The first is the default.
    pub fn of_images(
        id: impl Into<String>,
        owner: impl Into<String>,
        name: impl Into<String>,
        images: impl IntoIterator<Item = Option<String>>,
    ) -> Self {
        let owner = owner.into();
        let created_by = format!("arn:aws:iam::{owner}:root");
        let of = |image| TemplateVersion {
            created: Timestamp::UNIX_EPOCH,
            created_by: created_by.clone(),
            description: None,
            data: LaunchData::of_image(image),
        };
        let versions: BTreeMap<u64, _> = (1..).zip(images.into_iter().map(of)).collect();
        Self {
            id: id.into(),
            name: name.into(),
            owner,
            created: Timestamp::UNIX_EPOCH,
            default_version: 1,
            latest_version: versions.keys().next_back().copied().unwrap_or(1),
            versions,
        }
    }

    /// The images of its versions, the newest first.
    pub(crate) fn images(&self) -> impl Iterator<Item = Option<&String>> {
        let versions = self.versions.values().rev();
        versions.map(|version| version.data.image.as_ref())
    }
}
