//! Who is in a story: the accounts, and the objects of users in them.

use std::fmt;

use serde_json::{Value, json};

/// An account, and what is in it to make images from.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// What the `AwsAccount` is called.
    pub name: &'static str,
    pub id: &'static str,
    /// With which the people of the account act.
    pub access_key: &'static str,
    pub instance: &'static str,
    pub snapshot: &'static str,
    pub image: &'static str,
    /// Whether instance and image have Windows.
    pub has_windows: bool,
}

/// The accounts that a spec may name in `sharing`.
pub const FRIENDS: [&str; 2] = ["444455556666", "555566667777"];

/// The organization that a spec may name there.
pub const ORGANIZATION: &str = "arn:aws:organizations::111122223333:organization/o-0123456789";

/// The organizational unit that a spec may name there.
pub const UNIT: &str = "arn:aws:organizations::111122223333:ou/o-0123456789/ou-ab12-0123abcd";

/// An account that no spec names.
pub const STRANGER: &str = "666677778888";

/// The controller has the credentials of the first; the others are reached by a role.
pub static ACCOUNTS: [Account; 3] = [
    Account {
        name: "default",
        id: "111122223333",
        access_key: "AKIAEC2SIMHOME000001",
        instance: "i-0a1b2c3d4e5f60718",
        snapshot: "snap-0bac0bac0bac0bac0",
        image: "ami-0feedfacefeedface",
        has_windows: false,
    },
    Account {
        name: "staging",
        id: "222233334444",
        access_key: "AKIAEC2SIMOTHER00002",
        instance: "i-0a1b2c3d4e5f60002",
        snapshot: "snap-0bac0bac0bac00002",
        image: "ami-0feedfacefeed0002",
        has_windows: false,
    },
    Account {
        name: "production",
        id: "333344445555",
        access_key: "AKIAEC2SIMOTHER00003",
        instance: "i-0a1b2c3d4e5f60003",
        snapshot: "snap-0bac0bac0bac00003",
        image: "ami-0feedfacefeed0003",
        has_windows: true,
    },
];

impl Account {
    /// The `AwsAccount`, in which every namespace may do everything, or nothing.
    pub fn manifest(&self, grants_everything: bool) -> Value {
        // Images of the others come by copies into this account.
        let others = ACCOUNTS.iter().map(|account| account.id);
        let owners: Vec<_> = ["self", "amazon"].into_iter().chain(others).collect();
        let grants = json!({
            "capture": [{"namespaces": {"all": true}}],
            "snapshots": [{"namespaces": {"all": true}}],
            "sourceOwners": [{"namespaces": {"all": true}, "owners": owners}],
            "sharing": [{
                "namespaces": {"all": true},
                "accounts": FRIENDS,
                "organizations": [ORGANIZATION],
                "organizationalUnits": [UNIT],
            }],
            "public": [{"namespaces": {"all": true}}],
            "parameters": [{"namespaces": {"all": true}, "paths": ["/published/"]}],
        });
        let mut manifest = json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "AwsAccount",
            "metadata": {"name": self.name},
            "spec": {
                "accountId": self.id,
                "grants": if grants_everything { grants } else { json!({}) },
            },
        });
        if self.name != ACCOUNTS[0].name {
            let role = format!("arn:aws:iam::{}:role/amity", self.id);
            manifest["spec"]["assumeRole"] = json!({"roleArn": role});
        }
        manifest
    }
}

/// A `MachineImage` of a story.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub namespace: &'static str,
    pub name: String,
    pub account: &'static Account,
}

/// The namespaces of all stories.
pub const NAMESPACES: [&str; 2] = ["images", "teams"];

impl Key {
    /// The object of stories with one.
    pub fn only() -> Self {
        Self::of_many(0)
    }

    /// So many of one account and namespace: each but the first may be made from the one before.
    pub fn in_a_row(count: usize) -> Vec<Self> {
        let turns = ACCOUNTS.len() * NAMESPACES.len();
        (0..count)
            .map(|place| Self::of_many(place * turns))
            .collect()
    }

    /// The one of a number: accounts and namespaces take turns.
    pub fn of_many(number: usize) -> Self {
        Self {
            namespace: NAMESPACES[number / ACCOUNTS.len() % NAMESPACES.len()],
            name: if number == 0 {
                "web".to_owned()
            } else {
                format!("web-{number}")
            },
            account: &ACCOUNTS[number % ACCOUNTS.len()],
        }
    }

    /// A region of an account as specs and ConfigMaps say it: `account.region` where the account is not the object's.
    pub fn place(&self, account: &str, region: &str) -> String {
        let mut others = ACCOUNTS.iter().filter(|one| one.id != self.account.id);
        let other = others.find(|one| one.id == account);
        other.map_or_else(
            || region.to_owned(),
            |other| format!("{}.{region}", other.name),
        )
    }

    /// What the user applies.
    pub fn manifest(&self, spec: &Value) -> Value {
        let mut manifest = json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "MachineImage",
            "metadata": {"namespace": self.namespace, "name": self.name},
            "spec": spec,
        });
        manifest["spec"]["accountName"] = self.account.name.into();
        manifest
    }
}

/// As the tag `amity.dev/object` has it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
