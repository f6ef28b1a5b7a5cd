//! The leader is killed, or stopped and woken later, at random moments of roll-outs: `make kill-test N=200`.
//!
//! `AMITY_KILLS` says how often (20 times if it does not), `AMITY_KILLS_SEED` repeats the accidents of an earlier run,
//! as far as processes repeat anything.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use crate::fleet::Fleet;
use crate::lab::Stage;

/// It takes minutes: other tests of replicas need not wait for it.
static STAGE: LazyLock<Stage> = LazyLock::new(Stage::default);

const USUALLY: usize = 20;

/// How many accidents there are in one roll-out.
const AT_A_TIME: usize = 5;

#[test]
fn whenever_the_leader_dies_or_is_stopped_nothing_is_doubled_or_lost() {
    let number = from_environment("AMITY_KILLS").unwrap_or(USUALLY);
    let seed = from_environment("AMITY_KILLS_SEED")
        .unwrap_or_else(|| RandomState::new().hash_one(number) % 1_000_000);
    println!("{number} accidents; to repeat them: make kill-test N={number} SEED={seed}");
    let mut chance = Chance(Rng::with_seed(seed));
    let mut fleet = Fleet::new(&STAGE, "kills");
    let mut happened = 0;
    while happened < number {
        fleet.roll_out();
        for _ in 0..AT_A_TIME.min(number - happened) {
            fleet.until_written(chance.up_to(15));
            let accident = chance.accident();
            happened += 1;
            println!("{happened}: {accident:?}");
            befall(&mut fleet, accident);
        }
        fleet.assert_rolled_out();
    }
}

/// What happens to the leader.
#[derive(Clone, Copy, Debug)]
enum Accident {
    /// SIGKILL, and it is started again at once.
    Killed,
    /// SIGKILL, and it is started again when the other leads.
    KilledForAWhile,
    /// SIGSTOP, and it goes on so soon that it leads still.
    StoppedForAMoment,
    /// SIGSTOP, and it goes on when the other leads.
    Stopped,
    /// The same, and of EC2's time an hour has passed.
    StoppedForAnHour,
}

fn befall(fleet: &mut Fleet, accident: Accident) {
    let replicas = &mut fleet.replicas;
    let (leader, name) = replicas.leader();
    match accident {
        Accident::Killed => {
            replicas.amity(leader).restart().unwrap();
            replicas.until_held_by_another_than(&name);
        }
        Accident::KilledForAWhile => {
            replicas.amity(leader).kill9();
            replicas.until_held_by_another_than(&name);
            replicas.amity(leader).restart().unwrap();
        }
        Accident::StoppedForAMoment => {
            replicas.amity(leader).process().pause().unwrap();
            thread::sleep(Duration::from_secs(1));
            replicas.amity(leader).process().resume().unwrap();
        }
        Accident::Stopped | Accident::StoppedForAnHour => {
            replicas.amity(leader).process().pause().unwrap();
            replicas.until_held_by_another_than(&name);
            if let Accident::StoppedForAnHour = accident {
                let hour = Duration::from_hours(1);
                fleet.replicas.lab.ec2.advance(hour).unwrap();
            }
            fleet.until_written(2);
            fleet.replicas.wake(leader);
        }
    }
}

fn from_environment<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok().filter(|value| !value.is_empty())?;
    let number = value.parse().ok();
    assert!(number.is_some(), "{name}={value} is no number");
    number
}

/// The same seed gives the same numbers.
struct Chance(Rng);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// From 1.
    fn up_to(&mut self, most: u64) -> usize {
        usize::try_from(self.next() % most + 1).expect("a small number")
    }

    fn accident(&mut self) -> Accident {
        match self.next() % 6 {
            0 | 1 => Accident::Killed,
            2 => Accident::KilledForAWhile,
            3 => Accident::StoppedForAMoment,
            4 => Accident::Stopped,
            _ => Accident::StoppedForAnHour,
        }
    }
}
