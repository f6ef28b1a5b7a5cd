//! Everything that may happen to one object in two regions, and not only what chance brings.

mod ec2;
mod hands;
mod look;
mod memory;
mod object;
mod parts;
mod search;
mod system;
mod table;
mod time;
mod truth;
mod worlds;

use std::time::Instant;

use amity_core::image::plan::plan;

use hands::HANDS;
use object::Source;
use search::search;
use system::{Amity, Scope};
use time::Steps;

fn number(name: &str, otherwise: u8) -> u8 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn probe() {
    let scope = Scope {
        source: match number("SOURCE", 0) {
            0 => Source::Instance,
            1 => Source::Snapshot,
            _ => Source::Image,
        },
        wanted: [true; 2],
        steps: Steps { in_window: i32::from(number("STEPS", 1)) },
        sources_lag: number("LAG", 0) > 0,
        times: parts::Left { edits: number("EDITS", 0), deeds: number("HANDS", 0), failures: number("FAILURES", 0), faults: std::env::var("FAULTS").ok().map(|text| text.parse().unwrap()) },
        hands: match number("HAND", 99) { 99 => HANDS.to_vec(), one => vec![HANDS[usize::from(one)]] },
        unreadable: number("UNREADABLE", 0) > 0,
        planner: plan,
        asks_invariants: true,
    };
    let mut amity = Amity::new(scope);
    let began = Instant::now();
    match search(&mut amity) {
        Ok(found) => println!("{found:#?} {:?} {:?}", amity.parts.sizes(), began.elapsed()),
        Err(wrong) => {
            println!("{:?} {:?}", amity.parts.sizes(), began.elapsed());
            for (number, line) in wrong.path.iter().enumerate() { println!("{number}. {line}"); }
            println!("{}", wrong.why);
            panic!("wrong");
        }
    }
}
