//! What the parts of a policy did.

use super::*;

fn tagging() -> Value {
    json!([
        {"Sid": "Read", "Effect": "Allow", "Action": ["ec2:DescribeImages", "ec2:DescribeRegions"], "Resource": "*"},
        {
            "Sid": "Tag",
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": ["arn:aws:ec2:*::image/*", "arn:aws:ec2:*::snapshot/*"],
            "Condition": {"StringEquals": {"aws:ResourceTag/team": ["platform", "another"]}},
        },
        {"Sid": "Never", "Effect": "Deny", "Action": "ec2:DeleteSnapshot", "Resource": "*"},
    ])
}

const TAG: [(&str, &str); 3] = [
    ("ResourceId.1", GOLDEN),
    ("Tag.1.Key", "a"),
    ("Tag.1.Value", "1"),
];

#[test]
fn what_no_call_needed_is_told() {
    let mut ec2 = under(&tagging());
    let team = "StringEquals aws:ResourceTag/team";
    assert_eq!(
        ec2.world.policy_ledger().unused(),
        [
            "test: Read: ec2:DescribeImages".to_owned(),
            "test: Read: ec2:DescribeRegions".to_owned(),
            "test: Read: *".to_owned(),
            "test: Tag: ec2:CreateTags".to_owned(),
            "test: Tag: arn:aws:ec2:*::image/*".to_owned(),
            "test: Tag: arn:aws:ec2:*::snapshot/*".to_owned(),
            format!("test: Tag: {team}"),
            format!("test: Tag: {team}: another"),
            format!("test: Tag: {team}: platform"),
        ]
    );
    ec2.ok("DescribeImages", &[]);
    ec2.ok("CreateTags", &TAG);
    assert_eq!(
        ec2.world.policy_ledger().unused(),
        [
            "test: Read: ec2:DescribeRegions".to_owned(),
            "test: Tag: arn:aws:ec2:*::snapshot/*".to_owned(),
            format!("test: Tag: {team}: another"),
        ]
    );
}

#[test]
fn uses_are_counted_by_action_and_condition() {
    let mut ec2 = under(&tagging());
    ec2.ok("CreateTags", &TAG);
    ec2.ok("CreateTags", &TAG);
    let of_another_team = [("ResourceId.1", SHARED), TAG[1], TAG[2]];
    assert_eq!(ec2.code("CreateTags", &of_another_team), UNAUTHORIZED);
    let policies = serde_json::to_value(ec2.world.policy_ledger().policies()).expect("JSON");
    assert_eq!(
        policies[0]["statements"][1],
        json!({
            "sid": "Tag",
            "effect": "Allow",
            "actions": {"ec2:CreateTags": {
                "used": 2,
                "needed": 2,
                "conditions": {"StringEquals aws:ResourceTag/team": {
                    "held": 2,
                    "failed": 1,
                    "values": {"another": 0, "platform": 2},
                }},
            }},
            "resources": {"arn:aws:ec2:*::image/*": 2, "arn:aws:ec2:*::snapshot/*": 0},
        })
    );
}

#[test]
fn a_denied_call_uses_nothing_and_is_listed() {
    let mut ec2 = under(&tagging());
    let both = [TAG[0], TAG[1], TAG[2], ("ResourceId.2", SHARED)];
    assert_eq!(ec2.code("CreateTags", &both), UNAUTHORIZED);
    let ledger = ec2.world.policy_ledger();
    let tag = &ledger.policies()[0].statements[1].actions["ec2:CreateTags"];
    assert_eq!(tag.used, 0);
    assert_eq!(
        tag.conditions["StringEquals aws:ResourceTag/team"].failed,
        1
    );
    let denial = serde_json::to_value(ledger.denials()).expect("JSON");
    assert_eq!(
        denial,
        json!([{
            "time": "2026-06-01T12:00:00.000Z",
            "principal": "arn:aws:iam::111122223333:user/ec2sim",
            "region": "us-east-1",
            "call": "CreateTags",
            "action": "ec2:CreateTags",
            "resource": format!("arn:aws:ec2:us-east-1::image/{SHARED}"),
            "reason": "because no identity-based policy allows the ec2:CreateTags action",
            "missing": false,
        }])
    );
}

#[test]
fn a_statement_that_denies_is_counted_and_never_unused() {
    let mut ec2 = under(&tagging());
    let snapshot = [("SnapshotId", GOLDEN_SNAPSHOT)];
    assert_eq!(ec2.code("DeleteSnapshot", &snapshot), UNAUTHORIZED);
    let ledger = ec2.world.policy_ledger();
    assert_eq!(
        ledger.policies()[0].statements[2].actions["ec2:DeleteSnapshot"].used,
        1
    );
    assert!(!ledger.unused().iter().any(|one| one.contains("Never")));
}

#[test]
fn what_another_statement_allows_as_well_is_not_needed() {
    let mut ec2 = under(&json!([
        {"Sid": "One", "Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
        {"Sid": "Two", "Effect": "Allow", "Action": "ec2:DescribeImages", "Resource": "*"},
    ]));
    ec2.ok("DescribeImages", &[]);
    ec2.ok("DescribeRegions", &[]);
    let statements = &ec2.world.policy_ledger().policies()[0].statements;
    let counts = |at: usize, action: &str| {
        let row = &statements[at].actions[action];
        (row.used, row.needed)
    };
    assert_eq!(counts(0, "ec2:Describe*"), (2, 1));
    assert_eq!(counts(1, "ec2:DescribeImages"), (1, 0));
}

#[test]
fn clones_share_a_ledger_and_worlds_are_equal_whatever_is_in_it() {
    let mut ec2 = under(&tagging());
    let before = ec2.world.clone();
    ec2.ok("DescribeImages", &[]);
    assert_eq!(
        before.policy_ledger().policies(),
        ec2.world.policy_ledger().policies()
    );
    let apart = before
        .clone()
        .with_policy_ledger(crate::PolicyLedger::default());
    assert_eq!(apart.fingerprint(), before.fingerprint());
    assert_eq!(apart, before);
    assert_eq!(apart.policy_ledger().unused().len(), 9);
}

#[test]
fn worlds_differ_by_their_policies() {
    let (free, bound) = (Ec2::calm().world, under(&tagging()).world);
    assert_ne!(free, bound);
    assert_ne!(free.fingerprint(), bound.fingerprint());
}
