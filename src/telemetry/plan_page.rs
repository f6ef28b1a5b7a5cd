//! The current plan of an object, for a person who asks why nothing happens, or what would. It says no more than a
//! status may: actions, ids, reasons, and what is waited for; no tags, no descriptions.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The plan that was made last for an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanPage {
    /// `namespace/name`
    pub object: String,
    /// The revision that the spec asks for.
    pub revision: String,
    /// When the plan was made.
    pub planned_at: Timestamp,
    /// When it is made anew at the latest.
    pub looks_again_at: Timestamp,
    /// When the region was read that was read longest ago; none, where one was not read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub observed_at: Option<Timestamp>,
    /// Whether there is nothing to do and nothing in the way.
    pub at_rest: bool,
    /// What is to be done, in its order.
    pub steps: Vec<PlannedStep>,
    /// How many more steps there are.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub more_steps: usize,
    /// What stands in the way.
    pub findings: Vec<Found>,
    /// What stands in nobody's way.
    pub notes: Vec<Found>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// What, as under `status.nextSteps`.
    pub step: String,
    /// The image, snapshot or parameter that it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// The name of the `AwsAccount`; none for a write to Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account_name: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<String>,
    /// Why.
    pub why: String,
    /// What it waits for; none, if it is taken now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub waits_for: Option<String>,
}

/// Something that the user should read about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The condition's reason.
    pub reason: String,
    /// Where, if it is of one region.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<String>,
    /// What, and what to do.
    pub message: String,
}

/// For a terminal.
impl fmt::Display for PlanPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  revision {}", self.object, self.revision)?;
        write!(
            f,
            "planned {}, looks again by {}",
            at(self.planned_at),
            at(self.looks_again_at)
        )?;
        match self.observed_at {
            Some(time) => {
                let age = self.planned_at.duration_since(time).as_secs();
                writeln!(f, ", from what EC2 listed at {} ({age} s before)", at(time))?;
            }
            None => writeln!(f, ", with a region that is not read")?,
        }
        if self.at_rest {
            return writeln!(f, "\nat rest: nothing to do, and nothing in the way");
        }
        found(f, "in the way", &self.findings)?;
        if !self.steps.is_empty() {
            writeln!(f, "\nsteps")?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{:3}. {step}", number + 1)?;
        }
        if self.more_steps > 0 {
            writeln!(f, "     and {} more", self.more_steps)?;
        }
        found(f, "besides", &self.notes)
    }
}

fn found(f: &mut fmt::Formatter<'_>, title: &str, found: &[Found]) -> fmt::Result {
    if found.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    found
        .iter()
        .try_for_each(|one| writeln!(f, "  {}: {}", one.reason, one.message))
}

impl fmt::Display for PlannedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.step)?;
        if let Some(id) = &self.id {
            write!(f, " {id}")?;
        }
        if let (Some(account), Some(region)) = (&self.account_name, &self.region) {
            write!(f, " in {region} of {account}")?;
        }
        write!(f, "\n       why: {}", self.why)?;
        match &self.waits_for {
            Some(waits_for) => write!(f, "\n       waits for: {waits_for}"),
            None => Ok(()),
        }
    }
}

fn at(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> PlanPage {
        let time = |text: &str| text.parse().expect("a time");
        PlanPage {
            object: "team/web".to_owned(),
            revision: "3f9a1c07d2".to_owned(),
            planned_at: time("2026-06-01T12:00:09Z"),
            looks_again_at: time("2026-06-01T12:01:09Z"),
            observed_at: Some(time("2026-06-01T12:00:04Z")),
            at_rest: false,
            steps: vec![PlannedStep {
                step: "CopyImage".to_owned(),
                id: Some("us-east-1/ami-1".to_owned()),
                account_name: Some("default".to_owned()),
                region: Some("eu-west-1".to_owned()),
                why: "wanted by spec.regions".to_owned(),
                waits_for: Some("ami-1 to be available, 40 %".to_owned()),
            }],
            more_steps: 2,
            findings: vec![Found {
                reason: "Throttled".to_owned(),
                region: Some("eu-west-1".to_owned()),
                message: "EC2 throttles CopyImage".to_owned(),
            }],
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_plan_reads_as_what_is_to_be_done_and_what_it_waits_for() {
        let text = "team/web  revision 3f9a1c07d2\n\
                    planned 2026-06-01T12:00:09Z, looks again by 2026-06-01T12:01:09Z, from what EC2 listed at \
                    2026-06-01T12:00:04Z (5 s before)\n\
                    \nin the way\n  Throttled: EC2 throttles CopyImage\n\
                    \nsteps\n  1. CopyImage us-east-1/ami-1 in eu-west-1 of default\n       \
                    why: wanted by spec.regions\n       waits for: ami-1 to be available, 40 %\n     and 2 more\n";
        assert_eq!(page().to_string(), text);
    }

    #[test]
    fn it_comes_out_of_json_as_it_went_in() {
        let text = serde_json::to_string(&page()).expect("JSON");
        let page_again: PlanPage = serde_json::from_str(&text).expect("a page");
        assert_eq!(page_again, page());
    }
}
