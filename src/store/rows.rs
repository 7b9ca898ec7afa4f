//! The rows of the hot tables, exactly as PostgreSQL's row types have them: the write path sends
//! and receives whole arrays of rows, so a column here is a column there, in the same order.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Date, Integer, Jsonb, Nullable, Record, SmallInt, Text, Timestamptz, Uuid as UuidType,
};
use uuid::Uuid;

use super::wire::{self, Lookup, Rows, Unwritable, Value};

/// Types of columns, short enough for the table below.
type At = DateTime<Utc>;
type Day = NaiveDate;
type Json = serde_json::Value;
type Bytes = Vec<u8>;

macro_rules! rows {
    ($($(#[$doc:meta])* $row:ident = $table:literal as $sql:ident {
        $($field:ident: $rust:ty => $column:ty,)*
    })*) => {$(
        #[doc = concat!("PostgreSQL's row type of `", $table, "`.")]
        #[derive(diesel::sql_types::SqlType, diesel::query_builder::QueryId, Debug, Clone, Copy)]
        #[diesel(postgres_type(name = $table))]
        pub struct $sql;

        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, diesel::expression::AsExpression, deserialize::FromSqlRow)]
        #[diesel(sql_type = $sql)]
        #[expect(missing_docs, reason = "columns are described in the migration that makes them")]
        pub struct $row { $(pub $field: $rust,)* }

        impl Value for $row {
            fn write(&self, out: &mut Vec<u8>, lookup: &mut Lookup) -> Result<(), Unwritable> {
                wire::row(out, [$(stringify!($field)),*].len(), |out| {
                    $(
                        wire::column_type(out, wire::oid::<$column>(lookup)?);
                        self.$field.write(out, lookup)?;
                    )*
                    Ok(())
                })
            }
        }

        impl ToSql<Rows<$sql>, Pg> for Vec<$row> {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                wire::write_array::<$sql, _>(self, out)
            }
        }

        impl ToSql<$sql, Pg> for $row {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                wire::write_one(self, out)
            }
        }

        impl FromSql<$sql, Pg> for $row {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                let ($($field,)*) = <($($rust,)*) as FromSql<Record<($($column,)*)>, Pg>>::from_sql(value)?;
                Ok(Self { $($field,)* })
            }
        }
    )*};
}

rows! {
    /// What the clock looks at: inactivity and from when it counts, the latest purchase, the first
    /// hold to end and the first lot to change.
    ClockRow = "standing_clock" as ClockType {
        active_at: At => Timestamptz,
        purchased_at: Option<At> => Nullable<Timestamptz>,
        idle_months: Option<i32> => Nullable<Integer>,
        idle_due_at: Option<At> => Nullable<Timestamptz>,
        holds_due_at: Option<At> => Nullable<Timestamptz>,
        lots_due_at: Option<At> => Nullable<Timestamptz>,
    }
    /// Who keeps the member's points, whose he keeps, and what he passed on last.
    TiesRow = "ties" as TiesType {
        root: Option<Uuid> => Nullable<UuidType>,
        kind: Option<String> => Nullable<Text>,
        may_spend: Option<bool> => Nullable<Bool>,
        household: i32 => Integer,
        sent_day: Option<Day> => Nullable<Date>,
        sent_points: Option<i64> => Nullable<BigInt>,
    }
    /// A placement by staff: the tier held without it, and its end.
    PlacementRow = "placement" as PlacementType {
        own: String => Text,
        until: At => Timestamptz,
    }
    /// A member's balances and standing.
    StandingRow = "standing" as StandingType {
        member_id: Uuid => UuidType,
        frozen: bool => Bool,
        enrolled_at: At => Timestamptz,
        recorded_at: At => Timestamptz,
        pending: i64 => BigInt,
        available: i64 => BigInt,
        held: i64 => BigInt,
        debt: i64 => BigInt,
        lifetime_earned: i64 => BigInt,
        entries: i64 => BigInt,
        head: Bytes => Binary,
        lots: i64 => BigInt,
        purchases: i64 => BigInt,
        carry: i64 => BigInt,
        tier: String => Text,
        tier_since: At => Timestamptz,
        tier_changes: i64 => BigInt,
        window_from: Day => Date,
        window_to: Day => Date,
        window_points: i64 => BigInt,
        window_spend: i64 => BigInt,
        window_visits: i64 => BigInt,
        window_oldest: Option<Day> => Nullable<Date>,
        tier_due_at: Option<At> => Nullable<Timestamptz>,
        boost_until: Option<At> => Nullable<Timestamptz>,
        otp_step: i64 => BigInt,
        version: i64 => BigInt,
        tier_until: Option<At> => Nullable<Timestamptz>,
        placement: Option<PlacementRow> => Nullable<PlacementType>,
        clock: ClockRow => ClockType,
        due_at: Option<At> => Nullable<Timestamptz>,
        ties: Option<TiesRow> => Nullable<TiesType>,
    }
    /// What stands in a member's wallet.
    WalletRow = "wallet" as WalletType {
        member_id: Uuid => UuidType,
        entries: i64 => BigInt,
        head: Bytes => Binary,
        lots: i64 => BigInt,
        paid: i64 => BigInt,
        bonus: i64 => BigInt,
        cashback: i64 => BigInt,
        due_at: Option<At> => Nullable<Timestamptz>,
    }
    /// An entry of a wallet.
    WalletEntryRow = "wallet_entry" as WalletEntryType {
        member_id: Uuid => UuidType,
        number: i64 => BigInt,
        kind: String => Text,
        from_account: String => Text,
        to_account: String => Text,
        amount: i64 => BigInt,
        effective_at: At => Timestamptz,
        recorded_at: At => Timestamptz,
        actor_role: String => Text,
        actor_id: Option<Uuid> => Nullable<UuidType>,
        document_id: Option<Uuid> => Nullable<UuidType>,
        purchase_id: Option<Uuid> => Nullable<UuidType>,
        store_id: Option<Uuid> => Nullable<UuidType>,
        reason: Option<String> => Nullable<Text>,
        month: Option<Day> => Nullable<Date>,
        hash: Bytes => Binary,
    }
    /// A lot of a wallet.
    WalletLotRow = "wallet_lot" as WalletLotType {
        member_id: Uuid => UuidType,
        number: i64 => BigInt,
        account: String => Text,
        entry: i64 => BigInt,
        amount: i64 => BigInt,
        remaining: i64 => BigInt,
        lapsed: i64 => BigInt,
        refunded: i64 => BigInt,
        bonus: i64 => BigInt,
        with_lot: Option<i64> => Nullable<BigInt>,
        origin: Option<i64> => Nullable<BigInt>,
        parent_member: Option<Uuid> => Nullable<UuidType>,
        parent_lot: Option<i64> => Nullable<BigInt>,
        opened_at: At => Timestamptz,
        expires_at: Option<At> => Nullable<Timestamptz>,
    }
    /// A change of a wallet's lot.
    WalletMovementRow = "wallet_movement" as WalletMovementType {
        member_id: Uuid => UuidType,
        entry: i64 => BigInt,
        lot: i64 => BigInt,
        amount: i64 => BigInt,
    }
    /// A ledger entry.
    EntryRow = "entry" as EntryType {
        member_id: Uuid => UuidType,
        number: i64 => BigInt,
        kind: String => Text,
        from_account: String => Text,
        to_account: String => Text,
        points: i64 => BigInt,
        effective_at: At => Timestamptz,
        recorded_at: At => Timestamptz,
        actor_role: String => Text,
        actor_id: Option<Uuid> => Nullable<UuidType>,
        document_id: Option<Uuid> => Nullable<UuidType>,
        reason: Option<String> => Nullable<Text>,
        reverses: Option<i64> => Nullable<BigInt>,
        hash: Bytes => Binary,
    }
    /// A lot.
    LotRow = "lot" as LotType {
        member_id: Uuid => UuidType,
        number: i64 => BigInt,
        entry: i64 => BigInt,
        points: i64 => BigInt,
        remaining: i64 => BigInt,
        occurred_at: At => Timestamptz,
        available_from: At => Timestamptz,
        expires_at: Option<At> => Nullable<Timestamptz>,
        held: i64 => BigInt,
        lapsed: i64 => BigInt,
        pending: bool => Bool,
        origin: Option<i64> => Nullable<BigInt>,
        fixed: bool => Bool,
        idle_months: Option<i32> => Nullable<Integer>,
        parent_member: Option<Uuid> => Nullable<UuidType>,
        parent_lot: Option<i64> => Nullable<BigInt>,
    }
    /// A change of a lot.
    LotMovementRow = "lot_movement" as LotMovementType {
        member_id: Uuid => UuidType,
        entry: i64 => BigInt,
        lot: i64 => BigInt,
        points: i64 => BigInt,
        held: i64 => BigInt,
        lapsed: i64 => BigInt,
    }
    /// A qualifying day; on its way in, what is added to it.
    DayRow = "qualifying_day" as DayType {
        member_id: Uuid => UuidType,
        day: Day => Date,
        points: i64 => BigInt,
        spend: i64 => BigInt,
        visits: i64 => BigInt,
        given: i64 => BigInt,
    }
    /// A change of tier.
    TierChangeRow = "tier_change" as TierChangeType {
        member_id: Uuid => UuidType,
        number: i64 => BigInt,
        from_tier: String => Text,
        to_tier: String => Text,
        at: At => Timestamptz,
        recorded_at: At => Timestamptz,
        cause: String => Text,
        measure: i64 => BigInt,
        programme_version: i64 => BigInt,
        reason: Option<String> => Nullable<Text>,
    }
    /// A granted perk.
    PerkGrantRow = "perk_grant" as PerkGrantType {
        member_id: Uuid => UuidType,
        perk: String => Text,
        occasion: i32 => Integer,
        granted_at: At => Timestamptz,
        gift: Json => Jsonb,
        window_from: At => Timestamptz,
        window_until: At => Timestamptz,
    }
    /// A receipt.
    PurchaseRow = "purchase" as PurchaseType {
        id: Uuid => UuidType,
        member_id: Uuid => UuidType,
        store_id: Uuid => UuidType,
        source: String => Text,
        external_id: String => Text,
        content: Bytes => Binary,
        occurred_at: At => Timestamptz,
        occurred_named: bool => Bool,
        recorded_at: At => Timestamptz,
        programme_version: i64 => BigInt,
        actor_role: String => Text,
        actor_id: Option<Uuid> => Nullable<UuidType>,
        amount: i64 => BigInt,
        points: i64 => BigInt,
        micropoints: Option<i64> => Nullable<BigInt>,
        answer: String => Text,
        redemption_id: Option<Uuid> => Nullable<UuidType>,
        particulars: Option<Json> => Nullable<Jsonb>,
    }
    /// A redemption.
    RedemptionRow = "redemption" as RedemptionType {
        id: Uuid => UuidType,
        member_id: Uuid => UuidType,
        store_id: Option<Uuid> => Nullable<UuidType>,
        reward: Option<String> => Nullable<Text>,
        points: i64 => BigInt,
        worth: Option<i64> => Nullable<BigInt>,
        status: String => Text,
        recorded_at: At => Timestamptz,
        actor_role: String => Text,
        actor_id: Option<Uuid> => Nullable<UuidType>,
        answer: String => Text,
        purchase_id: Option<Uuid> => Nullable<UuidType>,
        held_until: Option<At> => Nullable<Timestamptz>,
        entry: Option<i64> => Nullable<BigInt>,
        bite_lots: Vec<i64> => Array<BigInt>,
        bite_points: Vec<i64> => Array<BigInt>,
        perk: Option<String> => Nullable<Text>,
        occasion: Option<i32> => Nullable<Integer>,
    }
    /// A return of goods.
    ReturnRow = "purchase_return" as ReturnType {
        id: Uuid => UuidType,
        member_id: Uuid => UuidType,
        purchase_id: Uuid => UuidType,
        store_id: Uuid => UuidType,
        source: String => Text,
        external_id: String => Text,
        content: Bytes => Binary,
        reason: String => Text,
        recorded_at: At => Timestamptz,
        actor_role: String => Text,
        actor_id: Option<Uuid> => Nullable<UuidType>,
        lines: String => Text,
        amount: i64 => BigInt,
        clawed: i64 => BigInt,
        owed: i64 => BigInt,
        forgiven: i64 => BigInt,
        micropoints: i64 => BigInt,
        given_back: i64 => BigInt,
        answer: String => Text,
    }
    /// Points one member gave to another.
    TransferRow = "transfer" as TransferType {
        id: Uuid => UuidType,
        from_member: Uuid => UuidType,
        to_member: Uuid => UuidType,
        points: i64 => BigInt,
        recorded_at: At => Timestamptz,
        actor_role: String => Text,
        actor_id: Option<Uuid> => Nullable<UuidType>,
        answer: String => Text,
    }
    /// A line of the audit log.
    AuditRow = "audit" as AuditType {
        id: Uuid => UuidType,
        at: At => Timestamptz,
        actor_role: String => Text,
        actor_id: Option<Uuid> => Nullable<UuidType>,
        action: String => Text,
        object: String => Text,
        before: Option<Json> => Nullable<Jsonb>,
        after: Option<Json> => Nullable<Jsonb>,
    }
    /// One use of an entitlement.
    EntitlementUseRow = "entitlement_use" as EntitlementUseType {
        member_id: Uuid => UuidType,
        code: String => Text,
        year: i32 => Integer,
        number: i32 => Integer,
        used_at: At => Timestamptz,
        day: Option<Day> => Nullable<Date>,
        multiplier: Option<i64> => Nullable<BigInt>,
    }
    /// A notice; its content as the rules write it.
    NoticeRow = "notice" as NoticeType {
        member_id: Uuid => UuidType,
        kind: String => Text,
        due_at: At => Timestamptz,
        lead_days: i32 => Integer,
        noticed_at: At => Timestamptz,
        content: Json => Jsonb,
    }
    /// How many of a reward were handed out.
    RewardUsageRow = "reward_usage" as RewardUsageType {
        reward: String => Text,
        used: i64 => BigInt,
    }
    /// A step of goods on their way to the member.
    FulfilmentStepRow = "fulfilment_step" as FulfilmentStepType {
        redemption_id: Uuid => UuidType,
        number: i32 => Integer,
        status: String => Text,
        store_id: Option<Uuid> => Nullable<UuidType>,
        at: At => Timestamptz,
        actor_role: String => Text,
        actor_id: Option<Uuid> => Nullable<UuidType>,
    }
    /// Something that happened to a member.
    MemberEventRow = "member_event" as MemberEventType {
        id: Uuid => UuidType,
        member_id: Uuid => UuidType,
        number: i64 => BigInt,
        code: String => Text,
        occurred_at: At => Timestamptz,
        recorded_at: At => Timestamptz,
        programme_version: i64 => BigInt,
        store_id: Uuid => UuidType,
        actor_role: String => Text,
        actor_id: Option<Uuid> => Nullable<UuidType>,
        attributes: Json => Jsonb,
    }
    /// How a coupon came about that was issued with a decision.
    GivenIssueRow = "coupon_issue" as GivenIssueType {
        id: Uuid => UuidType,
        of: String => Text,
        member_id: Option<Uuid> => Nullable<UuidType>,
        count: i32 => Integer,
        issued_at: At => Timestamptz,
        actor_role: String => Text,
        actor_id: Option<Uuid> => Nullable<UuidType>,
        key: Option<String> => Nullable<Text>,
        fingerprint: Option<Bytes> => Nullable<Binary>,
        given_by: Option<String> => Nullable<Text>,
        document_id: Option<Uuid> => Nullable<UuidType>,
    }
    /// Such a coupon.
    GivenCouponRow = "coupon" as GivenCouponType {
        code: String => Text,
        of: String => Text,
        issue_id: Uuid => UuidType,
        owner: Option<Uuid> => Nullable<UuidType>,
        valid_from: At => Timestamptz,
        valid_until: Option<At> => Nullable<Timestamptz>,
        uses: i32 => Integer,
        used: i32 => Integer,
        revoked_at: Option<At> => Nullable<Timestamptz>,
    }
    /// A message to a member.
    MessageRow = "message" as MessageType {
        id: Uuid => UuidType,
        member_id: Uuid => UuidType,
        given_by: String => Text,
        at: At => Timestamptz,
        text: Json => Jsonb,
    }
    /// An idempotency key and its answer.
    IdempotencyRow = "idempotency" as IdempotencyType {
        caller: Uuid => UuidType,
        key: String => Text,
        fingerprint: Bytes => Binary,
        member_id: Uuid => UuidType,
        status: i16 => SmallInt,
        document_id: Option<Uuid> => Nullable<UuidType>,
        body: Option<String> => Nullable<Text>,
        created_at: At => Timestamptz,
    }
    /// An event for whoever delivers messages.
    OutboxRow = "outbox" as OutboxType {
        id: Uuid => UuidType,
        member_id: Uuid => UuidType,
        kind: String => Text,
        document_id: Option<Uuid> => Nullable<UuidType>,
        points: i64 => BigInt,
        at: At => Timestamptz,
    }
}
