//! `tessera migrate`: brings the schema up to date as the owner of the tables, and grants the role
//! that `serve` works as what it needs.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::{desk, output};
use crate::app::{self, Database};
use crate::config::{DatabaseSettings, Settings};
use crate::{postgres, store, telemetry};

#[derive(Debug, clap::Args)]
#[command(after_help = "Migrates as DATABASE_OWNER_URL, and lets the user of DATABASE_URL read and append. \
    With DATABASE_URL alone that user migrates, and `serve` asks for TESSERA__DATABASE__ALLOW_OWNER=true.")]
pub(super) struct Args {
    /// One JSON line: {"applied":[…]}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::load()?;
    desk::quieten(&mut settings.log);
    telemetry::init(&settings.log)?;
    let applied = match existing(&settings.database)? {
        Some(applied) => applied,
        None => {
            // Opening the private server migrates it.
            Database::open(&settings, postgres::Durability::Durable)?.close()?;
            Vec::new()
        }
    };
    if args.json {
        output::result(json!({ "applied": applied }))?;
    } else {
        applied.iter().try_for_each(output::result)?;
        output::message("the schema is up to date");
    }
    Ok(ExitCode::SUCCESS)
}

/// Migrates the database that the settings name; `None` where they name none.
pub(super) fn existing(settings: &DatabaseSettings) -> anyhow::Result<Option<Vec<String>>> {
    let applied = match (&settings.owner_url, &settings.url) {
        (None, None) => return Ok(None),
        (None, Some(url)) => store::db::migrate(url)?,
        (Some(owner), None) => app::prepare(owner, None)?,
        (Some(owner), Some(url)) => {
            let role = user_of(url).context("DATABASE_URL names no user to grant anything to")?;
            // An owner who is granted what a server needs would lose the rest.
            if user_of(owner).as_ref() == Some(&role) {
                store::db::migrate(owner)?
            } else {
                app::prepare(owner, Some(&role))?
            }
        }
    };
    Ok(Some(applied))
}

/// The user in a libpq address: `postgres://user:…@host/database`, or `user=…` anywhere in it.
fn user_of(url: &str) -> Option<String> {
    let authority = url.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or(rest));
    let before_host = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    let named = || url.split(['?', '&', ' ']).find_map(|pair| pair.strip_prefix("user="));
    let user = before_host.map(|user| user.split(':').next().unwrap_or(user)).or_else(named)?;
    unescape(user.trim_matches('\'')).filter(|user| !user.is_empty())
}

/// Undoes `%41`.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
