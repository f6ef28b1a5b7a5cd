//! `EnableFastLaunch`, `DisableFastLaunch`, `DescribeFastLaunchImages` (model; docs: UG
//! win-ami-config-fast-launch, win-start-fast-launch-prereqs).
//!
//! Only for Windows, of images that the caller owns or that are shared with it. Enabling takes a
//! while and then leaves snapshots of the caller's, which no launch uses up here; disabling takes
//! a while and removes them, and only then it can be enabled again. What failed is disabled as what
//! is enabled; EC2's reasons are not known.

use crate::chance::after;
use crate::error::{ApiError, check_id};
use crate::filters::{Filters, Known};
use crate::images::one_of;
use crate::lag::View;
use crate::paging::{Bounds, Paging};
use crate::state::{
    FastLaunch, FastLaunchState, FastLaunchTemplate, Image, ImageState, SnapshotState, Tags,
};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, Xml};
use crate::world::{Call, Due, World};

/// The least of `MaxParallelLaunches` (model), also what it is if nobody says.
const LEAST_PARALLEL: u32 = 6;
/// What the images of an account may have of that together in a region (docs).
const MOST_PARALLEL: u32 = 40;
/// How many snapshots are kept if nobody says.
const USUAL_TARGET: u32 = 5;
const RESOURCE_TYPE: &str = "snapshot";

const FILTERS: Known = Known {
    fields: &["owner-id", "resource-type", "state"],
    not_modelled: &[],
    tags: false,
};

const BOUNDS: Bounds = Bounds { low: 1, high: 200 };

impl World {
    pub(crate) fn enable_fast_launch(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        let kind = parameters.text("ResourceType");
        let target = parameters.number("SnapshotConfiguration.TargetResourceCount")?;
        let parallel = parameters.number("MaxParallelLaunches")?;
        let template = take_template(&mut parameters)?;
        let target = target.unwrap_or(USUAL_TARGET);
        let parallel = parallel.unwrap_or(LEAST_PARALLEL);
        check_id("ami", &id)?;
        one_of(
            "resourceType",
            kind.as_deref().unwrap_or(RESOURCE_TYPE),
            &[RESOURCE_TYPE],
        )?;
        if parallel < LEAST_PARALLEL {
            return Err(ApiError::invalid_value(format!(
                "Value ({parallel}) for parameter maxParallelLaunches is invalid. It must be {LEAST_PARALLEL} or \
                 greater."
            )));
        }
        if target == 0 {
            return Err(ApiError::invalid_value(
                "Value (0) for parameter targetResourceCount is invalid",
            ));
        }
        parameters.finish_action()?;

        let image = self.image_for(call, &id)?;
        check_image(image)?;
        self.check_fast_launch(call, &id, parallel)?;
        let settings = FastLaunch {
            state: FastLaunchState::Enabling,
            since: self.now,
            target,
            max_parallel_launches: parallel,
            template,
            snapshots: Vec::new(),
        };
        self.begin_fast_launch(call, id, settings)
    }

    pub(crate) fn disable_fast_launch(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        parameters.flag("Force")?;
        check_id("ami", &id)?;
        parameters.finish_action()?;

        let key = (call.account.clone(), id.clone());
        let settings = self.region(&call.region)?.fast_launches.get(&key);
        let settings = settings.filter(|settings| {
            matches!(
                settings.state,
                FastLaunchState::Enabled | FastLaunchState::EnablingFailed
            )
        });
        let mut settings = settings
            .cloned()
            .ok_or_else(|| in_wrong_state(&id, "enabled"))?;
        settings.state = FastLaunchState::Disabling;
        settings.since = self.now;
        self.begin_fast_launch(call, id, settings)
    }

    pub(crate) fn describe_fast_launch_images(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("ImageId");
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, !ids.is_empty())?;
        ids.iter().try_for_each(|id| check_id("ami", id))?;
        parameters.finish_action()?;

        let all = &self.region(&call.region)?.fast_launches;
        let own = all.iter().filter(|((account, image), settings)| {
            let field = |name: &str| match name {
                "owner-id" => vec![account.clone()],
                "resource-type" => vec![RESOURCE_TYPE.to_owned()],
                _ => vec![settings.state.to_string()],
            };
            *account == call.account
                && (ids.is_empty() || ids.contains(image))
                && filters.pass(&Tags::new(), field)
        });
        let own = own
            .map(|((account, image), settings)| (account.clone(), image.clone(), settings.clone()));
        let own: Vec<_> = own.collect();
        let (page, next) = paging.page(own, |item| &item.1, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items(
                "fastLaunchImageSet",
                page,
                |xml, (owner, image, settings)| {
                    write(xml, &owner, &image, &settings);
                },
            );
            xml.optional("nextToken", next);
        }))
    }

    /// It must not be there already, and not be more than the account may have. The codes are not
    /// known.
    fn check_fast_launch(&self, call: &Call, image: &str, parallel: u32) -> Result<(), ApiError> {
        let all = &self.region(&call.region)?.fast_launches;
        if all.contains_key(&(call.account.clone(), image.to_owned())) {
            return Err(in_wrong_state(image, "disabled"));
        }
        // Nothing is launched of what was deregistered.
        let is_there = |image: &str| {
            let image = self
                .regions
                .get(&call.region)
                .and_then(|region| region.images.get(image));
            image.is_some_and(|image| image.deregistered.is_none())
        };
        let own = all
            .iter()
            .filter(|((account, image), _)| *account == call.account && is_there(image));
        let before: u32 = own
            .map(|(_, settings)| settings.max_parallel_launches)
            .sum();
        if before.saturating_add(parallel) > MOST_PARALLEL {
            return Err(ApiError::new(
                "ResourceLimitExceeded",
                format!(
                    "You have reached the limit of {MOST_PARALLEL} parallel launches for fast launch"
                ),
            ));
        }
        Ok(())
    }

    fn begin_fast_launch(
        &mut self,
        call: &Call,
        image: String,
        settings: FastLaunch,
    ) -> Result<Reply, ApiError> {
        let reply = Reply::of(|xml| write(xml, &call.account, &image, &settings));
        let ends = after(self.now, self.knobs.fast_launch_milliseconds);
        let due = Due::FastLaunch {
            region: call.region.clone(),
            account: call.account.clone(),
            image: image.clone(),
        };
        let region = self.region_mut(&call.region)?;
        region
            .fast_launches
            .insert((call.account.clone(), image), settings);
        self.schedule(ends, due);
        Ok(reply)
    }

    /// Makes the snapshots, or removes them.
    pub(crate) fn end_fast_launch(&mut self, region: &str, account: &str, image: &str) {
        let call = Call {
            now: self.now,
            account: account.to_owned(),
            region: region.to_owned(),
            view: View {
                now: self.now,
                stale: false,
            },
        };
        let key = (account.to_owned(), image.to_owned());
        let place = self.regions.get_mut(region);
        let Some(mut settings) = place.and_then(|region| region.fast_launches.remove(&key)) else {
            return;
        };
        if settings.state == FastLaunchState::Disabling {
            for id in &settings.snapshots {
                self.discard_snapshot(&call, id);
            }
            return;
        }
        settings.since = self.now;
        if self.knobs.fast_launch_fails {
            settings.state = FastLaunchState::EnablingFailed;
        } else {
            settings.state = FastLaunchState::Enabled;
            settings.snapshots = (0..settings.target)
                .map(|_| self.fast_launch_snapshot(&call, image))
                .collect();
        }
        if let Some(region) = self.regions.get_mut(region) {
            region.fast_launches.insert(key, settings);
        }
    }

    /// A snapshot as EC2 makes it: its tag is known, its description is not.
    fn fast_launch_snapshot(&mut self, call: &Call, image: &str) -> String {
        let region = self.regions.get(&call.region);
        let root = region.and_then(|region| {
            let id = region.images.get(image)?.snapshot_ids().next()?;
            region.snapshots.get(id).cloned()
        });
        let born = self.lag();
        let size = root.as_ref().map_or(0, |root| root.size_gib);
        let mut snapshot = self.new_snapshot(call, size, "vol-ffffffff", born);
        snapshot.description = format!("Created by EC2 Fast Launch for {image}");
        snapshot.ends = self.now;
        snapshot.state = SnapshotState::Completed;
        if let Some(root) = root {
            snapshot.platform = root.platform;
            snapshot.key = root.key;
        }
        let id = snapshot.id.clone();
        if let Some(region) = self.regions.get_mut(&call.region) {
            let tags = [("CreatedBy".to_owned(), "EC2 Fast Launch".to_owned())];
            region.born_with_tags(&id, &call.account, tags.into());
            region.snapshots.insert(id.clone(), snapshot);
        }
        id
    }
}

/// The codes for other images are not known.
fn check_image(image: &Image) -> Result<(), ApiError> {
    if image.state != ImageState::Available {
        return Err(ApiError::image_in_state(&image.id, image.state));
    }
    if image.machine.windows().is_none() {
        return Err(ApiError::invalid_value(format!(
            "The image '{}' is not a Windows image. Fast launch is for Windows images only.",
            image.id
        )));
    }
    Ok(())
}

fn take_template(parameters: &mut Parameters) -> Result<Option<FastLaunchTemplate>, ApiError> {
    let id = parameters.text("LaunchTemplate.LaunchTemplateId");
    let name = parameters.text("LaunchTemplate.LaunchTemplateName");
    let version = parameters.text("LaunchTemplate.Version");
    match (&id, &name, version) {
        (None, None, None) => Ok(None),
        (Some(_), Some(_), _) => Err(ApiError::invalid_combination(
            "Either the id or the name of the launch template can be specified, but not both",
        )),
        (None, None, Some(_)) => Err(ApiError::missing("LaunchTemplate.LaunchTemplateId")),
        (_, _, None) => Err(ApiError::missing("LaunchTemplate.Version")),
        (_, _, Some(version)) => Ok(Some(FastLaunchTemplate { id, name, version })),
    }
}

fn in_wrong_state(image: &str, wanted: &str) -> ApiError {
    ApiError::new(
        "IncorrectState",
        format!("Fast launch for the image '{image}' is not {wanted}"),
    )
}

fn write(xml: &mut Xml, owner: &str, image: &str, settings: &FastLaunch) {
    xml.text("imageId", image);
    xml.text("resourceType", RESOURCE_TYPE);
    xml.element("snapshotConfiguration", |xml| {
        xml.text("targetResourceCount", settings.target);
    });
    xml.element("launchTemplate", |xml| {
        if let Some(template) = &settings.template {
            xml.optional("launchTemplateId", template.id.as_ref());
            xml.optional("launchTemplateName", template.name.as_ref());
            xml.text("version", &template.version);
        }
    });
    xml.text("maxParallelLaunches", settings.max_parallel_launches);
    xml.text("ownerId", owner);
    xml.text("state", settings.state);
    let reason = match settings.state {
        FastLaunchState::EnablingFailed => "Server.InternalError",
        _ => "Client.UserInitiated",
    };
    xml.text("stateTransitionReason", reason);
    xml.time("stateTransitionTime", settings.since);
}
