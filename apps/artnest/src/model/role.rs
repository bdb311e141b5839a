//! Roles, each of which may do what the one before may; and who sees a room.

use serde::{Deserialize, Serialize};

/// What a member may do; `PROTOCOL.md` has the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Viewer,
    Artist,
    Owner,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Artist, Role::Owner];

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }

    pub fn code(self) -> u8 {
        match self {
            Self::Viewer => 0,
            Self::Artist => 1,
            Self::Owner => 2,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Artist => "artist",
            Self::Owner => "owner",
        }
    }

    pub fn may_draw(self) -> bool {
        self >= Self::Artist
    }

    pub fn may_manage(self) -> bool {
        self == Self::Owner
    }
}

/// Who may see a room without a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Nobody.
    #[default]
    Private,
    /// Everybody: it hangs in the gallery.
    Public,
}
