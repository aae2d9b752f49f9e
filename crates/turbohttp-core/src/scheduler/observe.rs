//! What is seen of a server moves the limit of its lane, where limits are adaptive.

use std::time::Instant;

use super::adaptive::Observation;
use super::effects::Effects;
use super::key::LaneKey;
use super::machine::Scheduler;

impl Scheduler {
    /// Notes how an attempt in this lane has ended, whose permit may still be out. Does nothing
    /// without [`Rules::adaptive`](super::Rules::adaptive), and of a lane that is not known.
    ///
    /// The limit of the lane changes as by [`set_lane_limit`](Scheduler::set_lane_limit): what runs
    /// goes on, and a limit that has grown starts what it admits.
    pub fn observe(
        &mut self,
        lane: LaneKey<'_>,
        observation: Observation,
        now: Instant,
        effects: &mut Effects,
    ) {
        let Some(lane) = self.queues.lanes.find(lane) else {
            return;
        };
        if self.queues.lanes.observe(lane, observation) {
            let now = self.timers.moment(now);
            self.refresh(lane, now);
            self.start_ready(now, effects);
        }
    }
}
