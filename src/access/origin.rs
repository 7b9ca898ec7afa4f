//! Where a request came from: what guessing is slowed down by, and what a sign-in is known again by.

use std::net::IpAddr;

use super::session;
use crate::store::session::Hash;

/// The longest description of a device that is kept, in characters.
const DEVICE: usize = 200;

/// Where a request came from. The address itself is not kept: what stands here is its hash.
#[derive(Debug, Clone)]
pub struct Origin {
    pub(super) source: Hash,
    pub(super) device: Option<String>,
}

impl Origin {
    /// Of an address (absent where a request has none), and what the caller says it is.
    pub fn new(address: Option<IpAddr>, device: Option<&str>) -> Self {
        let source = match address.map(|address| address.to_canonical()) {
            None => session::sha256(&[b"source"]),
            Some(IpAddr::V4(address)) => session::sha256(&[b"source", &address.octets()]),
            // A customer of a provider has a whole /64 to choose addresses from.
            Some(IpAddr::V6(address)) => session::sha256(&[b"source", &address.octets()[..8]]),
        };
        let device: Option<String> =
            device.map(|device| device.chars().filter(|c| !c.is_control()).take(DEVICE).collect());
        Self { source, device: device.filter(|device| !device.is_empty()) }
    }
}
