//! Members of a room: admitted by their key, given a role, banned.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Error, Store,
    view::{MemberRow, RoomKey},
};
use crate::{clock::now_ms, model::Role};

/// So many members are remembered for a room. Beyond them, the viewer who was away longest is forgotten.
const MEMBERS_MAX: u64 = 10_000;

/// Who wants to come in.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Of the key that the client keeps.
    pub key_sha256: [u8; 32],
    /// What the link, or the openness of the room, lets a newcomer be. `None`: no newcomers.
    pub role: Option<Role>,
    /// Empty: the name that they had, or "Guest n".
    pub name: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    Member {
        member: u32,
        role: Role,
        name: String,
    },
    Banned,
    /// They are not known, and nothing lets them in.
    NoEntry,
    /// There is no place for one more.
    Full,
}

impl Store {
    /// Lets somebody in, and remembers them.
    ///
    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn admit(&self, room: RoomKey, entry: Entry) -> Result<Admission, Error> {
        self.ledger()
            .write(move |tx| match known(tx.connection, room, &entry)? {
                Some(Known { banned: true, .. }) => Ok(Admission::Banned),
                Some(known) => welcome_back(tx.connection, room, &entry, known),
                None => match entry.role {
                    Some(role) => welcome(tx.connection, room, &entry, role),
                    None => Ok(Admission::NoEntry),
                },
            })
            .await
    }

    /// Who somebody is, where nothing can be or is to be remembered. `None`: nobody who is known, and their link lets
    /// them in.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn recognise(&self, room: RoomKey, entry: Entry) -> Result<Option<Admission>, Error> {
        self.ledger()
            .read(move |connection| {
                Ok(match known(connection, room, &entry)? {
                    Some(Known { banned: true, .. }) => Some(Admission::Banned),
                    Some(known) => {
                        let role = known.role_by(entry.role);
                        Some(Admission::Member { member: known.member, role, name: known.name })
                    }
                    None if entry.role.is_none() => Some(Admission::NoEntry),
                    None => None,
                })
            })
            .await
    }

    /// Gives a member a role that no link changes again; whether there is such a member.
    ///
    /// # Errors
    ///
    /// When it could not be stored. So with the others.
    pub async fn set_role(&self, room: RoomKey, member: u32, role: Role) -> Result<bool, Error> {
        self.ledger()
            .write(move |tx| {
                let sql = "UPDATE member SET role = ?3, is_fixed = 1 WHERE room = ?1 AND member = ?2";
                Ok(tx.prepare(sql)?.execute(params![room.0, member, role.code()])? == 1)
            })
            .await
    }

    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn set_banned(&self, room: RoomKey, member: u32, banned: bool) -> Result<bool, Error> {
        self.ledger()
            .write(move |tx| {
                let sql = "UPDATE member SET banned = ?3 WHERE room = ?1 AND member = ?2";
                Ok(tx.prepare(sql)?.execute(params![room.0, member, banned])? == 1)
            })
            .await
    }

    /// # Errors
    ///
    /// When it could not be stored.
    pub async fn rename_member(&self, room: RoomKey, member: u32, name: String) -> Result<bool, Error> {
        self.ledger()
            .write(move |tx| {
                let sql = "UPDATE member SET name = ?3 WHERE room = ?1 AND member = ?2";
                Ok(tx.prepare(sql)?.execute(params![room.0, member, name])? == 1)
            })
            .await
    }

    /// Members, those seen last first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn members(&self, room: RoomKey, limit: usize) -> Result<Vec<MemberRow>, Error> {
        self.ledger()
            .read(move |connection| {
                let sql = "SELECT member, name, role, banned FROM member WHERE room = ?1
                           ORDER BY seen_at DESC, member DESC LIMIT ?2";
                let mut select = connection.prepare_cached(sql)?;
                select.query_map(params![room.0, limit], member_row)?.collect()
            })
            .await
    }

    /// Names of some members.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn named(&self, room: RoomKey, members: Vec<u32>) -> Result<Vec<MemberRow>, Error> {
        self.ledger()
            .read(move |connection| {
                let sql = "SELECT member, name, role, banned FROM member WHERE room = ?1 AND member = ?2";
                let mut select = connection.prepare_cached(sql)?;
                let rows = members
                    .into_iter()
                    .map(|member| select.query_row(params![room.0, member], member_row).optional());
                rows.filter_map(Result::transpose).collect()
            })
            .await
    }
}

fn member_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<MemberRow> {
    Ok(MemberRow { member: row.get(0)?, name: row.get(1)?, role: role(row.get(2)?), banned: row.get(3)? })
}

/// Only codes of roles are ever written.
fn role(code: u8) -> Role {
    Role::from_code(code).unwrap_or(Role::Viewer)
}

struct Known {
    member: u32,
    name: String,
    role: Role,
    /// An owner chose the role.
    is_fixed: bool,
    banned: bool,
}

impl Known {
    /// Their role where they come by a link of this one: a better link raises it, unless an owner chose it.
    fn role_by(&self, link: Option<Role>) -> Role {
        link.filter(|_| !self.is_fixed).map_or(self.role, |link| link.max(self.role))
    }
}

fn known(connection: &Connection, room: RoomKey, entry: &Entry) -> rusqlite::Result<Option<Known>> {
    let sql = "SELECT member, name, role, is_fixed, banned FROM member WHERE room = ?1 AND key_sha256 = ?2";
    let mut select = connection.prepare_cached(sql)?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Known {
            member: row.get(0)?,
            name: row.get(1)?,
            role: role(row.get(2)?),
            is_fixed: row.get(3)?,
            banned: row.get(4)?,
        })
    };
    select.query_row(params![room.0, entry.key_sha256], row).optional()
}

fn welcome_back(
    connection: &Connection,
    room: RoomKey,
    entry: &Entry,
    known: Known,
) -> rusqlite::Result<Admission> {
    let (member, role) = (known.member, known.role_by(entry.role));
    let name = if entry.name.is_empty() { known.name } else { entry.name.clone() };
    let sql = "UPDATE member SET name = ?3, role = ?4, seen_at = ?5 WHERE room = ?1 AND member = ?2";
    connection.prepare_cached(sql)?.execute(params![room.0, member, name, role.code(), now_ms()])?;
    Ok(Admission::Member { member, role, name })
}

fn welcome(connection: &Connection, room: RoomKey, entry: &Entry, role: Role) -> rusqlite::Result<Admission> {
    if !has_place(connection, room)? {
        return Ok(Admission::Full);
    }
    let sql = "UPDATE room SET next_member = next_member + 1 WHERE room = ?1 RETURNING next_member - 1";
    let taken = connection.prepare_cached(sql)?.query_row([room.0], |row| row.get(0)).optional()?;
    // The room was deleted a moment ago.
    let Some(member) = taken else { return Ok(Admission::NoEntry) };
    let name = if entry.name.is_empty() { format!("Guest {member}") } else { entry.name.clone() };
    let sql =
        "INSERT INTO member (room, member, key_sha256, name, role, seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut insert = connection.prepare_cached(sql)?;
    insert.execute(params![room.0, member, entry.key_sha256, name, role.code(), now_ms()])?;
    Ok(Admission::Member { member, role, name })
}

/// Makes a place where there is none, and somebody can be forgotten.
fn has_place(connection: &Connection, room: RoomKey) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM member WHERE room = ?1";
    let members: u64 = connection.prepare_cached(sql)?.query_row([room.0], |row| row.get(0))?;
    if members < MEMBERS_MAX {
        return Ok(true);
    }
    let sql = "DELETE FROM member WHERE room = ?1 AND member =
                 (SELECT member FROM member WHERE room = ?1 AND role = ?2 AND is_fixed = 0 AND banned = 0
                  ORDER BY seen_at LIMIT 1)";
    let forgotten = connection.prepare_cached(sql)?.execute(params![room.0, Role::Viewer.code()])?;
    Ok(forgotten == 1)
}
