//! Where a state ends when nothing disturbs it any more, and whether that is as it should be.

use amity_core::api::conditions;
use ec2sim::state::ImageState;

use crate::ec2::REGIONS;
use crate::hands;
use crate::look::Look;
use crate::parts::{Looked, State};
use crate::search::Undisturbed;
use crate::system::{Amity, Move};
use crate::truth;

impl Amity {
    /// What happens if nothing disturbs: the first of these that changes anything, if one does.
    pub fn undisturbed(
        &mut self,
        state: State,
        moves: &[(Move, State)],
        looked: &Looked,
    ) -> Undisturbed {
        for (one, after) in moves {
            let mut after = *after;
            if let Move::Time { .. } = one {
                // What is read again after that, and shows nothing new, is no change.
                for region in 0..REGIONS.len() {
                    after = self.read(after, region, false);
                }
            }
            if after != state {
                return Undisturbed::First;
            }
        }
        self.judge(state, &looked.look)
    }

    /// What an end is called, or what is wrong with it.
    fn judge(&self, state: State, look: &Look) -> Undisturbed {
        let (world, past) = (
            self.parts.worlds.get(state.world),
            self.parts.pasts.get(state.past),
        );
        let strangers = &past.strangers;
        let desired = &look.desired;
        if look.plan.is_at_rest() {
            return match truth::mismatch(&world, strangers, past.others_did, desired) {
                Some(mismatch) => Undisturbed::Stuck(format!("at rest, but {mismatch}")),
                None => Undisturbed::End("EC2 matches the spec".to_owned()),
            };
        }
        let nothing_is_alive = || {
            let mut all = truth::ours(&world, strangers).into_iter();
            !all.any(|one| one.is_of(desired) && one.image.state != ImageState::Failed)
        };
        let has_no_source = [
            conditions::CAPTURE_FAILED,
            conditions::SOURCE_GONE,
            conditions::SOURCE_NOT_SUPPORTED,
            conditions::SOURCE_NOT_FOUND,
        ];
        let reason = look.plan.findings.first().map(|finding| finding.reason);
        let is_legal = match reason {
            Some(reason) if has_no_source.contains(&reason) => nothing_is_alive(),
            Some(conditions::NAME_TAKEN) => hands::has_name(&world, strangers, &desired.image_name),
            Some(conditions::DEREGISTRATION_BLOCKED) => hands::is_held(&world, strangers),
            _ => false,
        };
        match reason {
            Some(reason) if is_legal => Undisturbed::End(format!("Stalled: {reason}")),
            _ => Undisturbed::Stuck(format!(
                "nothing goes on, but the plan is not at rest: {:#?}",
                look.plan
            )),
        }
    }
}
