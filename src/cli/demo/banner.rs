//! What the demo says when it is ready: one JSON line for a program, a page for a person.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde_json::json;

use super::logins::{LoginRole, Logins};
use super::plan::Plan;
use crate::cli::output;

/// A demo that serves.
pub(super) struct Ready<'a> {
    pub(super) address: SocketAddr,
    pub(super) logins: &'a Logins,
    /// Where the logins are kept.
    pub(super) file: &'a Path,
    pub(super) plan: &'a Plan,
}

impl Ready<'_> {
    /// Prints it on standard output.
    pub(super) fn print(&self, as_json: bool) -> std::io::Result<()> {
        let url = url(self.address);
        let Plan { members, purchases, .. } = self.plan;
        if as_json {
            let logins = &self.logins.logins;
            return output::result(json!({ "url": url, "logins": logins, "members": members, "purchases": purchases }));
        }
        output::result(format_args!("\nTessera is ready at {url}  ({members} members, {purchases} purchases)"))?;
        output::result(format_args!("API documentation: {url}/docs/\n"))?;
        for login in &self.logins.logins {
            let pin = login.pin.as_ref().map(|pin| format!("   PIN {pin}")).unwrap_or_default();
            let role = login.role.as_str();
            output::result(format_args!("  {role:8}  {:20}  {}{pin}", login.identifier, login.password))?;
        }
        output::result(format_args!("  (kept in {})\n\nTry it:\n", self.file.display()))?;
        if let Some(member) = self.logins.logins.iter().find(|login| login.role == LoginRole::Member) {
            let body = json!({ "identifier": member.identifier, "password": member.password });
            output::result(format_args!(
                "  TOKEN=$(curl -s {url}/v1/auth/login -H 'content-type: application/json' -d '{body}' | \
                 sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')"
            ))?;
            output::result(format_args!("  curl -s {url}/v1/member/balance -H \"authorization: Bearer $TOKEN\"\n"))?;
        }
        output::result("Ctrl-C ends it; the next start finds everything again.")
    }
}

/// An address to connect to: a server that listens everywhere is reached here.
fn url(address: SocketAddr) -> String {
    let reached = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
        _ => address,
    };
    format!("http://{reached}")
}
