//! The calls of the write path: `load_batch`, `store_batch` and, where it takes locks, `lock_batch`
//! before them: functions kept in a migration. Each is one cached statement with arrays as arguments,
//! whatever the batch.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Date, Jsonb, Nullable, Text, Timestamptz, Uuid as UuidType};
use uuid::Uuid;

use super::coupon::{self, CouponRow, CouponWrites};
use super::db::{Error, transaction};
use super::promotion::{self, Counting, Counts};
use super::rows::*;
use super::wire::Rows;
use super::{gift, notice, quote, re_rating, referral, reward, tag, wallet};

/// What a batch needs to know before it can be decided. The functions that lock take
/// their own order.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Members of the batch. Who keeps their points comes with them.
    pub members: Vec<Uuid>,
    /// Those whose open lots and open holds are needed.
    pub debit: Vec<Uuid>,
    /// Those whose tier history is needed.
    pub late: Vec<Uuid>,
    /// Those whose perk grants, uses of entitlements and birth date are needed.
    pub perks: Vec<Uuid>,
    /// Others whose perk grants are useful, not needed: a purchase may lift them to a tier.
    pub risers: Vec<Uuid>,
    /// Those whose notices and every day from the window's start are needed.
    pub notices: Vec<Uuid>,
    /// The earliest time at which one of them is to be told something.
    pub notices_at: DateTime<Utc>,
    /// Those whose every qualifying day is needed.
    pub whole: Vec<Uuid>,
    /// Redemptions that are named, with the lots they took from.
    pub redemptions: Vec<Uuid>,
    /// Purchases whose goods come back, with all that belongs to them.
    pub sales: Vec<Uuid>,
    /// The latest time of a command.
    pub at: DateTime<Utc>,
    /// The earliest instant a command looks at.
    pub since: DateTime<Utc>,
    /// The tier window over the commands' days.
    pub window: WindowBounds,
    /// The day of `at`.
    pub today: NaiveDate,
    /// The first day whose year's uses of entitlements are asked for.
    pub uses_from: NaiveDate,
    /// Members and days whose totals the cap per day asks for.
    pub days: (Vec<Uuid>, Vec<NaiveDate>),
    /// Rewards, sorted by code.
    pub rewards: Vec<String>,
    /// Limited promotions, sorted by code.
    pub promotions: Vec<String>,
    /// Whose uses of which promotions are needed, from which day on.
    pub promotion_uses: promotion::Asked,
    /// What is needed of them beside their counts.
    pub reward: reward::Wanted,
    /// Those whose tags are needed, as of every instant from `since` on.
    pub tags: Vec<Uuid>,
    /// Callers and idempotency keys.
    pub keys: (Vec<Uuid>, Vec<String>),
    /// Sources and receipt numbers.
    pub receipts: (Vec<String>, Vec<String>),
    /// Sources and numbers of returns.
    pub returns: (Vec<String>, Vec<String>),
    /// Codes of coupons.
    pub coupons: Vec<String>,
    /// Members whose own coupons are asked for, where they can be used.
    pub coupons_of: Vec<Uuid>,
    /// Types of coupons that have limits, where coupons are asked for.
    pub coupon_types: Vec<String>,
    /// Kept quotes.
    pub quotes: Vec<Uuid>,
    /// Those of whom it is asked how many events they have.
    pub events: Vec<Uuid>,
    /// Wallets.
    pub wallets: wallet::Asked,
    /// Referrals.
    pub referrals: referral::Asked,
}

/// Between which days a tier window lies from the first command of a batch to its last; nothing where
/// every member has a window of his own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WindowBounds {
    /// First day at the earliest command.
    pub from_min: Option<NaiveDate>,
    /// First day at the latest command.
    pub from_max: Option<NaiveDate>,
    /// Last day at the earliest command.
    pub to_min: Option<NaiveDate>,
}

/// What was loaded.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The programme version in force; `None` before the first.
    pub programme: Option<i64>,
    /// Standings of the members that exist.
    pub standings: Vec<StandingRow>,
    /// Open lots.
    pub lots: Vec<LotRow>,
    /// Qualifying days.
    pub days: Vec<DayRow>,
    /// Tier history, in order.
    pub tier_changes: Vec<TierChangeRow>,
    /// Perk grants.
    pub grants: Vec<PerkGrantRow>,
    /// Birth dates: member, year, month, day.
    pub birthdays: Vec<(Uuid, Option<i32>, u32, u32)>,
    /// Rewards handed out.
    pub usages: Vec<RewardUsageRow>,
    /// What all members have used of promotions.
    pub promotions_used: Vec<promotion::Used>,
    /// What members have.
    pub promotion_uses: Vec<promotion::MemberUse>,
    /// Codes, and goods on their way.
    pub reward: reward::Found,
    /// Changes of tags, in order.
    pub tags: Vec<tag::TagChangeRow>,
    /// Idempotency keys that were used before, each with its body.
    pub keys: Vec<IdempotencyRow>,
    /// Receipts that are known already.
    pub receipts: Vec<PurchaseRow>,
    /// Redemptions: open holds, named ones, and those that paid for a sale.
    pub redemptions: Vec<RedemptionRow>,
    /// Purchases whose goods come back.
    pub sales: Vec<PurchaseRow>,
    /// The numbers of the lots that each of them opened.
    pub sale_lots: HashMap<Uuid, Vec<i64>>,
    /// Points of those lots that lapsed where others kept them.
    pub sale_lapsed: HashMap<Uuid, i64>,
    /// What was returned of them so far, in order.
    pub returned: Vec<ReturnRow>,
    /// Returns that are known already.
    pub returns: Vec<ReturnRow>,
    /// Uses of entitlements.
    pub uses: Vec<EntitlementUseRow>,
    /// Notices of what is still to come.
    pub notices: Vec<NoticeRow>,
    /// Issued coupons.
    pub coupons: Vec<CouponRow>,
    /// What was used of their types, where that is limited.
    pub coupons_used: Vec<coupon::Used>,
    /// Kept quotes, each with the purchase that was made of it.
    pub quotes: Vec<(Uuid, Option<Uuid>)>,
    /// How many events members have.
    pub events: Vec<(Uuid, i64)>,
    /// Wallets.
    pub wallets: wallet::Found,
    /// Re-ratings that those purchases stand by, in their order.
    pub ratings: Vec<re_rating::InForce>,
    /// Referrals.
    pub referrals: referral::Found,
}

/// Everything a batch decided.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    /// The programme version it was decided under.
    pub programme: i64,
    /// The version of the standings from now on: a number no standing has had.
    pub version: i64,
    /// New values of the members' standings, sorted by member, each with the version it was decided
    /// on.
    pub standings: Vec<StandingRow>,
    /// New entries.
    pub entries: Vec<EntryRow>,
    /// New lots.
    pub lots: Vec<LotRow>,
    /// Old lots as they are now.
    pub touched: Vec<LotRow>,
    /// Changes of lots.
    pub movements: Vec<LotMovementRow>,
    /// What is added to qualifying days, one row a day.
    pub days: Vec<DayRow>,
    /// Tier changes.
    pub tier_changes: Vec<TierChangeRow>,
    /// Perk grants.
    pub grants: Vec<PerkGrantRow>,
    /// Receipts.
    pub purchases: Vec<PurchaseRow>,
    /// Redemptions: new ones, and old ones as they stand now.
    pub redemptions: Vec<RedemptionRow>,
    /// Returns.
    pub returns: Vec<ReturnRow>,
    /// Transfers.
    pub transfers: Vec<TransferRow>,
    /// Uses of entitlements.
    pub uses: Vec<EntitlementUseRow>,
    /// Notices.
    pub notices: Vec<NoticeRow>,
    /// By how much the counts of rewards grow.
    pub usages: Vec<RewardUsageRow>,
    /// What changes of the use of promotions.
    pub promotions: Counts,
    /// Uses of coupons and of quotes.
    pub coupons: CouponWrites,
    /// What is given beside points, and what happened.
    pub gifts: gift::GiftWrites,
    /// What changes of wallets.
    pub wallets: wallet::Changes,
    /// Codes that are given out and let go, and steps of goods.
    pub reward: reward::Changes,
    /// Changes of tags.
    pub tags: tag::TagWrites,
    /// What re-ratings came to.
    pub re_ratings: re_rating::Changes,
    /// What changes of referrals.
    pub referrals: referral::Changes,
    /// Idempotency keys.
    pub keys: Vec<IdempotencyRow>,
    /// Events.
    pub events: Vec<OutboxRow>,
    /// Lines of the audit log.
    pub audit: Vec<AuditRow>,
}

/// Writes a call of an SQL function with bound arguments: constant text, so that the connection
/// keeps it prepared.
macro_rules! call {
    ($out:ident, $head:literal, $($sql:ty => $value:expr),* $(,)?) => {{
        $out.push_sql($head);
        let mut separator = "";
        $(
            $out.push_sql(separator);
            $out.push_bind_param::<$sql, _>($value)?;
            separator = ", ";
        )*
        let _ = separator;
        $out.push_sql(")");
        diesel::QueryResult::Ok(())
    }};
}
pub(super) use call;

type LoadedSql = (
    Nullable<BigInt>,
    Nullable<Array<StandingType>>,
    Nullable<Array<LotType>>,
    Nullable<Array<DayType>>,
    Nullable<Array<TierChangeType>>,
    Nullable<Array<PerkGrantType>>,
    Nullable<Jsonb>,
    Nullable<Array<RewardUsageType>>,
    Nullable<Array<IdempotencyType>>,
    Nullable<Array<PurchaseType>>,
    Nullable<Jsonb>,
    Nullable<Array<RedemptionType>>,
    Nullable<Array<PurchaseType>>,
    Nullable<Jsonb>,
    Nullable<Jsonb>,
    Nullable<Array<ReturnType>>,
    Nullable<Array<ReturnType>>,
    Nullable<Array<EntitlementUseType>>,
    Nullable<Array<NoticeType>>,
);

#[derive(Queryable)]
struct LoadedRow {
    programme: Option<i64>,
    standings: Option<Vec<StandingRow>>,
    lots: Option<Vec<LotRow>>,
    days: Option<Vec<DayRow>>,
    tier_changes: Option<Vec<TierChangeRow>>,
    grants: Option<Vec<PerkGrantRow>>,
    birthdays: Option<serde_json::Value>,
    usages: Option<Vec<RewardUsageRow>>,
    keys: Option<Vec<IdempotencyRow>>,
    receipts: Option<Vec<PurchaseRow>>,
    answers: Option<serde_json::Value>,
    redemptions: Option<Vec<RedemptionRow>>,
    sales: Option<Vec<PurchaseRow>>,
    sale_lots: Option<serde_json::Value>,
    sale_lapsed: Option<serde_json::Value>,
    returned: Option<Vec<ReturnRow>>,
    returns: Option<Vec<ReturnRow>>,
    uses: Option<Vec<EntitlementUseRow>>,
    notices: Option<Vec<NoticeRow>>,
}

impl QueryFragment<Pg> for Load {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select * from load_batch(",
            Array<UuidType> => &self.members,
            Array<UuidType> => &self.debit,
            Array<UuidType> => &self.late,
            Array<UuidType> => &self.perks,
            Array<UuidType> => &self.notices,
            Array<UuidType> => &self.whole,
            Array<UuidType> => &self.redemptions,
            Array<UuidType> => &self.sales,
            Timestamptz => &self.at,
            Timestamptz => &self.since,
            Nullable<Date> => &self.window.from_min,
            Nullable<Date> => &self.window.from_max,
            Nullable<Date> => &self.window.to_min,
            Date => &self.uses_from,
            Array<UuidType> => &self.days.0,
            Array<Date> => &self.days.1,
            Array<Text> => &self.rewards,
            Array<UuidType> => &self.keys.0,
            Array<Text> => &self.keys.1,
            Array<Text> => &self.receipts.0,
            Array<Text> => &self.receipts.1,
            Array<Text> => &self.returns.0,
            Array<Text> => &self.returns.1,
        )
    }
}

/// Locks what a batch loads until the transaction ends.
struct Lock<'l>(&'l Load);

impl QueryFragment<Pg> for Lock<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select lock_batch(",
            Array<UuidType> => &self.0.members,
            Array<Text> => &self.0.rewards,
        )
    }
}

impl QueryId for Lock<'_> {
    type QueryId = Lock<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for Lock<'_> {}

impl QueryId for Load {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Load {
    type SqlType = LoadedSql;
}

impl RunQueryDsl<PgConnection> for Load {}

impl QueryFragment<Pg> for Writes {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        call!(out, "select store_batch(",
            BigInt => &self.programme,
            BigInt => &self.version,
            Rows<StandingType> => &self.standings,
            Rows<EntryType> => &self.entries,
            Rows<LotType> => &self.lots,
            Rows<LotType> => &self.touched,
            Rows<LotMovementType> => &self.movements,
            Rows<DayType> => &self.days,
            Rows<TierChangeType> => &self.tier_changes,
            Rows<PerkGrantType> => &self.grants,
            Rows<PurchaseType> => &self.purchases,
            Rows<RedemptionType> => &self.redemptions,
            Rows<ReturnType> => &self.returns,
            Rows<TransferType> => &self.transfers,
            Rows<EntitlementUseType> => &self.uses,
            Rows<NoticeType> => &self.notices,
            Rows<RewardUsageType> => &self.usages,
            Rows<IdempotencyType> => &self.keys,
            Rows<OutboxType> => &self.events,
            Rows<AuditType> => &self.audit,
        )
    }
}

impl QueryId for Writes {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for &Writes {}

impl RunQueryDsl<PgConnection> for Writes {}

impl Load {
    /// Locks the members, the rewards, the promotions, the coupons and the quotes, each in their order, then loads.
    ///
    /// # Errors
    /// As [`Error`]; deadlocks are retryable.
    pub fn run_locked(self, conn: &mut PgConnection) -> Result<Loaded, Error> {
        Lock(&self).execute(conn)?;
        if !self.promotions.is_empty() {
            promotion::lock(conn, &self.promotions)?;
        }
        if !(self.coupons.is_empty() && self.sales.is_empty() && self.quotes.is_empty()) {
            let Self { coupons: codes, sales, quotes, .. } = &self;
            coupon::Lock { codes, sales, quotes }.execute(conn)?;
        }
        if !(self.coupons.is_empty() || self.coupon_types.is_empty()) {
            coupon::LockTypes { codes: &self.coupons, limited: &self.coupon_types }.execute(conn)?;
        }
        self.run(conn)
    }

    /// Loads everything as of one moment.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn run(mut self, conn: &mut PgConnection) -> Result<Loaded, Error> {
        self.perks.append(&mut self.risers);
        // The call knows one time, the latest. Notices of what comes before it are still to come for who
        // is told of it earlier in the batch.
        let mut earlier = Vec::new();
        if !self.notices.is_empty() && self.notices_at < self.at {
            earlier = notice::of_between(conn, &self.notices, self.notices_at, self.at)?;
        }
        let mut coupons = Vec::new();
        if !(self.coupons.is_empty() && self.coupons_of.is_empty()) {
            coupons = coupon::find(conn, &self.coupons, &self.coupons_of, self.at)?;
        }
        let coupons_used = coupon::used(conn, &coupons, &self.coupon_types)?;
        let quotes = quote::made(conn, &self.quotes)?;
        let (promotions, asked) = (std::mem::take(&mut self.promotions), std::mem::take(&mut self.promotion_uses));
        let (wanted, with_events) = (std::mem::take(&mut self.reward), std::mem::take(&mut self.events));
        let (tagged, since) = (std::mem::take(&mut self.tags), self.since);
        let (asked_wallets, asked_referrals) = (std::mem::take(&mut self.wallets), std::mem::take(&mut self.referrals));
        let sales = self.sales.clone();
        let row: LoadedRow = self.get_result(conn)?;
        let mut redemptions = row.redemptions.unwrap_or_default();
        let reward = wanted.run(conn, &mut redemptions)?;
        let wallets = asked_wallets.run(conn, row.standings.as_deref().unwrap_or_default())?;
        // After the standings: whoever has used more since has changed a standing too.
        let promotions_used = promotion::used(conn, &promotions)?;
        let promotion_uses = promotion::member_uses(conn, &asked)?;
        let tags = tag::changes(conn, &tagged, since)?;
        let referrals = asked_referrals.run(conn)?;
        let ratings = if sales.is_empty() { Vec::new() } else { re_rating::in_force(conn, &sales)? };
        let mut keys = row.keys.unwrap_or_default();
        if let Some(serde_json::Value::Object(mut answers)) = row.answers {
            for key in &mut keys {
                let answer = key.document_id.and_then(|id| answers.remove(&id.to_string()));
                if let Some(serde_json::Value::String(answer)) = answer {
                    key.body = Some(answer);
                }
            }
        }
        let broken = |error: serde_json::Error| Error::Internal(error.to_string());
        let birthdays = row.birthdays.map(serde_json::from_value).transpose().map_err(broken)?;
        let sale_lots = row.sale_lots.map(serde_json::from_value).transpose().map_err(broken)?;
        let sale_lapsed = row.sale_lapsed.map(serde_json::from_value).transpose().map_err(broken)?;
        Ok(Loaded {
            programme: row.programme,
            standings: row.standings.unwrap_or_default(),
            lots: row.lots.unwrap_or_default(),
            days: row.days.unwrap_or_default(),
            tier_changes: row.tier_changes.unwrap_or_default(),
            grants: row.grants.unwrap_or_default(),
            birthdays: birthdays.unwrap_or_default(),
            usages: row.usages.unwrap_or_default(),
            promotions_used,
            promotion_uses,
            reward,
            tags,
            keys,
            receipts: row.receipts.unwrap_or_default(),
            redemptions,
            sales: row.sales.unwrap_or_default(),
            sale_lots: sale_lots.unwrap_or_default(),
            sale_lapsed: sale_lapsed.unwrap_or_default(),
            returned: row.returned.unwrap_or_default(),
            returns: row.returns.unwrap_or_default(),
            uses: row.uses.unwrap_or_default(),
            notices: row.notices.into_iter().flatten().chain(earlier).collect(),
            coupons,
            coupons_used,
            quotes,
            events: gift::events(conn, &with_events)?,
            wallets,
            ratings,
            referrals,
        })
    }
}

impl Writes {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.standings.is_empty() && self.keys.is_empty()
    }

    /// Stores everything, or nothing where a member, the programme or the use of a promotion has moved on.
    ///
    /// # Errors
    /// As [`Error`]; [`Error::Serialization`] where something has moved on.
    pub fn run(mut self, conn: &mut PgConnection) -> Result<(), Error> {
        let (reward, coupons) = (std::mem::take(&mut self.reward), std::mem::take(&mut self.coupons));
        let (gifts, tags) = (std::mem::take(&mut self.gifts), std::mem::take(&mut self.tags));
        let (wallets, re_ratings) = (std::mem::take(&mut self.wallets), std::mem::take(&mut self.re_ratings));
        let referrals = std::mem::take(&mut self.referrals);
        let alone = reward.is_empty() && coupons.is_empty() && gifts.is_empty() && tags.is_empty();
        if alone && wallets.is_empty() && re_ratings.is_empty() && referrals.is_empty() {
            return self.store(conn);
        }
        // Members are written, and so locked, before what is beside them.
        transaction(conn, |conn| {
            self.store(conn)?;
            reward.run(conn)?;
            coupons.run(conn)?;
            gifts.run(conn)?;
            if !tags.is_empty() {
                tags.execute(conn)?;
            }
            wallets.run(conn)?;
            referrals.run(conn)?;
            re_ratings.run(conn)
        })
    }

    fn store(self, conn: &mut PgConnection) -> Result<(), Error> {
        let stored = if self.promotions.is_empty() { self.execute(conn) } else { Counting(&self).execute(conn) };
        Ok(stored.map(drop)?)
    }
}

/// What the writer's connection is told first. Every statement of the write path finds its rows by
/// key: a plan cached while a table was small must not scan it when it has grown.
const SESSION: &str = "set timezone = 'UTC'; set application_name = 'tessera writer'; set lock_timeout = '5s'; \
    set statement_timeout = '30s'; set idle_in_transaction_session_timeout = '10s'; \
    set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off";

/// Connects for the writer.
///
/// # Errors
/// [`Error::Unavailable`].
pub fn connect(url: &str) -> Result<PgConnection, Error> {
    let mut connection = PgConnection::establish(url)?;
    diesel::connection::SimpleConnection::batch_execute(&mut connection, SESSION)?;
    Ok(connection)
}
