//! What EC2 holds, which calls it took, and what Amity weighs.

use std::collections::BTreeSet;
use std::time::Duration;

use amity_testbed::Call;

use super::stage::{Stage, Told, ensure};
use super::tell;

/// The account of the demo.
const HOME: &str = "111122223333";

/// What the first image took, from `kubectl apply` to `Ready`.
pub struct Took {
    /// How long.
    pub time: Duration,
    /// The calls.
    pub calls: Vec<Call>,
}

/// Prints the tables.
pub fn show(stage: &mut Stage, first: &Took) -> Told<()> {
    println!("\nWhat EC2 holds now\n------------------");
    show_held(stage)?;

    println!("\nThe calls it took\n-----------------");
    tell::say(&format!(
        "The first image took {} s from kubectl apply to Ready in three regions. Most calls are \
         readings: every few seconds where something goes on; else every 10 s here, and every 5 \
         minutes by default.",
        first.time.as_secs()
    ));
    println!();
    tell::table(&counted(&first.calls, &stage.ec2.call_log()?));
    println!();
    if let Some(bytes) = stage.amity.process().resident_memory() {
        tell::say(&format!(
            "amity run has {} MB of memory resident.",
            bytes / 1_000_000
        ));
    }
    Ok(())
}

/// The images of the home account, and whether each of Amity's snapshots is one of theirs.
fn show_held(stage: &Stage) -> Told<()> {
    let holdings = stage.holdings()?;
    let images: Vec<_> = holdings
        .images
        .iter()
        .filter(|image| image.is_there() && image.account == HOME)
        .collect();
    let rows = images.iter().map(|image| {
        let whose = if image.revision().is_empty() {
            "yours"
        } else {
            "Amity's"
        }
        .to_owned();
        vec![
            image.region.clone(),
            image.id.clone(),
            image.name.clone(),
            whose,
        ]
    });
    let head = ["region", "image", "name", "whose"]
        .map(str::to_owned)
        .to_vec();
    tell::table(&[head].into_iter().chain(rows).collect::<Vec<_>>());
    let used: BTreeSet<_> = images.iter().flat_map(|image| image.snapshots()).collect();
    let snapshots = holdings.snapshots.iter();
    let mut strays = snapshots
        .filter(|one| one.is_there() && one.account == HOME && !used.contains(one.id.as_str()));
    ensure(
        strays.next().is_none(),
        "a snapshot is left that no image uses",
    )?;
    println!();
    tell::seen("no snapshot is left that no image uses");
    Ok(())
}

fn counted(first: &[Call], all: &[Call]) -> Vec<Vec<String>> {
    let actions: BTreeSet<(bool, &str)> = all
        .iter()
        .map(|call| (!call.is_write(), call.action.as_str()))
        .collect();
    let count = |calls: &[Call], action: &str| {
        calls
            .iter()
            .filter(|call| call.action == action)
            .count()
            .to_string()
    };
    let head = ["action", "first image", "whole demo"]
        .map(str::to_owned)
        .to_vec();
    let rows = actions
        .into_iter()
        .map(|(_, action)| vec![action.to_owned(), count(first, action), count(all, action)]);
    let sum = vec![
        "all".to_owned(),
        first.len().to_string(),
        all.len().to_string(),
    ];
    [head].into_iter().chain(rows).chain([sum]).collect()
}
