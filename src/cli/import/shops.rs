//! Stores by their code, as rows name them.

use std::collections::HashMap;

use serde_json::json;
use tessera_rules::Actor;
use tessera_rules::id::StoreId;
use tessera_rules::programme::is_code;
use tessera_rules::time::Instant;

use super::cells::Mistake;
use crate::clock::new_uuid;
use crate::store::audit::{self, Change};
use crate::store::db::{Connection, Error, transaction};
use crate::store::shop::{self, ShopRow};

/// The stores that rows have named so far.
pub(super) struct Shops {
    create: bool,
    commit: bool,
    known: HashMap<String, StoreId>,
    /// The last code that is no store's: a whole file may name it.
    unknown: Option<String>,
}

impl Shops {
    /// None yet. With `create` missing ones are opened; without `commit` only in mind.
    pub(super) fn new(create: bool, commit: bool) -> Self {
        Self { create, commit, known: HashMap::new(), unknown: None }
    }

    /// The code and the id of a store. The outer error is the database's.
    pub(super) fn find(
        &mut self,
        conn: &mut Connection,
        text: &str,
        now: Instant,
    ) -> Result<Result<(String, StoreId), Mistake>, Error> {
        let code = text.to_lowercase();
        if let Some(&id) = self.known.get(&code) {
            return Ok(Ok((code, id)));
        }
        if !is_code(&code) {
            return Ok(Err(("store_invalid", "a store's code is 1 to 64 of a-z, 0-9, '-' and '_'".to_owned())));
        }
        if self.unknown.as_ref() != Some(&code) {
            let found = match shop::by_code(conn, &code)? {
                Some(row) => Some(row.store()),
                None if self.create => Some(self.open(conn, &code, now)?),
                None => None,
            };
            if let Some(id) = found {
                self.known.insert(code.clone(), id);
                return Ok(Ok((code, id)));
            }
            self.unknown = Some(code);
        }
        Ok(Err(("store_unknown", "there is no such store; --create-stores opens it".to_owned())))
    }

    fn open(&self, conn: &mut Connection, code: &str, now: Instant) -> Result<StoreId, Error> {
        let row = ShopRow { id: new_uuid(), code: code.to_owned(), name: code.to_owned(), version: 1, created_at: now };
        if !self.commit {
            return Ok(row.store());
        }
        let opened = transaction(conn, |conn| {
            shop::insert(conn, &row)?;
            let object = row.store().to_string();
            let after = Some(json!({ "code": row.code, "name": row.name }));
            let change = Change { action: "store.create", object: &object, before: None, after };
            audit::record(conn, now, Actor::IMPORT, change)
        });
        match opened {
            // Somebody else opened it a moment ago.
            Err(error) if error.is_conflict("store_code_key") => match shop::by_code(conn, code)? {
                Some(row) => Ok(row.store()),
                None => Err(error),
            },
            opened => opened.map(|()| row.store()),
        }
    }
}
