//! The keys that sign access tokens: files of mode 0600, made on first start.
//!
//! A key file is JSON: `{"algorithm":"Ed25519","kid":…,"created_at":…,"seed":…}`, the seed being the
//! 32 bytes of RFC 8032 in hexadecimal and `kid` the RFC 7638 thumbprint of the public key. All of them
//! verify, and the newest signs once every process has had the time to find it, so that a key is rotated
//! by adding one, and taken away when no token of its lives any more: no request fails for it. A file that others can read, or that is not whole, stops the start: a key
//! that somebody else may have is worse than none.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};
use tessera_rules::time::Instant;

use super::ed25519::{SEED, signing_key};
use crate::clock;

/// No key file is this long.
const LONGEST: u64 = 4096;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory could not be read or written.
    #[error("signing keys: {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Somebody else can read the key, or may have put it there.
    #[error(
        "signing keys: {0} must be readable by its owner only (chmod 600) and belong to the owner of its directory"
    )]
    Exposed(PathBuf),
    /// The file does not hold a whole key.
    #[error("signing keys: {path} is not a whole Ed25519 key: {reason}")]
    Garbled {
        /// Which.
        path: PathBuf,
        /// What is wrong, without the secret.
        reason: &'static str,
    },
    /// The cryptographic library refused a key.
    #[error("signing keys: {0}")]
    Library(#[from] jsonwebtoken::errors::Error),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    algorithm: String,
    kid: String,
    created_at: Instant,
    seed: String,
}

/// A signing key.
pub(super) struct Key {
    pub(super) kid: String,
    pub(super) created_at: Instant,
    pub(super) signing: EncodingKey,
    pub(super) verifying: DecodingKey,
    pub(super) public: serde_json::Value,
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

impl Key {
    fn from_seed(seed: &[u8; SEED], created_at: Instant) -> Result<Self, jsonwebtoken::errors::Error> {
        let signing = signing_key(seed);
        let jwk = Jwk::from_encoding_key(&signing, Algorithm::EdDSA)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256)?;
        let AlgorithmParameters::OctetKeyPair(pair) = &jwk.algorithm else {
            return Err(jsonwebtoken::errors::ErrorKind::InvalidEddsaKey.into());
        };
        let public = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": pair.x,
        });
        let verifying = DecodingKey::from_ed_components(&pair.x)?;
        Ok(Self { kid, created_at, signing, verifying, public })
    }
}

/// All keys of a directory, the newest first; a directory without any gets one.
pub(super) fn open(directory: &Path) -> Result<Vec<Key>, Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io(directory))?;
    let keys = read_all(directory)?;
    if !keys.is_empty() {
        return Ok(keys);
    }
    // Two processes that start together on a new directory must agree on one key.
    let lock_path = directory.join("lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path);
    let lock = lock.map_err(io(&lock_path))?;
    lock.lock().map_err(io(&lock_path))?;
    let keys = read_all(directory)?;
    if !keys.is_empty() {
        return Ok(keys);
    }
    add(directory, clock::Clock::wall().wall_now())?;
    read_all(directory)
}

/// Makes a new key, which signs in a few seconds, and returns its id.
///
/// # Errors
/// [`Error::Io`].
pub fn add(directory: &Path, now: Instant) -> Result<String, Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io(directory))?;
    let seed = clock::random_bytes::<SEED>();
    let key = Key::from_seed(&seed, now)?;
    let content =
        KeyFile { algorithm: "Ed25519".to_owned(), kid: key.kid.clone(), created_at: now, seed: super::hex(&seed) };
    let path = directory.join(format!("{}-{}.json", now.format("%Y%m%dT%H%M%S"), key.kid));
    // Written beside and renamed: nobody ever reads half a key.
    let unfinished = path.with_extension("unfinished");
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unfinished).map_err(io(&path))?;
    let text = serde_json::to_string_pretty(&content).map_err(|error| io(&path)(error.into()))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io(&path))?;
    fs::rename(&unfinished, &path).map_err(io(&path))?;
    File::open(directory).and_then(|dir| dir.sync_all()).map_err(io(directory))?;
    tracing::info!(kid = key.kid, "made a new signing key");
    Ok(key.kid)
}

/// How long after its successor came a key may still be needed, in hours: tokens live for one at most.
const NEEDED_HOURS: i64 = 2;

/// Takes away the keys that have had a successor for so long that no token of theirs lives, and returns
/// their ids.
///
/// # Errors
/// As [`Error`].
pub fn retire(directory: &Path, now: Instant) -> Result<Vec<String>, Error> {
    let keys = read_with_paths(directory)?;
    let mut retired = Vec::new();
    for pair in keys.windows(2) {
        let [(_, successor), (path, key)] = pair else { continue };
        if now - successor.created_at > TimeDelta::hours(NEEDED_HOURS) {
            fs::remove_file(path).map_err(io(path))?;
            retired.push(key.kid.clone());
        }
    }
    Ok(retired)
}

/// The keys of a directory, the newest first.
pub(super) fn read_all(directory: &Path) -> Result<Vec<Key>, Error> {
    Ok(read_with_paths(directory)?.into_iter().map(|(_, key)| key).collect())
}

fn read_with_paths(directory: &Path) -> Result<Vec<(PathBuf, Key)>, Error> {
    let owner = fs::metadata(directory).map_err(io(directory))?.uid();
    let mut keys = Vec::new();
    for entry in fs::read_dir(directory).map_err(io(directory))? {
        let path = entry.map_err(io(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let key = read(&path, owner)?;
            keys.push((path, key));
        }
    }
    keys.sort_by(|(_, a), (_, b)| b.created_at.cmp(&a.created_at).then_with(|| b.kid.cmp(&a.kid)));
    Ok(keys)
}

fn read(path: &Path, directory_owner: u32) -> Result<Key, Error> {
    let mut file = File::open(path).map_err(io(path))?;
    // Asked of the open file: what is checked is what is read.
    let metadata = file.metadata().map_err(io(path))?;
    let foreign = metadata.uid() != directory_owner && metadata.uid() != 0;
    if metadata.mode() & 0o077 != 0 || foreign {
        return Err(Error::Exposed(path.to_owned()));
    }
    let garbled = |reason| Error::Garbled { path: path.to_owned(), reason };
    let mut text = String::new();
    match Read::by_ref(&mut file).take(LONGEST).read_to_string(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(garbled("it is not text")),
        Err(error) => return Err(io(path)(error)),
    }
    let content: KeyFile = serde_json::from_str(&text).map_err(|_| garbled("it is not the JSON of a key file"))?;
    if content.algorithm != "Ed25519" {
        return Err(garbled("its algorithm is not Ed25519"));
    }
    let seed = unhex(&content.seed).ok_or_else(|| garbled("its seed is not 32 bytes in hexadecimal"))?;
    if seed.iter().all(|byte| *byte == seed[0]) {
        return Err(garbled("its seed is not random"));
    }
    let key = Key::from_seed(&seed, content.created_at)?;
    if key.kid != content.kid {
        return Err(garbled("its kid is not the thumbprint of its public key"));
    }
    Ok(key)
}

fn unhex(text: &str) -> Option<[u8; SEED]> {
    super::unhex(text)?.try_into().ok()
}
