//! The table of connections: by four-tuple for segments, by id for the hub's commands.

use core::hash::{BuildHasher, Hash, Hasher};
use core::net::SocketAddr;

use hashbrown::HashTable;
use layer::boundary::SocketId;
use rustc_hash::FxHashMap;
use siphasher::sip::SipHasher13;
use slotmap::{SlotMap, new_key_type};

use crate::conn::Connection;
use crate::isn::write_address;

new_key_type! {
    /// Names a slot of the table; a reused slot gets a new key.
    pub struct Key;
}

/// Our end and the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple {
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
}

impl Hash for Tuple {
    fn hash<H: Hasher>(&self, state: &mut H) {
        write_address(state, self.local);
        write_address(state, self.remote);
    }
}

/// A keyed hash: the peer chooses its ports and must not be able to choose our buckets.
#[derive(Clone, Copy, Debug)]
pub struct Keyed([u8; 16]);

impl Keyed {
    /// Keyed by `key`.
    pub fn new(key: [u8; 16]) -> Self {
        Self(key)
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

/// Entries for which an empty index keeps room.
const SMALL: usize = 1024;

/// All connections in all states but LISTEN.
#[derive(Debug)]
pub struct Table {
    slots: SlotMap<Key, Box<Connection>>,
    hasher: Keyed,
    /// By tuple, which stands in the connection: 9 bytes an entry where a map takes 73.
    by_tuple: HashTable<Key>,
    by_id: FxHashMap<SocketId, Key>,
}

impl Table {
    /// An empty table; `key` keys its hashes.
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            slots: SlotMap::with_key(),
            hasher: Keyed(key),
            by_tuple: HashTable::new(),
            by_id: FxHashMap::default(),
        }
    }

    /// Connections in it.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Puts a connection in, under its tuple and id.
    pub fn insert(&mut self, connection: Connection) -> Key {
        let tuple = tuple_of(&connection);
        let id = connection.ends.id;
        if let Some(before) = self.find(&tuple) {
            self.forget_tuple(before);
        }
        let key = self.slots.insert(Box::new(connection));
        let (hasher, slots) = (&self.hasher, &self.slots);
        let hash_of = |key: &Key| slots.get(*key).map_or(0, |c| hasher.hash_one(tuple_of(c)));
        self.by_tuple.insert_unique(hasher.hash_one(tuple), key, hash_of);
        self.by_id.insert(id, key);
        key
    }

    /// The connection of a segment.
    pub fn find(&self, tuple: &Tuple) -> Option<Key> {
        let same = |key: &Key| self.slots.get(*key).is_some_and(|c| tuple_of(c) == *tuple);
        self.by_tuple.find(self.hasher.hash_one(tuple), same).copied()
    }

    /// The connection of a command.
    pub fn find_id(&self, id: SocketId) -> Option<Key> {
        self.by_id.get(&id).copied()
    }

    /// A connection.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Connection> {
        self.slots.get_mut(key).map(Box::as_mut)
    }

    /// A connection, to look at.
    pub fn get(&self, key: Key) -> Option<&Connection> {
        self.slots.get(key).map(Box::as_ref)
    }

    /// Frees the tuple of a connection that is over; segments find it no more. True if it had it.
    pub fn forget_tuple(&mut self, key: Key) -> bool {
        let Some(tuple) = self.slots.get(key).map(|c| tuple_of(c)) else { return false };
        let entry = self.by_tuple.find_entry(self.hasher.hash_one(tuple), |known| *known == key);
        let owned = entry.is_ok();
        if let Ok(entry) = entry {
            entry.remove();
        }
        owned
    }

    /// Takes the id away: the hub has forgotten it.
    pub fn forget_id(&mut self, id: SocketId) {
        self.by_id.remove(&id);
    }

    /// Takes a connection out altogether.
    pub fn remove(&mut self, key: Key) -> Option<Connection> {
        self.forget_tuple(key);
        let connection = self.slots.remove(key)?;
        if self.by_id.get(&connection.ends.id) == Some(&key) {
            self.by_id.remove(&connection.ends.id);
        }
        if self.slots.is_empty() {
            // What a rush took is given back when it is over. The slots stay: a key is never
            // given twice.
            self.by_id.shrink_to(SMALL);
            self.by_tuple.shrink_to(SMALL, |_| 0);
        }
        Some(*connection)
    }

    /// All connections, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.values().map(Box::as_ref)
    }
}

fn tuple_of(connection: &Connection) -> Tuple {
    Tuple { local: connection.ends.local, remote: connection.ends.remote }
}
