//! What a spec names as its source, read when a plan needs it, and remembered for half a minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use amity_core::api::Follow;
use amity_core::image::desired::{Desired, ImageName, Parameter, Published};
use amity_core::image::identity::{Place, Reference, tag};
use amity_core::image::observed::{
    ImageState, SourceImage, SourceInstance, SourceSnapshot, SourceView, Unreadable,
};
use amity_core::image::plan::SourceQuery;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{self, DeviceType, Reservation};
use aws_sdk_ssm::Client as Ssm;
use jiff::{SignedDuration, Timestamp};

use super::read::{Pages, State, filter, state_of, tags_of};
use super::remembered::Remembered;
use super::{Inventory, not_read_yet};
use crate::aws::calls::{self, EC2Calls};
use crate::aws::effect::is_id;
use crate::aws::error::Failure;
use crate::aws::session::Session;

/// How long an answer serves everybody who asks for the same.
const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// The same for a failure.
const FAILURE_FRESH: SignedDuration = SignedDuration::from_secs(5);

/// What was asked: an account, and what of it.
type Key = (String, SourceQuery);

/// The sources that were read of late.
#[derive(Debug, Default)]
pub(super) struct Sources {
    views: Remembered<Key, SourceView>,
    /// Where the sources that are followed led, and when that was found out.
    followed: Mutex<BTreeMap<Key, (Timestamp, SourceView)>>,
    /// How many snapshots each image has, which no longer changes.
    snapshots: Mutex<BTreeMap<(String, Reference), usize>>,
}

impl Sources {
    /// Where a source led not longer than `interval` ago.
    fn led(&self, key: &Key, interval: SignedDuration, now: Timestamp) -> Option<SourceView> {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, view) = followed.get(key)?;
        (now.duration_since(*at) < interval).then(|| view.clone())
    }

    fn leads(&self, key: Key, view: &SourceView, now: Timestamp) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.retain(|_, (at, _)| now.duration_since(*at) < Follow::LONGEST);
        followed.insert(key, (now, view.clone()));
    }

    fn has_snapshots(&self, account: &str, image: Reference, count: usize) {
        let mut snapshots = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        snapshots.insert((account.to_owned(), image), count);
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
    /// What EC2 answered of late about a source in `place`.
    pub(super) fn remembered_source(
        &self,
        place: &Place,
        query: &SourceQuery,
    ) -> Option<SourceView> {
        let key = (place.account.clone(), query.clone());
        self.sources.views.get(&key, self.clock.now())
    }

    /// What EC2 shows of a source: by a call, or from the lists where these tell.
    pub(super) async fn source_of(&self, desired: &Desired, query: &SourceQuery) -> SourceView {
        let place = desired.source_place();
        match query {
            SourceQuery::Published(published) => self.published(desired, &place, published),
            query => {
                let object = &desired.identity.object;
                self.source_in_a_moment(&place, query, object).await
            }
        }
    }

    /// Where a source leads that is followed: what was found out within the interval, for whichever object.
    pub(super) async fn followed(
        &self,
        desired: &Desired,
        query: &SourceQuery,
        interval: SignedDuration,
    ) -> SourceView {
        let key = (desired.source_place().account, query.clone());
        let now = self.clock.now();
        if let Some(view) = self.sources.led(&key, interval, now) {
            return view;
        }
        let view = self.source_of(desired, query).await;
        // Whatever else it is may be mended at any time.
        if matches!(&view, SourceView::Image(image) if image.state == ImageState::Available) {
            self.sources.leads(key, &view, now);
        }
        view
    }

    /// The image that another object has published in `place`, which is in the list of the place.
    fn published(&self, desired: &Desired, place: &Place, published: &Published) -> SourceView {
        let mut state = self.state();
        if let Some(unreadable) = state.why_unreadable(place, &desired.identity.object) {
            return SourceView::Unreadable(unreadable);
        }
        let known = state.places.get(place);
        match known.and_then(|known| known.memory.view(&published.object)) {
            Some(known) => published.among(&known.images, &desired.identity, &place.account),
            None => SourceView::Unreadable(not_read_yet(place)),
        }
    }

    /// Reads a source, and remembers what came of it.
    pub(super) async fn read_source(&self, place: &Place, query: &SourceQuery) {
        let view = match self.sessions.proven(&place.account) {
            Some(session) => match query {
                SourceQuery::Parameter(parameter) => {
                    self.read_parameter(&session, parameter, place).await
                }
                query => {
                    let ec2 = session.ec2(&place.region);
                    self.read_source_in_turn(&ec2, query, place).await
                }
            },
            None => SourceView::Unreadable(self.why_closed(place)),
        };
        let key = (place.account.clone(), query.clone());
        let fresh = match view {
            SourceView::Unreadable(_) => FAILURE_FRESH,
            _ => FRESH,
        };
        let now = self.clock.now();
        self.sources.views.put(key, view, now + fresh, now);
    }

    /// The image whose id the parameter holds. Any other value is not told: whoever may write a spec may not be
    /// one who may read the parameter.
    async fn read_parameter(
        &self,
        session: &Session,
        parameter: &Parameter,
        place: &Place,
    ) -> SourceView {
        let ssm = session.ssm(&place.region);
        let value = value_of(&ssm, self.sessions.calls(), &parameter.name);
        let value = match self.in_turn(place, PARAMETER, value).await {
            Ok(Ok(value)) => value,
            Ok(Err(failure)) if failure.is_source_not_there() => {
                return SourceView::Missing {
                    message: format!(
                        "Systems Manager shows no such parameter in {} to account {}",
                        place.region, place.account
                    ),
                };
            }
            Ok(Err(failure)) => {
                return SourceView::Unreadable(failure.unreadable(PARAMETER, place));
            }
            Err(not_now) => return SourceView::Unreadable(not_now),
        };
        if !is_id("ami-", &value) {
            return SourceView::NoImage {
                message: format!(
                    "the value of parameter {} in {} is no image's id: name a parameter whose value is one, such as \
                     ami-0123456789abcdef0 and nothing else",
                    parameter.name, place.region
                ),
            };
        }
        let ec2 = session.ec2(&place.region);
        let image = SourceQuery::Image(Reference::new(place.region.as_str(), value.as_str()));
        match self.read_source_in_turn(&ec2, &image, place).await {
            SourceView::Missing { message } => SourceView::Missing {
                message: format!("the value of the parameter is {value}, and {message}"),
            },
            view => view,
        }
    }

    async fn read_source_in_turn(
        &self,
        ec2: &Ec2,
        query: &SourceQuery,
        place: &Place,
    ) -> SourceView {
        let action = match query {
            SourceQuery::Instance(_) => INSTANCES,
            SourceQuery::Snapshots(..) => SNAPSHOTS,
            SourceQuery::Image(_) | SourceQuery::NamedImage(_) | SourceQuery::Published(_) => {
                IMAGES
            }
            SourceQuery::Parameter(_) => PARAMETER,
        };
        let answer = self
            .in_turn(
                place,
                action,
                read(ec2, self.sessions.calls(), query, &self.owner),
            )
            .await;
        match answer {
            Ok(Ok(Some(Found { view, snapshots }))) => {
                if let (SourceView::Image(image), Some(count)) = (&view, snapshots) {
                    let reference = Reference::new(place.region.as_str(), image.id.as_str());
                    self.sources.has_snapshots(&place.account, reference, count);
                }
                view
            }
            Ok(Ok(None)) => {
                let message = format!("EC2 shows no {query} to account {}", place.account);
                self.missing(ec2, query, place, message).await
            }
            Ok(Err(failure)) if failure.is_source_not_there() => {
                self.missing(ec2, query, place, failure.words).await
            }
            Ok(Err(failure)) => SourceView::Unreadable(failure.unreadable(action, place)),
            Err(not_now) => SourceView::Unreadable(not_now),
        }
    }

    /// What is not shown, with what may hide it: where Allowed AMIs is enabled, images of others that its criteria do
    /// not allow are shown, copied and launched no more, as if they were gone (EC2 User Guide, "Control the discovery
    /// and use of AMIs in Amazon EC2 with Allowed AMIs"). Whether that hides this one cannot be known.
    async fn missing(
        &self,
        ec2: &Ec2,
        query: &SourceQuery,
        place: &Place,
        message: String,
    ) -> SourceView {
        let may_be_hidden = match query {
            SourceQuery::Image(_) => true,
            // An account's own images are always allowed.
            SourceQuery::NamedImage(named) => named.owner != "self" && named.owner != place.account,
            _ => false,
        };
        // What cannot be read explains nothing, and is no reason to say less.
        let hides = may_be_hidden
            && matches!(
                self.in_turn(place, ALLOWED, hides_images(ec2, self.sessions.calls()))
                    .await,
                Ok(Ok(true))
            );
        let message = if hides {
            format!(
                "{} (Allowed AMIs is enabled in {} for account {}, and hides images of other owners that its criteria do \
                 not allow: if this is one, allow it there, see aws ec2 get-allowed-images-settings)",
                message.trim_end_matches('.'),
                place.region,
                place.account
            )
        } else {
            message
        };
        SourceView::Missing { message }
    }

    /// Sends a read of one object when it is its turn; the outer error says that this would take too long.
    pub(super) async fn in_turn<T>(
        &self,
        place: &Place,
        action: &'static str,
        read: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Result<T, Failure>, Unreadable> {
        self.budget.turn(place, action).await?;
        let answer = read.await;
        let class = answer.as_ref().err().map(|failure| failure.class);
        self.budget.was_read(place, action, class);
        Ok(answer)
    }

    pub(super) fn why_closed(&self, place: &Place) -> Unreadable {
        let state = self.state();
        let known = state.accounts.get(&place.account);
        known
            .and_then(|account| account.as_ref().err().cloned())
            .unwrap_or_else(|| not_read_yet(place))
    }
}

/// A source, and of an image how many snapshots it has.
struct Found {
    view: SourceView,
    snapshots: Option<usize>,
}

impl From<SourceView> for Found {
    fn from(view: SourceView) -> Self {
        Self {
            view,
            snapshots: None,
        }
    }
}

async fn read(
    ec2: &Ec2,
    calls: &EC2Calls,
    query: &SourceQuery,
    owner: &str,
) -> Result<Option<Found>, Failure> {
    Ok(match query {
        SourceQuery::Instance(at) => instance(ec2, calls, &at.id).await?.map(Found::from),
        SourceQuery::Snapshots(_, ids) => snapshots(ec2, calls, ids).await?.map(Found::from),
        SourceQuery::Image(at) => image(ec2, calls, &at.id, owner).await?,
        SourceQuery::NamedImage(named) => newest_image(ec2, calls, named, owner).await?,
        // A parameter leads to an image by its id, and the lists tell what is published.
        SourceQuery::Parameter(_) | SourceQuery::Published(_) => None,
    })
}

const INSTANCES: &str = "DescribeInstances";
const SNAPSHOTS: &str = "DescribeSnapshots";
const IMAGES: &str = "DescribeImages";
const PARAMETER: &str = "GetParameter";
const ALLOWED: &str = "GetAllowedImagesSettings";

/// Whether Allowed AMIs hides images of others.
async fn hides_images(ec2: &Ec2, calls: &EC2Calls) -> Result<bool, Failure> {
    let request = ec2.get_allowed_images_settings();
    let settings = calls::read(calls, ALLOWED, || request.clone().send()).await?;
    Ok(settings.state() == Some("enabled"))
}

async fn value_of(ssm: &Ssm, calls: &EC2Calls, name: &str) -> Result<String, Failure> {
    let request = ssm.get_parameter().name(named(name)?);
    let answer = calls::read(calls, PARAMETER, || request.clone().send()).await?;
    let parameter = answer.parameter();
    Ok(parameter
        .and_then(|parameter| parameter.value())
        .unwrap_or_default()
        .to_owned())
}

async fn instance(ec2: &Ec2, calls: &EC2Calls, id: &str) -> Result<Option<SourceView>, Failure> {
    let request = ec2.describe_instances().instance_ids(named(id)?);
    let answer = calls::read(calls, INSTANCES, || request.clone().send()).await?;
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
        let devices = instance.block_device_mappings().iter().filter_map(|one| one.device_name());
        let root = instance.root_device_name();
        SourceView::Instance(SourceInstance {
            state: state.to_owned(),
            tags: tags_of(instance.tags()).to_map(),
            data_devices: devices.filter(|device| Some(*device) != root).map(str::to_owned).collect(),
            unsupported: from_store
                .then(|| "its root device is an instance store, of which EC2 makes no image by CreateImage".to_owned()),
        })
    }))
}

/// All of them, in the order of `ids`, or none: an id that the account may not see is left out of the answer.
async fn snapshots(
    ec2: &Ec2,
    calls: &EC2Calls,
    ids: &[String],
) -> Result<Option<SourceView>, Failure> {
    if ids.is_empty() {
        return Err(nothing_to_read());
    }
    let request = ec2
        .describe_snapshots()
        .set_snapshot_ids(Some(ids.to_vec()));
    let answer = calls::read(calls, SNAPSHOTS, || request.clone().send()).await?;
    let found = |id: &String| {
        let mut all = answer.snapshots().iter();
        let snapshot = all.find(|one| one.snapshot_id() == Some(id))?;
        Some(SourceSnapshot {
            id: id.clone(),
            state: snapshot
                .state()
                .map_or("pending", |state| state.as_str())
                .to_owned(),
            owner: snapshot.owner_id().unwrap_or_default().to_owned(),
            tags: tags_of(snapshot.tags()).to_map(),
        })
    };
    let found: Option<Vec<_>> = ids.iter().map(found).collect();
    Ok(found.map(SourceView::Snapshots))
}

async fn image(
    ec2: &Ec2,
    calls: &EC2Calls,
    id: &str,
    owner: &str,
) -> Result<Option<Found>, Failure> {
    let request = ec2
        .describe_images()
        .image_ids(named(id)?)
        .include_disabled(true);
    let answer = calls::read(calls, IMAGES, || request.clone().send()).await?;
    let mut found = answer.images().iter();
    let found = found.find(|image| image.image_id() == Some(id));
    Ok(found.and_then(|image| found_image(image, owner)))
}

/// The newest available image of the name, by its creation date and then by its id, so that everybody who looks
/// at the same list takes the same.
async fn newest_image(
    ec2: &Ec2,
    calls: &EC2Calls,
    named: &ImageName,
    owner: &str,
) -> Result<Option<Found>, Failure> {
    let all = images_called(ec2, calls, named).await?;
    let of_name = all
        .iter()
        .filter(|image| image.name() == Some(named.name.as_str()));
    let newest = of_name
        .filter(|image| image.state() == Some(&types::ImageState::Available))
        .max_by_key(|image| {
            let created = image.creation_date().and_then(|text| text.parse().ok());
            (created.unwrap_or(Timestamp::MIN), image.image_id())
        });
    Ok(newest.and_then(|image| found_image(image, owner)))
}

/// Always of one owner: anybody can give a public image any name.
async fn images_called(
    ec2: &Ec2,
    calls: &EC2Calls,
    named: &ImageName,
) -> Result<Vec<types::Image>, Failure> {
    if named.owner.is_empty() || named.name.is_empty() {
        return Err(nothing_to_read());
    }
    let request = ec2
        .describe_images()
        .owners(&named.owner)
        // Deprecated images of others are left out of lists else, and can be copied all the same.
        .include_deprecated(true)
        .filters(filter("name", [literal(&named.name)]));
    let request = match named.architecture {
        Some(architecture) => request.filters(filter("architecture", [architecture.to_owned()])),
        None => request,
    };
    let mut all = Vec::new();
    let mut pages = Pages::default();
    loop {
        let request = request
            .clone()
            .set_next_token(pages.token().map(str::to_owned));
        let page = calls::read(calls, IMAGES, || request.clone().send()).await?;
        all.extend_from_slice(page.images());
        if pages.is_last(page.next_token())? {
            return Ok(all);
        }
    }
}

/// A value that a filter takes as it stands: `*`, `?` and the backslash mean something else there.
fn literal(value: &str) -> String {
    let escaped = |character| match character {
        '*' | '?' | '\\' => vec!['\\', character],
        _ => vec![character],
    };
    value.chars().flat_map(escaped).collect()
}

fn found_image(image: &types::Image, owner: &str) -> Option<Found> {
    let State::Shown(state) = state_of(image) else {
        return None;
    };
    let devices = image.block_device_mappings().iter();
    let volumes = devices.filter_map(|device| device.ebs());
    let sizes = volumes.clone().map(types::EbsBlockDevice::volume_size);
    let snapshots = volumes.filter_map(types::EbsBlockDevice::snapshot_id);
    let view = SourceView::Image(SourceImage {
        id: image.image_id()?.to_owned(),
        name: image.name().unwrap_or_default().to_owned(),
        architecture: image
            .architecture()
            .map_or("", |architecture| architecture.as_str())
            .to_owned(),
        state,
        owner: image.owner_id().unwrap_or_default().to_owned(),
        owner_alias: image.image_owner_alias().map(str::to_owned),
        object: object_of(image, owner),
        size_gib: sizes.sum(),
    });
    Some(Found {
        view,
        snapshots: Some(snapshots.count()),
    })
}

/// The object of this installation that an image is of: as its tags say, which are its own by their seal.
fn object_of(image: &types::Image, owner: &str) -> Option<String> {
    let tags = tags_of(image.tags());
    let is_ours = tags.get(tag::OWNER) == Some(owner) && tags.get(tag::SELF) == image.image_id();
    tags.get(tag::OBJECT).filter(|_| is_ours).map(str::to_owned)
}

/// An id to ask for: none would be a call for everything.
fn named(id: &str) -> Result<&str, Failure> {
    if id.is_empty() {
        Err(nothing_to_read())
    } else {
        Ok(id)
    }
}

fn nothing_to_read() -> Failure {
    Failure::ours("there is nothing to read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_an_id_of_the_old_or_the_new_length() {
        for id in ["ami-0123abcd", "ami-0123456789abcdef0"] {
            assert!(is_id("ami-", id), "{id}");
        }
        for other in [
            "",
            "ami-",
            "ami-0123ABCD",
            "ami-0123abc",
            " ami-0123abcd",
            "ami-0123456789abcdef0\n",
            "snap-0123456789abcdef0",
            "{\"image_id\": \"ami-0123abcd\"}",
        ] {
            assert!(!is_id("ami-", other), "{other:?}");
        }
    }

    #[test]
    fn a_name_is_taken_literally() {
        assert_eq!(literal("al2023 (x)"), "al2023 (x)");
        assert_eq!(literal("a*b?c\\"), "a\\*b\\?c\\\\");
    }
}
