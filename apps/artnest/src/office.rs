//! What an operator can have done: the orders of the command line and of the admin page.
//!
//! An order is carried out by whoever has the store: the server while one runs, else the command line itself. So each
//! is here once, and knows neither.

use std::path::{Path, PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Value, json};

use crate::{
    config::MIB,
    ink::{self, Sheet},
    links::Mint,
    model::{Code, RoomId, Visibility, clean_name, sheet},
    room::Message,
    rooms::Rooms,
    store::{self, Backup, Changes, Cursor, NewRoom, RoomRow, Store},
};

/// Rooms in one part of the list.
const LISTED: usize = 200;

/// What is to be done. Sent as JSON, under the name of the order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// A part of the list of all rooms.
    List { cursor: Option<String> },
    /// The invite links of a room.
    Links { room: String },
    /// A new room.
    Create { name: String, visibility: Visibility, width: u16, height: u16 },
    /// Another quota; left out: the server's own.
    Quota {
        room: String,
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole_mib")]
        mib: Option<u32>,
    },
    /// Keep the drawing, forget how it came about.
    Forget { room: String },
    /// Everything of a room, for good.
    Delete { room: String },
    /// A picture, in base64.
    Export { room: String, format: Format, scale: f64 },
    /// Rooms brought back from a backup as they were there; all of it, where none is named.
    Restore { backup: PathBuf, rooms: Vec<String> },
    /// Read everything there is of every room.
    Check,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Png,
    Svg,
}

/// A number or nothing at all. `null` is refused: it is what a script makes of a number that it could not read.
fn whole_mib<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let given = Value::deserialize(deserializer)?;
    let mib = given.as_u64().and_then(|mib| u32::try_from(mib).ok());
    let wrong = || {
        let range = format!("`mib` is {given}, and must be a whole number from 0 to {}", u32::MAX);
        D::Error::custom(format!("{range}; leave it out for the server's own quota"))
    };
    mib.map(Some).ok_or_else(wrong)
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no room {0:?}")]
    NoRoom(String),
    #[error("{0}")]
    Wrong(String),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Open(#[from] store::OpenError),
}

/// Where orders are carried out.
#[derive(Debug, Clone)]
pub(crate) struct Office {
    pub(crate) store: Store,
    pub(crate) mint: Mint,
    /// The live rooms, if there is a server.
    pub(crate) rooms: Option<Rooms>,
    /// What comes before the path of a link.
    pub(crate) base: String,
}

impl Office {
    pub(crate) async fn carry_out(&self, order: Order) -> Result<Value, Error> {
        match order {
            Order::List { cursor } => self.list(cursor).await,
            Order::Links { room } => {
                let row = self.room(&room).await?;
                Ok(self.with_links(&row))
            }
            Order::Create { name, visibility, width, height } => {
                let name = clean_name(&name).map_err(|error| Error::Wrong(error.to_string()))?;
                let (width, height) =
                    sheet(width, height).map_err(|error| Error::Wrong(error.to_string()))?;
                let new = NewRoom { name, visibility, width, height };
                // The operator's own rooms do not count.
                let row = self.store.create_room(new, u64::MAX).await?.ok_or(store::Error::Closed)?;
                Ok(self.with_links(&row))
            }
            Order::Quota { room, mib } => {
                let quota = mib.map(|mib| u64::from(mib) * MIB);
                let changes = Changes { quota_bytes: Some(quota), ..Changes::default() };
                let id = self.room(&room).await?.id;
                let row = self.store.change_room(id, changes).await?.ok_or(Error::NoRoom(room))?;
                self.changed(row).await
            }
            Order::Forget { room } => {
                let key = self.room(&room).await?.key;
                let row = self.store.forget(key).await?.ok_or(Error::NoRoom(room))?;
                self.changed(row).await
            }
            Order::Delete { room } => {
                let row = self.room(&room).await?;
                self.tell(row.id, Message::Close(Code::RoomDeleted)).await;
                self.store.delete_room(row.key).await?;
                Ok(json!({ "deleted": room }))
            }
            Order::Export { room, format, scale } => self.export(&room, format, scale).await,
            Order::Restore { backup, rooms } => self.restore(backup, rooms).await,
            Order::Check => self.check().await,
        }
    }

    async fn room(&self, room: &str) -> Result<RoomRow, Error> {
        let unknown = || Error::NoRoom(room.to_owned());
        let id: RoomId = room.parse().map_err(|_| unknown())?;
        self.store.room(id).await?.ok_or_else(unknown)
    }

    fn with_links(&self, row: &RoomRow) -> Value {
        json!({ "room": self.shown(row), "base": self.base, "links": self.mint.links(row) })
    }

    fn shown(&self, row: &RoomRow) -> Value {
        json!({
            "id": row.id,
            "name": row.name,
            "visibility": row.visibility,
            "strokes": row.strokes,
            "seq": row.seq,
            "used_bytes": row.used_bytes,
            "quota_bytes": row.quota_bytes,
            "online": self.rooms.as_ref().map_or(0, |rooms| rooms.online(row.id)),
            "updated_at_ms": row.updated_at,
        })
    }

    async fn list(&self, cursor: Option<String>) -> Result<Value, Error> {
        let cursor = cursor.map(|cursor| cursor.parse::<Cursor>()).transpose();
        let cursor = cursor.map_err(|error| Error::Wrong(error.to_string()))?;
        let page = self.store.all_rooms(cursor, LISTED).await?;
        let items: Vec<_> = page.items.iter().map(|row| self.shown(row)).collect();
        Ok(json!({ "items": items, "next": page.next.map(|cursor| cursor.to_string()) }))
    }

    async fn changed(&self, row: RoomRow) -> Result<Value, Error> {
        let shown = self.shown(&row);
        self.tell(row.id, Message::Changed(row)).await;
        Ok(json!({ "room": shown }))
    }

    async fn tell(&self, id: RoomId, message: Message) {
        if let Some(rooms) = &self.rooms {
            rooms.tell(id, message).await;
        }
    }

    async fn export(&self, room: &str, format: Format, scale: f64) -> Result<Value, Error> {
        let row = self.room(room).await?;
        let loaded = self.store.drawing(row.key).await?.ok_or_else(|| Error::NoRoom(room.to_owned()))?;
        let sheet = Sheet { width: row.width, height: row.height };
        let painting = tokio::task::spawn_blocking(move || match format {
            Format::Png => ink::png(&loaded.canvas, sheet, scale, false, || true),
            Format::Svg => Ok(ink::svg(&loaded.canvas, sheet).into_bytes()),
        });
        let painted = painting.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let bytes = painted.map_err(|error| Error::Wrong(format!("it would be {error}")))?;
        Ok(json!({ "base64": BASE64_STANDARD.encode(bytes) }))
    }

    async fn restore(&self, backup: PathBuf, rooms: Vec<String>) -> Result<Value, Error> {
        let choosing = tokio::task::spawn_blocking(move || choose(&backup, &rooms));
        let chosen = choosing.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let (backup, rooms) = chosen?;
        let mut restored = Vec::new();
        for id in rooms {
            let row = self.store.restore_room(&backup, id).await?;
            let row = row.ok_or_else(|| Error::NoRoom(id.to_string()))?;
            // Whoever is there has the room as it was; they come again and see it as it is.
            self.tell(id, Message::Close(Code::Internal)).await;
            restored.push(self.shown(&row));
        }
        Ok(json!({ "restored": restored }))
    }

    async fn check(&self) -> Result<Value, Error> {
        let (mut rooms, mut damaged, mut cursor) = (0_u64, Vec::new(), None);
        loop {
            let page = self.store.all_rooms(cursor, LISTED).await?;
            for row in page.items {
                rooms += 1;
                if let Err(error) = self.store.check(row.key).await {
                    damaged.push(json!({ "id": row.id, "error": error.to_string() }));
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(json!({ "rooms": rooms, "damaged": damaged }));
            }
        }
    }
}

/// Opens a backup, and reads all that is to be restored of it before anything is changed.
fn choose(path: &Path, rooms: &[String]) -> Result<(Backup, Vec<RoomId>), Error> {
    let backup = Backup::open(path)?;
    let chosen = match rooms {
        [] => backup.rooms()?,
        named => named
            .iter()
            .map(|room| room.parse().map_err(|_| Error::NoRoom(room.clone())))
            .collect::<Result<_, _>>()?,
    };
    for &id in &chosen {
        if !backup.check(id)? {
            return Err(Error::Wrong(format!("{} has no room {id}; nothing was restored", path.display())));
        }
    }
    Ok((backup, chosen))
}
