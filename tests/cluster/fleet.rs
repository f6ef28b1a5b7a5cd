//! Ten images in four regions, under two replicas: how a roll-out of them begins, and what must be true when it has
//! ended, whatever happened meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use amity_testbed::{HeldImage, eventually};

use crate::lab::{Namespace, PATIENCE, Stage, instance_id, is_ready};
use crate::replicas::Replicas;

pub const REGIONS: [&str; 4] = ["ap-northeast-1", "eu-west-1", "us-east-1", "us-west-2"];

/// Half of them are captured of instances, half are copied.
pub const NAMES: [&str; 10] = [
    "web-1", "web-2", "web-3", "web-4", "web-5", "base-1", "base-2", "base-3", "base-4", "base-5",
];

/// With two accidents at a time there is nothing to be seen for minutes.
const ROLLED_OUT_WITHIN: Duration = PATIENCE.saturating_mul(2);

/// The images, and who makes them.
pub struct Fleet {
    pub replicas: Replicas,
    namespace: String,
    /// How many revisions there should have been of each.
    revisions: usize,
}

impl Fleet {
    /// Two replicas with short leases, and nothing to do yet.
    ///
    /// A capture that was recorded may be asked for again within the consistency window: it must outlast several
    /// leases, as it does by default.
    pub fn new(stage: &'static Stage, namespace: &str) -> Self {
        let settings = ["--lease-duration", "6s", "--consistency-window", "60s"];
        let replicas = Replicas::ready_on(stage, &settings);
        replicas.lab.namespace(namespace);
        Self {
            replicas,
            namespace: namespace.to_owned(),
            revisions: 0,
        }
    }

    /// What whoever deploys applies for a new roll-out of all of them.
    pub fn roll_out(&mut self) {
        self.revisions += 1;
        self.apply();
    }

    /// The same again.
    pub fn apply(&self) {
        let kubectl = self.namespace().kubectl;
        eventually(PATIENCE, "the manifests are applied", || {
            let applied = kubectl.apply_yaml(&manifests(self.revisions));
            applied.map_err(|error| error.to_string())
        })
        .unwrap();
    }

    pub fn namespace(&self) -> Namespace<'_> {
        self.replicas.lab.existing(&self.namespace)
    }

    /// How many changes EC2 has taken.
    fn writes(&self) -> usize {
        let calls = self.replicas.lab.calls();
        let done = calls
            .iter()
            .filter(|call| call.is_write() && call.succeeded());
        done.count()
    }

    /// Waits until EC2 has taken so many changes more, or for a while when there are not so many left.
    pub fn until_written(&self, number: usize) {
        let before = self.writes();
        let _ = eventually(Duration::from_secs(4), "changes", || {
            match self.writes() - before {
                done if done >= number => Ok(()),
                done => Err(done.to_string()),
            }
        });
    }

    /// That everything becomes as the manifests say, and that nothing was made twice.
    pub fn assert_rolled_out(&self) {
        self.assert_as_applied();
        self.assert_nothing_doubled();
    }

    /// That everything becomes as the manifests say: one image in each region, and nothing left over.
    pub fn assert_as_applied(&self) {
        let namespace = self.namespace();
        for name in NAMES {
            let image = eventually(ROLLED_OUT_WITHIN, &format!("{name} is Ready"), || {
                let image = namespace.image(name).ok_or("it is not there")?;
                if is_ready(&image) {
                    Ok(image)
                } else {
                    Err(format!("{:#?}", image.status))
                }
            });
            namespace.assert_served(&image.unwrap(), &REGIONS);
        }
        self.assert_nothing_leaked();
        self.replicas.lab.assert_users_keep_all();
    }

    /// In each region EC2 made one image of each revision, counting those that were removed since.
    fn assert_nothing_doubled(&self) {
        let holdings = self.replicas.lab.holdings();
        let mut made: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for image in holdings.images.iter().filter(|one| is_ours(one)) {
            let object = &image.tags["amity.dev/object"];
            let key = (object, image.revision(), &image.region);
            made.entry(key).or_default().push(&image.id);
        }
        let doubled: Vec<_> = made.iter().filter(|(_, ids)| ids.len() > 1).collect();
        assert!(doubled.is_empty(), "{doubled:#?}");
        let expected = NAMES.len() * REGIONS.len() * self.revisions;
        assert_eq!(made.len(), expected, "{made:#?}");
    }

    /// Every snapshot that there is belongs to an image that there is.
    fn assert_nothing_leaked(&self) {
        eventually(PATIENCE, "no snapshot is left over", || {
            let holdings = self.replicas.lab.holdings();
            let there = holdings.images.iter().filter(|one| one.is_there());
            let used: BTreeSet<_> = there.flat_map(HeldImage::snapshots).collect();
            let ours = holdings.snapshots.iter().filter(|one| {
                one.is_there()
                    && NAMES
                        .iter()
                        .any(|name| one.is_of(&self.namespace().key(name)))
            });
            let left: Vec<_> = ours.filter(|one| !used.contains(&*one.id)).collect();
            if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:#?}"))
            }
        })
        .unwrap();
    }
}

fn is_ours(image: &HeldImage) -> bool {
    !image.revision().is_empty()
}

fn manifests(rebuild: usize) -> String {
    let regions: Vec<_> = REGIONS.map(|name| format!("{{name: {name}}}")).to_vec();
    let mut manifests = String::new();
    for (number, name) in NAMES.iter().enumerate() {
        let source = if name.starts_with("web") {
            let instance = instance_id(number + 1);
            format!("{{instance: {{region: us-east-1, instanceId: {instance}, reboot: Never}}}}")
        } else {
            "{image: {region: us-east-1, imageId: ami-0feedfacefeedface}}".to_owned()
        };
        writeln!(
            manifests,
            "---\napiVersion: amity.dev/v1alpha1\nkind: MachineImage\nmetadata: {{name: {name}}}\nspec:\n  source: \
             {source}\n  regions: [{}]\n  rebuild: \"{rebuild}\"\n  retention: {{revisions: 0}}",
            regions.join(", ")
        )
        .unwrap();
    }
    manifests
}
