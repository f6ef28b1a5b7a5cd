//! The IAM policy that we ship: every call that is made, and no other.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::image::attributes::{AttributeChange, Protection};
use amity_core::image::desired::Parameter;
use amity_core::image::fast_launch::FastLaunchSettings;
use amity_core::image::identity::{Place, Reference, tag};
use amity_core::image::permissions::{Grantee, PermissionChange};
use amity_core::image::plan::step::Action;
use amity_core::image::plan::{Reads, SourceQuery, When};
use serde_json::Value;

use crate::lab::{ACCOUNT, INSTANCE, Lab, capture, copy, desired};
use crate::register::{ROOT, register, registration};

const POLICY: &str = include_str!("../../deploy/iam/controller.json");

/// The statements by their `Sid`.
fn statements() -> BTreeMap<String, Value> {
    let policy: Value = serde_json::from_str(POLICY).expect("it is JSON");
    let statements = policy["Statement"].as_array().expect("a list").iter();
    let named = |statement: &Value| (words(&statement["Sid"]).concat(), statement.clone());
    statements.map(named).collect()
}

/// One word or a list of them.
fn words(value: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().expect("a word").to_owned();
    match value {
        Value::Array(words) => words.iter().map(word).collect(),
        value => vec![word(value)],
    }
}

fn is_for_ec2_itself(statement: &Value) -> bool {
    !statement["Condition"]["ForAnyValue:StringEquals"]["aws:CalledVia"].is_null()
}

/// One for each call that changes an attribute; in the end the image can be deregistered.
fn changes() -> impl Iterator<Item = AttributeChange> {
    [
        AttributeChange::RequireImdsV2,
        AttributeChange::Deprecation(Some("2030-01-01T00:00:00Z".parse().expect("a time"))),
        AttributeChange::Deprecation(None),
        AttributeChange::Protection(Protection::Enabled),
        AttributeChange::Protection(Protection::Disabled),
    ]
    .into_iter()
}

/// What we may call ourselves in EC2 and SSM.
fn allowed() -> BTreeSet<String> {
    let ours = statements()
        .into_values()
        .filter(|statement| !is_for_ec2_itself(statement));
    let actions = ours.flat_map(|statement| words(&statement["Action"]));
    actions
        .filter_map(|action| {
            let call = action.strip_prefix("ec2:").or(action.strip_prefix("ssm:"));
            call.map(str::to_owned)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_policy_allows_every_call_that_is_made_and_no_other() {
    let lab = Lab::under_policy(POLICY).started().await;
    let region = "us-east-1";
    lab.world(|world| {
        let place = world.place_mut(ACCOUNT, "eu-west-1").expect("a place");
        (place.recycle_bin_days, place.snapshot_recycle_bin_days) = (7, 7);
    });
    lab.has_windows();
    let (web, base) = (
        desired("web", &[region, "eu-west-1"]),
        desired("base", &[region]),
    );
    let origin = lab.make(&web, region, capture(&web)).await;
    lab.make(&base, region, register(&base, registration()))
        .await;
    lab.pass(60).await;
    let id = lab
        .make(&web, "eu-west-1", copy(&web, &origin, "eu-west-1"))
        .await;
    lab.pass(60).await;
    let there = Place::new(ACCOUNT, "eu-west-1");
    let keys = vec![tag::SELF.to_owned()];
    let tags = [(tag::SELF.to_owned(), id.clone())].into();
    let snapshot = lab.known(&web, "eu-west-1").await.snapshots[0].id.clone();
    let origins_snapshot = lab.known(&web, region).await.snapshots[0].id.clone();
    for action in [
        Action::CreateTags {
            id: id.clone(),
            tags,
        },
        Action::DeleteTags {
            id: id.clone(),
            keys,
        },
    ]
    .into_iter()
    .chain(changes().map(|change| Action::ModifyImage {
        id: id.clone(),
        change,
    }))
    .chain([&id, &snapshot].map(|id| Action::ChangePermissions {
        id: id.clone(),
        change: PermissionChange {
            add: [Grantee::Account("222233334444".to_owned())].into(),
            remove: BTreeSet::new(),
        },
    }))
    .chain([
        Action::CreateUsageReport {
            id: id.clone(),
            token: web.identity.usage_report_token(&there, &id, None),
            tags: web.identity.usage_report_tags(),
        },
        Action::EnableFastLaunch {
            id: id.clone(),
            settings: FastLaunchSettings {
                target_resource_count: 5,
                max_parallel_launches: 6,
            },
        },
        Action::DisableFastLaunch { id: id.clone() },
        Action::DeregisterImage { id: id.clone() },
    ]) {
        lab.perform(&web, "eu-west-1", action).await;
        lab.pass(1).await;
    }
    let name = "/published/web".to_owned();
    let tags = web.identity.parameter_tags(&name);
    let image = origin.clone();
    for action in [
        Action::PutParameter {
            name: name.clone(),
            image: image.clone(),
            tags: tags.clone(),
        },
        Action::PutParameter {
            name: name.clone(),
            image,
            tags: BTreeMap::new(),
        },
        Action::TagParameter {
            name: name.clone(),
            tags: [(tag::RETAINED.to_owned(), "now".to_owned())].into(),
        },
    ] {
        let done = lab.perform(&web, region, action).await;
        assert!(done.result.is_ok(), "{done:?}");
        lab.pass(20).await;
    }
    lab.pass(60).await;
    let lost = Reads {
        recycle_bin: [(
            (Place::new(ACCOUNT, "eu-west-1"), id.clone()),
            vec![snapshot.clone()],
        )]
        .into(),
        ..Reads::default()
    };
    for action in [
        Action::DeleteSnapshot {
            id: snapshot.clone(),
        },
        Action::RestoreSnapshot { id: snapshot },
        Action::RestoreImage { id: id.clone() },
    ] {
        lab.inventory.observe(&web, &lost).await;
        let done = lab.perform(&web, "eu-west-1", action).await;
        assert!(done.result.is_ok(), "{done:?}");
    }
    for query in [
        SourceQuery::Instance(Reference::new(region, INSTANCE)),
        SourceQuery::Image(Reference::new(region, &origin)),
        SourceQuery::Image(Reference::new(region, "ami-0000000000000dead")),
        SourceQuery::Snapshots(region.into(), vec![ROOT.into()]),
        SourceQuery::Parameter(Parameter {
            region: region.into(),
            name: "/golden/web".into(),
        }),
    ] {
        let reads = Reads {
            source: Some(query),
            ebs_defaults: [Place::new(ACCOUNT, region)].into(),
            usage: [(Place::new(ACCOUNT, region), origin.clone())].into(),
            usage_reports: [(there.clone(), id.clone())].into(),
            parameters: [(Place::new(ACCOUNT, region), When::Now)].into(),
            fast_launches: [(Place::new(ACCOUNT, region), When::Now)].into(),
            permissions: [&origin, &origins_snapshot]
                .map(|id| ((Place::new(ACCOUNT, region), id.clone()), When::Now))
                .into(),
            ..Reads::default()
        };
        lab.inventory.observe(&web, &reads).await;
    }
    let removal = Action::DeleteParameter { name };
    let removed = lab.perform(&web, region, removal).await;
    assert!(removed.result.is_ok(), "{removed:?}");
    let made: BTreeSet<String> = lab
        .log()
        .into_iter()
        .map(|(_, _, action, _)| action)
        // It needs no permission.
        .filter(|action| action != "GetCallerIdentity")
        .collect();
    assert_eq!(made, allowed());
    let ledger = lab.policy_ledger();
    let denials = ledger.denials();
    assert!(denials.is_empty(), "{denials:?}");
    // There is no other account here.
    let mut unused = ledger.unused();
    unused.retain(|one| !one.contains("ReachOtherAccounts"));
    assert!(unused.is_empty(), "{unused:#?}");
}

#[test]
fn whatever_makes_an_image_may_tag_it_and_only_as_the_owners() {
    let condition = &statements()["TagWhatIsMadeInTheCallThatMakesIt"]["Condition"]["StringEquals"];
    let making: BTreeSet<_> = words(&condition["ec2:CreateAction"]).into_iter().collect();
    let makes = |action: &String| action.ends_with("Image") && action != "DeregisterImage";
    assert_eq!(making, allowed().into_iter().filter(makes).collect());
    assert_eq!(condition["aws:RequestTag/amity.dev/owner"], "OWNER_ID");
}

#[test]
fn nothing_is_changed_or_removed_that_does_not_carry_the_owners_tag() {
    let statements = statements();
    for action in [
        "DeleteTags",
        "DeregisterImage",
        "DeleteSnapshot",
        "CreateTags",
        "RestoreImageFromRecycleBin",
    ] {
        let allowing = statements
            .values()
            .filter(|statement| words(&statement["Action"]).contains(&format!("ec2:{action}")));
        for statement in allowing {
            let condition = &statement["Condition"]["StringEquals"];
            let by_tag = [
                "aws:ResourceTag/amity.dev/owner",
                "aws:RequestTag/amity.dev/owner",
            ];
            assert!(
                by_tag.iter().any(|key| condition[key] == "OWNER_ID"),
                "{action}: {statement}"
            );
        }
    }
}

/// The rights of AWS's own policy `AmazonEC2ImageReferencesAccessPolicy`, version 1.
#[test]
fn what_ec2_reads_to_find_who_uses_an_image_may_only_be_read_by_ec2() {
    let statement = &statements()["LetEC2LookForWhatUsesAnImage"];
    assert_eq!(
        words(&statement["Condition"]["ForAnyValue:StringEquals"]["aws:CalledVia"]),
        ["ec2-images.amazonaws.com"]
    );
    let actions: BTreeSet<_> = words(&statement["Action"]).into_iter().collect();
    let expected = [
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeLaunchTemplates",
        "imagebuilder:GetContainerRecipe",
        "imagebuilder:ListContainerRecipes",
        "imagebuilder:ListImageRecipes",
        "ssm:DescribeParameters",
        "ssm:GetParameters",
    ];
    assert_eq!(actions, expected.map(str::to_owned).into());
}
