//! One thing at a time: all that is asked of EC2 and of the cluster waits here until nobody has anything left to
//! do, and then one request is let through, the first in the order of what is asked.
//!
//! Tasks that are ready at the same moment run in an order that differs from process to process, because hash maps
//! do. What they ask does not, so that by this gate the same seed is the same story.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::process::lock;

/// What waits, in order, and how to let it through.
#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeMap<(String, u64), oneshot::Sender<()>>,
    asked: u64,
}

/// The gate; clones are the same one.
#[derive(Clone, Debug)]
pub struct Gate {
    queue: Arc<Mutex<Queue>>,
    came: Arc<Notify>,
    trace: Arc<Mutex<Trace>>,
}

/// What passed, and when: the whole story as a number, and in words where they are asked for (`TRACE=1`).
#[derive(Debug)]
struct Trace {
    began: Instant,
    passed: u64,
    words: Sha256,
    is_told: bool,
}

impl Trace {
    fn passed(&mut self, what: &str) {
        self.passed += 1;
        let line = format!("{} {what}\n", self.began.elapsed().as_millis());
        self.words.update(line.as_bytes());
        if self.is_told {
            eprint!("{line}");
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            queue: Arc::default(),
            came: Arc::default(),
            trace: Arc::new(Mutex::new(Trace {
                began: Instant::now(),
                passed: 0,
                words: Sha256::new(),
                is_told: std::env::var_os("TRACE").is_some(),
            })),
        }
    }
}

impl Gate {
    /// How much passed so far, and all of it with its times as one number: the same for the same story.
    pub fn trace(&self) -> (u64, String) {
        let trace = lock(&self.trace);
        let digest = trace.words.clone().finalize();
        let digest = digest[..8].iter().map(|byte| format!("{byte:02x}"));
        (trace.passed, digest.collect())
    }

    /// Waits for its turn. `what` is all of the request that is not chance.
    pub async fn turn(&self, what: String) {
        let (pass, passed) = oneshot::channel();
        {
            let mut queue = lock(&self.queue);
            queue.asked += 1;
            let number = queue.asked;
            queue.waiting.insert((what, number), pass);
        }
        self.came.notify_one();
        // It is only dropped at the end of the story.
        let _ = passed.await;
    }

    /// Lets one after the other through, for ever.
    pub async fn keep(self) {
        loop {
            // A paused clock goes on when every task waits.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let first = lock(&self.queue).waiting.pop_first();
            match first {
                Some(((what, _), pass)) => {
                    lock(&self.trace).passed(&what);
                    // Whoever asked may have crashed since.
                    let _ = pass.send(());
                }
                None => self.came.notified().await,
            }
        }
    }
}
