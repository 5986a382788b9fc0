//! Chance that can be had again.

/// The seed a test draws from: `TEST_SEED`, to run a failure again, or a new one.
pub fn seed() -> u64 {
    match std::env::var("TEST_SEED") {
        Ok(seed) => seed.parse().expect("TEST_SEED is a number"),
        Err(_) => fastrand::u64(..),
    }
}
