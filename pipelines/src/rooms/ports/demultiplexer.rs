//! Whom a packet on a shared port is for. Pure.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use super::stun::{Stun, TransactionId, look_at};

/// During an ICE restart a session has two.
const MOST_NAMES: usize = 2;
/// Checks whose answer is awaited, per session; the oldest are given up.
const MOST_TRANSACTIONS: usize = 256;
/// Addresses that proved to be of a session; a phone that changes networks has a handful.
const MOST_SENDERS: usize = 32;

/// Names a session among those of the ports.
pub type SessionId = u64;

/// Tells sessions' packets apart: connectivity checks by the user name fragment they name, their
/// answers by their transaction, all else by the sender's address. An address belongs to a session
/// once the session proved it, so nobody can take another's.
#[derive(Debug)]
pub struct Demultiplexer<Q> {
    next: SessionId,
    sessions: HashMap<SessionId, Session<Q>>,
    names: HashMap<String, SessionId>,
    transactions: HashMap<TransactionId, SessionId>,
    senders: HashMap<SocketAddr, SessionId>,
}

#[derive(Debug)]
struct Session<Q> {
    queue: Q,
    names: VecDeque<String>,
    transactions: VecDeque<TransactionId>,
    senders: VecDeque<SocketAddr>,
}

impl<Q> Default for Demultiplexer<Q> {
    fn default() -> Self {
        Self {
            next: 0,
            sessions: HashMap::new(),
            names: HashMap::new(),
            transactions: HashMap::new(),
            senders: HashMap::new(),
        }
    }
}

impl<Q> Demultiplexer<Q> {
    /// A new session, whose packets go to `queue`.
    pub fn open(&mut self, queue: Q) -> SessionId {
        let id = self.next;
        self.next += 1;
        let session = Session {
            queue,
            names: VecDeque::new(),
            transactions: VecDeque::new(),
            senders: VecDeque::new(),
        };
        self.sessions.insert(id, session);
        id
    }

    /// Nothing is for the session any more.
    pub fn close(&mut self, id: SessionId) {
        self.sessions.remove(&id);
        self.names.retain(|_, owner| *owner != id);
        self.transactions.retain(|_, owner| *owner != id);
        self.senders.retain(|_, owner| *owner != id);
    }

    /// The session is addressed by this user name fragment, and by the one before.
    pub fn name(&mut self, id: SessionId, user_fragment: &str) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if self.names.contains_key(user_fragment) {
            return;
        }
        self.names.insert(user_fragment.to_owned(), id);
        session.names.push_back(user_fragment.to_owned());
        if session.names.len() > MOST_NAMES
            && let Some(old) = session.names.pop_front()
        {
            self.names.remove(&old);
        }
    }

    /// The session sent this packet; the answer is for it.
    pub fn sent(&mut self, id: SessionId, packet: &[u8]) {
        let Some(Stun::Request { transaction, .. }) = look_at(packet) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        self.transactions.insert(transaction, id);
        session.transactions.push_back(transaction);
        if session.transactions.len() > MOST_TRANSACTIONS
            && let Some(old) = session.transactions.pop_front()
        {
            self.transactions.remove(&old);
        }
    }

    /// A packet from this address proved to be of the session.
    pub fn proved(&mut self, id: SessionId, sender: SocketAddr) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let before = self.senders.insert(sender, id);
        if before == Some(id) {
            return;
        }
        session.senders.push_back(sender);
        let oldest = (session.senders.len() > MOST_SENDERS)
            .then(|| session.senders.pop_front())
            .flatten();
        if let Some(oldest) = oldest
            && self.senders.get(&oldest) == Some(&id)
        {
            self.senders.remove(&oldest);
        }
        if let Some(before) = before.and_then(|before| self.sessions.get_mut(&before)) {
            before.senders.retain(|known| *known != sender);
        }
    }

    /// The session that a connectivity check names.
    pub fn named(&self, packet: &[u8]) -> Option<&Q> {
        match look_at(packet) {
            Some(Stun::Request { user_fragment, .. }) => self.names.get(user_fragment),
            _ => None,
        }
        .and_then(|id| self.sessions.get(id))
        .map(|session| &session.queue)
    }

    /// The session that a packet is for.
    pub fn owner(&self, sender: SocketAddr, packet: &[u8]) -> Option<&Q> {
        let id = match look_at(packet) {
            Some(Stun::Request { user_fragment, .. }) => self.names.get(user_fragment),
            Some(Stun::Response(transaction)) => self.transactions.get(&transaction),
            Some(Stun::Other) => None,
            None => self.senders.get(&sender),
        }?;
        self.sessions.get(id).map(|session| &session.queue)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stun::tests::{request, response};
    use super::*;

    const MEDIA: &[u8] = &[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn checks_go_by_name_and_all_else_by_proved_address() {
        let mut table = Demultiplexer::default();
        let (alice, bob) = (table.open("alice"), table.open("bob"));
        table.name(alice, "A");
        table.name(bob, "B");
        let check = request("B", [0; 12]);
        assert_eq!(table.owner(address(1), &check), Some(&"bob"));
        assert_eq!(table.owner(address(1), MEDIA), None);
        table.proved(bob, address(1));
        assert_eq!(table.owner(address(1), MEDIA), Some(&"bob"));
        assert_eq!(table.owner(address(2), MEDIA), None);
        // A check is for whom it names, wherever it comes from.
        let check = request("A", [0; 12]);
        assert_eq!(table.owner(address(1), &check), Some(&"alice"));
        assert_eq!(table.owner(address(1), &request("C", [0; 12])), None);
    }

    #[test]
    fn answers_go_to_who_asked_from_wherever_they_come() {
        let mut table = Demultiplexer::default();
        let alice = table.open("alice");
        table.sent(alice, &request("theirs", [5; 12]));
        table.sent(alice, MEDIA);
        assert_eq!(table.owner(address(9), &response([5; 12])), Some(&"alice"));
        assert_eq!(table.owner(address(9), &response([6; 12])), None);
    }

    #[test]
    fn two_names_are_good_during_an_ice_restart() {
        let mut table = Demultiplexer::default();
        let alice = table.open("alice");
        for name in ["one", "two", "three"] {
            table.name(alice, name);
        }
        assert_eq!(table.owner(address(1), &request("one", [0; 12])), None);
        for name in ["two", "three"] {
            let check = request(name, [0; 12]);
            assert_eq!(table.owner(address(1), &check), Some(&"alice"));
        }
    }

    #[test]
    fn an_address_can_pass_to_another_session() {
        let mut table = Demultiplexer::default();
        let (alice, bob) = (table.open("alice"), table.open("bob"));
        table.proved(alice, address(1));
        table.proved(bob, address(1));
        assert_eq!(table.owner(address(1), MEDIA), Some(&"bob"));
        table.close(alice);
        assert_eq!(table.owner(address(1), MEDIA), Some(&"bob"));
    }

    #[test]
    fn a_closed_session_leaves_nothing_and_many_addresses_are_bounded() {
        let mut table = Demultiplexer::default();
        let alice = table.open("alice");
        table.name(alice, "A");
        for port in 1..100 {
            table.proved(alice, address(port));
        }
        for count in 0..1000_u64 {
            let mut transaction = [0; 12];
            transaction[..8].copy_from_slice(&count.to_be_bytes());
            table.sent(alice, &request("theirs", transaction));
        }
        assert_eq!(table.owner(address(1), MEDIA), None);
        assert_eq!(table.owner(address(99), MEDIA), Some(&"alice"));
        assert_eq!(table.senders.len(), MOST_SENDERS);
        assert_eq!(table.transactions.len(), MOST_TRANSACTIONS);
        table.close(alice);
        assert!(table.names.is_empty());
        assert!(table.senders.is_empty());
        assert!(table.transactions.is_empty());
    }
}
