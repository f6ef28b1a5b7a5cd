//! One reading of a place, and the end of the SDK's types.
//!
//! Paging is our own: the SDK's paginator ends silently when a token repeats, which would pass a short list
//! for a whole one. A page may be empty and still not be the last (EC2 Developer Guide, "Pagination").

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::sync::Arc;

use amity_core::image::attributes::{Attributes, Protection};
use amity_core::image::identity::{Reference, tag};
use amity_core::image::observed::{Image, ImageState, Registered, Snapshot};
use amity_core::image::tags::Tags;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types;
use jiff::Timestamp;

use super::memory::Reading;
use crate::aws::calls::{self, EC2Calls};
use crate::aws::effect::is_id;
use crate::aws::error::{Failure, late};
use crate::clock::Clock;

/// As many as a page may have.
const PAGE: i32 = 1000;

/// More pages than the largest account has (50,000 images are EC2's limit): a list without an end.
const MOST_PAGES: usize = 1000;

/// As many values as a filter may have (EC2 API, "Filter").
const MOST_VALUES: usize = 200;

/// What to read.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// The installation whose images these are.
    pub(super) owner: String,
    /// Snapshots too.
    pub(super) snapshots: bool,
    /// Who has these names.
    pub(super) names: BTreeSet<String>,
    /// Images that were deregistered, whatever lists still say.
    pub(super) buried: BTreeSet<String>,
}

/// The action that failed, and how.
type Failed = (&'static str, Failure);

const IMAGES: &str = "DescribeImages";
const SNAPSHOTS: &str = "DescribeSnapshots";

/// Reads a place completely, or not at all.
pub(super) async fn read(
    ec2: &Ec2,
    calls: &EC2Calls,
    ask: &Ask,
    clock: &Clock,
) -> Result<Reading, Failed> {
    let started = clock.now();
    let mut reading = Reading {
        started,
        ..Reading::default()
    };
    // By the key alone, so that one filter serves every owner and nothing is escaped; whose they are is
    // looked at here.
    let by_tag = filter("tag-key", [tag::OWNER.to_owned()]);
    list_images(ec2, calls, by_tag, |image, state| {
        if !is_ours(&image.tags, &ask.owner) {
            return;
        }
        match state {
            State::Deregistered => _ = reading.deregistered.insert(image.id),
            State::Shown(_) => _ = reading.images.insert(image.id.clone(), image),
        }
    })
    .await?;
    if ask.snapshots {
        reading.snapshots = Some(read_snapshots(ec2, calls, ask, &reading.images).await?);
    }
    for name in &ask.names {
        let holders = list_shown(ec2, calls, filter("name", [name.clone()])).await?;
        reading.names.insert(name.clone(), holders);
    }
    reading.ended = clock.now();
    Ok(reading)
}

/// The snapshots of our owner; of those that no listed image uses, who does.
async fn read_snapshots(
    ec2: &Ec2,
    calls: &EC2Calls,
    ask: &Ask,
    images: &BTreeMap<String, Image>,
) -> Result<BTreeMap<String, Snapshot>, Failed> {
    let mut snapshots = BTreeMap::new();
    list_snapshots(ec2, calls, |snapshot| {
        if is_ours(&snapshot.tags, &ask.owner) {
            snapshots.insert(snapshot.id.clone(), snapshot);
        }
    })
    .await?;
    let used: BTreeSet<&String> = images
        .values()
        .filter(|image| !ask.buried.contains(&image.id))
        .flat_map(|image| &image.snapshots)
        .collect();
    let unused: Vec<String> = snapshots
        .keys()
        .filter(|id| !used.contains(id))
        .cloned()
        .collect();
    for ids in unused.chunks(MOST_VALUES) {
        let of_these = filter("block-device-mapping.snapshot-id", ids.to_vec());
        let users = list_shown(ec2, calls, of_these).await?;
        for id in ids {
            let using = users.iter().filter(|image| image.snapshots.contains(id));
            if let Some(snapshot) = snapshots.get_mut(id) {
                snapshot.used_by = Some(using.map(|image| image.id.clone()).collect());
            }
        }
    }
    Ok(snapshots)
}

/// What EC2 says of an image.
pub(super) enum State {
    Deregistered,
    Shown(ImageState),
}

/// Gives every image of the account that fits to `take`, page by page, so that no whole list is kept in EC2's words:
/// always the account's own, since tags of ours may sit on others' public images, and disabled ones too, since they
/// hold their snapshots.
async fn list_images(
    ec2: &Ec2,
    calls: &EC2Calls,
    filter: types::Filter,
    mut take: impl FnMut(Image, State),
) -> Result<(), Failed> {
    let mut pages = Pages::default();
    let mut usual = Arc::default();
    loop {
        let request = ec2
            .describe_images()
            .owners("self")
            .filters(filter.clone())
            .include_disabled(true)
            .max_results(PAGE)
            .set_next_token(pages.token.clone());
        let page = calls::read(calls, IMAGES, || request.clone().send())
            .await
            .map_err(|failure| (IMAGES, failure))?;
        for image in page.images() {
            let (mut image, state) = listed(image).map_err(|failure| (IMAGES, failure))?;
            if image.attributes == usual {
                image.attributes = Arc::clone(&usual);
            } else {
                usual = Arc::clone(&image.attributes);
            }
            take(image, state);
        }
        if pages
            .is_last(page.next_token())
            .map_err(|failure| (IMAGES, failure))?
        {
            return Ok(());
        }
    }
}

/// The images that fit and are not deregistered.
pub(super) async fn list_shown(
    ec2: &Ec2,
    calls: &EC2Calls,
    filter: types::Filter,
) -> Result<Vec<Image>, Failed> {
    let mut shown = Vec::new();
    list_images(ec2, calls, filter, |image, state| {
        if matches!(state, State::Shown(_)) {
            shown.push(image);
        }
    })
    .await?;
    Ok(shown)
}

/// The same of snapshots.
async fn list_snapshots(
    ec2: &Ec2,
    calls: &EC2Calls,
    mut take: impl FnMut(Snapshot),
) -> Result<(), Failed> {
    let mut pages = Pages::default();
    loop {
        let request = ec2
            .describe_snapshots()
            .owner_ids("self")
            .filters(filter("tag-key", [tag::OWNER.to_owned()]))
            .max_results(PAGE)
            .set_next_token(pages.token.clone());
        let page = calls::read(calls, SNAPSHOTS, || request.clone().send())
            .await
            .map_err(|failure| (SNAPSHOTS, failure))?;
        for snapshot in page.snapshots() {
            take(snapshot_of(snapshot).map_err(|failure| (SNAPSHOTS, failure))?);
        }
        if pages
            .is_last(page.next_token())
            .map_err(|failure| (SNAPSHOTS, failure))?
        {
            return Ok(());
        }
    }
}

/// Where a list is.
#[derive(Debug, Default)]
pub(super) struct Pages {
    token: Option<String>,
    seen: BTreeSet<String>,
}

impl Pages {
    /// The token of the page that comes next; `None` for the first.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Takes the token of the next page. One that was there before, or too many, mean that the list has no
    /// end; it is not a short one.
    pub(super) fn is_last(&mut self, next: Option<&str>) -> Result<bool, Failure> {
        let Some(next) = next.filter(|token| !token.is_empty()) else {
            return Ok(true);
        };
        if !self.seen.insert(next.to_owned()) || self.seen.len() > MOST_PAGES {
            return Err(Failure::unknown(
                "EC2's list has no end: the token of a page came a second time",
            ));
        }
        self.token = Some(next.to_owned());
        Ok(false)
    }
}

pub(super) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> types::Filter {
    types::Filter::builder()
        .name(name)
        .set_values(Some(values.into_iter().collect()))
        .build()
}

fn is_ours(tags: &Tags, owner: &str) -> bool {
    tags.get(tag::OWNER) == Some(owner)
}

/// An image, which EC2 may still list although it is deregistered.
fn listed(image: &types::Image) -> Result<(Image, State), Failure> {
    let state = state_of(image);
    let shown = match state {
        State::Shown(state) => state,
        State::Deregistered => ImageState::Failed,
    };
    Ok((image_of(image, shown)?, state))
}

/// An image in our own words.
pub(super) fn image_of(image: &types::Image, state: ImageState) -> Result<Image, Failure> {
    let id = image
        .image_id()
        .filter(|id| is_id("ami-", id))
        .ok_or_else(|| broken("an image without an id"))?;
    let source_image = image.source_image_region().zip(image.source_image_id());
    Ok(Image {
        id: id.to_owned(),
        name: image.name().unwrap_or_default().to_owned(),
        state,
        state_reason: image
            .state_reason()
            .and_then(|reason| late::explained(reason.code(), reason.message())),
        progress: None,
        created: image.creation_date().and_then(|text| text.parse().ok()),
        source_instance: image.source_instance_id().map(str::to_owned),
        source_image: source_image.map(|(region, id)| Reference::new(region, id)),
        last_launched: image
            .last_launched_time()
            .and_then(|text| text.parse::<Timestamp>().ok()),
        snapshots: snapshots_of(image),
        registered: registered(image),
        attributes: attributes_of(image).into(),
        tags: tags_of(image.tags()),
    })
}

fn attributes_of(image: &types::Image) -> Attributes {
    let protection = image.deregistration_protection().unwrap_or_default();
    Attributes {
        description: image.description().unwrap_or_default().to_owned(),
        requires_imds_v2: image.imds_support() == Some(&types::ImdsSupportValues::V20),
        deprecation: image.deprecation_time().and_then(|text| text.parse().ok()),
        protection: protection_of(protection),
        public: image.public().unwrap_or_default(),
        is_windows: image.platform().is_some_and(is_windows),
    }
}

/// EC2 answers `windows`, and its model says `Windows`.
fn is_windows(platform: &types::PlatformValues) -> bool {
    platform.as_str().eq_ignore_ascii_case("windows")
}

/// What EC2 says of the protection against deregistration: a word, or from when on it is off. What it may say
/// besides counts as protected.
fn protection_of(text: &str) -> Protection {
    match text {
        "" | "disabled" => Protection::Disabled,
        "enabled-with-cooldown" => Protection::EnabledWithCooldown,
        text => text
            .strip_prefix("disabled after ")
            .and_then(|time| time.trim().parse().ok())
            .map_or(Protection::Enabled, Protection::DisabledAfter),
    }
}

/// The ids of its snapshots, in no more room than they need.
fn snapshots_of(image: &types::Image) -> Vec<String> {
    let devices = image.block_device_mappings().iter();
    let ids = devices.filter_map(|device| device.ebs()?.snapshot_id());
    let mut ids: Vec<String> = ids.map(str::to_owned).collect();
    ids.shrink_to_fit();
    ids
}

/// What is kept of an image that was registered of snapshots, as far as can be seen.
fn registered(image: &types::Image) -> Option<Box<Registered>> {
    let shows_a_source = image.source_instance_id().is_some() || image.source_image_id().is_some();
    (!shows_a_source).then(|| {
        Box::new(Registered {
            root_snapshot: root_snapshot(image),
            platform_details: image.platform_details().map(str::to_owned),
        })
    })
}

/// The snapshot of the root device.
fn root_snapshot(image: &types::Image) -> Option<String> {
    let root = image.root_device_name()?;
    let mut devices = image.block_device_mappings().iter();
    let device = devices.find(|device| device.device_name() == Some(root))?;
    device.ebs()?.snapshot_id().map(str::to_owned)
}

/// An image's state, reduced to what a decision needs.
pub(super) fn state_of(image: &types::Image) -> State {
    use types::ImageState as Ec2State;
    State::Shown(match image.state() {
        Some(Ec2State::Deregistered) => return State::Deregistered,
        Some(Ec2State::Available) => ImageState::Available,
        Some(Ec2State::Disabled) => ImageState::Disabled,
        Some(Ec2State::Failed | Ec2State::Error | Ec2State::Invalid) => ImageState::Failed,
        // Pending, transient, none, and whatever EC2 invents: nothing is done with it until it is one of
        // the above.
        _ => ImageState::Pending,
    })
}

fn snapshot_of(snapshot: &types::Snapshot) -> Result<Snapshot, Failure> {
    let id = snapshot
        .snapshot_id()
        .filter(|id| is_id("snap-", id))
        .ok_or_else(|| broken("a snapshot without an id"))?;
    Ok(Snapshot {
        id: id.to_owned(),
        pending: snapshot.state() == Some(&types::SnapshotState::Pending),
        progress: snapshot
            .progress()
            .and_then(|text| text.trim_end_matches('%').parse().ok()),
        failure: (snapshot.state() == Some(&types::SnapshotState::Error)).then(|| {
            late::explained(None, snapshot.state_message())
                .unwrap_or_else(|| "EC2 gives no reason".to_owned())
                .into()
        }),
        used_by: None,
        size_gib: snapshot.volume_size().unwrap_or_default(),
        full_bytes: snapshot
            .full_snapshot_size_in_bytes()
            .and_then(|bytes| NonZeroU64::new(bytes.try_into().ok()?)),
        tags: tags_of(snapshot.tags()),
    })
}

/// Tags in one piece.
pub(super) fn tags_of(tags: &[types::Tag]) -> Tags {
    tags.iter()
        .filter_map(|tag| {
            Some((
                tag.key()?.to_owned(),
                tag.value().unwrap_or_default().to_owned(),
            ))
        })
        .collect()
}

fn broken(what: &str) -> Failure {
    Failure::unknown(format!("EC2's answer is broken: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_only_where_ec2_says_so() {
        let mut pages = Pages::default();
        assert_eq!(pages.is_last(Some("a")), Ok(false));
        assert_eq!(pages.is_last(Some("b")), Ok(false));
        assert_eq!(pages.is_last(Some("")), Ok(true));
        assert_eq!(Pages::default().is_last(None), Ok(true));
    }

    #[test]
    fn a_repeated_token_is_an_error_and_not_the_end() {
        let mut pages = Pages::default();
        assert_eq!(pages.is_last(Some("a")), Ok(false));
        assert_eq!(pages.is_last(Some("b")), Ok(false));
        assert!(pages.is_last(Some("a")).is_err());
    }

    #[test]
    fn half_an_id_is_no_image() {
        let image = types::Image::builder()
            .image_id("ami-0123")
            .state(types::ImageState::Available)
            .build();
        assert!(listed(&image).is_err());
    }

    #[test]
    fn what_protects_an_image_is_read_in_ec2s_words() {
        let until = "2026-03-02T10:20:30Z".parse().expect("a time");
        for (text, protection) in [
            ("disabled", Protection::Disabled),
            ("enabled-without-cooldown", Protection::Enabled),
            ("enabled-with-cooldown", Protection::EnabledWithCooldown),
            (
                "disabled after 2026-03-02T10:20:30.000Z",
                Protection::DisabledAfter(until),
            ),
            ("enabled-by-somebody", Protection::Enabled),
        ] {
            assert_eq!(protection_of(text), protection, "{text}");
        }
    }

    #[test]
    fn an_unknown_state_is_waited_for() {
        let image = types::Image::builder()
            .state(types::ImageState::Transient)
            .build();
        assert!(matches!(
            state_of(&image),
            State::Shown(ImageState::Pending)
        ));
        let image = types::Image::builder()
            .state(types::ImageState::Deregistered)
            .build();
        assert!(matches!(state_of(&image), State::Deregistered));
    }
}
