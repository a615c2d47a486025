//! What one cluster or one source may have open at once, so that a noisy one leaves room for the others.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts what is open for each key, and gives no more than so many places to one.
#[derive(Debug)]
pub(crate) struct Places<K> {
    max: usize,
    open: Mutex<BTreeMap<K, usize>>,
}

impl<K: Ord + Clone> Places<K> {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, open: Mutex::default() })
    }

    /// A place, until it is dropped; `None`: this key has all of its own.
    pub(crate) fn take(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        // A panic while the lock was held cannot leave a half-written count.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key.clone()).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place { places: Arc::clone(self), key })
    }

    fn leave(&self, key: &K) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let left = open.get_mut(key).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            // Strangers must not fill the map.
            open.remove(key);
        }
    }
}

/// One of the places of a key.
#[derive(Debug)]
pub(crate) struct Place<K: Ord + Clone> {
    places: Arc<Places<K>>,
    key: K,
}

impl<K: Ord + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        self.places.leave(&self.key);
    }
}

/// Who has opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(IpAddr);

impl Source {
    /// Of IPv6 addresses the network counts: whoever has one address there has them all.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [first, second, third, fourth, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(first, second, third, fourth, 0, 0, 0, 0))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// Bytes of requests that are held in memory, of all together or of one cluster.
#[derive(Debug)]
pub(crate) struct Room {
    max: usize,
    held: AtomicUsize,
}

impl Room {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, held: AtomicUsize::new(0) })
    }

    fn grow(&self, bytes: usize) -> bool {
        let grown = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes).filter(|sum| *sum <= self.max)
        });
        grown.is_ok()
    }
}

/// What one request holds of several rooms, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    rooms: Vec<Arc<Room>>,
    bytes: usize,
}

impl Held {
    pub(crate) fn nothing(rooms: Vec<Arc<Room>>) -> Self {
        Self { rooms, bytes: 0 }
    }

    /// Holds so many bytes more; `false`, and nothing is changed: a room is full.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        for (index, room) in self.rooms.iter().enumerate() {
            if !room.grow(bytes) {
                for grown in &self.rooms[..index] {
                    grown.held.fetch_sub(bytes, Ordering::Relaxed);
                }
                return false;
            }
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for room in &self.rooms {
            room.held.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_leaves_room_for_the_others() {
        let places = Places::new(2);
        let first = places.take("a");
        let second = places.take("a");
        assert!(first.is_some() && second.is_some() && places.take("a").is_none());
        assert!(places.take("b").is_some());
        drop(first);
        assert!(places.take("a").is_some());
        drop(second);
        assert!(places.open.lock().unwrap().is_empty(), "nothing is kept about who has gone");
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let source = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }

    #[test]
    fn bytes_count_in_every_room_and_are_given_back() {
        let (all, own) = (Room::new(10), Room::new(6));
        let mut held = Held::nothing(vec![Arc::clone(&all), Arc::clone(&own)]);
        assert!(held.grow(6) && !held.grow(1));
        let mut other = Held::nothing(vec![Arc::clone(&all), Room::new(6)]);
        assert!(other.grow(4) && !other.grow(1));
        drop(held);
        assert!(other.grow(2), "what was refused has left nothing behind");
        drop(other);
        assert_eq!((all.held.load(Ordering::Relaxed), own.held.load(Ordering::Relaxed)), (0, 0));
    }
}
