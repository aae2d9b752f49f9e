//! Counts what the random operations hit: a case that never occurred proves nothing.

macro_rules! coverage {
    ($($name:ident),+ $(,)?) => {
        #[derive(Clone, Copy, Debug, Default)]
        pub(crate) struct Coverage {
            $(pub(crate) $name: u64),+
        }

        impl Coverage {
            pub(crate) fn add(&mut self, other: &Coverage) {
                $(self.$name += other.$name;)+
            }

            pub(crate) fn each(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

coverage! {
    operations,
    steps,
    wakes,
    grants,
    taken_at_once,
    queued,
    refused,
    busy,
    canceled_in_line,
    canceled_granted,
    canceled_assigned,
    canceled_parked,
    parked,
    came_back,
    expired,
    forgotten_lanes,
    came_in_at_once,
    handed_over,
    permits,
    try_release_permit,
    children,
    reprioritised,
    paused,
    opened,
    paced,
    lowered,
    submitted,
    picked,
    called_instead,
    closes,
    reports,
}
