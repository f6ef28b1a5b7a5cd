//! Every action that a policy of `deploy/iam` allows: on what, under which condition, and to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use amity_testbed::workspace_root;
use serde_json::Value;

use super::{check, code};

/// The policies that allow something, in the order of their columns.
const POLICIES: [&str; 4] = ["controller", "spoke", "plan", "adopt"];

/// What an action is allowed on, and under which condition.
type Terms = (String, String);

#[test]
fn the_page_of_rights_has_every_action_of_the_policies() {
    let mut rights: BTreeMap<(String, Terms), BTreeSet<&str>> = BTreeMap::new();
    for policy in POLICIES {
        for statement in statements(policy) {
            assert_eq!(statement["Effect"], "Allow", "{policy}.json");
            for action in list(&statement["Action"]) {
                let held = rights.entry((action, terms(&statement))).or_default();
                held.insert(policy);
            }
        }
    }
    let mut page = String::from(
        "<!-- Written from deploy/iam/. -->\n# IAM: every action\n\nWhat the policies in [`deploy/iam`](../../deploy/iam/README.md) \
         allow, action by action. Why each is needed, and what may be left out, is in [iam.md](../iam.md). A row is one way in \
         which the action is allowed; an action with several rows is allowed where one of them fits.\n\n\
         | action | on | if | controller | spoke | plan | adopt |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for ((action, (on, condition)), held) in &rights {
        let marks: Vec<_> = POLICIES
            .iter()
            .map(|policy| if held.contains(policy) { "yes" } else { "" })
            .collect();
        let _ = writeln!(
            page,
            "| {} | {on} | {condition} | {} |",
            code(action),
            marks.join(" | ")
        );
    }
    page.push_str(
        "\n`sts:GetCallerIdentity` needs no permission.\n\n## What the service control policy denies\n\n\
         [`service-control-policy.json`](../../deploy/iam/service-control-policy.json), for the accounts of an organization:\n\n\
         | action | on | if |\n| --- | --- | --- |\n",
    );
    for statement in statements("service-control-policy") {
        assert_eq!(statement["Effect"], "Deny");
        let (on, condition) = terms(&statement);
        let actions: Vec<_> = list(&statement["Action"])
            .iter()
            .map(|one| code(one))
            .collect();
        let _ = writeln!(page, "| {} | {on} | {condition} |", actions.join(" "));
    }
    check("iam.md", &page);
}

fn statements(policy: &str) -> Vec<Value> {
    let path = workspace_root().join(format!("deploy/iam/{policy}.json"));
    let text = std::fs::read_to_string(path).unwrap();
    let policy: Value = serde_json::from_str(&text).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

fn terms(statement: &Value) -> Terms {
    let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
    for key in statement.as_object().unwrap().keys() {
        assert!(known.contains(&key.as_str()), "{key} is not understood");
    }
    let resources = list(&statement["Resource"]);
    let on: Vec<_> = resources.iter().map(|one| code(one)).collect();
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    let conditions = conditions.flat_map(|(operator, keys)| {
        let keys = keys.as_object().unwrap().iter();
        keys.map(move |(key, values)| {
            let values: Vec<_> = list(values).iter().map(|one| code(one)).collect();
            format!("{} {operator} {}", code(key), values.join(" or "))
        })
    });
    let conditions: Vec<_> = conditions.collect();
    (on.join(" "), conditions.join(" and<br>"))
}

/// IAM takes one in place of a list of one.
fn list(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect(),
        other => panic!("{other} is not understood"),
    }
}
