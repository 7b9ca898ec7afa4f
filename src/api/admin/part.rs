//! What the parts of the programme have in common: each is named by its code, read and written as
//! one piece, and changes the version of the whole document.

use std::fmt;
use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use tessera_rules::document::Document;
use tessera_rules::programme::Problem as Mistake;
use tessera_rules::text::Text;
use tessera_rules::{Actor, Programme};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::access::Caller;
use crate::api::Services;
use crate::api::error::{Code, FieldError, Problem, both};
use crate::api::extract::IfMatch;
use crate::api::work::{self, Failed};
use crate::engine::Versioned;
use crate::engine::configure::{self, ApplyError};

/// A part of the programme that comes in a list.
pub(super) trait Part: Clone + Serialize + Send + 'static {
    /// What it is called in the audit log.
    const NOUN: &'static str;
    /// Where its list stands in the document.
    const AT: &'static str;

    /// Its name.
    fn code(&self) -> &str;

    /// All of its kind.
    fn list(programme: &Programme) -> &[Self];

    /// All of its kind, to change.
    fn list_mut(programme: &mut Programme) -> &mut Vec<Self>;

    /// Puts a list that was added to into its order.
    fn arrange(_list: &mut [Self]) {}
}

/// A part as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct Named<P> {
    /// The code again, under the name ids have everywhere.
    pub(super) id: String,
    /// The part.
    #[serde(flatten)]
    pub(super) part: P,
}

impl<P: Part> From<P> for Named<P> {
    fn from(part: P) -> Self {
        Self { id: part.code().to_owned(), part }
    }
}

/// All parts of a kind, as they are shown.
pub(super) fn named<P: Part>(programme: &Programme) -> Vec<Named<P>> {
    P::list(programme).iter().cloned().map(Named::from).collect()
}

/// The part of the programme in force that has this code.
pub(super) fn find<P: Part>(versioned: &Versioned, code: &str) -> Result<P, Problem> {
    let found = P::list(&versioned.programme).iter().find(|part| part.code() == code);
    found.cloned().ok_or(Problem::new(Code::NotFound))
}

/// Who changes the programme, how and where.
pub(super) struct Change {
    actor: Actor,
    /// The version it is meant for; `None`: whichever is in force.
    expected: Option<i64>,
    action: String,
    object: String,
}

impl Change {
    /// A change of something that is always there.
    pub(super) fn of(caller: &Caller, expected: Option<i64>, action: &str, object: &str) -> Self {
        Self { actor: caller.actor(), expected, action: action.to_owned(), object: object.to_owned() }
    }

    /// A change of one part.
    pub(super) fn part<P: Part>(caller: &Caller, expected: Option<i64>, verb: &str, code: &str) -> Self {
        let noun = P::NOUN;
        Self::of(caller, expected, &format!("{noun}.{verb}"), &format!("{noun}:{code}"))
    }
}

/// Where in the document a request's body has gone, as a pointer; `None`: there is none.
pub(super) type Body = Option<String>;

/// Changes the programme in force and answers with the new version.
pub(super) async fn change<T: Send + 'static>(
    services: &Services,
    change: Change,
    edit: impl FnOnce(&mut Programme) -> Result<(Body, T), Problem> + Send + 'static,
) -> Result<(i64, T), Problem> {
    let now = services.clock.now();
    work::run_whole(services, move |conn| {
        let (version, mut programme) = configure::current_locked(conn)?.ok_or(Code::NoProgramme)?;
        if let Some(expected) = change.expected {
            IfMatch(expected).check(version)?;
        }
        let (body, done) = edit(&mut programme)?;
        let Change { actor, action, object, .. } = change;
        let applied = configure::apply(conn, Some(version), &programme, now, actor, &action, &object);
        let applied = applied.map_err(|error| refused(error, &body))?;
        Ok((applied.version(), done))
    })
    .await
}

/// Why the programme did not change. A mistake is pointed at in the request's body; one elsewhere in
/// the document, which the body has brought about, is told by its place.
pub(super) fn refused(error: ApplyError, body: &Body) -> Failed {
    match error {
        ApplyError::Store(error) => error.into(),
        ApplyError::Conflict { current } => {
            Problem::new(Code::VersionConflict).with_current_version(current.unwrap_or(0)).into()
        }
        ApplyError::Problems(mistakes) => mistakes
            .into_iter()
            .fold(Problem::new(Code::ProgrammeInvalid), |told, mistake| told.with_error(pointed(mistake, body)))
            .into(),
    }
}

fn pointed(mistake: Mistake, body: &Body) -> FieldError {
    let Mistake { pointer: place, code, detail } = mistake;
    let inside = body.as_deref().and_then(|body| place.strip_prefix(body));
    match inside.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        Some(pointer) => FieldError { pointer: pointer.to_owned(), code, detail: Text::from(detail.as_str()) },
        None => {
            let detail =
                both(format!("In the programme at {place}: {detail}"), format!("积分计划 {place} 处：{detail}"));
            FieldError { pointer: String::new(), code, detail }
        }
    }
}

/// Where a part stands in the document.
pub(super) fn body_at<P: Part>(programme: &Programme, code: &str) -> Body {
    let position = P::list(programme).iter().position(|part| part.code() == code)?;
    Some(format!("{}/{position}", P::AT))
}

/// Adds a part; one of this code must not be there yet.
pub(super) async fn create<P: Part>(services: &Services, caller: &Caller, part: P) -> Result<(i64, P), Problem> {
    let what = Change::part::<P>(caller, None, "create", part.code());
    let edit = move |programme: &mut Programme| {
        if P::list(programme).iter().any(|other| other.code() == part.code()) {
            return Err(Code::CodeTaken.into());
        }
        let list = P::list_mut(programme);
        list.push(part.clone());
        P::arrange(list);
        Ok((body_at::<P>(programme, part.code()), part))
    };
    change(services, what, edit).await
}

/// Adds or replaces the part with this code: the version, the part, and whether it is new.
pub(super) async fn put<P: Part>(
    services: &Services,
    caller: &Caller,
    code: &str,
    condition: Condition,
    part: P,
) -> Result<(i64, P, bool), Problem> {
    if part.code() != code {
        let detail = both("Must be the code in the path.", "必须与路径中的编码一致。");
        return Err(Problem::field(Code::InvalidField, "/code", "code_mismatch", detail));
    }
    let expected = match condition {
        Condition::Matches(version) => Some(version),
        Condition::Absent => None,
    };
    let what = Change::part::<P>(caller, expected, "put", code);
    let edit = move |programme: &mut Programme| {
        let list = P::list_mut(programme);
        let known = list.iter_mut().find(|other| other.code() == part.code());
        let new = known.is_none();
        match known {
            Some(_) if condition == Condition::Absent => return Err(Code::VersionConflict.into()),
            Some(known) => known.clone_from(&part),
            None => list.push(part.clone()),
        }
        P::arrange(list);
        Ok((body_at::<P>(programme, part.code()), (part, new)))
    };
    let (version, (part, new)) = change(services, what, edit).await?;
    Ok((version, part, new))
}

/// Takes the part with this code away; answers with the new version.
pub(super) async fn delete<P: Part>(
    services: &Services,
    caller: &Caller,
    code: &str,
    if_match: IfMatch,
) -> Result<i64, Problem> {
    let gone = code.to_owned();
    let what = Change::part::<P>(caller, Some(if_match.0), "delete", code);
    let edit = move |programme: &mut Programme| {
        let list = P::list_mut(programme);
        let position = list.iter().position(|part| part.code() == gone).ok_or(Problem::new(Code::NotFound))?;
        list.remove(position);
        Ok((None, ()))
    };
    Ok(change(services, what, edit).await?.0)
}

/// The answer to a part that was put: 201 where it is new.
pub(super) fn put_answer(version: i64, new: bool, view: &impl Serialize) -> HttpResponse {
    work::versioned(if new { StatusCode::CREATED } else { StatusCode::OK }, version, view)
}

/// What a caller who puts something says about what is there: the version he has seen, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// `If-Match: "7"`.
    Matches(i64),
    /// `If-None-Match: *`.
    Absent,
}

impl FromRequest for Condition {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut none_match = request.headers().get_all(header::IF_NONE_MATCH);
        let Some(value) = none_match.next() else {
            return ready(
                IfMatch::from_request(request, payload).into_inner().map(|IfMatch(version)| Self::Matches(version)),
            );
        };
        let alone = none_match.next().is_none() && !request.headers().contains_key(header::IF_MATCH);
        ready(if alone && value == "*" { Ok(Self::Absent) } else { Err(Code::IfMatchInvalid.into()) })
    }
}

impl IntoParams for Condition {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let optional = |name: &str, description: &str, schema: ObjectBuilder| {
            let header = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header);
            header.required(Required::False).description(Some(description)).schema(Some(schema)).build()
        };
        let text = || ObjectBuilder::new().schema_type(Type::String);
        vec![
            optional(
                "If-Match",
                "The `ETag` of the version this change is meant for. Needed to replace what is there.",
                text().pattern(Some("^\"[0-9]+\"$")).examples(["\"7\""]),
            ),
            optional(
                "If-None-Match",
                "`*`: only if it is not there yet. Instead of `If-Match`.",
                text().pattern(Some("^\\*$")).examples(["*"]),
            ),
        ]
    }
}

/// A document as it is sent, whole.
#[derive(Debug)]
pub(super) struct Whole<P>(pub(super) P);

impl<'de, P: Document> Deserialize<'de> for Whole<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        P::read_from(deserializer).map(Self)
    }
}

/// What an answer adds to a part. It may come back with the part: who reads, changes a field and
/// writes need not cut it out.
const ADDED: [&str; 3] = ["id", "used", "left"];

/// A part as it is sent: what an answer adds to it is passed over.
#[derive(Debug)]
pub(super) struct Sent<P>(pub(super) P);

impl<'de, P: Document> Deserialize<'de> for Sent<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SentVisitor(PhantomData)).map(Self)
    }
}

struct SentVisitor<P>(PhantomData<P>);

impl<'de, P: Document> Visitor<'de> for SentVisitor<P> {
    type Value = P;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<P, A::Error> {
        P::read_from(MapAccessDeserializer::new(WithoutAdded(map)))
    }
}

struct WithoutAdded<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutAdded<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.0.next_key::<String>()? {
            if !ADDED.contains(&key.as_str()) {
                return seed.deserialize(key.into_deserializer()).map(Some);
            }
            self.0.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}
