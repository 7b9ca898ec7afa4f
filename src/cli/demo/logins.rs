//! The demo's logins: random passwords, kept in one file that only its owner can read, written
//! before the first of them is used.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::people;
use crate::access::StaffRole;
use crate::clock::random_bytes;

/// Name of the file in the data directory.
const FILE: &str = "demo-logins.json";

/// Of which kind a login is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LoginRole {
    Admin,
    Manager,
    Cashier,
    Member,
}

impl LoginRole {
    const ALL: [Self; 4] = [Self::Admin, Self::Manager, Self::Cashier, Self::Member];

    /// The staff role, unless a member.
    pub(super) const fn staff(self) -> Option<StaffRole> {
        match self {
            Self::Admin => Some(StaffRole::Admin),
            Self::Manager => Some(StaffRole::Manager),
            Self::Cashier => Some(StaffRole::Cashier),
            Self::Member => None,
        }
    }

    /// As it is printed.
    pub(super) const fn as_str(self) -> &'static str {
        match self.staff() {
            Some(role) => role.as_str(),
            None => "member",
        }
    }

    fn identifier(self) -> String {
        match self {
            Self::Member => people::MEMBER.to_owned(),
            staff => format!("{}@example.com", staff.as_str()),
        }
    }
}

/// One login.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    pub(super) role: LoginRole,
    pub(super) identifier: String,
    pub(super) password: String,
    /// The member's PIN for tills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pin: Option<String>,
}

/// All of them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logins {
    pub(super) logins: Vec<Login>,
}

impl Logins {
    /// Those of the file, or new ones that are in the file when this returns.
    pub(super) fn open(data_dir: &Path) -> anyhow::Result<(Self, PathBuf)> {
        let path = data_dir.join(FILE);
        let logins = match fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).with_context(|| format!("{} is not a list of logins", path.display()))?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let logins = Self::random();
                logins.write(&path).with_context(|| format!("writing {}", path.display()))?;
                logins
            }
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        // Also where somebody has copied it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .with_context(|| format!("closing {}", path.display()))?;
        Ok((logins, path))
    }

    fn random() -> Self {
        let login = |role: LoginRole| Login {
            role,
            identifier: role.identifier(),
            password: password(),
            pin: role.staff().is_none().then(pin),
        };
        Self { logins: LoginRole::ALL.map(login).into() }
    }

    /// Written beside and renamed: the file is there whole or not at all.
    fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o711).create(parent)?;
        }
        let unfinished = path.with_extension("unfinished");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        Ok(())
    }
}

/// 16 characters of 32 that nobody mistakes for another: 80 random bits.
fn password() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789_";
    random_bytes::<16>().iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

/// Eight digits: as long as the shortest password, so that it is hashed by the same function.
fn pin() -> String {
    format!("{:08}", u64::from_be_bytes(random_bytes()) % 100_000_000)
}
