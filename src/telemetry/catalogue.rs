//! Every metric: its name, its labels with the values they may have, and what it means. The registry is filled from
//! here and [`page`] makes `docs/metrics.md` of it. No label is an object's name or an id, so that how many series there
//! are depends on the accounts and their regions alone.

use std::fmt::Write as _;

/// What comes before every name.
pub const PREFIX: &str = "amity";

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// The name without prefix, and without the `_total` of counters.
    pub name: &'static str,
    /// What sort it is.
    pub kind: Kind,
    /// What it means, without a full stop at the end.
    pub help: &'static str,
    /// Its labels.
    pub labels: &'static [Label],
}

/// What sort of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the process ends.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// A label and the values that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// What bounds the values of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// These and no others.
    These(&'static [&'static str]),
    /// In words.
    Said(&'static str),
}

impl Kind {
    /// As Prometheus calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Described {
    /// The name by which it is queried; of a histogram without `_bucket`, `_sum` and `_count`.
    pub fn full_name(&self) -> String {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{PREFIX}_{}{suffix}", self.name)
    }
}

const ACCOUNT: Label = Label {
    name: "account",
    values: Values::Said("the name of an `AwsAccount`"),
};
const REGION: Label = Label {
    name: "region",
    values: Values::Said("a region of that account"),
};
const OF_CALLS: &[&str] = &[
    "success",
    "throttled",
    "refused",
    "denied",
    "unknown",
    "not_sent",
];

/// See [`crate::aws::calls::EC2Calls`].
pub const EFFECTS: Described = Described {
    name: "effects",
    kind: Kind::Counter,
    help: "Steps that were to change AWS, by action and outcome",
    labels: &[
        Label {
            name: "action",
            values: Values::Said(
                "the name of a call that changes something, such as `CopyImage`; the policy [controller.json](../deploy/iam/controller.json) has them all",
            ),
        },
        Label {
            name: "outcome",
            values: Values::These(&[
                "changed",
                "nothing_to_do",
                "put_off",
                "throttled",
                "refused",
                "denied",
                "unknown",
                "not_sent",
            ]),
        },
    ],
};

/// See [`super::Metrics::invariant_broken`].
pub const INVARIANTS_BROKEN: Described = Described {
    name: "invariants_broken",
    kind: Kind::Counter,
    help: "Plans that were refused because they would have broken an invariant, which is a bug of Amity, by its number",
    labels: &[Label {
        name: "invariant",
        values: Values::Said("`1` to `10`"),
    }],
};

/// See [`super::Metrics::reconciled`].
pub const RECONCILES: Described = Described {
    name: "reconciles",
    kind: Kind::Counter,
    help: "Reconciles of a MachineImage, by how they ended",
    labels: &[Label {
        name: "outcome",
        values: Values::These(&[
            "at_rest", "acted", "waits", "stalled", "refused", "stale", "error",
        ]),
    }],
};

/// See [`super::Metrics::reconciled`].
pub const RECONCILE_DURATION: Described = Described {
    name: "reconcile_duration_seconds",
    kind: Kind::Histogram,
    help: "How long a reconcile of a MachineImage took",
    labels: &[],
};

/// See [`crate::aws::calls::EC2Calls`].
pub const EC2_CALLS: Described = Described {
    name: "ec2_calls",
    kind: Kind::Counter,
    help: "Calls to EC2, STS and SSM, by action and outcome",
    labels: &[
        Label {
            name: "action",
            values: Values::Said(
                "the name of a call, such as `DescribeImages`; [controller.json](../deploy/iam/controller.json) has those of EC2 and SSM",
            ),
        },
        Label {
            name: "outcome",
            values: Values::These(OF_CALLS),
        },
    ],
};

/// See [`super::Metrics::wrote`].
pub const KUBERNETES_WRITES: Described = Described {
    name: "kubernetes_writes",
    kind: Kind::Counter,
    help: "Writes to Kubernetes without those of the Lease, by resource and outcome",
    labels: &[
        Label {
            name: "resource",
            values: Values::These(&[
                "machineimages",
                "machineimages/status",
                "awsaccounts",
                "awsaccounts/status",
                "configmaps",
                "events",
            ]),
        },
        Label {
            name: "outcome",
            values: Values::These(&["success", "conflict", "error"]),
        },
    ],
};

/// See [`super::Metrics::became_ready`].
pub const TIME_TO_READY: Described = Described {
    name: "time_to_ready_seconds",
    kind: Kind::Histogram,
    help: "How long it took from the creation or a change of a MachineImage until it was Ready; what another process \
           saw begin is not counted",
    labels: &[Label {
        name: "since",
        values: Values::These(&["creation", "change"]),
    }],
};

/// See [`super::Metrics::leads`].
pub const LEADER: Described = Described {
    name: "leader",
    kind: Kind::Gauge,
    help: "1 while this replica acts, 0 while it stands by",
    labels: &[],
};

/// Which version runs.
pub const BUILD_INFO: Described = Described {
    name: "build_info",
    kind: Kind::Gauge,
    help: "Always 1; which version of Amity this is",
    labels: &[Label {
        name: "version",
        values: Values::Said("the version of this process"),
    }],
};

/// See [`super::figures::Figures`].
pub const OBJECTS: Described = Described {
    name: "objects",
    kind: Kind::Gauge,
    help: "Objects, by kind",
    labels: &[Label {
        name: "kind",
        values: Values::These(KINDS),
    }],
};

const KINDS: &[&str] = &["MachineImage", "AwsAccount"];

/// See [`super::figures::Figures`].
pub const OBJECT_CONDITIONS: Described = Described {
    name: "object_conditions",
    kind: Kind::Gauge,
    help: "Objects whose status says so, by kind and by type, status and reason of the condition",
    labels: &[
        Label {
            name: "kind",
            values: Values::These(KINDS),
        },
        Label {
            name: "type",
            values: Values::Said("a condition of [conditions.md](conditions.md)"),
        },
        Label {
            name: "status",
            values: Values::These(&["True", "False", "Unknown"]),
        },
        Label {
            name: "reason",
            values: Values::Said("a reason of [conditions.md](conditions.md), or `other`"),
        },
    ],
};

/// See [`crate::aws::inventory::PlaceFigures`].
pub const INVENTORY_AGE: Described = Described {
    name: "inventory_age_seconds",
    kind: Kind::Gauge,
    help: "How long ago the region was last read completely; since the start of this replica's term, if it never was",
    labels: &[ACCOUNT, REGION],
};

/// See [`crate::aws::inventory::PlaceFigures`].
pub const COPY_SLOTS: Described = Described {
    name: "copy_slots",
    kind: Kind::Gauge,
    help: "Snapshots that are copied into the region, and how many more may be at the same time (--copy-slots)",
    labels: &[
        ACCOUNT,
        REGION,
        Label {
            name: "state",
            values: Values::These(&["used", "free"]),
        },
    ],
};

/// See [`crate::aws::inventory::PlaceFigures`].
pub const COPIES_WAITING: Described = Described {
    name: "copies_waiting",
    kind: Kind::Gauge,
    help: "Copies that wait for a slot in the region",
    labels: &[ACCOUNT, REGION],
};

/// See [`crate::aws::inventory::PlaceFigures`].
pub const THROTTLED_ACTIONS: Described = Described {
    name: "throttled_actions",
    kind: Kind::Gauge,
    help: "Actions that EC2 throttled in the region in the last 10 minutes, and did not take since",
    labels: &[ACCOUNT, REGION],
};

/// See [`crate::aws::inventory::PlaceFigures`].
pub const STORED: Described = Described {
    name: "stored_bytes",
    kind: Kind::Gauge,
    help: "What the snapshots of this installation store in the region at most",
    labels: &[ACCOUNT, REGION],
};

/// See [`super::figures::Figures`].
pub const STORAGE_COST: Described = Described {
    name: "storage_cost_per_month",
    kind: Kind::Gauge,
    help: "What that costs in a month; only with --price-per-gib-month, and in what that is paid in",
    labels: &[ACCOUNT, REGION],
};

/// All of them.
pub const ALL: &[&Described] = &[
    &BUILD_INFO,
    &LEADER,
    &OBJECTS,
    &OBJECT_CONDITIONS,
    &RECONCILES,
    &RECONCILE_DURATION,
    &TIME_TO_READY,
    &INVARIANTS_BROKEN,
    &EFFECTS,
    &EC2_CALLS,
    &KUBERNETES_WRITES,
    &INVENTORY_AGE,
    &COPY_SLOTS,
    &COPIES_WAITING,
    &THROTTLED_ACTIONS,
    &STORED,
    &STORAGE_COST,
];

/// The metric that a query calls `name`, which of a histogram is one of three.
pub fn named(name: &str) -> Option<&'static Described> {
    ALL.iter().copied().find(|one| {
        let full = one.full_name();
        match one.kind {
            Kind::Counter | Kind::Gauge => name == full,
            Kind::Histogram => ["_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| name.strip_suffix(suffix) == Some(&full)),
        }
    })
}

/// `docs/metrics.md`.
pub fn page() -> String {
    let mut page = String::from(
        "<!-- Written from src/telemetry/catalogue.rs. -->\n# Metrics\n\n\
         At `/metrics`, as text for Prometheus. What is by account and region, and the objects, the replica tells that \
         acts; what is gone, is gone from there too.\n\n\
         | metric | type | labels | what it means |\n| --- | --- | --- | --- |\n",
    );
    for described in ALL {
        let labels: Vec<_> = described.labels.iter().map(Label::text).collect();
        let labels = labels.join("; ");
        let (name, kind, help) = (described.full_name(), described.kind.name(), described.help);
        let _ = writeln!(page, "| `{name}` | {kind} | {labels} | {help} |");
    }
    page
}

impl Label {
    fn text(&self) -> String {
        let values = match self.values {
            Values::These(values) => {
                let quoted: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
                quoted.join(", ")
            }
            Values::Said(words) => words.to_owned(),
        };
        format!("`{}`: {values}", self.name)
    }
}
