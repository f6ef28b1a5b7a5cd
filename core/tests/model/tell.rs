//! What happens, as a person reads it in a counterexample.

use crate::ec2::REGIONS;
use crate::parts::State;
use crate::system::{Amity, Move};

impl Amity {
    /// One thing that happens, told together with the state that it happens in.
    pub fn told(&mut self, state: State, one: Move) -> String {
        match one {
            Move::Read {
                region,
                stale: false,
            } => format!("a fresh reading of {}", REGIONS[region]),
            Move::Read {
                region,
                stale: true,
            } => format!("a stale reading of {}", REGIONS[region]),
            Move::CannotRead { region } => format!("{} cannot be read", REGIONS[region]),
            Move::Look(taken) => {
                let mut said = Some(Vec::new());
                if let Some(looked) = self.parts.look(state) {
                    // An error is told by whoever found it.
                    let _ = self.taken(state, &looked, taken, &mut said);
                }
                format!("Amity: {}", said.unwrap_or_default().join("; "))
            }
            Move::Finish { number, fails } => {
                let id = &self.parts.endings(state.world)[number].id;
                format!("{id} {}", if fails { "fails" } else { "is done" })
            }
            Move::Time { stale } => {
                let stale: Vec<_> = REGIONS
                    .iter()
                    .zip(stale)
                    .filter(|(_, stale)| *stale)
                    .map(|(name, _)| *name)
                    .collect();
                let read = if stale.is_empty() {
                    String::new()
                } else {
                    format!(", with stale readings of {}", stale.join(" and "))
                };
                format!("time passes{read}")
            }
            Move::Crash => "Amity crashes, and starts again".to_owned(),
            Move::Edit(number) => format!(
                "the user: {:?}",
                self.parts.edits(state.object, &self.scope.edits)[number].0
            ),
            Move::Deed(number) => {
                let name = self
                    .parts
                    .look(state)
                    .map(|looked| looked.look.desired.image_name.clone());
                let deeds =
                    self.parts
                        .possible_deeds(state, &name.unwrap_or_default(), &self.scope.hands);
                deeds[number].to_string()
            }
        }
    }
}
