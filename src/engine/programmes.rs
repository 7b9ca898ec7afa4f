//! The programme in force, cached by version. The load call of every batch tells the current
//! version, so a stale copy is noticed before it decides anything.

use std::sync::{Arc, PoisonError, RwLock};

use tessera_rules::Programme;
use tessera_rules::document::Document as _;

use super::Failure;
use crate::store::db::{Connection, Pool};
use crate::store::{self, programme};

/// A programme and its version.
#[derive(Debug)]
pub struct Versioned {
    /// 1, 2, 3 …
    pub version: i64,
    /// The document.
    pub programme: Programme,
}

/// The cache; a clone shares it.
#[derive(Clone, Default)]
pub struct Programmes(Arc<RwLock<Option<Arc<Versioned>>>>);

impl Programmes {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    fn cached(&self) -> Option<Arc<Versioned>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, versioned: Arc<Versioned>) {
        let mut cache = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if cache.as_ref().is_none_or(|cached| cached.version < versioned.version) {
            *cache = Some(versioned);
        }
    }

    /// The cached programme, or the latest where none is cached.
    pub(super) fn any(&self, conn: &mut Connection) -> Result<Arc<Versioned>, Failure> {
        match self.cached() {
            Some(versioned) => Ok(versioned),
            None => self.reload(conn),
        }
    }

    /// Reads the latest programme from the database.
    pub(super) fn reload(&self, conn: &mut Connection) -> Result<Arc<Versioned>, Failure> {
        let (version, document) = programme::latest(conn)?.ok_or(Failure::NoProgramme)?;
        let programme = Programme::read_from(document).map_err(|error| Failure::Internal(error.to_string()))?;
        let versioned = Arc::new(Versioned { version, programme });
        self.keep(versioned.clone());
        Ok(versioned)
    }

    /// The latest programme, read where the cached version is not it.
    pub(super) async fn latest(&self, pool: &Pool) -> Result<Arc<Versioned>, Failure> {
        let this = self.clone();
        let found = pool
            .run(move |conn| {
                let current = programme::current_version(conn)?;
                let cached = this.cached().filter(|cached| Some(cached.version) == current);
                Ok::<_, store::Error>(cached.map_or_else(|| this.reload(conn), Ok))
            })
            .await;
        found.map_err(Failure::from)?
    }
}
