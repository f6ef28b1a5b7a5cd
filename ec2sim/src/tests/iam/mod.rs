//! Policies: how they are read, evaluated, asked, answered and counted.

mod actions;
mod conditions;
mod documents;
mod evaluation;
mod ledger;
mod shipped;

use serde_json::{Value, json};

use super::ssm::ask;
use super::*;
use crate::{Policy, Service};

const ROLE: &str = "arn:aws:iam::444455556666:role/amity";
const UNAUTHORIZED: &str = "UnauthorizedOperation";

fn policy(statements: &Value) -> Policy {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    Policy::parse("test", &document.to_string()).expect("a policy")
}

/// What allows an action on everything under a condition.
fn allow(action: &str, condition: &Value) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition})
}

/// A calm world where the home key may do what these statements say.
fn under(statements: &Value) -> Ec2 {
    let mut ec2 = Ec2::calm();
    restrict(&mut ec2, HOME, statements);
    ec2
}

fn restrict(ec2: &mut Ec2, who: &str, statements: &Value) {
    let policies = vec![policy(statements)];
    ec2.world.set_policies(who, policies).expect("somebody");
}

/// Whether a dry run would have succeeded; it is denied otherwise.
fn may(ec2: &mut Ec2, action: &str, parameters: &[(&str, &str)]) -> bool {
    let mut parameters = parameters.to_vec();
    parameters.push(("DryRun", "true"));
    match ec2.code(action, &parameters).as_str() {
        "DryRunOperation" => true,
        UNAUTHORIZED => false,
        other => panic!("{action}: {other}"),
    }
}
