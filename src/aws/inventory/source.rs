//! What a spec names as its source, read by id when a plan needs it, and remembered for half a minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use amity_core::image::desired::Desired;
use amity_core::image::identity::{Place, Reference};
use amity_core::image::observed::{SourceImage, SourceInstance, SourceView};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{DeviceType, Reservation};
use jiff::{SignedDuration, Timestamp};

use super::read::{State, state_of, tags_of};
use super::{Inventory, not_read_yet};
use crate::aws::calls::{self, EC2Calls};
use crate::aws::error::Failure;

/// How long an answer serves everybody who asks for the same.
const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// The same for a failure.
const FAILURE_FRESH: SignedDuration = SignedDuration::from_secs(5);

/// The sources that were read of late, by account and reference.
#[derive(Debug, Default)]
pub(super) struct Sources {
    views: Mutex<BTreeMap<(String, Reference), (Timestamp, SourceView)>>,
    /// How many snapshots each image has, which no longer changes.
    snapshots: Mutex<BTreeMap<(String, Reference), usize>>,
}

impl Sources {
    fn get(&self, key: &(String, Reference), now: Timestamp) -> Option<SourceView> {
        let mut sources = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|_, (until, _)| now < *until);
        sources.get(key).map(|(_, view)| view.clone())
    }

    fn put(&self, key: (String, Reference), view: &SourceView, now: Timestamp) {
        let fresh = if matches!(view, SourceView::Unreadable(_)) {
            FAILURE_FRESH
        } else {
            FRESH
        };
        self.views
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, (now + fresh, view.clone()));
    }

    fn has_snapshots(&self, account: &str, image: &Reference, count: usize) {
        let mut snapshots = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        snapshots.insert((account.to_owned(), image.clone()), count);
    }

    /// How many snapshots an image has that a spec names, if it was read.
    pub(super) fn snapshots_of(&self, account: &str, image: &Reference) -> Option<usize> {
        let snapshots = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        snapshots.get(&(account.to_owned(), image.clone())).copied()
    }
}

impl Inventory {
    /// The source of a spec.
    pub(super) async fn source(&self, desired: &Desired) -> SourceView {
        let place = desired.origin_place();
        let key = (place.account.clone(), desired.origin.clone());
        if let Some(view) = self.sources.get(&key, self.clock.now()) {
            return view;
        }
        let Some(session) = self.sessions.proven(&place.account) else {
            return SourceView::Unreadable(self.why_closed(&place));
        };
        let ec2 = session.ec2(&place.region);
        let view = self.read_source(&ec2, &desired.origin, &place).await;
        self.sources.put(key, &view, self.clock.now());
        view
    }

    /// Reads a source in its turn.
    async fn read_source(&self, ec2: &Ec2, source: &Reference, place: &Place) -> SourceView {
        let action = if source.is_instance() {
            "DescribeInstances"
        } else if source.is_image() {
            "DescribeImages"
        } else {
            let message = format!("{source} is neither an instance (i-…) nor an image (ami-…)");
            return SourceView::Missing { message };
        };
        if let Err(not_now) = self.budget.turn(place, action).await {
            return SourceView::Unreadable(not_now);
        }
        let calls = self.sessions.calls();
        let read = if source.is_instance() {
            instance(ec2, calls, &source.id).await
        } else {
            image(ec2, calls, &source.id).await.map(|found| {
                found.map(|(image, snapshots)| {
                    self.sources
                        .has_snapshots(&place.account, source, snapshots);
                    SourceView::Image(image)
                })
            })
        };
        let class = read.as_ref().err().map(|failure| failure.class);
        self.budget.was_read(place, action, class);
        match read {
            Ok(Some(view)) => view,
            Ok(None) => SourceView::Missing {
                message: format!("EC2 shows no {} to account {}", source.id, place.account),
            },
            Err(failure) if failure.is_source_not_there() => SourceView::Missing {
                message: failure.words,
            },
            Err(failure) => SourceView::Unreadable(failure.unreadable(action, place)),
        }
    }

    fn why_closed(&self, place: &Place) -> amity_core::image::observed::Unreadable {
        let state = self.state();
        let known = state.accounts.get(&place.account);
        known
            .and_then(|account| account.as_ref().err().cloned())
            .unwrap_or_else(|| not_read_yet(place))
    }
}

async fn instance(ec2: &Ec2, calls: &EC2Calls, id: &str) -> Result<Option<SourceView>, Failure> {
    let request = ec2.describe_instances().instance_ids(named(id)?);
    let answer = calls::read(calls, "DescribeInstances", || request.clone().send()).await?;
    let found = answer
        .reservations()
        .iter()
        .flat_map(Reservation::instances);
    let found = found
        .into_iter()
        .find(|instance| instance.instance_id() == Some(id));
    Ok(found.map(|instance| {
        let state = instance.state().and_then(|state| state.name()).map_or("pending", |name| name.as_str());
        let from_store = instance.root_device_type() == Some(&DeviceType::InstanceStore);
        SourceView::Instance(SourceInstance {
            state: state.to_owned(),
            tags: tags_of(instance.tags()),
            unsupported: from_store
                .then(|| "its root device is an instance store, of which EC2 makes no image by CreateImage".to_owned()),
        })
    }))
}

/// An image, and how many snapshots it has.
async fn image(
    ec2: &Ec2,
    calls: &EC2Calls,
    id: &str,
) -> Result<Option<(SourceImage, usize)>, Failure> {
    let request = ec2
        .describe_images()
        .image_ids(named(id)?)
        .include_disabled(true);
    let answer = calls::read(calls, "DescribeImages", || request.clone().send()).await?;
    let Some(image) = answer
        .images()
        .iter()
        .find(|image| image.image_id() == Some(id))
    else {
        return Ok(None);
    };
    Ok(match state_of(image) {
        State::Deregistered => None,
        State::Shown(state) => {
            let devices = image.block_device_mappings().iter();
            let snapshots = devices.filter_map(|device| device.ebs()?.snapshot_id());
            let source = SourceImage {
                state,
                owner: image.owner_id().unwrap_or_default().to_owned(),
                owner_alias: image.image_owner_alias().map(str::to_owned),
            };
            Some((source, snapshots.count()))
        }
    })
}

/// An id to ask for: none would be a call for everything.
fn named(id: &str) -> Result<&str, Failure> {
    if id.is_empty() {
        Err(Failure::ours("there is no id to read"))
    } else {
        Ok(id)
    }
}
