//! What the controller may do in EC2: what the policies that we ship allow, and no more. In its own account it acts
//! with a key that has `controller.json`, in the others through roles that have `spoke.json`. Whoever else acts in a
//! story may do everything.
//!
//! Nothing needs `adopt.json` here: what a story takes over is what it retained, which carries the owner's tag already.

use std::sync::LazyLock;

use ec2sim::iam::DenialRecord;
use ec2sim::{Policy, World};

use crate::process::ACCESS_KEY;

/// Whose images they are: `--owner-id`.
pub const OWNER: &str = "simulation";

static CONTROLLER: LazyLock<Policy> = LazyLock::new(|| {
    let json = include_str!("../../deploy/iam/controller.json");
    read("controller", json)
});

static SPOKE: LazyLock<Policy> = LazyLock::new(|| {
    let json = include_str!("../../deploy/iam/spoke.json");
    read("spoke", json)
});

fn read(name: &str, json: &str) -> Policy {
    Policy::parse(name, &json.replace("OWNER_ID", OWNER)).expect("a policy")
}

/// The same world, in which the controller may do no more than it should need.
pub fn restricted(mut world: World) -> World {
    let roles: Vec<_> = world
        .accounts()
        .iter()
        .flat_map(|(id, account)| {
            let names = account.roles.keys();
            names.map(move |name| format!("arn:aws:iam::{id}:role/{name}"))
        })
        .collect();
    let spokes = roles.iter().map(|role| (role.as_str(), &*SPOKE));
    for (who, policy) in spokes.chain([(ACCESS_KEY, &*CONTROLLER)]) {
        let given = world.set_policies(who, vec![policy.clone()]);
        given.expect("a key or a role of the world");
    }
    world
}

/// What was denied of what is there. What is not there has no tags by which its removal could be allowed again.
pub fn denials(world: &World) -> Vec<DenialRecord> {
    let all = world.policy_ledger().denials().into_iter();
    all.filter(|denial| !denial.missing).collect()
}
