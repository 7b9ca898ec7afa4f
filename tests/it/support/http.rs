//! A small HTTP/1.1 client: one connection a request, every header and byte as the test says.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::make::key;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who speaks to a server, signed in or not.
#[derive(Clone)]
pub(crate) struct Caller {
    address: SocketAddr,
    token: Option<Arc<str>>,
    language: Option<&'static str>,
}

impl Caller {
    /// Somebody who is not signed in.
    pub(crate) fn anon(address: SocketAddr) -> Self {
        Self { address, token: None, language: None }
    }

    /// The same, with an access token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The access token, of somebody who is signed in.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same, reading Chinese.
    pub(crate) fn in_chinese(&self) -> Self {
        Self { language: Some("zh-CN,zh;q=0.9,en;q=0.5"), ..self.clone() }
    }

    /// A request to be completed.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        let request = Request {
            address: self.address,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let request = match &self.token {
            Some(token) => request.header("Authorization", &format!("Bearer {token}")),
            None => request,
        };
        match self.language {
            Some(language) => request.header("Accept-Language", language),
            None => request,
        }
    }

    /// GET.
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.request("GET", path).send()
    }

    /// POST under a key that nobody has used.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_under(&key(), path, body)
    }

    /// POST under a key.
    pub(crate) fn post_under(&self, key: &str, path: &str, body: &Value) -> Reply {
        self.request("POST", path).header("Idempotency-Key", key).json(body).send()
    }

    /// PUT.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        self.request("PUT", path).json(body).send()
    }

    /// PATCH of a version.
    pub(crate) fn patch(&self, path: &str, etag: &str, body: &Value) -> Reply {
        self.request("PATCH", path).header("If-Match", etag).json(body).send()
    }
}

/// A request.
pub(crate) struct Request {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a JSON body.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes("application/json", body.to_string().into_bytes())
    }

    /// With any body.
    pub(crate) fn bytes(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", media_type)
    }

    /// Sends it and waits for the answer.
    pub(crate) fn send(&self) -> Reply {
        self.try_send().unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }

    /// As [`Request::send`], where the server may go away.
    pub(crate) fn try_send(&self) -> std::io::Result<Reply> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.method, self.path, self.address);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        let message = [head.as_bytes(), b"\r\n", &self.body].concat();
        // Who refuses a body need not read it: the answer may stand there though writing fails.
        let written = stream.write_all(&message);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset || answer.is_empty() => return Err(error),
            _ => {}
        }
        if answer.is_empty() {
            written?;
        }
        Reply::parse(&answer).ok_or_else(|| std::io::Error::new(ErrorKind::UnexpectedEof, "the answer was cut off"))
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Status.
    pub(crate) status: u16,
    /// Body.
    pub(crate) text: String,
    headers: Vec<(String, String)>,
}

impl Reply {
    fn parse(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&answer[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()))
            .collect();
        let body = &answer[end + 4..];
        let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, length)| length.parse());
        if length.is_some_and(|length| length != Ok(body.len()) && !body.is_empty()) {
            return None;
        }
        Some(Self { status, text: String::from_utf8_lossy(body).into_owned(), headers })
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{} {}: {error}", self.status, self.text))
    }

    /// The body as JSON, of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem, which must have this status and code and the shape of every problem.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/docs/errors#{code}"));
        for field in ["title", "detail", "instance", "request_id"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {}", self.text);
        }
        assert!(problem["errors"].is_array(), "{}", self.text);
        problem
    }
}
