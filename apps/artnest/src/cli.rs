//! The command line: what each word and flag means.
//!
//! `artnest` alone serves. The other words are for the operator: they are carried out by the running server, if there
//! is one on the data directory, and else here (`orders`). `backup` only reads, so it needs neither.

mod orders;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use orders::{Error, run};

use crate::{
    config::{Overrides, Place},
    model::{Role, Visibility, sheet},
    office::Format,
};

/// Artnest: a studio for drawing together.
#[derive(Debug, Parser)]
#[command(name = "artnest", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(flatten)]
    serve: Overrides,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the studio (the default)
    Serve(Overrides),
    /// See and change rooms
    #[command(flatten)]
    Operate(Operate),
}

/// What needs the data directory, or the server that runs on it.
#[derive(Debug, Subcommand)]
pub enum Operate {
    /// List, make, change and delete rooms
    #[command(subcommand)]
    Rooms(Rooms),
    /// Write a picture of a room
    Export(Export),
    /// Copy everything into one file, also while the server runs
    Backup {
        /// The file to write; it must not exist
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Bring back what a backup has
    Restore(Restore),
    /// Read everything there is, and say what is damaged
    Check {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub enum Rooms {
    /// All rooms, those drawn in last first
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Make a room and print its links
    Create {
        /// What to call it
        name: String,
        /// Hang it in the gallery, where everybody may look
        #[arg(long)]
        public: bool,
        /// The sheet, as WIDTHxHEIGHT
        #[arg(long, value_name = "SIZE", default_value = "2400x1600", value_parser = size)]
        sheet: (u16, u16),
        #[command(flatten)]
        place: Place,
    },
    /// Print the invite links of a room
    Links {
        /// Its id, as `artnest rooms list` shows it
        room: String,
        /// Only the link of this role
        #[arg(long, value_parser = role)]
        role: Option<Role>,
        #[command(flatten)]
        place: Place,
    },
    /// Give a room another quota
    Quota {
        /// Its id, as `artnest rooms list` shows it
        room: String,
        /// In MiB; without it, the server's own
        mib: Option<u32>,
        #[command(flatten)]
        place: Place,
    },
    /// Keep the drawing of a room and forget how it came about, which makes room below its quota
    Forget {
        /// Its id, as `artnest rooms list` shows it
        room: String,
        #[command(flatten)]
        place: Place,
    },
    /// Delete a room with everything in it
    Delete {
        /// Its id, as `artnest rooms list` shows it
        room: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub struct Export {
    /// Its id, as `artnest rooms list` shows it
    pub room: String,
    /// The file to write; its ending says the format
    pub file: PathBuf,
    /// Pixels to a unit of the sheet, for PNG
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// The format, where the ending does not say it
    #[arg(long)]
    pub format: Option<Format>,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The backup
    pub file: PathBuf,
    /// Only these rooms. Without it, and while no server runs, the whole file is put in the place of what is there
    #[arg(long = "room", value_name = "ROOM")]
    pub rooms: Vec<String>,
    #[command(flatten)]
    pub place: Place,
}

impl Cli {
    /// What was asked for; to serve, where nothing was.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let sides =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let (width, height) = sides.ok_or_else(|| "expected WIDTHxHEIGHT, such as 2400x1600".to_owned())?;
    sheet(width, height).map_err(|error| error.to_string())
}

fn role(text: &str) -> Result<Role, String> {
    let role = Role::ALL.into_iter().find(|role| role.as_str() == text);
    role.ok_or_else(|| "expected owner, artist or viewer".to_owned())
}

fn visibility(is_public: bool) -> Visibility {
    if is_public { Visibility::Public } else { Visibility::Private }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn artnest_alone_serves() {
        let cli = Cli::try_parse_from(["artnest", "--listen", "127.0.0.1:9"]).unwrap();
        let Command::Serve(overrides) = cli.into_command() else { panic!("not serve") };
        assert_eq!(overrides.listen.unwrap().port(), 9);
    }

    #[test]
    fn a_sheet_has_two_sides_within_bounds() {
        assert_eq!(size("640x480"), Ok((640, 480)));
        for wrong in ["640", "640x", "8x640", "640x9000", "axb"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
