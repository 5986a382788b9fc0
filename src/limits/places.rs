//! How much each key may hold at once.

use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts what each key holds.
pub(super) struct Places<K> {
    most: Option<NonZeroU32>,
    held: Arc<Mutex<HashMap<K, u32>>>,
}

/// One of a key's places; given back when dropped.
pub(crate) struct Place<K: Hash + Eq> {
    key: K,
    held: Arc<Mutex<HashMap<K, u32>>>,
}

impl<K: Hash + Eq + Copy> Places<K> {
    pub(super) fn of_each(most: Option<NonZeroU32>) -> Self {
        Self { most, held: Arc::default() }
    }

    /// Takes a place; none where nothing is limited.
    pub(super) fn take(&self, key: Option<K>) -> Result<Option<Place<K>>, ()> {
        let (Some(most), Some(key)) = (self.most, key) else { return Ok(None) };
        let mut held = lock(&self.held);
        let count = held.entry(key).or_default();
        if *count >= most.get() {
            return Err(());
        }
        *count += 1;
        Ok(Some(Place { key, held: Arc::clone(&self.held) }))
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

fn lock<K>(held: &Mutex<HashMap<K, u32>>) -> MutexGuard<'_, HashMap<K, u32>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_dropped_is_free_again_and_leaves_nothing_behind() {
        let places = Places::of_each(NonZeroU32::new(2));

        let first = places.take(Some("a")).ok().flatten();
        let second = places.take(Some("a")).ok().flatten();
        assert!(first.is_some() && second.is_some());
        assert!(places.take(Some("a")).is_err());
        assert!(places.take(Some("b")).is_ok());
        drop(first);
        assert!(places.take(Some("a")).is_ok());

        drop(second);
        assert_eq!(lock(&places.held).len(), 0);
    }
}
