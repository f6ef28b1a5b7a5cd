//! Sessions that are tagged with the namespace of the object that something is done for.

use amity::aws::effect::Outcome;
use amity_core::api::{AwsAccount, conditions};
use amity_core::image::desired::Desired;
use amity_core::image::identity::{Place, tag};
use amity_core::image::observed::{PlaceView, Refusal};
use amity_core::image::plan::step::{Action, Step, Why};
use ec2sim::{Fault, Knobs, Policy, World};
use serde_json::{Value, json};

use crate::lab::{Lab, account, copy, desired};

const PARTNER: &str = "444455556666";
const ROLE: &str = "arn:aws:iam::444455556666:role/amity";
/// An image of the partner's.
const BASE: &str = "ami-0beefcafebeefcafe";
const REGION: &str = "us-east-1";

fn partner() -> AwsAccount {
    account(json!({
        "accountId": PARTNER,
        "assumeRole": {"roleArn": ROLE, "externalId": "amity-example", "sessionTags": "Namespace"},
    }))
}

/// The partner's account, where the role has this policy, if there is one, and was reached.
async fn lab(policy: Option<&Value>) -> Lab {
    let mut world = World::example()
        .expect("the example is a world")
        .with_knobs(Knobs::calm());
    if let Some(policy) = policy {
        let policy = Policy::parse("the role's", &policy.to_string()).expect("a policy");
        world.set_policies(ROLE, vec![policy]).expect("the role");
    }
    let mut lab = Lab::over(world, |ec2| ec2);
    lab.start(partner());
    lab.pass(60).await;
    lab
}

fn there() -> Place {
    Place::new(PARTNER, REGION)
}

/// The object `name` of a namespace.
fn of(namespace: &str, name: &str) -> Desired {
    let mut desired = desired(name, &[REGION]);
    desired.identity.object = format!("{namespace}/{name}");
    desired.account_id = Some(PARTNER.to_owned());
    desired.places = vec![there()];
    desired
}

async fn perform(lab: &Lab, desired: &Desired, action: Action) -> Outcome {
    let step = Step::at(&there(), action, Why::WantedByRegions);
    let mut outcomes = lab.effects.perform(desired, vec![&step]).await;
    outcomes.pop().expect("one outcome a step")
}

async fn copied(lab: &Lab, desired: &Desired) -> String {
    let outcome = perform(lab, desired, copy(desired, BASE, REGION)).await;
    let made = outcome.made();
    made.unwrap_or_else(|| panic!("{outcome:?}")).to_owned()
}

async fn refused(lab: &Lab, desired: &Desired) -> Refusal {
    let outcome = perform(lab, desired, copy(desired, BASE, REGION)).await;
    outcome.result.expect_err("it is refused")
}

/// How many images of the object are listed.
async fn listed(lab: &Lab, desired: &Desired) -> usize {
    match &lab.observe(desired).await.places[&there()] {
        PlaceView::Known(known) => known.images.len(),
        PlaceView::Unreadable(unreadable) => panic!("{unreadable:?}"),
    }
}

/// Lists may be read without a namespace only, and all else be done for one.
fn for_images_only() -> Value {
    let tag = "aws:PrincipalTag/amity.dev/namespace";
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*",
                "Condition": {"Null": {tag: "true"}},
            },
            {
                "Effect": "Allow", "Action": ["ec2:CopyImage", "ec2:CreateTags"], "Resource": "*",
                "Condition": {"StringEquals": {tag: "images"}},
            },
        ],
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_done_for_an_object_is_done_in_a_session_of_its_namespace() {
    let lab = lab(Some(&for_images_only())).await;
    let web = of("images", "web");
    copied(&lab, &web).await;
    lab.pass(60).await;
    assert_eq!(listed(&lab, &web).await, 1, "reads have no namespace");

    let refusal = refused(&lab, &of("others", "web")).await;
    assert_eq!(refusal.reason, conditions::ACCESS_DENIED);
    assert!(
        refusal.message.contains("ec2:CopyImage"),
        "{}",
        refusal.message
    );
}

#[tokio::test(start_paused = true)]
async fn the_session_of_a_namespace_is_proven_before_anything_is_done_in_it() {
    let lab = lab(None).await;
    let before = lab.log().len();
    copied(&lab, &of("images", "web")).await;
    let calls: Vec<_> = lab
        .log()
        .split_off(before)
        .into_iter()
        .map(|(_, _, action, _)| action)
        .filter(|action| !action.starts_with("Describe"))
        .collect();
    assert_eq!(calls, ["AssumeRole", "GetCallerIdentity", "CopyImage"]);

    let before = lab.reached("CopyImage");
    let code = "AccessDenied";
    let message = "with an explicit deny";
    lab.fail("GetCallerIdentity", Fault::Refuse { code, message });
    let refusal = refused(&lab, &of("others", "web")).await;
    assert!(
        refusal.message.contains("GetCallerIdentity"),
        "{}",
        refusal.message
    );
    assert_eq!(lab.reached("CopyImage"), before, "it was not sent");
}

#[tokio::test(start_paused = true)]
async fn a_session_serves_all_objects_of_its_namespace_and_is_renewed_before_it_ends() {
    let lab = lab(None).await;
    let assumed = || lab.calls.count("AssumeRole", "success");
    assert_eq!(assumed(), 1, "one for reading");
    for name in ["one", "two"] {
        copied(&lab, &of("images", name)).await;
    }
    assert_eq!(assumed(), 2);
    copied(&lab, &of("others", "one")).await;
    assert_eq!(assumed(), 3);

    lab.pass(2 * 3600).await;
    let before = assumed();
    copied(&lab, &of("images", "three")).await;
    assert_eq!(assumed(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_role_whose_sessions_may_not_be_tagged_says_what_to_allow() {
    let lab = lab(None).await;
    let allow = |allowed| {
        lab.world(|world| {
            let account = world.account_mut(PARTNER).expect("it is there");
            let role = account.roles.get_mut("amity").expect("it is there");
            role.allows_session_tags = allowed;
        });
    };
    allow(false);
    let web = of("images", "web");
    let refusal = refused(&lab, &web).await;
    assert_eq!(refusal.reason, conditions::NO_CREDENTIALS);
    for said in [
        "CopyImage in us-east-1 was not sent",
        ROLE,
        "amity.dev/namespace=images",
        "allow sts:TagSession in the trust policy of the role",
        "spec.assumeRole.sessionTags",
    ] {
        assert!(refusal.message.contains(said), "{}", refusal.message);
    }
    assert_eq!(lab.reached("CopyImage"), 0);
    assert_eq!(listed(&lab, &web).await, 0, "what is read is read");

    let before = lab.reached("AssumeRole");
    assert_eq!(refused(&lab, &web).await, refusal);
    assert_eq!(
        lab.reached("AssumeRole"),
        before,
        "it is not asked in a loop"
    );
    assert_eq!(lab.observe(&web).await.refusals.len(), 1);

    allow(true);
    lab.pass(10).await;
    copied(&lab, &web).await;
}

#[tokio::test(start_paused = true)]
async fn sessions_without_tags_need_no_right_to_tag() {
    let lab = lab(None).await;
    lab.world(|world| {
        let account = world.account_mut(PARTNER).expect("it is there");
        let role = account.roles.get_mut("amity").expect("it is there");
        role.allows_session_tags = false;
    });
    let mut untagged = partner();
    if let Some(role) = &mut untagged.spec.assume_role {
        role.session_tags = None;
    }
    lab.inventory.set_accounts([untagged]);
    lab.pass(60).await;
    copied(&lab, &of("images", "web")).await;
}

/// The policy of a spoke account's role, narrowed as docs/iam.md says.
#[tokio::test(start_paused = true)]
async fn a_policy_keeps_a_namespace_from_the_images_of_another() {
    const SPOKE: &str = include_str!("../../deploy/iam/spoke.json");
    let mut policy: Value =
        serde_json::from_str(&SPOKE.replace("OWNER_ID", "test")).expect("it is JSON");
    let statements = policy["Statement"].as_array_mut().expect("a list");
    for statement in statements {
        let narrow = |key: &str| json!({key: "${aws:PrincipalTag/amity.dev/namespace}/*"});
        let sid = statement["Sid"].as_str().expect("a name");
        let key = match sid {
            sid if sid.starts_with("ChangeAndRemove") => "aws:ResourceTag/amity.dev/object",
            sid if sid.starts_with("Make") => "aws:RequestTag/amity.dev/object",
            _ => continue,
        };
        statement["Condition"]["StringLike"] = narrow(key);
    }
    let lab = lab(Some(&policy)).await;
    let web = of("images", "web");
    let image = copied(&lab, &web).await;
    lab.pass(60).await;
    let seal = || Action::CreateTags {
        id: image.clone(),
        tags: [(tag::SELF.to_owned(), image.clone())].into(),
    };
    let by_others = perform(&lab, &of("others", "web"), seal()).await;
    let refusal = by_others.result.expect_err("it is another namespace's");
    assert_eq!(refusal.reason, conditions::ACCESS_DENIED);
    let done = perform(&lab, &web, seal()).await;
    assert!(done.result.is_ok(), "{done:?}");

    let mut of_others = copy(&of("others", "web"), BASE, REGION);
    if let Action::CopyImage { tags, .. } = &mut of_others {
        tags.insert(tag::OBJECT.to_owned(), "images/web".to_owned());
    }
    let done = perform(&lab, &of("others", "web"), of_others).await;
    assert!(
        done.result.is_err(),
        "it would pass for another's: {done:?}"
    );
}
