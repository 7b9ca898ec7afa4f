//! Why an entry was made, in plain words and both languages ("why did I get 37 points?").
//!
//! Everything is told from what is on record: the entry, the lots it touched, its document and the
//! version of the programme a purchase was decided by. Nothing is computed again, so a change of the
//! programme changes no explanation; only names are those of today where a document names no version.

mod accrual;
pub(super) mod coupon;
pub(super) mod offer;
mod other;
pub(super) mod quoted;
pub(super) mod wallet;
mod words;

use tessera_rules::Programme;
use tessera_rules::command::Role;
use tessera_rules::document::Document as _;
use tessera_rules::id::{AdjustmentId, MemberId, PurchaseId, ReRatingId, RedemptionId};
use tessera_rules::ledger::EntryKind;
use tessera_rules::text::Text;
use tessera_rules::time::Instant;
use uuid::Uuid;

use self::accrual::Bought;
use super::Services;
use super::error::{Code, Language, Problem};
use crate::store::adjustment::{self, AdjustmentRow};
use crate::store::db::Connection;
use crate::store::explain::{self, ReturnRecorded, Touched};
use crate::store::ledger::{self, EntryView, RedemptionState};
use crate::store::re_rating::{self, ReRatingRow};
use crate::store::{Error, ledger as books};

/// An entry with its explanation.
pub(super) struct Explained {
    /// The entry.
    pub(super) entry: EntryView,
    /// Sentences in the reader's language.
    pub(super) sentences: Vec<String>,
}

/// Who reads an explanation: staff read the notes of staff too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// The member himself.
    Member,
    /// Staff.
    Staff,
}

/// What an entry belongs to, as far as that is on record.
enum Matter {
    /// Goods that were bought, and the programme by which they earned.
    Purchase(Box<(Bought, Option<Programme>)>),
    /// Points that were spent or set aside.
    Redemption(Box<RedemptionState>),
    /// Goods that came back, and when they were sold.
    Return(Box<(ReturnRecorded, Instant)>),
    /// Points given or taken by hand.
    Adjustment(Box<AdjustmentRow>),
    /// A re-rating of purchases.
    ReRating(Box<ReRatingRow>),
    /// Nothing, or nothing that tells more.
    Nothing,
}

/// All that is on record of an entry.
struct Story {
    entry: EntryView,
    kind: Option<EntryKind>,
    /// The lot it opened.
    opened: Option<Touched>,
    /// Older lots it moved points of.
    moved: Vec<Touched>,
    matter: Matter,
}

/// Explains an entry of a member.
///
/// # Errors
/// `not_found`: there is no such entry.
pub(super) async fn explain(
    services: &Services,
    member: MemberId,
    number: i64,
    language: Language,
    reader: For,
) -> Result<Explained, Problem> {
    let story = services.pool.run(move |conn| gather(conn, member, number)).await?;
    let story = story.ok_or(Problem::new(Code::NotFound))?;
    let versioned = services.engine.programme().await?;
    let sentences = tell(&story, &versioned.programme, reader);
    let sentences = sentences.iter().map(|text| language.of(text).to_owned()).collect();
    Ok(Explained { entry: story.entry, sentences })
}

fn gather(conn: &mut Connection, member: MemberId, number: i64) -> Result<Option<Story>, Error> {
    let Some(entry) = explain::entry(conn, member, number)? else { return Ok(None) };
    let kind = EntryKind::parse(&entry.kind);
    let matter = match (kind, entry.document_id) {
        (Some(kind), Some(document)) => matter(conn, &entry, kind, document)?,
        _ => Matter::Nothing,
    };
    let opened = explain::opened(conn, member, number)?;
    let moved = explain::moved(conn, member, number)?;
    Ok(Some(Story { entry, kind, opened, moved, matter }))
}

fn matter(conn: &mut Connection, entry: &EntryView, kind: EntryKind, document: Uuid) -> Result<Matter, Error> {
    match kind {
        EntryKind::Accrual => bought(conn, document),
        EntryKind::Redemption | EntryKind::Hold | EntryKind::Release | EntryKind::Expiry => redeemed(conn, document),
        EntryKind::Return => returned(conn, document),
        // Of the two that give back, a return names its reason and a voided redemption has none.
        EntryKind::GiveBack if entry.reason.is_some() => returned(conn, document),
        EntryKind::GiveBack => redeemed(conn, document),
        EntryKind::Adjustment => {
            let row = adjustment::find(conn, AdjustmentId::new(document))?;
            Ok(row.map_or(Matter::Nothing, |row| Matter::Adjustment(Box::new(row))))
        }
        EntryKind::ReRating => {
            let row = re_rating::find(conn, ReRatingId::new(document))?;
            Ok(row.map_or(Matter::Nothing, |row| Matter::ReRating(Box::new(row))))
        }
        EntryKind::Perk | EntryKind::Activation | EntryKind::DebtPayment | EntryKind::Transfer => Ok(Matter::Nothing),
    }
}

fn bought(conn: &mut Connection, document: Uuid) -> Result<Matter, Error> {
    let stored = books::purchase(conn, PurchaseId::new(document))?;
    let bought = stored.and_then(|stored| serde_json::from_str::<Bought>(&stored.answer).ok());
    let Some(bought) = bought else { return Ok(Matter::Nothing) };
    let document = explain::programme(conn, bought.explanation.programme_version)?;
    let programme = document.and_then(|document| Programme::read_from(document).ok());
    Ok(Matter::Purchase(Box::new((bought, programme))))
}

fn redeemed(conn: &mut Connection, document: Uuid) -> Result<Matter, Error> {
    let row = ledger::redemption(conn, RedemptionId::new(document))?;
    Ok(row.map_or(Matter::Nothing, |row| Matter::Redemption(Box::new(row))))
}

fn returned(conn: &mut Connection, document: Uuid) -> Result<Matter, Error> {
    let row = explain::goods(conn, document)?;
    Ok(row.map_or(Matter::Nothing, |row| Matter::Return(Box::new(row))))
}

/// The sentences, in both languages.
fn tell(story: &Story, programme: &Programme, reader: For) -> Vec<Text> {
    let zone = programme.time_zone;
    let mut told = match &story.matter {
        Matter::Purchase(told) => {
            let (bought, decided_by) = &**told;
            accrual::tell(&story.entry, bought, decided_by.as_ref().unwrap_or(programme), zone)
        }
        _ => other::tell(story, programme, reader),
    };
    told.extend(other::arrival(story, zone));
    told
}

impl Story {
    fn by_the_clock(&self) -> bool {
        self.entry.actor_role == Role::System.as_str()
    }
}
