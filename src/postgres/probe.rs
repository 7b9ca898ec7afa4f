//! Does a server accept connections on a socket? Asked in as much of the wire protocol as it takes,
//! because slim PostgreSQL packages come without `pg_isready`.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::OWNER;

/// A server that takes longer for its first word is busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// Protocol 3.0.
const PROTOCOL: u32 = 3 << 16;

/// "The database system is starting up" or "shutting down".
const CANNOT_CONNECT_NOW: &[u8] = b"57P03";

/// What a socket answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It accepts connections.
    Ready,
    /// Somebody is there who accepts none now.
    Busy,
    /// Nobody is there.
    Absent,
}

pub(super) fn ask(socket: &Path) -> Answer {
    let Ok(stream) = UnixStream::connect(socket) else {
        return Answer::Absent;
    };
    match greet(stream) {
        Ok(true) => Answer::Ready,
        Ok(false) | Err(_) => Answer::Busy,
    }
}

/// True when the server lets us in, or refuses us for a reason that only a server at work has, such
/// as too many connections.
fn greet(mut stream: UnixStream) -> io::Result<bool> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut body = PROTOCOL.to_be_bytes().to_vec();
    for word in ["user", OWNER, "database", "postgres", ""] {
        body.extend_from_slice(word.as_bytes());
        body.push(0);
    }
    stream.write_all(&message_length(&body)?.to_be_bytes())?;
    stream.write_all(&body)?;

    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    if head[0] != b'E' {
        // Terminate, so that the log does not tell of a lost client.
        let _ = stream.write_all(&[b'X', 0, 0, 0, 4]);
        return Ok(true);
    }
    let mut error = Vec::new();
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]).saturating_sub(4);
    stream.take(length.into()).read_to_end(&mut error)?;
    let code = error.split(|&byte| byte == 0).find_map(|field| field.strip_prefix(b"C"));
    Ok(code != Some(CANNOT_CONNECT_NOW))
}

/// The length on the wire counts itself.
fn message_length(body: &[u8]) -> io::Result<u32> {
    u32::try_from(body.len() + 4).map_err(io::Error::other)
}
