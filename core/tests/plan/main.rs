//! Plan cases: prose that runs. Each file in `tests/plan/cases` says what is desired and observed, and, from the
//! line `plan:` on, what Amity would do and what the user would read.
//!
//! `UPDATE_PLANS=1 cargo test -p amity-core --test plan` writes that part anew, so that a change of the planner
//! is reviewed as a difference of these files. What a case may say is in [`case`].

mod case;
mod parameters;
mod read;
mod reads;
mod render;
mod status;
mod waits;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use amity_core::api::MachineImageStatus;
use amity_core::api::conditions::{self, Reason};
use amity_core::image::invariants::violations;
use amity_core::image::plan::plan;
use amity_core::image::report::report;

use case::Case;
use read::Situation;

/// Where the expected part of a case begins.
const EXPECTED: &str = "\nplan:";

#[test]
fn every_case_is_planned_as_it_says() {
    let update = std::env::var_os("UPDATE_PLANS").is_some();
    let mut wrong = String::new();
    let cases = cases();
    assert!(!cases.is_empty(), "no cases were found");
    for path in cases {
        if let Err(why) = check(&path, update) {
            writeln!(
                wrong,
                "== {}\n{why}",
                path.file_stem().unwrap_or_default().display()
            )
            .unwrap();
        }
    }
    assert!(
        wrong.is_empty(),
        "\n{wrong}\nIf this is as it should be: UPDATE_PLANS=1 cargo test -p amity-core --test plan"
    );
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/plan/cases");
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut cases: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    cases.sort();
    cases
}

fn check(path: &Path, update: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|why| why.to_string())?;
    let (input, expected) = match text.find(EXPECTED) {
        Some(at) => text.split_at(at + 1),
        None => (text.as_str(), ""),
    };
    let case: Case = serde_saphyr::from_str(input).map_err(|why| why.to_string())?;
    let situation = read::situation(&case)?;
    let actual = outcome(&situation)?;
    let _: serde_json::Value =
        serde_saphyr::from_str(&actual).map_err(|why| format!("{actual}\nis no YAML: {why}"))?;
    if actual == expected {
        return Ok(());
    }
    if update {
        let input = input.trim_end();
        return std::fs::write(path, format!("{input}\n{actual}")).map_err(|why| why.to_string());
    }
    Err(format!("-- expected\n{expected}-- actual\n{actual}"))
}

/// What the planner and the report make of the situation, after what must hold of every plan was checked.
fn outcome(situation: &Situation) -> Result<String, String> {
    let Situation {
        image,
        desired,
        observed,
        now,
    } = situation;
    let plan = plan(desired, observed, *now);
    let broken = violations(&plan, desired, observed, *now);
    if !broken.is_empty() {
        return Err(format!("breaks invariants: {broken:?}"));
    }
    let plan = plan.checked(desired, observed, *now);
    let status = report(image, desired, observed, &plan, *now);
    let again = report(image, desired, observed, &plan, *now);
    if status != again {
        return Err("two reports of the same differ".to_owned());
    }
    well_formed(
        &status,
        desired.suspended || (desired.is_being_deleted() && plan.is_at_rest()),
    )?;
    Ok(render::outcome(desired, &plan, &status))
}

/// What kstatus and the schema take for granted.
fn well_formed(status: &MachineImageStatus, may_rest_unready: bool) -> Result<(), String> {
    let status_of = |type_| {
        status
            .conditions
            .iter()
            .find(|one| one.type_ == type_)
            .map(|one| one.status.as_str())
    };
    let is_ready = status_of(conditions::READY) == Some("True");
    let moves = [conditions::RECONCILING, conditions::STALLED]
        .map(|type_| status_of(type_) == Some("True"));
    match (is_ready, moves) {
        (true, [false, false]) | (false, [true, false] | [false, true]) => {}
        (false, [false, false]) if may_rest_unready => {}
        _ => {
            return Err(format!(
                "Ready {is_ready}, Reconciling and Stalled {moves:?}"
            ));
        }
    }
    for condition in &status.conditions {
        let reason = Reason::named(&condition.reason)
            .ok_or_else(|| format!("{} is no reason", condition.reason))?;
        if !reason.conditions.contains(&condition.type_.as_str()) {
            return Err(format!("{reason} may not stand at {}", condition.type_));
        }
        if condition.message.is_empty() || condition.message.chars().count() > 1024 {
            return Err(format!(
                "the message of {} has {} bytes",
                condition.type_,
                condition.message.len()
            ));
        }
        if condition.observed_generation != Some(status.observed_generation) {
            return Err(format!("{} is of another generation", condition.type_));
        }
    }
    let texts = status
        .next_steps
        .iter()
        .flat_map(|step| step.waits_for.iter().chain([&step.why]));
    match texts.max_by_key(|text| text.chars().count()) {
        Some(text) if text.chars().count() > 256 => Err(format!("too long for nextSteps: {text}")),
        _ => Ok(()),
    }
}
