//! Who is connected to a room, as its writer knows it.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use super::{
    live::ConnectionId,
    mailbox::{Mailbox, State},
};
use crate::model::{Code, Role};

/// Numbers from here on are for guests who could not be remembered.
const GUESTS_FROM: u32 = 1 << 31;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) member: u32,
    pub(super) role: Role,
    pub(super) mailbox: Arc<Mailbox>,
    /// Their first operation may have any number beyond the last one.
    pub(super) is_fresh: bool,
    /// Nothing is taken from them until the operation with this number comes.
    pub(super) held: Option<u32>,
}

impl Connection {
    pub(super) fn is_guest(&self) -> bool {
        self.member >= GUESTS_FROM
    }
}

/// Each member has at most one connection.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    connections: HashMap<ConnectionId, Connection>,
    by_member: HashMap<u32, ConnectionId>,
    guests: u32,
    /// Roles that an owner gave and people who were banned since the room was loaded: whoever is on their way in may
    /// have been let in before.
    roles: HashMap<u32, Role>,
    banned: HashSet<u32>,
}

impl Crowd {
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Adds a connection; one of the same member is told to end. Gives the number and the role that it has now.
    pub(super) fn add(
        &mut self,
        id: ConnectionId,
        member: Option<u32>,
        role: Role,
        mailbox: Arc<Mailbox>,
    ) -> Result<(u32, Role), Code> {
        let member = member.unwrap_or_else(|| {
            self.guests += 1;
            GUESTS_FROM + self.guests
        });
        if self.banned.contains(&member) {
            return Err(Code::Banned);
        }
        let role = self.roles.get(&member).copied().unwrap_or(role);
        if let Some(older) = self.by_member.insert(member, id)
            && let Some(older) = self.connections.remove(&older)
        {
            older.mailbox.end(Code::Replaced);
        }
        let connection = Connection { member, role, mailbox, is_fresh: true, held: None };
        self.connections.insert(id, connection);
        Ok((member, role))
    }

    /// Forgets a connection; its member, if nobody has replaced it.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<u32> {
        let connection = self.connections.remove(&id)?;
        if let Entry::Occupied(entry) = self.by_member.entry(connection.member)
            && *entry.get() == id
        {
            entry.remove();
            return Some(connection.member);
        }
        None
    }

    pub(super) fn has(&self, member: u32) -> bool {
        self.by_member.contains_key(&member)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(&id)
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(&id)
    }

    pub(super) fn set_role(&mut self, member: u32, role: Role) {
        self.roles.insert(member, role);
        if let Some(connection) = self.of_member(member) {
            connection.role = role;
        }
    }

    /// Sends a member out; whether they were here.
    pub(super) fn send_out(&mut self, member: u32, ban: bool) -> bool {
        if ban {
            self.banned.insert(member);
        }
        let code = if ban { Code::Banned } else { Code::Kicked };
        let Some(id) = self.by_member.remove(&member) else { return false };
        if let Some(connection) = self.connections.remove(&id) {
            connection.mailbox.end(code);
        }
        true
    }

    pub(super) fn unban(&mut self, member: u32) {
        self.banned.remove(&member);
    }

    fn of_member(&mut self, member: u32) -> Option<&mut Connection> {
        self.connections.get_mut(self.by_member.get(&member)?)
    }

    pub(super) fn tell_state(&self, state: State) {
        for connection in self.connections.values() {
            connection.mailbox.tell_state(state);
        }
    }

    /// Ends everybody's connection.
    pub(super) fn end_all(&mut self, code: Code) {
        self.end_where(code, |_| true);
    }

    /// Guests may be remembered now, if they come again.
    pub(super) fn end_guests(&mut self) {
        self.end_where(Code::Internal, Connection::is_guest);
    }

    fn end_where(&mut self, code: Code, which: impl Fn(&Connection) -> bool) {
        let by_member = &mut self.by_member;
        self.connections.retain(|_, connection| {
            let ends = which(connection);
            if ends {
                connection.mailbox.end(code);
                by_member.remove(&connection.member);
            }
            !ends
        });
    }
}

impl Drop for Crowd {
    /// A writer that fails or panics takes its knowledge with it: whoever is connected has to come again.
    fn drop(&mut self) {
        self.end_all(Code::Internal);
    }
}
