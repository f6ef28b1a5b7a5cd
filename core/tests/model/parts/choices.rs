//! What is not Amity's to choose: how what is under way ends, what the user does, what others do.

use std::rc::Rc;

use super::{Done, Ending, Parts, Past, State, once};
use crate::hands::{Deed, Hand, deeds};
use crate::object::{Edit, Object};
use crate::table::Number;

impl Parts {
    /// What is being made in the world, and how that may end.
    pub fn endings(&mut self, world: Number) -> Rc<Vec<Ending>> {
        once(
            self,
            |parts| &mut parts.endings,
            world,
            |parts| {
                let before = parts.worlds.get(world);
                let mut after = |region: &str, id: &str, fails: bool| {
                    let mut world = before.clone();
                    world.finish(region, id, fails);
                    parts.worlds.number(world)
                };
                let all = before.under_way().into_iter().map(|(region, id)| Ending {
                    id: id.to_owned(),
                    well: after(region, id, false),
                    failed: after(region, id, true),
                });
                Rc::new(all.collect())
            },
        )
    }

    /// What the user may do.
    pub fn edits(&mut self, object: Number, kinds: &[Edit]) -> Rc<Vec<(Edit, Number)>> {
        once(
            self,
            |parts| &mut parts.edits,
            object,
            |parts| {
                let before = parts.objects.get(object);
                let edited = |edit| Some((edit, (*before).as_ref()?.edited(edit)?));
                let all = kinds
                    .iter()
                    .copied()
                    .filter_map(edited)
                    .map(|(edit, after)| {
                        (
                            edit,
                            parts.objects.number((!after.is_gone()).then_some(after)),
                        )
                    });
                Rc::new(all.collect())
            },
        )
    }

    /// What others may do.
    pub fn possible_deeds(&self, state: State, name: &str, kinds: &[Hand]) -> Vec<Deed> {
        let (world, past) = (self.worlds.get(state.world), self.pasts.get(state.past));
        let all = deeds(&world, &past.strangers, kinds, name).into_iter();
        all.filter(|deed| deed.done(&world, &past.strangers).is_some())
            .collect()
    }

    /// World and past after each of them.
    pub fn deeds(&mut self, state: State, name: &str, kinds: &[Hand]) -> Rc<Vec<Done>> {
        let key = (state.world, state.past, state.object);
        once(
            self,
            |parts| &mut parts.deeds,
            key,
            |parts| {
                let (world, past) = (parts.worlds.get(state.world), parts.pasts.get(state.past));
                let object = parts.objects.get(state.object);
                let may_be_repeated = (*object).as_ref().is_some_and(Object::may_capture_again);
                let all = parts
                    .possible_deeds(state, name, kinds)
                    .into_iter()
                    .filter_map(|deed| {
                        let mut captured = past.captured.clone();
                        let unlocked = deed.unlocks(&world, may_be_repeated);
                        captured.retain(|revision| Some(revision) != unlocked.as_ref());
                        let (world, strangers) = deed.done(&world, &past.strangers)?;
                        let past = Past {
                            strangers,
                            others_did: true,
                            captured,
                        };
                        Some((parts.worlds.number(world), parts.pasts.number(past)))
                    });
                Rc::new(all.collect())
            },
        )
    }
}
