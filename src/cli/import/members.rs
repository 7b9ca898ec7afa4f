//! Members: enrolled a few hundred in a transaction, opening balances through the engine.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};
use tessera_rules::amount::Points;
use tessera_rules::command::Adjust;
use tessera_rules::id::{AdjustmentId, MemberId};
use tessera_rules::time::{BirthDate, Instant};
use tessera_rules::{Actor, Command};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::Import;
use super::cells::{self, Reader};
use super::report::RowError;
use super::source::{Input, Row, Table};
use crate::api::contact;
use crate::api::error::{Code, Problem};
use crate::clock::new_uuid;
use crate::engine::{Answer, Claim, Failure, NewMember, Reply, Submission, Time, enrol};
use crate::store;
use crate::store::db::{Connection, transaction};
use crate::store::import::{self as lookup, Seen};
use crate::store::link;
use crate::store::member::{self, Key};

/// The columns of a file.
const COLUMNS: [&str; 10] = [
    "external_id",
    "name",
    "phone",
    "email",
    "birth_date",
    "enrolled_at",
    "store",
    "locale",
    "opening_points",
    "referred_by",
];
/// Those it cannot do without.
const NEEDED: [&str; 2] = ["external_id", "name"];
/// Members enrolled in one transaction.
const CHUNK: usize = 500;
/// Why opening balances are given; a member has one such adjustment at most.
const REASON: &str = "opening_balance";

/// A row that was understood.
struct Candidate {
    external_id: String,
    new: NewMember,
    /// External id of the referrer.
    referrer: Option<String>,
    opening: Points,
}

/// A row with its place in the file.
struct Item {
    at: u64,
    what: Result<Candidate, Vec<RowError>>,
}

/// What became of a row.
enum Fate {
    /// Enrolled now.
    New(Uuid),
    /// Known before.
    Known(Uuid),
    /// Not taken.
    Rejected(Vec<RowError>),
}

pub(super) fn import(import: &mut Import<'_>, input: Input) -> anyhow::Result<()> {
    let mut table = Table::open(input, &COLUMNS, &NEEDED)?;
    let mut seen = if import.options.commit { None } else { Some(Seen::begin(import.conn)?) };
    loop {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK
            && let Some(row) = table.next()?
        {
            chunk.push(read(import, row)?);
        }
        if chunk.is_empty() {
            break;
        }
        match &mut seen {
            Some(seen) => rehearse(import, seen, chunk)?,
            None => write(import, chunk)?,
        }
    }
    match seen {
        Some(seen) => Ok(seen.end(import.conn)?),
        None => Ok(()),
    }
}

/// Reads a row. The outer error is the database's.
fn read(import: &mut Import<'_>, row: Row<'_>) -> anyhow::Result<Item> {
    let now = import.clock.now();
    let mut cells = Reader::new(row);
    let external_id = cells.needed("external_id", cells::text(64));
    let name = cells.needed("name", cells::text(100));
    let phone = cells.optional("phone", |text| {
        let phone = contact::normal_phone(text);
        phone.ok_or_else(|| ("phone_invalid", "expected an international number such as +8613800138000".to_owned()))
    });
    let email = cells.optional("email", |text| {
        contact::normal_email(text).ok_or_else(|| ("email_invalid", "expected an e-mail address".to_owned()))
    });
    let birth_date = cells.optional("birth_date", |text| {
        text.parse::<BirthDate>().map_err(|error| ("birth_date_invalid", error.to_string()))
    });
    let enrolled_at = cells.optional("enrolled_at", cells::instant_or_date(import.programme.time_zone, now));
    let locale = cells.optional("locale", |text| match text {
        "en" | "zh-CN" => Ok(text.to_owned()),
        _ => Err(("locale_invalid", "expected en or zh-CN".to_owned())),
    });
    let opening = cells.optional("opening_points", cells::points);
    let referrer = cells.optional("referred_by", cells::text(64));
    let store = cells.optional("store", |text| Ok(text.to_owned()));
    let store = match store {
        Some(code) => match import.shops.find(import.conn, &code, now)? {
            Ok((_, id)) => Some(id),
            Err((code, detail)) => {
                cells.errors.push(RowError::new(row.line, "store", code, detail));
                None
            }
        },
        None => None,
    };
    let what = match (external_id, name) {
        (Some(external_id), Some(name)) if cells.errors.is_empty() => Ok(Candidate {
            external_id: external_id.clone(),
            new: NewMember {
                name,
                phone,
                email,
                external_id: Some(external_id),
                birth_date,
                locale: locale.unwrap_or_else(|| "en".to_owned()),
                store,
                enrolled_at: enrolled_at.unwrap_or(now),
                referred_by: None,
            },
            referrer,
            opening: opening.unwrap_or(Points::ZERO),
        }),
        _ => Err(cells.errors),
    };
    Ok(Item { at: row.line, what })
}

/// The members that exist already, by external id.
fn known(conn: &mut Connection, chunk: &[Item]) -> Result<HashMap<String, Uuid>, store::Error> {
    let named: Vec<&str> =
        chunk.iter().filter_map(|item| item.what.as_ref().ok()).map(|row| row.external_id.as_str()).collect();
    let found = lookup::members(conn, &named)?;
    Ok(found.into_iter().filter_map(|found| Some((found.external_id?, found.id))).collect())
}

/// Enrols whoever is new, then gives the opening balances that are still missing: also those of an
/// import that was killed in between.
fn write(import: &mut Import<'_>, chunk: Vec<Item>) -> anyhow::Result<()> {
    let known = known(import.conn, &chunk)?;
    let rows = transaction(import.conn, |conn| {
        let one = |item: Item| enrol_one(conn, &known, item);
        chunk.into_iter().map(one).collect::<Result<Vec<_>, store::Error>>()
    })?;
    let before: Vec<Uuid> = rows.iter().filter(|row| row.opening.is_positive()).filter_map(Taken::known).collect();
    let given: HashSet<Uuid> = lookup::adjusted_for(import.conn, &before, REASON)?.into_iter().collect();
    let sent: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let open = row.member().filter(|id| row.opening.is_positive() && !given.contains(id));
            let answer = open.map(|id| import.engine.submit_blocking(opening(id, row.opening, row.enrolled_at)));
            (row, answer)
        })
        .collect();
    for (row, answer) in sent {
        settle(import, row, answer)?;
    }
    Ok(())
}

/// A row on its way.
struct Taken {
    at: u64,
    fate: Fate,
    opening: Points,
    enrolled_at: Instant,
}

impl Taken {
    fn member(&self) -> Option<Uuid> {
        match self.fate {
            Fate::New(id) | Fate::Known(id) => Some(id),
            Fate::Rejected(_) => None,
        }
    }

    fn known(&self) -> Option<Uuid> {
        match self.fate {
            Fate::Known(id) => Some(id),
            Fate::New(_) | Fate::Rejected(_) => None,
        }
    }
}

fn enrol_one(conn: &mut Connection, known: &HashMap<String, Uuid>, item: Item) -> Result<Taken, store::Error> {
    let Item { at, what } = item;
    let Candidate { external_id, mut new, referrer, opening } = match what {
        Ok(candidate) => candidate,
        Err(errors) => {
            let fate = Fate::Rejected(errors);
            return Ok(Taken { at, fate, opening: Points::ZERO, enrolled_at: Instant::UNIX_EPOCH });
        }
    };
    let enrolled_at = new.enrolled_at;
    let named = |conn: &mut Connection, id: String| member::by_key(conn, &Key::ExternalId(id));
    let brought_by = match referrer.clone() {
        Some(id) => named(conn, id)?,
        None => None,
    };
    new.referred_by = brought_by.map(|found| link::stays(conn, found.member())).transpose()?;
    let fate = match known.get(&external_id) {
        Some(&id) => Fate::Known(id),
        None if referrer.is_some() && new.referred_by.is_none() => match named(conn, external_id)? {
            // Further up in this chunk.
            Some(found) => Fate::Known(found.id),
            None => Fate::Rejected(vec![brought_by_nobody(at)]),
        },
        None => match enrol(conn, new) {
            Ok(row) => Fate::New(row.id),
            Err(error) if error.is_conflict("member_external_id_key") => {
                // Further up in this chunk, or by somebody else a moment ago.
                Fate::Known(named(conn, external_id)?.ok_or(error)?.id)
            }
            Err(error) => Fate::Rejected(vec![taken(at, &error).ok_or(error)?]),
        },
    };
    Ok(Taken { at, fate, opening, enrolled_at })
}

fn brought_by_nobody(at: u64) -> RowError {
    let detail = "no member has this external id, and no row further up";
    RowError::new(at, "referred_by", Code::ReferrerUnknown.as_str(), detail)
}

/// A contact that belongs to somebody else; `None` for any other error.
fn taken(at: u64, error: &store::Error) -> Option<RowError> {
    let (column, code) = if error.is_conflict("member_phone_key") {
        ("phone", Code::PhoneTaken)
    } else if error.is_conflict("member_email_key") {
        ("email", Code::EmailTaken)
    } else {
        return None;
    };
    Some(taken_by_another(at, column, code))
}

fn taken_by_another(at: u64, column: &str, code: Code) -> RowError {
    RowError::new(at, column, code.as_str(), "belongs to another member")
}

/// The command that opens a member's balance. Its key keeps two imports that run at the same time
/// apart; later ones find the adjustment in the ledger.
fn opening(member: Uuid, points: Points, at: Instant) -> Submission {
    let adjust = Adjust { id: AdjustmentId::new(new_uuid()), points, reason: REASON.to_owned() };
    let key = format!("import:opening:{}", MemberId::new(member));
    let fingerprint = Sha256::digest(&key).into();
    Submission {
        member: MemberId::new(member),
        command: Command::Adjust(adjust),
        actor: Actor::IMPORT,
        time: Time::Past(at),
        audit: None,
        claim: Some(Claim { caller: Uuid::nil(), key, fingerprint }),
        // Nobody waits for the words.
        render: Box::new(|_| Answer { status: 201, body: "{}".to_owned() }),
    }
}

fn settle(
    import: &mut Import<'_>,
    row: Taken,
    answer: Option<oneshot::Receiver<Result<Reply, Failure>>>,
) -> anyhow::Result<()> {
    let Taken { at, fate, .. } = row;
    let opened = match answer.map(|answer| answer.blocking_recv().unwrap_or(Err(Failure::Unavailable))) {
        None | Some(Ok(Reply::Replayed(_) | Reply::Known(_))) => false,
        Some(Ok(Reply::Decided { outcome: Ok(_), .. })) => true,
        Some(Ok(Reply::Decided { outcome: Err(refusal), .. })) => {
            let code = Problem::from(&refusal).code().as_str();
            return import.report.reject(1, &[RowError::new(at, "opening_points", code, refusal.to_string())]);
        }
        Some(Err(failure)) => {
            import.report.finish()?;
            anyhow::bail!("stopped at line {at}: {failure}; start again with the same file to go on");
        }
    };
    match fate {
        Fate::Rejected(errors) => import.report.reject(1, &errors)?,
        Fate::Known(_) if !opened => import.report.duplicate(1),
        Fate::Known(_) | Fate::New(_) => import.report.accept(1),
    }
    Ok(())
}

/// Says what would become of the rows.
fn rehearse(import: &mut Import<'_>, seen: &mut Seen, chunk: Vec<Item>) -> anyhow::Result<()> {
    let known = known(import.conn, &chunk)?;
    let rows = || chunk.iter().filter_map(|item| item.what.as_ref().ok());
    let phones: Vec<&str> = rows().filter_map(|row| row.new.phone.as_deref()).collect();
    let emails: Vec<&str> = rows().filter_map(|row| row.new.email.as_deref()).collect();
    let (phones, emails) = lookup::contacts(import.conn, &phones, &emails)?;
    let referrers: Vec<&str> = rows().filter_map(|row| row.referrer.as_deref()).collect();
    let there = lookup::members(import.conn, &referrers)?.into_iter().filter_map(|found| found.external_id);
    let there: Vec<String> = there.map(|id| name_of("external_id", &id)).collect();
    let names = rows().flat_map(names_of).chain(referrers.iter().map(|id| name_of("external_id", id)));
    let names: Vec<String> = names.collect();
    let mut used: HashSet<String> = seen.look(import.conn, &names)?.into_iter().map(|(name, _)| name).collect();
    used.extend(there);
    used.extend(phones.into_iter().map(|phone| name_of("phone", &phone)));
    used.extend(emails.into_iter().map(|email| name_of("email", &email)));
    let mut new_names = Vec::new();
    for Item { at, what } in chunk {
        let candidate = match what {
            Ok(candidate) => candidate,
            Err(errors) => {
                import.report.reject(1, &errors)?;
                continue;
            }
        };
        let names: Vec<String> = names_of(&candidate).collect();
        if known.contains_key(&candidate.external_id) || names.first().is_some_and(|name| used.contains(name)) {
            import.report.duplicate(1);
            continue;
        }
        if candidate.referrer.as_ref().is_some_and(|id| !used.contains(&name_of("external_id", id))) {
            import.report.reject(1, &[brought_by_nobody(at)])?;
            continue;
        }
        let contacts =
            [("phone", &candidate.new.phone, Code::PhoneTaken), ("email", &candidate.new.email, Code::EmailTaken)];
        let taken = contacts.into_iter().find(|(column, contact, _)| {
            contact.as_ref().is_some_and(|contact| used.contains(&name_of(column, contact)))
        });
        match taken {
            Some((column, _, code)) => import.report.reject(1, &[taken_by_another(at, column, code)])?,
            None => {
                import.report.accept(1);
                used.extend(names.iter().cloned());
                new_names.extend(names);
            }
        }
    }
    let contents = vec![Vec::new(); new_names.len()];
    Ok(seen.note(import.conn, &new_names, &contents)?)
}

fn name_of(column: &str, value: &str) -> String {
    format!("{column}:{value}")
}

/// What a member is known by, the external id first.
fn names_of(candidate: &Candidate) -> impl Iterator<Item = String> {
    let NewMember { phone, email, .. } = &candidate.new;
    let phone = phone.as_deref().map(|phone| name_of("phone", phone));
    let email = email.as_deref().map(|email| name_of("email", email));
    std::iter::once(name_of("external_id", &candidate.external_id)).chain(phone).chain(email)
}
