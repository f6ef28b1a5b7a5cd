//! The parts of a situation, each kept once, and what becomes of them: worked out once and looked up after that.

mod choices;

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hash};
use std::rc::Rc;

use amity_core::image::desired::Desired;
use amity_core::image::observed::Known;
use amity_core::image::plan::Action;
use ec2sim::Request;

use crate::ec2::{self, Answer, REGIONS};
use crate::look::{Look, Planner, Process, SourceState};
use crate::memory::Memory;
use crate::object::{Edit, Object};
use crate::table::{Number, Quick, Table};
use crate::time::{LONG_AGO, NOW, Steps, WINDOW};
use crate::truth::{self, Strangers};
use crate::worlds::Worlds;

/// A situation: the numbers of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub world: Number,
    pub object: Number,
    /// What the process remembers of each region. A crash loses it, and what is in the next field.
    pub memories: [Number; 2],
    pub process: Number,
    pub past: Number,
    pub left: Left,
}

/// How often something may yet happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// The user changes something.
    pub edits: u8,
    /// Others do something.
    pub deeds: u8,
    /// A capture or a copy fails.
    pub failures: u8,
    /// Amity crashes, an answer is lost, a call is not made, a reading is stale or fails; none: any number of times.
    pub faults: Option<u8>,
}

/// What happened that the world does not tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Past {
    pub strangers: Strangers,
    pub others_did: bool,
    /// The revisions that were captured.
    pub captured: BTreeSet<String>,
}

/// A look, with the numbers of its requests.
pub struct Looked {
    pub look: Look,
    pub requests: Vec<Number>,
}

/// What EC2 makes of a request.
#[derive(Clone, Copy)]
pub struct Effect {
    pub world: Number,
    pub past: Number,
    pub answer: Number,
}

/// What ends well or fails, and the world after it.
pub struct Ending {
    pub id: String,
    pub well: Number,
    pub failed: Number,
}

/// World and past after something was done.
type Done = (Number, Number);

type Memo<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

/// All parts, and what was worked out.
pub struct Parts {
    planner: Planner,
    steps: Steps,
    /// What a process knows that has just started.
    pub unread: Number,
    pub new_process: Number,
    pub worlds: Worlds,
    /// None: it is gone.
    pub objects: Table<Option<Object>>,
    pub memories: Table<Memory>,
    pub processes: Table<Process>,
    pub pasts: Table<Past>,
    pub answers: Table<Answer>,
    requests: Table<(usize, Request)>,
    desired: Memo<Number, Rc<Desired>>,
    views: Table<Option<Known>>,
    shown: Memo<Number, Number>,
    sources: Memo<Number, SourceState>,
    looks: Memo<(Number, [Number; 2], Number, SourceState), Rc<Looked>>,
    readings: Memo<(Number, Number, usize, bool), Number>,
    effects: Memo<(Number, Number, Number, Number), Result<Effect, String>>,
    heard: Memo<(Number, Number, Number), Number>,
    endings: Memo<Number, Rc<Vec<Ending>>>,
    edits: Memo<Number, Rc<Vec<(Edit, Number)>>>,
    deeds: Memo<(Number, Number, Number), Rc<Vec<Done>>>,
    older_worlds: Memo<Number, Number>,
    older_objects: Memo<Number, Number>,
    older_memories: Memo<Number, Number>,
    timeless: Memo<Number, Number>,
}

/// What is known for the key, or else worked out now.
fn once<K: Eq + Hash + Copy, V: Clone>(
    parts: &mut Parts,
    memo: fn(&mut Parts) -> &mut Memo<K, V>,
    key: K,
    work_out: impl FnOnce(&mut Parts) -> V,
) -> V {
    if let Some(known) = memo(parts).get(&key) {
        return known.clone();
    }
    let value = work_out(parts);
    memo(parts).insert(key, value.clone());
    value
}

impl Parts {
    pub fn new(planner: Planner, steps: Steps) -> Self {
        let (mut memories, mut processes) = (Table::default(), Table::default());
        Self {
            planner,
            steps,
            unread: memories.number(Memory::default()),
            new_process: processes.number(Process::NEW),
            memories,
            processes,
            worlds: Worlds::default(),
            objects: Table::default(),
            pasts: Table::default(),
            answers: Table::default(),
            requests: Table::default(),
            desired: Memo::default(),
            views: Table::default(),
            shown: Memo::default(),
            sources: Memo::default(),
            looks: Memo::default(),
            readings: Memo::default(),
            effects: Memo::default(),
            heard: Memo::default(),
            endings: Memo::default(),
            edits: Memo::default(),
            deeds: Memo::default(),
            older_worlds: Memo::default(),
            older_objects: Memo::default(),
            older_memories: Memo::default(),
            timeless: Memo::default(),
        }
    }

    /// What the controller decides; none when the object is gone.
    pub fn look(&mut self, state: State) -> Option<Rc<Looked>> {
        let object = self.objects.get(state.object);
        let object = (*object).as_ref()?;
        let source = once(
            self,
            |parts| &mut parts.sources,
            state.world,
            |parts| SourceState::of(&parts.worlds.get(state.world)),
        );
        let views = state.memories.map(|memory| {
            once(
                self,
                |parts| &mut parts.shown,
                memory,
                |parts| {
                    let view = parts.memories.get(memory).view();
                    parts.views.number(view)
                },
            )
        });
        let key = (state.object, views, state.process, source);
        let looked = once(
            self,
            |parts| &mut parts.looks,
            key,
            |parts| {
                let desired = once(
                    parts,
                    |parts| &mut parts.desired,
                    state.object,
                    |_| Rc::new(object.desired()),
                );
                let known = views.map(|view| (*parts.views.get(view)).clone());
                let process = *parts.processes.get(state.process);
                let look = Look::at(desired, known, source, process, parts.planner);
                let requests = look
                    .calls
                    .iter()
                    .map(|call| (call.region, call.request.clone()));
                let requests = requests
                    .map(|request| parts.requests.number(request))
                    .collect();
                Rc::new(Looked { look, requests })
            },
        );
        Some(looked)
    }

    /// What is remembered of a region after it was read.
    pub fn read(&mut self, world: Number, memory: Number, region: usize, stale: bool) -> Number {
        let shown = self.worlds.region(world, region);
        once(
            self,
            |parts| &mut parts.readings,
            (shown, memory, region, stale),
            |parts| {
                let world = parts.worlds.get(world);
                let mut memory = (*parts.memories.get(memory)).clone();
                let reading = ec2::read(
                    &world,
                    REGIONS[region],
                    stale,
                    memory.asks_for(),
                    &memory.buried(),
                );
                memory.absorb(reading);
                parts.memories.number(memory)
            },
        )
    }

    /// What EC2 makes of a request of a look, or what must not be.
    pub fn effect(
        &mut self,
        state: State,
        looked: &Looked,
        index: usize,
    ) -> Result<Effect, String> {
        let request = looked.requests[index];
        let key = (state.world, state.past, state.object, request);
        once(
            self,
            |parts| &mut parts.effects,
            key,
            |parts| {
                let (region, request) = &*parts.requests.get(request);
                let action = &looked.look.calls[index].action;
                let before = parts.worlds.get(state.world);
                let mut after = before.clone();
                let answer = ec2::answer(action, ec2::call(&mut after, REGIONS[*region], request));
                let mut past = (*parts.pasts.get(state.past)).clone();
                truth::check(&before, &after, &past, &looked.look, action, &answer)?;
                if matches!(
                    (action, &answer),
                    (Action::CreateImage { .. }, Answer::Made(_))
                ) {
                    past.captured
                        .insert(looked.look.desired.revision.to_string());
                }
                Ok(Effect {
                    world: parts.worlds.number(after),
                    past: parts.pasts.number(past),
                    answer: parts.answers.number(answer),
                })
            },
        )
    }

    /// What is remembered after the answer was heard.
    pub fn heard(
        &mut self,
        memory: Number,
        looked: &Looked,
        index: usize,
        answer: Number,
    ) -> Number {
        let key = (memory, looked.requests[index], answer);
        once(
            self,
            |parts| &mut parts.heard,
            key,
            |parts| {
                let mut memory = (*parts.memories.get(memory)).clone();
                memory.wrote(&looked.look.calls[index].action, &parts.answers.get(answer));
                parts.memories.number(memory)
            },
        )
    }

    /// The same state, as far as it matters when regions were last read: before a window has passed since the last
    /// creation it does not, and what is older is not of now.
    pub fn without_needless_times(&mut self, mut state: State) -> State {
        if NOW < self.processes.get(state.process).last_creation + WINDOW {
            for memory in &mut state.memories {
                *memory = once(
                    self,
                    |parts| &mut parts.timeless,
                    *memory,
                    |parts| {
                        let timeless = (*parts.memories.get(*memory)).clone().last_read(LONG_AGO);
                        parts.memories.number(timeless)
                    },
                );
            }
        }
        state
    }

    /// Everything is one step older.
    pub fn older(&mut self, state: State) -> State {
        let steps = self.steps;
        let world = once(
            self,
            |parts| &mut parts.older_worlds,
            state.world,
            |parts| {
                let mut world = parts.worlds.get(state.world);
                world.grow_older(|time| steps.older(time));
                parts.worlds.number(world)
            },
        );
        let object = once(
            self,
            |parts| &mut parts.older_objects,
            state.object,
            |parts| {
                let mut object = (*parts.objects.get(state.object)).clone();
                if let Some(object) = &mut object {
                    object.grow_older(steps);
                }
                parts.objects.number(object)
            },
        );
        let memories = state.memories.map(|memory| {
            once(
                self,
                |parts| &mut parts.older_memories,
                memory,
                |parts| {
                    let mut memory = (*parts.memories.get(memory)).clone();
                    memory.grow_older(steps);
                    parts.memories.number(memory.last_read(LONG_AGO))
                },
            )
        });
        let mut process = *self.processes.get(state.process);
        process.last_creation = steps.older(process.last_creation);
        let process = self.processes.number(process);
        State {
            world,
            object,
            memories,
            process,
            ..state
        }
    }

    /// How many different worlds and plans there were.
    pub fn sizes(&self) -> (usize, usize) {
        (self.worlds.len(), self.looks.len())
    }

    /// The calls that some plan wanted made, and what some plan found in the way.
    pub fn covered(&self) -> BTreeSet<&'static str> {
        let looks = || self.looks.values().map(|looked| &looked.look);
        let calls = looks().flat_map(|look| {
            look.calls
                .iter()
                .map(|call| &call.action)
                .chain(&look.on_object)
        });
        let findings = looks().flat_map(|look| &look.plan.findings);
        calls
            .map(Action::name)
            .chain(findings.map(|finding| finding.reason.name))
            .collect()
    }
}
