//! The whole controller, from its lease to its effects, with kube's client over kubesim and the AWS SDK over ec2sim,
//! under a paused clock.
//!
//! | file | what is told |
//! | --- | --- |
//! | `story` | one object or twenty, and chance: whatever happens, EC2 matches in the end |
//! | `sabotage` | a broken controller, and that each oracle tells |
//! | `every_crash` | one story with a crash before and after each of its effects |
//! | `isolation` | many objects, and trouble that concerns only some of them |
//! | `at_rest` | many objects for a day in which nothing happens: what that costs |
//! | `bench` | no test: the figures of `make bench` |
//!
//! A story is a `tale` of a `cast` whose users write what the `plot` says, to make images from `sources`, while the `hands` of others are at work in
//! EC2; the `oracles` say whether it is as `expected`. It is told in a `universe` with one or two `replica`s, of which one may be
//! of the `next_version`, with no other `rights` than ours, and a `gate` that lets one request after the other through. `fleet` is the universe of the tests with many objects, `settled` one in which all are
//! ready from the beginning.

mod at_rest;
mod bench;
mod cast;
mod chance;
mod every_crash;
mod expected;
mod fleet;
mod gate;
mod hands;
mod isolation;
mod landscape;
mod next_version;
mod oracles;
mod parameters;
mod plot;
mod process;
mod replica;
mod rights;
mod sabotage;
mod settled;
mod sources;
mod story;
mod tale;
mod trouble;
mod universe;

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::process::lock;

/// The program's own: glibc's took a seventh of the time of a story.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Does the same for many, on as many threads as there are cores; gives what came of it.
fn side_by_side<I: Send, T: Send>(
    of: impl Iterator<Item = I> + Send,
    what: impl Fn(I) -> Option<T> + Sync,
) -> Vec<T> {
    let (of, results) = (Mutex::new(of), Mutex::new(Vec::new()));
    let next = || lock(&of).next();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                while let Some(item) = next() {
                    if let Some(result) = what(item) {
                        lock(&results).push(result);
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_default()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs to the end while nobody waits for a clock.
fn virtual_time<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(story)
}

fn regions(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}
