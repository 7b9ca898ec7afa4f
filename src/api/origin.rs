//! Where a request came from. A header says what it likes: whom it is forwarded for is believed from
//! the proxies that the settings name, and from nobody else.

use std::future::{Ready, ready};
use std::net::{IpAddr, SocketAddr};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};

use super::Services;
use super::error::Problem;
use crate::access::Origin;
use crate::config::Networks;

impl FromRequest for Origin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let services = request.app_data::<web::Data<Services>>();
        let peer = request.peer_addr().map(|address| address.ip());
        let address = peer.zip(services).map(|(peer, services)| {
            let trusted = &services.settings.http.trusted_proxies;
            if trusted.contains(peer) { forwarded_for(peer, request.headers(), trusted) } else { peer }
        });
        let device = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        ready(Ok(Self::new(address, device)))
    }
}

/// The nearest address that is no proxy of ours. Proxies append, so that the last ones named are the
/// ones that ours have seen; what stands before the first stranger may be made up.
fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let lines = |name: header::HeaderName| headers.get_all(name).filter_map(|value| value.to_str().ok());
    let mut hops: Vec<Option<IpAddr>> =
        lines(header::FORWARDED).flat_map(|line| line.split(',')).map(for_of_element).collect();
    if hops.is_empty() {
        hops = lines(header::X_FORWARDED_FOR).flat_map(|line| line.split(',')).map(node).collect();
    }
    let mut nearest = peer;
    for hop in hops.into_iter().rev() {
        let Some(hop) = hop else { break };
        nearest = hop;
        if !trusted.contains(hop) {
            break;
        }
    }
    nearest
}

/// `for` of an element of `Forwarded` (RFC 7239): `for="[2001:db8::1]:4711";proto=https`.
fn for_of_element(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("for")).and_then(|(_, value)| node(value))
}

/// An address with or without a port, quotes and brackets.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip())).ok()
}
