//! What happens as time passes: pauses end, lanes open whose next permit is due, grants that were not taken up are parked, deadlines
//! pass, and a close cuts off what is still inside at its deadline.

use std::time::Instant;

use super::calls::{CallState, Ended};
use super::effects::Effects;
use super::machine::Scheduler;
use super::moment::Moment;

impl Scheduler {
    /// Does what is due at `now`, and returns when to call it next; `None` if nothing is due by
    /// itself.
    ///
    /// The caller calls it again at that time, or earlier where [`Effects::alarm`] is raised.
    pub fn sweep(&mut self, now: Instant, effects: &mut Effects) -> Option<Instant> {
        let now = self.timers.advance(now);
        // Pauses first: a lane that opens may start a call whose deadline is this very moment.
        // Grants before deadlines, as a parked call may expire in the same sweep.
        self.end_pauses(now, effects);
        self.park_stale_grants(now, effects);
        self.expire(now, effects);
        self.cut_late(now, effects);
        let close = self.close_deadline();
        self.timers.arm(close)
    }

    /// Whether anything is due by itself, sooner or later.
    pub fn has_due(&self) -> bool {
        self.timers.due(self.close_deadline()).is_some()
    }

    fn end_pauses(&mut self, now: Moment, effects: &mut Effects) {
        while let Some(lane) = self.timers.take_ended_pause(now, &mut self.queues.lanes) {
            self.refresh(lane, now);
            self.queues.lanes.mark_idle_if_unused(lane);
        }
        self.open_due(now, effects);
        // After all of them, as the most urgent call may wait in the lane that opened last.
        self.start_ready(now, effects);
    }

    /// Gives the permits of grants that were not taken up in time to others. Their calls keep their
    /// places for when they ask again.
    fn park_stale_grants(&mut self, now: Moment, effects: &mut Effects) {
        self.timers.advance_epoch(now);
        while let Some(slot) = self.timers.take_stale_grant(&mut self.calls) {
            self.stats.grants_parked += 1;
            let call = &mut self.calls[slot];
            call.state = CallState::Parked;
            let lane = call.lane;
            self.queues.lanes[lane].parked += 1;
            // Its deadline holds again, as it waits again.
            self.timers.watch_deadline(slot, &mut self.calls, effects);
            self.put_back(lane, now, effects);
            self.release_in_lane(lane, now, effects);
        }
    }

    fn expire(&mut self, now: Moment, effects: &mut Effects) {
        // `refuse` takes the call out of the heap of deadlines, so the next one comes to the top.
        while let Some(slot) = self.timers.expired(now) {
            self.refuse(slot, Ended::Expired, now, effects);
        }
    }
}
