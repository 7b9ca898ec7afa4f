//! From a handler to the write path and back: claim, command, and the answer in each of its forms.

use actix_web::HttpResponse;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tessera_rules::id::MemberId;
use tessera_rules::{Command, Outcome};

use super::Services;
use super::error::{Code, Problem};
use super::extract::{IdempotencyKey, Reader};
use super::problem::stored;
use crate::access::Caller;
use crate::engine::{Answer, Claim, Render, Reply, Submission, Time};

/// What makes a request to move points more than its command.
pub(super) struct Request<'a> {
    /// Who asks.
    pub(super) caller: &'a Caller,
    /// Under which key.
    pub(super) key: IdempotencyKey,
    /// Method and route template.
    pub(super) route: &'static str,
    /// For whom.
    pub(super) member: MemberId,
    /// Who reads a refusal.
    pub(super) reader: Reader,
}

/// Submits a command; `body` is the request as it was understood, which its key stands for, and `show`
/// makes status and body of an outcome.
pub(super) async fn submit(
    services: &Services,
    request: Request<'_>,
    body: &impl Serialize,
    command: Command,
    show: impl Fn(&Outcome) -> Answer + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let claim = claim(request.caller, request.key, request.route, body)?;
    let submission = Submission {
        member: request.member,
        command,
        actor: request.caller.actor(),
        time: Time::Live,
        claim: Some(claim),
        audit: None,
        render: render(Some(request.reader), show),
    };
    send(services, submission).await
}

/// Submits a command and passes its answer on.
pub(super) async fn send(services: &Services, submission: Submission) -> Result<HttpResponse, Problem> {
    Ok(pass_on(services.engine.submit(submission).await?))
}

/// The answer as it is sent.
pub(super) fn pass_on(reply: Reply) -> HttpResponse {
    match reply {
        Reply::Decided { answer, .. } | Reply::Known(answer) => stored(answer.status, answer.body, false),
        Reply::Replayed(answer) => stored(answer.status, answer.body, true),
    }
}

/// The key of a request, with what it stands for.
pub(super) fn claim(
    caller: &Caller,
    key: IdempotencyKey,
    route: &str,
    body: &impl Serialize,
) -> Result<Claim, Problem> {
    let fingerprint = fingerprint(route, body)?;
    Ok(Claim { caller: caller.principal().uuid(), key: key.0, fingerprint })
}

/// Makes the answer to an outcome or a refusal. Without a reader (imports, jobs) a refusal has no
/// body: nobody is there to read it.
pub(super) fn render(reader: Option<Reader>, show: impl Fn(&Outcome) -> Answer + Send + 'static) -> Render {
    Box::new(move |outcome| match (outcome, &reader) {
        (Ok(outcome), _) => show(outcome),
        (Err(refusal), Some(reader)) => {
            let (status, body) = reader.render(&Problem::from(refusal));
            Answer { status, body }
        }
        (Err(refusal), None) => Answer { status: Problem::from(refusal).status(), body: String::new() },
    })
}

/// What a key stands for: the route and the request as it was understood.
pub(super) fn fingerprint(route: &str, body: &impl Serialize) -> Result<[u8; 32], Problem> {
    let body = serde_json::to_vec(body).map_err(|_| Problem::new(Code::Internal))?;
    Ok(Sha256::new().chain_update(route).chain_update([0]).chain_update(body).finalize().into())
}

/// Bytes that hold most answers, so that writing one does not move it again and again.
const USUAL_ANSWER: usize = 2048;

/// A view as a stored answer.
pub(super) fn answer(status: u16, view: &impl Serialize) -> Answer {
    let mut body = Vec::with_capacity(USUAL_ANSWER);
    // Views hold strings and integers only, which always serialise, to UTF-8.
    let written = serde_json::to_writer(&mut body, view);
    let body = written.ok().and_then(|()| String::from_utf8(body).ok()).unwrap_or_default();
    Answer { status, body }
}
