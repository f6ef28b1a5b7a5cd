//! Everything that may happen to one object in two regions, and not only what chance brings: every order of the
//! user's edits, of what others do, of crashes, lost answers, stale and failing readings, over the real planner and
//! invariants and ec2sim's world.
//!
//! In every state that can be reached no plan breaks an invariant and no call does to EC2 what must never be done
//! (`truth`); and from every one of them, once nothing disturbs any more, Amity comes to rest with EC2 as the spec
//! says, or stalled for a reason that is true.
//!
//! | file | what it is |
//! | --- | --- |
//! | `search` | the search, breadth first |
//! | `system`, `ends`, `tell` | what may happen in a state, where it ends, and both in words |
//! | `look`, `memory` | one reconcile, and what a process remembers: the controller, without I/O |
//! | `object`, `hands` | the `MachineImage` with its user's edits, and what others do in the account |
//! | `ec2`, `time`, `truth` | EC2 as ec2sim has it, time as far as it matters, what must be true |
//! | `parts`, `worlds`, `table` | what keeps the search fast |
//! | `broken` | planners that are broken on purpose, and are found out |
//!
//! `cargo test -p amity-core --test model -- --nocapture` says what was searched. With `AMITY_MODEL=large` each edit
//! meets each foreign hand, which takes hours.

#![expect(clippy::similar_names, reason = "a state and a stale reading")]

mod broken;
mod ec2;
mod ends;
mod hands;
mod look;
mod memory;
mod object;
mod parts;
mod search;
mod system;
mod table;
mod tell;
mod time;
mod truth;
mod worlds;

use std::collections::BTreeSet;
use std::time::Instant;

use hands::{HANDS, Hand};
use object::{EDITS, Edit, Source};
use parts::Left;
use search::{Counterexample, Searched, search};
use system::{Amity, Scope};
use time::Steps;

/// Nothing happens but what Amity does, and time.
const NOTHING: Left = Left {
    edits: 0,
    deeds: 0,
    failures: 0,
    faults: Some(0),
};

/// Crashes, lost answers, calls that are not made, stale readings: any number of them.
const ANY_FAULTS: Left = Left {
    faults: None,
    ..NOTHING
};

/// One of them.
const A_FAULT: Left = Left {
    faults: Some(1),
    ..NOTHING
};

const SOURCES: [Source; 3] = [Source::Instance, Source::Snapshot, Source::Image];

fn scope(source: Source, times: Left) -> Scope {
    Scope {
        source,
        wanted: [true; 2],
        steps: Steps { in_window: 1 },
        sources_lag: false,
        times,
        edits: EDITS.to_vec(),
        hands: HANDS.to_vec(),
        unreadable: false,
        planner: amity_core::image::plan::plan,
        asks_invariants: true,
    }
}

/// Searches everything, says how much that was, and gives the calls and findings that there were.
fn check(scope: Scope) -> BTreeSet<&'static str> {
    let began = Instant::now();
    let told = told(&scope);
    let mut amity = Amity::new(scope);
    match search(&mut amity) {
        Ok(Searched {
            states,
            transitions,
            depth,
            ends,
        }) => {
            let (worlds, plans) = amity.parts.sizes();
            println!(
                "{told}: {states} states, {transitions} transitions, {depth} deep; {worlds} worlds, {plans} plans; \
                 {ends:?}; {:.1?}",
                began.elapsed()
            );
            amity.parts.covered()
        }
        Err(Counterexample { path, why }) => {
            panic!(
                "{told}, after {} states:\n{}\n{why}",
                amity.parts.sizes().0,
                path.join("\n")
            )
        }
    }
}

/// What is searched, as it is told. What may happen any number of times has no number.
fn told(scope: &Scope) -> String {
    let Left {
        edits,
        deeds,
        failures,
        faults,
    } = scope.times;
    let said = [
        (edits > 0).then(|| format!("{edits} of {:?}", scope.edits)),
        (deeds > 0).then(|| format!("{deeds} of {:?}", scope.hands)),
        (failures > 0).then(|| format!("{failures} failed image")),
        Some(faults.map_or("any faults".to_owned(), |faults| format!("{faults} faults"))),
    ];
    let said: Vec<_> = said.into_iter().flatten().collect();
    format!("{:?}, {}", scope.source, said.join(", "))
}

/// The smaller of two parts to search, unless `AMITY_MODEL=large` asks for all.
fn smaller<'a, T>(part: &'a [T], all: &'a [T]) -> &'a [T] {
    let is_large = std::env::var_os("AMITY_MODEL").is_some_and(|size| size == "large");
    if is_large { all } else { part }
}

#[test]
fn any_number_of_crashes_lost_answers_and_stale_readings() {
    for source in SOURCES {
        check(scope(source, ANY_FAULTS));
    }
}

#[test]
fn any_number_of_faults_while_regions_cannot_be_read() {
    for source in smaller(&[Source::Snapshot], &SOURCES) {
        check(Scope {
            unreadable: true,
            ..scope(*source, ANY_FAULTS)
        });
    }
}

#[test]
fn any_number_of_faults_while_it_is_shown_late_what_an_image_was_made_from() {
    for source in [Source::Instance, Source::Image] {
        check(Scope {
            sources_lag: true,
            ..scope(source, ANY_FAULTS)
        });
    }
}

#[test]
fn any_number_of_faults_where_half_a_window_matters() {
    for source in smaller(&[Source::Snapshot], &SOURCES) {
        check(Scope {
            steps: Steps { in_window: 2 },
            ..scope(*source, ANY_FAULTS)
        });
    }
}

#[test]
fn a_capture_or_a_copy_fails() {
    for source in smaller(&[Source::Instance, Source::Snapshot], &SOURCES) {
        check(scope(
            *source,
            Left {
                failures: 1,
                ..A_FAULT
            },
        ));
    }
}

#[test]
fn the_user_changes_something_and_something_goes_wrong() {
    let covered = check(scope(
        Source::Instance,
        Left {
            edits: 1,
            ..A_FAULT
        },
    ));
    let calls = [
        "StoreFinalizer",
        "RecordCapture",
        "CreateImage",
        "CopyImage",
        "CreateTags",
        "DeleteTags",
        "DeregisterImage",
        "DeleteSnapshot",
        "ReleaseFinalizer",
    ];
    for call in calls {
        assert!(
            covered.contains(call),
            "{call} is never asked for, only {covered:?}"
        );
    }
    check(scope(
        Source::Snapshot,
        Left {
            edits: 1,
            ..A_FAULT
        },
    ));
    check(Scope {
        edits: smaller(&[Edit::Delete], &EDITS).to_vec(),
        ..scope(
            Source::Image,
            Left {
                edits: 1,
                ..A_FAULT
            },
        )
    });
}

#[test]
fn the_user_changes_something_twice() {
    for source in smaller(&[Source::Snapshot], &SOURCES) {
        check(Scope {
            edits: smaller(&[Edit::OnlyIn(1), Edit::Everywhere, Edit::Delete], &EDITS).to_vec(),
            ..scope(
                *source,
                Left {
                    edits: 2,
                    ..NOTHING
                },
            )
        });
    }
}

#[test]
fn others_do_something_and_something_goes_wrong() {
    check(scope(
        Source::Instance,
        Left {
            deeds: 1,
            ..A_FAULT
        },
    ));
    check(scope(
        Source::Snapshot,
        Left {
            deeds: 1,
            ..A_FAULT
        },
    ));
    check(Scope {
        hands: smaller(&[Hand::DeregisterSource], &HANDS).to_vec(),
        ..scope(
            Source::Image,
            Left {
                deeds: 1,
                ..A_FAULT
            },
        )
    });
}

/// Each pair by itself: with one edit and one deed, no more is in any order of events.
#[test]
fn an_edit_meets_a_foreign_hand() {
    let times = Left {
        edits: 1,
        deeds: 1,
        ..NOTHING
    };
    for source in smaller(&[Source::Snapshot], &SOURCES) {
        for edit in smaller(&[Edit::Delete, Edit::OnlyIn(1)], &EDITS) {
            for hand in smaller(&[Hand::Deregister, Hand::CopyWithTags], &HANDS) {
                check(Scope {
                    edits: vec![*edit],
                    hands: vec![*hand],
                    ..scope(*source, times)
                });
            }
        }
    }
}
