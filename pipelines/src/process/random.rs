use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// A number that others cannot guess easily and that is not drawn twice in practice. For names and
/// markers, not for keys.
pub fn random_u64() -> u64 {
    // The hasher's keys come from the operating system.
    RandomState::new().build_hasher().finish()
}
