//! Permits that are out without a call.

use turbohttp_core::scheduler::{LaneKey, Outcome, PermitId, Priority, Refusal, Stage, State};

use super::super::reference::Event;
use super::{Driver, LANES};

impl Driver {
    pub(crate) fn permits(&self) -> Vec<usize> {
        self.permits.iter().map(|(name, _)| *name).collect()
    }

    pub(crate) fn try_take_permit(&mut self, lane: usize, priority: Priority) {
        let name = self.names;
        let is_paced = self.model.rate(lane).is_some();
        self.coverage.paced += u64::from(is_paced);
        let expected = match self.model.gate.stage {
            Stage::Open => {
                self.model.reopen(lane);
                Ok(self.model.may_start(lane, priority))
            }
            _ => Err(Refusal::Closed),
        };
        match expected {
            Ok(true) => {
                self.model.insert(name, None, true);
                self.model.detach_permit(name);
                self.model.take(name, lane, priority);
            }
            Ok(false) => self.model.mark_idle_if_unused(lane),
            Err(_) => {}
        }
        let result = self.act(|scheduler, now, effects| {
            let key = LaneKey::new(LANES[lane]);
            if is_paced {
                scheduler.take_paced_permit(key, priority, now, effects)
            } else {
                scheduler.try_take_permit(key, priority, now)
            }
        });
        assert_eq!(
            result.as_ref().map(Option::is_some),
            expected.as_ref().copied()
        );
        if let Ok(Some(permit)) = result {
            self.keep(name, permit);
            self.names += 1;
        }
    }

    /// A call is removed and its permit stays with its owner.
    pub(crate) fn detach_permit(&mut self, name: usize) {
        self.subject = Some(Event::Call(name));
        let call = self.model.call(name);
        let can = call.state == State::Taken && call.is_counted && !call.is_job;
        let id = self.entry(name).id;
        if can {
            self.model.detach_permit(name);
            self.entries.retain(|entry| entry.name != name);
        }
        let permit = self.act(|scheduler, _, effects| scheduler.detach_permit(id, effects));
        assert_eq!(permit.is_some(), can, "detach_permit");
        if let Some(permit) = permit {
            self.keep(name, permit);
        }
    }

    fn keep(&mut self, name: usize, permit: PermitId) {
        self.permits.push((name, permit));
        self.coverage.permits += 1;
    }

    pub(crate) fn release_permit(&mut self, name: usize, outcome: Outcome, at_once: bool) {
        let index = self.permits.iter().position(|(known, _)| *known == name);
        let (_, permit) = self.permits.swap_remove(index.expect("it is permits"));
        let in_line = self
            .model
            .calls
            .iter()
            .any(|call| call.state == State::Queued);
        let can = !in_line && self.model.gate.stage == Stage::Open;
        if at_once && !can {
            let permit = self.act(|scheduler, _, _| scheduler.try_release_permit(permit, outcome));
            self.permits
                .push((name, permit.expect_err("something follows")));
            return;
        }
        self.model.release_call(name);
        self.model.depart(name, outcome);
        self.model.remove(name);
        if at_once {
            let done = self.act(|scheduler, _, _| scheduler.try_release_permit(permit, outcome));
            assert!(done.is_ok(), "nothing follows");
            self.coverage.try_release_permit += 1;
            return;
        }
        self.act(|scheduler, now, effects| scheduler.release_permit(permit, outcome, now, effects));
    }
}
