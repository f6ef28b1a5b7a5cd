//! Objects that have long been ready: copies of one that came to be so, with the images of each in EC2.

use std::time::Duration;

use amity_core::api::{AwsAccount, MachineImage};
use ec2sim::World;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use kubesim::Kubernetes;
use serde_json::{Value, json};

use crate::fleet::{Fleet, account};
use crate::landscape::{HOME, Landscape, Source};
use crate::process::lock;
use crate::{regions, virtual_time};

/// Where each of them has an image.
pub const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-northeast-1"];

const NAMESPACE: &str = "fleet";

/// The name of the one that the others are copies of. It is in the text of nothing else.
const EXEMPLAR: &str = "exemplar";

/// A world with the images of so many objects, and the objects.
pub struct Settled {
    pub world: World,
    pub account: AwsAccount,
    objects: Vec<Value>,
}

/// What an object has in one region, as text in which the names and ids are to be replaced.
struct Made {
    region: &'static str,
    image_id: String,
    image: String,
    snapshot_id: String,
    snapshot: String,
}

impl Settled {
    pub fn of(count: usize) -> Self {
        let account = account("default", HOME, false, &REGIONS);
        let mut land = Landscape::new(&REGIONS);
        let source = land.source(Source::Instance, HOME, REGIONS[0]);
        let spec = json!({"source": source, "regions": regions(&REGIONS), "tags": {"team": "web"}});
        let (object, made) = exemplar(&land, &account, &spec);
        let mut objects = Vec::new();
        for number in 0..count {
            let name = format!("image-{number}");
            let renamed = |text: &str| {
                let mut text = text.replace(EXEMPLAR, &name);
                for one in &made {
                    text = text.replace(&one.image_id, &numbered(&one.image_id, number));
                    text = text.replace(&one.snapshot_id, &numbered(&one.snapshot_id, number));
                }
                serde_json::from_str(&text).expect("JSON")
            };
            for one in &made {
                let image = numbered(&one.image_id, number);
                land.put(HOME, one.region, "images", &image, renamed(&one.image));
                let snapshot = numbered(&one.snapshot_id, number);
                land.put(
                    HOME,
                    one.region,
                    "snapshots",
                    &snapshot,
                    renamed(&one.snapshot),
                );
            }
            objects.push(renamed(&object));
        }
        Self {
            world: land.world(),
            account,
            objects,
        }
    }

    /// Puts the objects into a cluster, with their statuses.
    pub async fn put_into(&self, kubernetes: &Kubernetes) {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        kubernetes.apply(&namespace).expect("a namespace");
        let api: Api<MachineImage> = Api::namespaced(kubernetes.client(), NAMESPACE);
        for object in &self.objects {
            let mut manifest = object.clone();
            let status = manifest
                .as_object_mut()
                .and_then(|all| all.remove("status"));
            kubernetes.apply(&manifest).expect("an object");
            let name = manifest["metadata"]["name"].as_str().expect("a name");
            let patch = Patch::Merge(json!({"status": status}));
            let patched = api
                .patch_status(name, &PatchParams::default(), &patch)
                .await;
            patched.expect("a status");
        }
    }
}

/// The id of the copy of that number: as long, and told apart by its last digits.
fn numbered(id: &str, number: usize) -> String {
    let kept = &id[..id.len() - 6];
    format!("{kept}{number:06x}")
}

/// One object that came to be ready, and what was made of it.
fn exemplar(land: &Landscape, account: &AwsAccount, spec: &Value) -> (String, Vec<Made>) {
    virtual_time(async {
        let accounts = [account.clone()];
        let fleet = Fleet::beginning("2026-05-01T00:00:00Z", land.world(), &accounts, 20, |ec2| {
            ec2
        });
        let key = format!("{NAMESPACE}/{EXEMPLAR}");
        fleet.apply(&key, spec);
        let story = async {
            let ready = fleet
                .until_ready(&[key].into(), Duration::from_hours(6))
                .await;
            ready.unwrap_or_else(|error| panic!("{error}"));
            // All that is left to be written is.
            tokio::time::sleep(Duration::from_hours(2)).await;
        };
        fleet.live(story).await;
        let object: MachineImage = fleet
            .kubernetes()
            .get(Some(NAMESPACE), EXEMPLAR)
            .expect("the object");
        let kept = json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "MachineImage",
            "metadata": {
                "namespace": NAMESPACE,
                "name": EXEMPLAR,
                "annotations": object.annotations(),
                "finalizers": object.finalizers(),
            },
            "spec": object.spec,
            "status": object.status,
        });
        let world = lock(&fleet.world);
        let made = REGIONS.map(|region| made(&world, region));
        (kept.to_string(), made.into())
    })
}

fn made(world: &World, region: &'static str) -> Made {
    let place = &world.regions()[region];
    let mut images = place.images.values();
    let image = images
        .find(|image| image.name.starts_with(EXEMPLAR))
        .expect("an image in each region");
    let [snapshot] = place.snapshots.values().collect::<Vec<_>>()[..] else {
        panic!("one snapshot in each region");
    };
    let tags = |id: &str| place.tags(id, HOME);
    let device = json!({"name": "/dev/xvda", "snapshot": snapshot.id, "size": snapshot.size_gib});
    Made {
        region,
        image_id: image.id.clone(),
        image: json!({
            "name": image.name,
            "created": image.created,
            "devices": [device],
            "sourceInstance": image.source_instance,
            "sourceImage": image.source_image.as_ref().map(|(region, id)| json!({"region": region, "id": id})),
            "tags": tags(&image.id),
        })
        .to_string(),
        snapshot_id: snapshot.id.clone(),
        snapshot: json!({
            "size": snapshot.size_gib,
            "description": snapshot.description,
            "started": snapshot.started,
            "tags": tags(&snapshot.id),
        })
        .to_string(),
    }
}
