//! Cores, priorities, processor time and memory: what is asked of the system, best effort. Where it
//! is not Linux, measurements run unpinned and say nothing of processor time and memory.

use std::time::Duration;

/// How much the measured processes are preferred to others of their session.
#[cfg(target_os = "linux")]
const NICENESS: i32 = -10;

#[cfg(target_os = "linux")]
const NICENESS_LOWEST: i32 = 19;

/// Turns for ever on `core`, at the lowest priority: a virtual core that halts takes longer to wake
/// than a request takes, and a slow peer would profit.
pub(crate) fn spin(core: usize) {
    pin(core);
    lower_priority();
    end_with_parent();
    loop {
        std::hint::spin_loop();
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::{Duration, NICENESS, NICENESS_LOWEST, ticks_in};
    use rustix::process::{Signal, nice, set_parent_process_death_signal, setsid};
    use rustix::thread::{CpuSet, sched_setaffinity};
    use rustix::time::{ClockId, clock_gettime};

    /// Pins the calling thread, and those it will start, to `core`.
    pub(crate) fn pin(core: usize) {
        if core < CpuSet::MAX_CPU {
            let mut cores = CpuSet::new();
            cores.set(core);
            let _ = sched_setaffinity(None, &cores);
        }
    }

    /// Lets the calling thread run on every core again.
    pub(crate) fn unpin() {
        let mut cores = CpuSet::new();
        (0..CpuSet::MAX_CPU).for_each(|core| cores.set(core));
        let _ = sched_setaffinity(None, &cores);
    }

    /// Lets the system end this process when its parent ends, however that may come about.
    pub(crate) fn end_with_parent() {
        let _ = set_parent_process_death_signal(Some(Signal::TERM));
    }

    pub(crate) fn raise_priority() {
        let _ = nice(NICENESS);
    }

    /// In a session of its own, so that it does not use up the share of those who measure.
    pub(crate) fn lower_priority() {
        let _ = nice(NICENESS_LOWEST);
        own_session(NICENESS_LOWEST);
    }

    /// Prefers this process and its children to the rest of the machine.
    pub(crate) fn prefer_session(niceness: i32) {
        own_session(niceness);
    }

    /// Where the scheduler groups by session, niceness counts only inside one, and each has another
    /// niceness as a whole. A process that leads a group, as when started by an interactive shell,
    /// cannot leave its session; then all stays as it is.
    fn own_session(niceness: i32) {
        if setsid().is_ok() {
            // The terminal no longer tells us to stop; our parent's end does.
            end_with_parent();
            let _ = std::fs::write("/proc/self/autogroup", niceness.to_string());
        }
    }

    /// Processor time this process has used.
    pub(crate) fn cpu_time() -> Duration {
        time_of(ClockId::ProcessCPUTime)
    }

    /// Processor time this thread has used.
    pub(crate) fn thread_cpu_time() -> Duration {
        time_of(ClockId::ThreadCPUTime)
    }

    fn time_of(clock: ClockId) -> Duration {
        let time = clock_gettime(clock);
        Duration::new(
            time.tv_sec.unsigned_abs(),
            time.tv_nsec.unsigned_abs() as u32,
        )
    }

    /// User and system time in clock ticks, too coarse but for their proportion.
    pub(crate) fn user_and_system_ticks() -> (u64, u64) {
        ticks_in(&stat(), 14)
    }

    /// The same of the children that have ended.
    pub(crate) fn ticks_of_children() -> (u64, u64) {
        ticks_in(&stat(), 16)
    }

    pub(crate) fn ticks_per_second() -> u64 {
        rustix::param::clock_ticks_per_second()
    }

    fn stat() -> String {
        std::fs::read_to_string("/proc/self/stat").unwrap_or_default()
    }

    /// Lets the most memory that the process had (`VmHWM`) be what it has now.
    pub(crate) fn forget_peak() {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }

    /// A line of /proc/self/status, in bytes.
    pub(crate) fn memory(name: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Duration;

    pub(crate) fn pin(_core: usize) {}
    pub(crate) fn unpin() {}
    pub(crate) fn end_with_parent() {}
    pub(crate) fn raise_priority() {}
    pub(crate) fn lower_priority() {}
    pub(crate) fn prefer_session(_niceness: i32) {}
    pub(crate) fn cpu_time() -> Duration {
        Duration::ZERO
    }
    pub(crate) fn thread_cpu_time() -> Duration {
        Duration::ZERO
    }
    pub(crate) fn user_and_system_ticks() -> (u64, u64) {
        (0, 0)
    }
    pub(crate) fn ticks_of_children() -> (u64, u64) {
        (0, 0)
    }
    pub(crate) fn ticks_per_second() -> u64 {
        100
    }
    pub(crate) fn forget_peak() {}
    pub(crate) fn memory(_name: &str) -> u64 {
        0
    }
}

pub(crate) use system::{
    cpu_time, end_with_parent, forget_peak, lower_priority, memory, pin, prefer_session,
    raise_priority, thread_cpu_time, ticks_of_children, ticks_per_second, unpin,
    user_and_system_ticks,
};

/// Two numbers of a process's `stat`, the first of them at `field`, counted from 1.
#[cfg(any(target_os = "linux", test))]
fn ticks_in(stat: &str, field: usize) -> (u64, u64) {
    // The second field, in parentheses, may contain spaces; the third is the first behind it.
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let mut fields = behind.split_whitespace().skip(field - 3);
    let mut next = || {
        let field = fields.next();
        field.and_then(|field| field.parse().ok()).unwrap_or(0)
    };
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::ticks_in;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "1 (a) b (c)) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18";
        assert_eq!(ticks_in(stat, 14), (14, 15));
        assert_eq!(ticks_in(stat, 16), (16, 17));
        assert_eq!(ticks_in("", 14), (0, 0));
    }
}
