//! What is uploaded once: index lists and tables that depend on little and come again and again.
use crate::Result;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Entries that are kept; the one that was longest not used goes first.
const KEPT: usize = 64;

/// Values on a device by the key that they are made from. They are made at the first use and good
/// for all later ones.
#[derive(Debug)]
pub struct Constants<K, V>(Mutex<VecDeque<(K, V)>>);

impl<K, V> Default for Constants<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: PartialEq, V: Clone> Constants<K, V> {
    /// The value of `key`, which `make` makes where it is not there.
    ///
    /// # Errors
    /// The error of `make`.
    pub fn get(&self, key: K, make: impl FnOnce(&K) -> Result<V>) -> Result<V> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entries.iter().position(|entry| entry.0 == key);
        let entry = match found.and_then(|at| entries.remove(at)) {
            Some(entry) => entry,
            None => {
                let value = make(&key)?;
                (key, value)
            }
        };
        let value = entry.1.clone();
        entries.truncate(KEPT - 1);
        entries.push_front(entry);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::cell::Cell;

    #[test]
    fn a_constant_is_made_once_until_many_others_were_used() {
        let (constants, made) = (Constants::default(), Cell::new(0));
        let get = |key: usize| {
            let value = constants.get(key, |key| {
                made.set(made.get() + 1);
                Ok(key * 10)
            });
            assert!(matches!(value, Ok(value) if value == key * 10));
            made.get()
        };
        assert_eq!([get(1), get(1), get(2), get(1)], [1, 1, 2, 2]);
        let last = (3..=KEPT).map(get).last();
        assert_eq!(last, Some(KEPT));
        // Number 2 was longest not used.
        assert_eq!([get(1), get(KEPT + 1), get(1), get(2)], [KEPT, KEPT + 1, KEPT + 1, KEPT + 2]);
    }

    #[test]
    fn what_cannot_be_made_is_tried_again() {
        let constants = Constants::default();
        let fails = |_: &u8| Err(Error::Device { device: "d".into(), reason: "r".into() });
        assert!(constants.get(1, fails).is_err());
        assert!(matches!(constants.get(1, |_| Ok(7)), Ok(7)));
    }
}
