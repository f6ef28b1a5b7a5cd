//! The `MachineImage` as Kubernetes has it: what its user wrote, and what Amity noted on it.

use std::collections::BTreeMap;

use amity_core::api::{AwsAccount, MachineImage};
use amity_core::image::desired::{
    AccountReference, CAPTURED, Captured, Desired, FINALIZER, Installation, References,
};
use amity_core::image::identity::Revision;
use amity_core::image::plan::Action;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use crate::ec2::{ACCOUNT, GOLDEN, HOME, INSTANCE, REGIONS, SNAPSHOT};
use crate::time::{NOW, Steps, WINDOW};

/// What the spec names as its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Instance,
    Snapshot,
    Image,
}

/// The object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    source: Source,
    rebuild: u8,
    /// Whether each region is wanted.
    wanted: [bool; 2],
    tagged: bool,
    pub deleted: bool,
    has_finalizer: bool,
    captured: Option<(Revision, Timestamp)>,
}

/// What its user may do to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edit {
    /// Another `spec.rebuild`.
    Rebuild,
    /// Only the region of the source, or only the other.
    OnlyIn(usize),
    /// Both.
    Everywhere,
    /// A tag.
    Tag,
    Delete,
}

pub const EDITS: [Edit; 6] = [
    Edit::Rebuild,
    Edit::OnlyIn(0),
    Edit::OnlyIn(1),
    Edit::Everywhere,
    Edit::Tag,
    Edit::Delete,
];

impl Object {
    pub fn new(source: Source, wanted: [bool; 2]) -> Self {
        Self {
            source,
            rebuild: 0,
            wanted,
            tagged: false,
            deleted: false,
            has_finalizer: false,
            captured: None,
        }
    }

    /// The object after an edit; none if that changes nothing.
    pub fn edited(&self, edit: Edit) -> Option<Self> {
        let mut edited = self.clone();
        match edit {
            Edit::Rebuild => edited.rebuild += 1,
            Edit::OnlyIn(region) => edited.wanted = [region == 0, region == 1],
            Edit::Everywhere => edited.wanted = [true; 2],
            Edit::Tag => edited.tagged = true,
            Edit::Delete => edited.deleted = true,
        }
        (edited != *self && !self.deleted).then_some(edited)
    }

    /// What Amity writes to it; none when it is gone with that.
    pub fn written(&self, action: &Action) -> Option<Self> {
        let mut written = self.clone();
        match action {
            Action::StoreFinalizer => written.has_finalizer = true,
            Action::RecordCapture { revision } => written.captured = Some((revision.clone(), NOW)),
            Action::ReleaseFinalizer => return None,
            other => panic!("{other} is no write to the object"),
        }
        Some(written)
    }

    pub fn grow_older(&mut self, steps: Steps) {
        if let Some((_, at)) = &mut self.captured {
            *at = steps.older(*at);
        }
    }

    /// Whether the capture was recorded within the window.
    pub fn may_capture_again(&self) -> bool {
        self.captured
            .as_ref()
            .is_some_and(|(_, at)| NOW < *at + WINDOW)
    }

    /// Whether nothing keeps it any more: Kubernetes removes it.
    pub fn is_gone(&self) -> bool {
        self.deleted && !self.has_finalizer
    }

    pub fn desired(&self) -> Desired {
        let installation = Installation {
            owner: "o1".to_owned(),
            cluster: "c1".to_owned(),
            take_over_from: None,
            consistency_window: WINDOW,
            price_per_gib_month: None,
        };
        let everybody = json!({"all": true});
        let grants = json!({"accountId": ACCOUNT, "grants": {
            "capture": [{"namespaces": everybody}],
            "snapshots": [{"namespaces": everybody}],
            "sourceOwners": [{"namespaces": everybody, "owners": ["self"]}],
        }});
        let account = AwsAccount::new(
            "default",
            serde_json::from_value(grants).expect("an account"),
        );
        let references = References {
            accounts: &BTreeMap::from([AccountReference::to(account)]),
            namespace_labels: &BTreeMap::new(),
            machine_images: &[],
        };
        Desired::of(&self.machine_image(), &installation, references)
    }

    fn machine_image(&self) -> MachineImage {
        let source = match self.source {
            Source::Instance => {
                json!({"instance": {"region": HOME, "instanceId": INSTANCE, "reboot": "Once"}})
            }
            Source::Snapshot => json!({"snapshot": {
                "region": HOME,
                "snapshotId": SNAPSHOT,
                "rootDeviceName": "/dev/xvda",
                "architecture": "x86_64",
            }}),
            Source::Image => json!({"image": {"region": HOME, "imageId": GOLDEN}}),
        };
        let wanted = REGIONS
            .iter()
            .zip(self.wanted)
            .filter(|(_, wanted)| *wanted);
        let mut spec = json!({
            "source": source,
            "regions": wanted.map(|(name, _)| json!({"name": name})).collect::<Vec<_>>(),
            "retention": {"revisions": 0},
            "deletionPolicy": "Delete",
        });
        if self.rebuild > 0 {
            spec["rebuild"] = json!(self.rebuild.to_string());
        }
        if self.tagged {
            spec["tags"] = json!({"team": "web"});
        }
        let mut image = MachineImage::new("web", serde_json::from_value(spec).expect("a spec"));
        image.metadata.namespace = Some("prod".to_owned());
        image.metadata.generation = Some(1);
        image.metadata.finalizers = self.has_finalizer.then(|| vec![FINALIZER.to_owned()]);
        image.metadata.deletion_timestamp = self.deleted.then_some(Time(NOW));
        image.metadata.annotations = self.captured.as_ref().map(|(revision, at)| {
            [(CAPTURED.to_owned(), Captured::annotation(revision, *at))].into()
        });
        image
    }
}
