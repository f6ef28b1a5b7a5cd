//! Everything that may happen: to EC2, to the object, and to the process that looks after both.

use std::collections::BTreeSet;

use amity_core::image::plan::Action;

use crate::ec2::{self, REGIONS};
use crate::hands::Hand;
use crate::look::{Planner, Process};
use crate::object::{Edit, Object, Source};
use crate::parts::{Left, Looked, Parts, Past, State};
use crate::search::{Next, System, Undisturbed, Wrong};
use crate::table::Number;
use crate::time::{NOW, Steps};
use crate::truth;

/// What may happen, and how often.
#[derive(Clone, Debug)]
pub struct Scope {
    pub source: Source,
    /// The regions that are wanted at first.
    pub wanted: [bool; 2],
    pub steps: Steps,
    /// Whether what an image was made from is shown a window later than the image.
    pub sources_lag: bool,
    /// How often something may happen.
    pub times: Left,
    /// What the user may do.
    pub edits: Vec<Edit>,
    /// What others may do.
    pub hands: Vec<Hand>,
    /// Whether a region may be unreadable for a time.
    pub unreadable: bool,
    pub planner: Planner,
    /// Whether the invariants of the core are asked, or only what is true of EC2.
    pub asks_invariants: bool,
}

/// One thing that happens. It is told together with the state that it happens in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Read {
        region: usize,
        stale: bool,
    },
    CannotRead {
        region: usize,
    },
    Look(Taken),
    Finish {
        number: usize,
        fails: bool,
    },
    /// A region that can be read is so at least once before a step is over.
    Time {
        stale: [bool; 2],
    },
    Crash,
    Edit(usize),
    Deed(usize),
}

/// What is taken of the calls of a plan, which are under way at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    All,
    /// All, but the answer to this one is lost.
    Unheard(usize),
    /// This one alone.
    Only(usize),
}

/// Amity, its object and EC2.
pub struct Amity {
    pub scope: Scope,
    pub parts: Parts,
}

impl Amity {
    pub fn new(scope: Scope) -> Self {
        let parts = Parts::new(scope.planner, scope.steps);
        Self { scope, parts }
    }

    fn crashed(&self, state: State) -> State {
        State {
            memories: [self.parts.unread; 2],
            process: self.parts.new_process,
            ..state
        }
    }

    fn process(&mut self, state: State, change: impl FnOnce(&mut Process)) -> Number {
        let mut process = *self.parts.processes.get(state.process);
        change(&mut process);
        self.parts.processes.number(process)
    }

    pub fn read(&mut self, state: State, region: usize, stale: bool) -> State {
        let mut after = state;
        after.memories[region] =
            self.parts
                .read(state.world, state.memories[region], region, stale);
        self.parts.without_needless_times(after)
    }

    fn time_passes(&mut self, state: State, stale: [bool; 2]) -> State {
        let mut after = state;
        for (region, stale) in stale.into_iter().enumerate() {
            if self
                .parts
                .memories
                .get(state.memories[region])
                .is_readable()
            {
                after = self.read(after, region, stale);
            }
        }
        self.parts.older(after)
    }

    fn cannot_read(&mut self, state: State, region: usize) -> State {
        let mut memory = (*self.parts.memories.get(state.memories[region])).clone();
        memory.could_not_be_read();
        let mut after = state;
        after.memories[region] = self.parts.memories.number(memory);
        after
    }

    /// The state after a look, of which these calls were taken, and what was said meanwhile.
    pub fn taken(
        &mut self,
        state: State,
        looked: &Looked,
        taken: Taken,
        said: &mut Option<Vec<String>>,
    ) -> Result<State, String> {
        let mut say =
            |what: &dyn Fn() -> String| said.iter_mut().for_each(|said| said.push(what()));
        let mut next = state;
        if let Some(action) = &looked.look.on_object {
            say(&|| action.to_string());
            next.object = self.write(state, action)?;
            if matches!(action, Action::RecordCapture { .. }) {
                next.process = self.process(next, |process| process.recorded_the_capture = true);
            }
        }
        for (index, call) in looked.look.calls.iter().enumerate() {
            let (is_made, is_heard) = match taken {
                Taken::All => (true, true),
                Taken::Unheard(one) => (true, one != index),
                Taken::Only(one) => (one == index, true),
            };
            if !is_made {
                continue;
            }
            say(&|| format!("{} in {}", call.action, REGIONS[call.region]));
            let effect = self.parts.effect(next, looked, index)?;
            next.world = effect.world;
            next.past = effect.past;
            if call.action.creates() {
                next.process = self.process(next, |process| process.last_creation = NOW);
            }
            if is_heard {
                let memory = next.memories[call.region];
                next.memories[call.region] = self.parts.heard(memory, looked, index, effect.answer);
                say(&|| format!("→ {:?}", self.parts.answers.get(effect.answer)));
            } else {
                say(&|| "→ the answer is lost".to_owned());
            }
        }
        if looked.look.plan.is_at_rest() {
            next = self.at_rest(next);
        }
        Ok(self.parts.without_needless_times(next))
    }

    fn looked(
        &mut self,
        state: State,
        looked: &Looked,
        taken: Taken,
    ) -> Result<(Move, State), Wrong<Move>> {
        let by = Move::Look(taken);
        let after = self.taken(state, looked, taken, &mut None);
        after
            .map(|after| (by, after))
            .map_err(|why| Wrong { by: Some(by), why })
    }

    /// What goes wrong by itself.
    fn faults(&mut self, state: State, looked: &Looked) -> Result<Vec<(Move, State)>, Wrong<Move>> {
        let mut moves = vec![(Move::Crash, self.crashed(state))];
        for region in 0..REGIONS.len() {
            moves.push((
                Move::Read {
                    region,
                    stale: true,
                },
                self.read(state, region, true),
            ));
            if self.scope.unreadable {
                moves.push((Move::CannotRead { region }, self.cannot_read(state, region)));
            }
        }
        for stale in [[true, false], [false, true], [true, true]] {
            moves.push((Move::Time { stale }, self.time_passes(state, stale)));
        }
        for index in 0..looked.look.calls.len() {
            moves.push(self.looked(state, looked, Taken::Unheard(index))?);
            if looked.look.calls.len() > 1 {
                moves.push(self.looked(state, looked, Taken::Only(index))?);
            }
        }
        Ok(moves)
    }

    fn write(&mut self, state: State, action: &Action) -> Result<u32, String> {
        let object = self.parts.objects.get(state.object);
        let written = (*object).as_ref().and_then(|object| object.written(action));
        if written.is_none() {
            self.let_go(state)?;
        }
        Ok(self.parts.objects.number(written))
    }

    /// The object is gone, and nobody looks after what it made.
    fn let_go(&self, state: State) -> Result<(), String> {
        let (world, past) = (
            self.parts.worlds.get(state.world),
            self.parts.pasts.get(state.past),
        );
        match truth::left(&world, &past.strangers, past.others_did) {
            Some(left) => Err(format!("the object is let go, but {left}")),
            None => Ok(()),
        }
    }

    /// As `Inventory::at_rest`.
    fn at_rest(&mut self, state: State) -> State {
        let mut after = state;
        let memories = state.memories.map(|memory| self.parts.memories.get(memory));
        for (number, memory) in after.memories.iter_mut().zip(memories) {
            if memory.asks_for().is_some() {
                let mut memory = (*memory).clone();
                memory.stop_asking();
                *number = self.parts.memories.number(memory);
            }
        }
        after
    }
}

impl System for Amity {
    type State = State;
    type Move = Move;

    fn first(&mut self) -> State {
        let world = ec2::world(self.scope.sources_lag);
        let past = Past {
            strangers: ec2::strangers(&world),
            others_did: false,
            captured: BTreeSet::new(),
        };
        let object = Object::new(self.scope.source, self.scope.wanted);
        let state = State {
            world: self.parts.worlds.number(world),
            object: self.parts.objects.number(Some(object)),
            memories: [0; 2],
            process: 0,
            past: self.parts.pasts.number(past),
            left: self.scope.times,
        };
        self.crashed(state)
    }

    fn expand(&mut self, state: State) -> Result<Next<Move, State>, Wrong<Move>> {
        let Some(looked) = self.parts.look(state) else {
            let undisturbed = Undisturbed::End("the object is gone".to_owned());
            return Ok(Next {
                moves: Vec::new(),
                undisturbed,
            });
        };
        if self.scope.asks_invariants && !looked.look.broken.is_empty() {
            return Err(Wrong {
                by: None,
                why: format!("{:#?}\n{:#?}", looked.look.broken, looked.look.plan),
            });
        }
        let endings = self.parts.endings(state.world);
        let mut moves = Vec::new();
        for region in 0..REGIONS.len() {
            moves.push((
                Move::Read {
                    region,
                    stale: false,
                },
                self.read(state, region, false),
            ));
        }
        moves.push(self.looked(state, &looked, Taken::All)?);
        for (number, ending) in endings.iter().enumerate() {
            moves.push((
                Move::Finish {
                    number,
                    fails: false,
                },
                State {
                    world: ending.well,
                    ..state
                },
            ));
        }
        moves.push((
            Move::Time { stale: [false; 2] },
            self.time_passes(state, [false; 2]),
        ));
        let undisturbed = self.undisturbed(state, &moves, &looked);

        let left = state.left;
        if left.faults != Some(0) {
            let faults = left.faults.map(|faults| faults - 1);
            moves.extend(self.faults(
                State {
                    left: Left { faults, ..left },
                    ..state
                },
                &looked,
            )?);
        }
        moves.retain(|(_, after)| State { left, ..*after } != state);
        if left.failures > 0 {
            let left = Left {
                failures: left.failures - 1,
                ..left
            };
            for (number, ending) in endings.iter().enumerate() {
                moves.push((
                    Move::Finish {
                        number,
                        fails: true,
                    },
                    State {
                        world: ending.failed,
                        left,
                        ..state
                    },
                ));
            }
        }
        if left.edits > 0 {
            let left = Left {
                edits: left.edits - 1,
                ..left
            };
            for (number, (_, object)) in self
                .parts
                .edits(state.object, &self.scope.edits)
                .iter()
                .enumerate()
            {
                let edited = (
                    Move::Edit(number),
                    State {
                        object: *object,
                        left,
                        ..state
                    },
                );
                if self.parts.objects.get(*object).is_none() {
                    self.let_go(state).map_err(|why| Wrong {
                        by: Some(edited.0),
                        why,
                    })?;
                }
                moves.push(edited);
            }
        }
        if left.deeds > 0 {
            let left = Left {
                deeds: left.deeds - 1,
                ..left
            };
            let deeds = self
                .parts
                .deeds(state, &looked.look.desired.image_name, &self.scope.hands);
            for (number, (world, past)) in deeds.iter().enumerate() {
                moves.push((
                    Move::Deed(number),
                    State {
                        world: *world,
                        past: *past,
                        left,
                        ..state
                    },
                ));
            }
        }
        Ok(Next { moves, undisturbed })
    }

    fn tell(&mut self, state: State, one: Move) -> String {
        self.told(state, one)
    }
}
