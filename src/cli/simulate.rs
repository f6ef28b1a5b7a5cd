//! A simulated EC2 in this process, in which there is all that manifests name: instances, snapshots, images and
//! parameters, in accounts that can be reached as they say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use amity_core::api::{Architecture, ImageSource, MachineImage, Source};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use ec2sim::{InProcess, World, WorldFile};
use serde_json::{Value, json};

use super::Error;
use super::manifests::Manifests;
use crate::clock::Clock;

/// Where no manifest says it.
const ACCOUNT: &str = "111122223333";

/// The account of images that are Amazon's.
const AMAZON: &str = "137112412989";

/// What an instance was launched from, and what an image is called of which only the name is known.
const SOME_IMAGE: &str = "ami-0a2b3c4d5e6f70819";

const ACCESS_KEY: &str = "AKIAEC2SIMULATED0001";

/// The SDK over a simulated EC2 that has what the manifests name.
///
/// # Errors
/// They name something that EC2 could not have.
pub fn ec2(manifests: &Manifests, clock: &Clock) -> Result<SdkConfig, Error> {
    let file: WorldFile = serde_json::from_value(world(manifests))?;
    let world = Arc::new(Mutex::new(World::from_file(file)?));
    let clock = clock.clone();
    let http = InProcess::new(world, move || clock.now());
    let credentials = Credentials::from_keys(ACCESS_KEY, "not-checked", None);
    Ok(SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .sleep_impl(TokioSleep::new())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(Region::new("us-east-1"))
        .build())
}

fn world(manifests: &Manifests) -> Value {
    let regions = regions(manifests);
    let regions: BTreeMap<_, _> = regions.iter().map(|region| (region, json!({}))).collect();
    let mut world = json!({
        // So quick that somebody waits for it, and so slow that there is something to see.
        "knobs": {
            "baseMilliseconds": 3_000,
            "millisecondsPerGib": 250,
            "fastLaunchMilliseconds": 2_000,
            "maxReadLagSeconds": 1,
            "emptyPagesPerMille": 0,
        },
        "regions": regions,
        "accounts": {},
    });
    let home = manifests
        .accounts
        .values()
        .find(|account| account.spec.assume_role.is_none());
    let home = home.map_or(ACCOUNT, |account| account.spec.account_id.as_str());
    world["accounts"][home]["accessKeys"] = json!([ACCESS_KEY]);
    for account in manifests.accounts.values() {
        let Some(role) = &account.spec.assume_role else {
            continue;
        };
        let name = role.role_arn.rsplit('/').next().unwrap_or_default();
        world["accounts"][&account.spec.account_id]["roles"][name] = json!({
            "trusts": [home],
            "externalId": role.external_id,
            "allowsSessionTags": role.session_tags.is_some(),
        });
    }
    world["accounts"][AMAZON]["alias"] = "amazon".into();
    for image in manifests.images.values() {
        let account = manifests.accounts.get(&image.spec.account_name);
        let account = account.map_or(home, |account| account.spec.account_id.as_str());
        for region in regions.keys() {
            let place = &mut world["accounts"][account]["places"][region];
            place["allowsPublicImages"] = true.into();
        }
        put_source(&mut world, account, image, manifests);
        for listed in &image.spec.adopt {
            let place = &mut world["accounts"][account]["places"][&listed.region];
            place["images"][&listed.image_id] = an_image(&listed.image_id, image, "adopted");
        }
    }
    world
}

fn regions(manifests: &Manifests) -> BTreeSet<String> {
    let of_images = manifests.images.values().flat_map(|image| {
        let elsewhere = image.spec.accounts.iter().flat_map(|asked| &asked.regions);
        let wanted = image.spec.regions.iter().chain(elsewhere);
        let wanted = wanted.map(|region| region.name.clone());
        wanted.chain([image.spec.source.region().to_owned()])
    });
    let of_accounts = manifests.accounts.values();
    let of_accounts = of_accounts.flat_map(|account| account.spec.regions.iter().cloned());
    let home = ["us-east-1".to_owned()];
    of_images.chain(of_accounts).chain(home).collect()
}

/// What the image is made from is there, with the tags that a grant may ask for.
fn put_source(world: &mut Value, account: &str, image: &MachineImage, manifests: &Manifests) {
    let grants = manifests
        .accounts
        .get(&image.spec.account_name)
        .map(|account| account.spec.grants.clone())
        .unwrap_or_default();
    let platform = if image.spec.fast_launch.is_some() {
        "windows"
    } else {
        "linux"
    };
    match &image.spec.source {
        Source::Instance(source) => {
            let tags = grants
                .capture
                .into_iter()
                .find_map(|grant| grant.instance_tags);
            let place = &mut world["accounts"][account]["places"][&source.region];
            place["instances"][&source.instance_id] = json!({
                "image": SOME_IMAGE,
                "platform": platform,
                "volumes": [{"device": "/dev/xvda", "size": 8}],
                "tags": tags.unwrap_or_default(),
            });
        }
        Source::Snapshot(source) => {
            let tags = grants
                .snapshots
                .into_iter()
                .find_map(|grant| grant.snapshot_tags);
            let place = &mut world["accounts"][account]["places"][&source.region];
            let volumes = source.volumes.iter().map(|volume| &volume.snapshot_id);
            for id in volumes.chain([&source.snapshot_id]) {
                place["snapshots"][id] =
                    json!({"size": 8, "tags": tags.clone().unwrap_or_default()});
            }
        }
        Source::Image(source) => put_image(world, account, platform, source),
        Source::Build(build) => put_image(world, account, platform, &build.parent),
    }
}

/// The image that is copied or built from is there.
fn put_image(world: &mut Value, account: &str, platform: &str, source: &ImageSource) {
    let id = source
        .image_id
        .clone()
        .unwrap_or_else(|| SOME_IMAGE.to_owned());
    let owner = match source.owner.as_deref() {
        None if source.ssm_parameter.is_some() => AMAZON,
        Some("amazon") => AMAZON,
        None | Some("self") => account,
        Some(owner) => owner,
    };
    if let Some(name) = &source.ssm_parameter {
        let holder = if name.starts_with("/aws/") {
            AMAZON
        } else {
            account
        };
        let place = &mut world["accounts"][holder]["places"][&source.region];
        place["parameters"][name] = json!({"value": id});
    }
    if source.machine_image_name.is_none() {
        let name = source
            .name
            .clone()
            .unwrap_or_else(|| format!("source-{id}"));
        let place = &mut world["accounts"][owner]["places"][&source.region];
        place["images"][&id] = json!({
            "name": name,
            "platform": platform,
            "public": owner != account,
            "architecture": source.architecture.map(Architecture::as_str),
            "devices": [{"name": "/dev/xvda", "snapshot": id.replacen("ami-", "snap-", 1), "size": 8}],
        });
    }
}

fn an_image(id: &str, image: &MachineImage, name: &str) -> Value {
    json!({
        "name": format!("{name}-{}", image.name()),
        "devices": [{"name": "/dev/xvda", "snapshot": id.replacen("ami-", "snap-", 1), "size": 8}],
    })
}
