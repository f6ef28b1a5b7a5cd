//! The IAM policies that we ship: every call that is made, and no other. That of taking over is in `adoption`.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::api::AwsAccount;
use amity_core::image::attributes::{AttributeChange, Protection};
use amity_core::image::desired::{Desired, Parameter};
use amity_core::image::fast_launch::FastLaunchSettings;
use amity_core::image::identity::{Place, Reference, tag};
use amity_core::image::permissions::{Grantee, PermissionChange};
use amity_core::image::plan::step::Action;
use amity_core::image::plan::{Reads, SourceQuery, When};
use ec2sim::state::Role;
use serde_json::{Value, json};

use crate::lab::{
    ACCESS_KEY, ACCOUNT, CONTROLLER, INSTANCE, Lab, SPOKE, account, capture, copy, desired, policy,
};
use crate::register::{ROOT, register, registration};

const PLAN: &str = include_str!("../../deploy/iam/plan.json");

/// The statements of the controller's policy by their `Sid`.
fn statements() -> BTreeMap<String, Value> {
    let policy: Value = serde_json::from_str(CONTROLLER).expect("it is JSON");
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

/// What was made for the lives of some images, and what they are made of.
struct Made {
    web: Desired,
    origin: String,
    origins_snapshot: String,
    copy: String,
    snapshot: String,
}

/// Where the copy is.
const ELSEWHERE: &str = "eu-west-1";
/// Where the origin is.
const HERE: &str = "us-east-1";
/// A parameter that names the origin.
const PARAMETER: &str = "/published/web";

fn elsewhere() -> Place {
    Place::new(ACCOUNT, ELSEWHERE)
}

/// Makes an image of an instance, one of a snapshot, a copy, and a parameter.
async fn make(lab: &Lab) -> Made {
    lab.world(|world| {
        let place = world.place_mut(ACCOUNT, ELSEWHERE).expect("a place");
        (place.recycle_bin_days, place.snapshot_recycle_bin_days) = (7, 7);
    });
    lab.has_windows();
    let (web, base) = (desired("web", &[HERE, ELSEWHERE]), desired("base", &[HERE]));
    let origin = lab.make(&web, HERE, capture(&web)).await;
    lab.make(&base, HERE, register(&base, registration())).await;
    lab.pass(60).await;
    let action = copy(&web, &origin, ELSEWHERE);
    let copy = lab.make(&web, ELSEWHERE, action).await;
    lab.pass(60).await;
    let name = PARAMETER.to_owned();
    let (image, tags) = (origin.clone(), web.identity.parameter_tags(&name));
    let put = Action::PutParameter { name, image, tags };
    perform(lab, &web, HERE, [put]).await;
    Made {
        origins_snapshot: lab.known(&web, HERE).await.snapshots[0].id.clone(),
        snapshot: lab.known(&web, ELSEWHERE).await.snapshots[0].id.clone(),
        web,
        origin,
        copy,
    }
}

async fn perform(
    lab: &Lab,
    desired: &Desired,
    region: &str,
    actions: impl IntoIterator<Item = Action>,
) {
    for action in actions {
        let done = lab.perform(desired, region, action).await;
        assert!(done.result.is_ok(), "{done:?}");
        lab.pass(20).await;
    }
}

/// Everything that is done to an image until it is deregistered, and to the parameter.
async fn change(lab: &Lab, made: &Made) {
    let id = &made.copy;
    let tags = [(tag::SELF.to_owned(), id.clone())].into();
    let keys = vec![tag::SELF.to_owned()];
    let tagging = [
        Action::CreateTags {
            id: id.clone(),
            tags,
        },
        Action::DeleteTags {
            id: id.clone(),
            keys,
        },
    ];
    let changes = changes().map(|change| Action::ModifyImage {
        id: id.clone(),
        change,
    });
    let sharing = [id, &made.snapshot].map(|id| Action::ChangePermissions {
        id: id.clone(),
        change: PermissionChange {
            add: [Grantee::Account("222233334444".to_owned())].into(),
            remove: BTreeSet::new(),
        },
    });
    let launching_fast = [
        Action::EnableFastLaunch {
            id: id.clone(),
            settings: FastLaunchSettings {
                target_resource_count: 5,
                max_parallel_launches: 6,
            },
        },
        Action::DisableFastLaunch { id: id.clone() },
    ];
    let reporting = Action::CreateUsageReport {
        id: id.clone(),
        token: made.web.identity.usage_report_token(&elsewhere(), id, None),
        tags: made.web.identity.usage_report_tags(),
    };
    let last = Action::DeregisterImage { id: id.clone() };
    let actions = tagging.into_iter().chain(changes).chain(sharing);
    let actions = actions.chain(launching_fast).chain([reporting, last]);
    perform(lab, &made.web, ELSEWHERE, actions).await;
    let name = PARAMETER.to_owned();
    let overwriting = Action::PutParameter {
        name: name.clone(),
        image: made.origin.clone(),
        tags: BTreeMap::new(),
    };
    let tags = [(tag::RETAINED.to_owned(), "now".to_owned())].into();
    let marking = Action::TagParameter { name, tags };
    perform(lab, &made.web, HERE, [overwriting, marking]).await;
}

/// The copy and its snapshot come back from the Recycle Bin.
async fn restore(lab: &Lab, made: &Made) {
    lab.pass(60).await;
    let (id, snapshot) = (made.copy.clone(), made.snapshot.clone());
    let lost = Reads {
        recycle_bin: [((elsewhere(), id.clone()), vec![snapshot.clone()])].into(),
        ..Reads::default()
    };
    let (again, image) = (snapshot.clone(), id);
    for action in [
        Action::DeleteSnapshot { id: snapshot },
        Action::RestoreSnapshot { id: again },
        Action::RestoreImage { id: image },
    ] {
        lab.inventory.observe(&made.web, &lost).await;
        perform(lab, &made.web, ELSEWHERE, [action]).await;
    }
}

/// Everything that is read.
async fn read(lab: &Lab, made: &Made) {
    let here = || Place::new(ACCOUNT, HERE);
    for query in [
        SourceQuery::Instance(Reference::new(HERE, INSTANCE)),
        SourceQuery::Image(Reference::new(HERE, &made.origin)),
        SourceQuery::Image(Reference::new(HERE, "ami-0000000000000dead")),
        SourceQuery::Snapshots(HERE.into(), vec![ROOT.into()]),
        SourceQuery::Parameter(Parameter {
            region: HERE.into(),
            name: "/golden/web".into(),
        }),
    ] {
        let lost = (elsewhere(), made.copy.clone());
        let reads = Reads {
            source: Some(query),
            ebs_defaults: [here()].into(),
            usage: [(here(), made.origin.clone())].into(),
            usage_reports: [(elsewhere(), made.copy.clone())].into(),
            fast_launches: [(here(), When::Now)].into(),
            parameters: [(here(), When::Now)].into(),
            permissions: [&made.origin, &made.origins_snapshot]
                .map(|id| ((here(), id.clone()), When::Now))
                .into(),
            recycle_bin: [(lost, vec![made.snapshot.clone()])].into(),
            ..Reads::default()
        };
        lab.inventory.observe(&made.web, &reads).await;
    }
}

async fn remove_parameter(lab: &Lab, made: &Made) {
    let name = PARAMETER.to_owned();
    perform(lab, &made.web, HERE, [Action::DeleteParameter { name }]).await;
}

/// A lab that may do everything, and that reaches its account by a role of this name in it, as it reaches others.
async fn through_role(name: &str) -> Lab {
    let mut lab = Lab::unrestricted();
    lab.world(|world| {
        let account = world.account_mut(ACCOUNT).expect("an account");
        let role = Role {
            trusts: [ACCOUNT.to_owned()].into(),
            external_id: None,
            allows_session_tags: true,
        };
        account.roles.insert(name.to_owned(), role);
    });
    lab.start(account_through(name));
    lab.pass(20).await;
    lab
}

fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn account_through(role: &str) -> AwsAccount {
    let how = json!({"roleArn": role_arn(role), "sessionTags": "Namespace"});
    account(json!({"assumeRole": how}))
}

fn restrict(lab: &Lab, who: &str, name: &str, json: &str) {
    let given = lab.world(|world| world.set_policies(who, vec![policy(name, json)]));
    given.expect("a key or a role");
}

fn assert_nothing_denied(lab: &Lab) {
    let denials = lab.policy_ledger().denials();
    assert!(denials.is_empty(), "{denials:#?}");
}

/// What no call needed of what the policies of this name allow.
fn unused(lab: &Lab, name: &str) -> Vec<String> {
    let mut unused = lab.policy_ledger().unused();
    unused.retain(|one| one.starts_with(&format!("{name}: ")));
    unused
}

#[tokio::test(start_paused = true)]
async fn the_policy_allows_every_call_that_is_made_and_no_other() {
    let lab = Lab::under_policy(CONTROLLER).started().await;
    let made = make(&lab).await;
    change(&lab, &made).await;
    restore(&lab, &made).await;
    read(&lab, &made).await;
    remove_parameter(&lab, &made).await;
    let called: BTreeSet<String> = lab
        .log()
        .into_iter()
        .map(|(_, _, action, _)| action)
        // It needs no permission.
        .filter(|action| action != "GetCallerIdentity")
        .collect();
    assert_eq!(called, allowed());
    assert_nothing_denied(&lab);
    let mut unused = lab.policy_ledger().unused();
    // There is no other account here.
    unused.retain(|one| !one.contains("ReachOtherAccounts"));
    assert!(unused.is_empty(), "{unused:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_policy_of_a_role_allows_every_call_that_is_made_through_it_and_no_other() {
    let lab = through_role("amity").await;
    restrict(&lab, ACCESS_KEY, "controller", CONTROLLER);
    restrict(&lab, &role_arn("amity"), "spoke", SPOKE);
    // The role is not assumed anew before its session is over, nor are the regions read.
    lab.pass(3700).await;
    let made = make(&lab).await;
    change(&lab, &made).await;
    restore(&lab, &made).await;
    read(&lab, &made).await;
    remove_parameter(&lab, &made).await;
    assert_nothing_denied(&lab);
    assert_eq!(unused(&lab, "spoke"), [""; 0]);
    let mut reaching = unused(&lab, "controller");
    reaching.retain(|one| one.contains("ReachOtherAccounts"));
    assert_eq!(reaching, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_policy_of_a_plan_allows_every_call_that_reads_and_no_other() {
    let lab = through_role("amity-plan").await;
    let made = make(&lab).await;
    change(&lab, &made).await;
    lab.pass(60).await;
    restrict(&lab, ACCESS_KEY, "plan", PLAN);
    restrict(&lab, &role_arn("amity-plan"), "plan", PLAN);

    let mut reader = lab.another_process();
    reader.start(account_through("amity-plan"));
    reader.pass(20).await;
    read(&reader, &made).await;

    assert_nothing_denied(&lab);
    assert_eq!(unused(&lab, "plan"), [""; 0]);
    let tags = [(tag::SELF.to_owned(), made.copy.clone())].into();
    let writing = Action::CreateTags {
        id: made.copy.clone(),
        tags,
    };
    let refused = reader.perform(&made.web, ELSEWHERE, writing).await;
    assert!(refused.result.is_err(), "{refused:?}");
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
