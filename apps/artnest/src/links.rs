//! Invite links: a token for each role of a room, which the server can make again and nobody else can make up.
//!
//! A token is 128 bits of HMAC-SHA256 over the room, the role and how often the link was renewed, keyed with the secret
//! of the store. So no token is stored, an owner can see the links again, and renewing one is counting up.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::{
    model::{Role, RoomId},
    store::RoomRow,
};

const TOKEN_BYTES: usize = 16;
/// What else is keyed with the same secret must begin with something else.
const PURPOSE: &[u8] = b"artnest invite link 1";

/// What opens a room in one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Link {
    pub(crate) token: String,
    /// Below the server's address.
    pub(crate) path: String,
}

/// The three links of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Links {
    pub(crate) owner: Link,
    pub(crate) artist: Link,
    pub(crate) viewer: Link,
}

/// Makes and recognises tokens.
#[derive(Clone)]
pub(crate) struct Mint {
    secret: [u8; 32],
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mint").finish_non_exhaustive()
    }
}

impl Mint {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self { secret: *secret }
    }

    pub(crate) fn links(&self, row: &RoomRow) -> Links {
        Links {
            owner: self.link(row, Role::Owner),
            artist: self.link(row, Role::Artist),
            viewer: self.link(row, Role::Viewer),
        }
    }

    fn link(&self, row: &RoomRow, role: Role) -> Link {
        let token = BASE64_URL_SAFE_NO_PAD.encode(self.token(row.id, role, renewals(row, role)));
        Link { path: format!("/r/{}#{token}", row.id), token }
    }

    /// The role that a token gives in this room. Compares with all of them, so that the time taken tells nothing.
    pub(crate) fn role_of(&self, row: &RoomRow, token: &str) -> Option<Role> {
        let given: [u8; TOKEN_BYTES] = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let mut code = u8::MAX;
        for role in Role::ALL {
            let real = self.token(row.id, role, renewals(row, role));
            code.conditional_assign(&role.code(), given.ct_eq(&real));
        }
        Role::from_code(code)
    }

    fn token(&self, room: RoomId, role: Role, renewals: u32) -> [u8; TOKEN_BYTES] {
        // A key of any length will do for an HMAC, so this does not fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else { return rand::random() };
        mac.update(PURPOSE);
        mac.update(room.as_str().as_bytes());
        mac.update(&[role.code()]);
        mac.update(&renewals.to_le_bytes());
        let full = mac.finalize().into_bytes();
        let mut token = [0; TOKEN_BYTES];
        token.copy_from_slice(&full[..TOKEN_BYTES]);
        token
    }
}

fn renewals(row: &RoomRow, role: Role) -> u32 {
    row.links[usize::from(role.code())]
}
