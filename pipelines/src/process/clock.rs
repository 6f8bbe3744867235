use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// The machine's wall clock: Unix nanoseconds. It may jump.
pub fn now_wall_ns() -> i64 {
    let now_ns = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    };
    #[cfg(debug_assertions)]
    let now_ns = now_ns.saturating_add(jumps::so_far_ns());
    now_ns
}

/// The machine's monotonic clock, nanoseconds since an arbitrary point. All processes of one boot
/// share it.
pub fn now_monotonic_ns() -> u64 {
    read(ClockId::Monotonic)
}

/// Nanoseconds since the machine was started, also while it slept.
pub fn now_boot_ns() -> u64 {
    read(ClockId::Boottime)
}

/// A variable by which tests tell of another start of the machine; none in releases.
pub const BOOT_ID_VARIABLE: Option<&str> = if cfg!(debug_assertions) {
    Some("TEST_BOOT_ID")
} else {
    None
};

/// What the kernel drew when the machine was started; empty when it does not tell.
pub fn boot_id() -> String {
    if let Some(id) = BOOT_ID_VARIABLE.and_then(|name| std::env::var(name).ok()) {
        return id;
    }
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Jumps of the wall clock for tests, which must not touch the machine's own. Not in releases.
#[cfg(debug_assertions)]
mod jumps {
    use std::sync::OnceLock;
    use std::time::Instant;

    /// `after:by,…` in ms: so long after the clock was first read, it jumps by so much.
    const VARIABLE: &str = "TAPEDECK_TEST_WALL_JUMPS";

    struct Plan {
        begun: Instant,
        jumps: Vec<(u128, i64)>,
    }

    static PLAN: OnceLock<Plan> = OnceLock::new();

    pub fn so_far_ns() -> i64 {
        let plan = PLAN.get_or_init(|| Plan {
            begun: Instant::now(),
            jumps: parse(&std::env::var(VARIABLE).unwrap_or_default()),
        });
        let passed_ms = plan.begun.elapsed().as_millis();
        plan.jumps
            .iter()
            .filter(|(after_ms, _)| *after_ms <= passed_ms)
            .map(|(_, by_ms)| by_ms.saturating_mul(1_000_000))
            .sum()
    }

    fn parse(text: &str) -> Vec<(u128, i64)> {
        text.split(',')
            .filter_map(|jump| {
                let (after_ms, by_ms) = jump.split_once(':')?;
                Some((after_ms.parse().ok()?, by_ms.parse().ok()?))
            })
            .collect()
    }
}
