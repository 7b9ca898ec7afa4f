//! Wallets as every face shows them: what stands in one, its movements, and the answers to what is done to it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tessera_rules::amount::{Currency, Minor};
use tessera_rules::id::{AdjustmentId, MemberId, PurchaseId, RefundId, ReturnId, TopUpId};
use tessera_rules::wallet::ledger::{WalletAccount, WalletEntryKind};
use tessera_rules::wallet::{WalletBalance, WalletDone, WalletInPurchase, WalletInReturn, WalletOutcome};
use tessera_rules::{Outcome, Programme};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Services;
use super::error::{Code, Language, Problem};
use super::explain::wallet as explain;
use super::page::{ListOf, Page};
use super::submit::answer;
use super::work::run;
use crate::engine::Answer;
use crate::store::member;
use crate::store::wallet::{self, EntryView, LotView};

/// Money by account, in minor units.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct WalletBalanceView {
    /// All of it: what can be spent.
    #[schema(value_type = i64, example = 20000)]
    total: Minor,
    /// Paid in; never lapses, is spent first and can be paid out.
    #[schema(value_type = i64, example = 10000)]
    paid: Minor,
    /// Given on top of what was paid in; is spent last.
    #[schema(value_type = i64, example = 10000)]
    bonus: Minor,
    /// Given for purchases.
    #[schema(value_type = i64, example = 0)]
    cashback: Minor,
}

impl From<WalletBalance> for WalletBalanceView {
    fn from(balance: WalletBalance) -> Self {
        let WalletBalance { paid, bonus, cashback } = balance;
        // A wallet whose sum leaves its range is never stored.
        Self { total: balance.total().unwrap_or(Minor::MAX), paid, bonus, cashback }
    }
}

/// What stands in a wallet.
#[derive(Serialize, ToSchema)]
pub(super) struct WalletView {
    /// Whether the programme offers the wallet: else it can be paid out, and neither filled nor spent.
    offered: bool,
    /// The programme's currency.
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// What stands in it.
    balance: WalletBalanceView,
    /// What lapses if it is not spent, soonest first.
    expiring: Vec<ExpiringMoney>,
    /// The moment this was true.
    as_of: DateTime<Utc>,
}

/// Money that lapses together.
#[derive(Serialize, ToSchema)]
struct ExpiringMoney {
    /// `bonus` or `cashback`.
    #[schema(example = "bonus")]
    account: String,
    /// How much, in minor units.
    #[schema(example = 10000)]
    amount: i64,
    /// From when it can no longer be spent.
    expires_at: DateTime<Utc>,
}

/// The wallet of a member as it stands now, whether or not what lapsed is on record.
pub(super) async fn read(services: &Services, id: MemberId) -> Result<WalletView, Problem> {
    let programme = services.engine.programme().await?;
    let now = services.clock.now();
    let look = move |conn: &mut _| {
        member::find(conn, id)?.ok_or(Code::MemberUnknown)?;
        Ok(wallet::open_lots(conn, id, now)?)
    };
    let lots = run(services, look).await?;
    let balance = balance(&lots).map_err(|_| Code::AmountOutOfRange)?;
    let mut expiring: Vec<ExpiringMoney> = Vec::new();
    for LotView { account, remaining, expires_at } in lots {
        let Some(expires_at) = expires_at else { continue };
        match expiring.iter_mut().find(|known| known.account == account && known.expires_at == expires_at) {
            Some(known) => known.amount += remaining,
            None => expiring.push(ExpiringMoney { account, amount: remaining, expires_at }),
        }
    }
    let Programme { wallet: terms, currency, .. } = &programme.programme;
    Ok(WalletView { offered: terms.is_some(), currency: *currency, balance: balance.into(), expiring, as_of: now })
}

fn balance(lots: &[LotView]) -> Result<WalletBalance, tessera_rules::amount::OutOfRange> {
    let of = |account: WalletAccount| {
        let theirs = lots.iter().filter(|lot| lot.account == account.as_str());
        Minor::from_wide(theirs.map(|lot| i128::from(lot.remaining)).sum())
    };
    Ok(WalletBalance {
        paid: of(WalletAccount::Paid)?,
        bonus: of(WalletAccount::Bonus)?,
        cashback: of(WalletAccount::Cashback)?,
    })
}

/// A movement of money, and why it came about.
#[derive(Serialize, ToSchema)]
pub(super) struct WalletMovementView {
    /// 1, 2, 3 … without a gap.
    number: i64,
    /// `top_up`, `bonus`, `cashback`, `payment`, `give_back`, `return`, `refund`, `forfeit`, `expiry`, `adjustment` or
    /// `transfer`.
    #[schema(example = "top_up")]
    kind: String,
    /// Where the money left.
    #[schema(example = "received")]
    from: String,
    /// Where it arrived.
    #[schema(example = "paid")]
    to: String,
    /// How much, in minor units.
    #[schema(example = 10000)]
    amount: i64,
    /// When it happened or fell due.
    effective_at: DateTime<Utc>,
    /// When it was recorded.
    recorded_at: DateTime<Utc>,
    /// The top-up, purchase, return, refund or adjustment it belongs to.
    document_id: Option<String>,
    /// The purchase it is about, where it is about one.
    #[schema(value_type = Option<String>)]
    purchase_id: Option<PurchaseId>,
    /// The promotion's code, or the reason of an adjustment.
    reason: Option<String>,
    /// Why, in a sentence of the reader's language (`Accept-Language`).
    explanation: String,
}

impl WalletMovementView {
    fn of(entry: EntryView, programme: &Programme, language: Language) -> Self {
        let explanation = language.of(&explain::told(&entry, programme)).to_owned();
        Self {
            document_id: entry.document_id.and_then(|id| document(&entry.kind, id)),
            number: entry.number,
            kind: entry.kind,
            from: entry.from_account,
            to: entry.to_account,
            amount: entry.amount,
            effective_at: entry.effective_at,
            recorded_at: entry.recorded_at,
            purchase_id: entry.purchase_id.map(PurchaseId::new),
            reason: entry.reason,
            explanation,
        }
    }
}

/// The TypeID of the document that an entry of a kind belongs to.
fn document(kind: &str, id: Uuid) -> Option<String> {
    Some(match WalletEntryKind::parse(kind)? {
        WalletEntryKind::TopUp | WalletEntryKind::Bonus => TopUpId::new(id).to_string(),
        WalletEntryKind::Cashback | WalletEntryKind::Payment => PurchaseId::new(id).to_string(),
        WalletEntryKind::GiveBack | WalletEntryKind::Return => ReturnId::new(id).to_string(),
        WalletEntryKind::Refund | WalletEntryKind::Forfeit => RefundId::new(id).to_string(),
        WalletEntryKind::Adjustment => AdjustmentId::new(id).to_string(),
        WalletEntryKind::Expiry | WalletEntryKind::Transfer => return None,
    })
}

/// One page of the movements of a member's wallet.
pub(super) async fn movements(
    services: &Services,
    list: &str,
    id: MemberId,
    page: Page,
    language: Language,
) -> Result<ListOf<WalletMovementView>, Problem> {
    let before = page.cursor.map(|cursor| cursor.open::<i64>(list)).transpose()?;
    let programme = services.engine.programme().await?;
    let look = move |conn: &mut _| {
        member::find(conn, id)?.ok_or(Code::MemberUnknown)?;
        Ok(wallet::entries(conn, id, before, page.limit.to_read())?)
    };
    let rows = run(services, look).await?;
    let show = |entry| WalletMovementView::of(entry, &programme.programme, language);
    Ok(ListOf::new(list, rows, page.limit, |row| row.number, show))
}

/// What was done to a wallet. Amounts are in minor units of `currency`.
#[derive(Serialize, ToSchema)]
pub(super) struct WalletDoneView {
    /// The top-up, refund or adjustment.
    #[schema(example = "top_01kapm6w2gfh1sd0q4x9v7zb3n")]
    id: String,
    /// Of a top-up, what was paid in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, example = 10000)]
    paid: Option<Minor>,
    /// Of a top-up, what came on top.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, example = 10000)]
    bonus: Option<Minor>,
    /// Of a top-up, from when that can no longer be spent; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    bonus_expires_at: Option<DateTime<Utc>>,
    /// Of a refund, what is paid out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    refunded: Option<Minor>,
    /// Of a refund, the bonus that went with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    forfeited: Option<Minor>,
    /// Of a refund, what was kept back of the paid money because its bonus is spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    kept_back: Option<Minor>,
    /// Of an adjustment, what was given or, below 0, taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    adjusted: Option<Minor>,
    /// The programme's currency.
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// What stands in the wallet afterwards.
    balance: WalletBalanceView,
    /// When.
    recorded_at: DateTime<Utc>,
}

/// The answer to a command for a wallet.
pub(super) fn show(outcome: &Outcome) -> Answer {
    let Outcome::Wallet(outcome) = outcome else { return answer(500, &()) };
    let WalletOutcome { done, balance, currency, recorded_at } = &**outcome;
    let mut view = WalletDoneView {
        id: String::new(),
        paid: None,
        bonus: None,
        bonus_expires_at: None,
        refunded: None,
        forfeited: None,
        kept_back: None,
        adjusted: None,
        currency: *currency,
        balance: (*balance).into(),
        recorded_at: *recorded_at,
    };
    match done {
        WalletDone::TopUp { id, paid, bonus, bonus_expires_at } => {
            view.id = id.to_string();
            (view.paid, view.bonus, view.bonus_expires_at) = (Some(*paid), Some(*bonus), *bonus_expires_at);
        }
        WalletDone::Refund { id, refunded, forfeited, kept_back } => {
            view.id = id.to_string();
            (view.refunded, view.forfeited, view.kept_back) = (Some(*refunded), Some(*forfeited), Some(*kept_back));
        }
        WalletDone::Adjustment { id, amount, .. } => {
            view.id = id.to_string();
            view.adjusted = Some(*amount);
        }
        WalletDone::Settled => {}
    }
    answer(201, &view)
}

/// What a purchase did to the wallet, in minor units.
#[derive(Serialize, ToSchema)]
pub(super) struct WalletInPurchaseView {
    /// What the wallet paid of it.
    #[schema(value_type = i64, example = 2000)]
    paid: Minor,
    /// Cashback given for it.
    #[schema(value_type = i64, example = 150)]
    cashback: Minor,
    /// What stands in the wallet afterwards.
    balance: WalletBalanceView,
}

impl From<WalletInPurchase> for WalletInPurchaseView {
    fn from(wallet: WalletInPurchase) -> Self {
        Self { paid: wallet.paid, cashback: wallet.cashback, balance: wallet.balance.into() }
    }
}

/// What a return did to the wallet, in minor units.
#[derive(Serialize, ToSchema)]
pub(super) struct WalletInReturnView {
    /// What the wallet had paid of the goods and was given back: that part is not paid out in money.
    #[schema(value_type = i64)]
    given_back: Minor,
    /// Cashback that was taken back.
    #[schema(value_type = i64)]
    clawed: Minor,
    /// Cashback that should have been taken back and was not there: a till may keep it from what it pays out.
    #[schema(value_type = i64)]
    short: Minor,
    /// What stands in the wallet afterwards.
    balance: WalletBalanceView,
}

impl From<WalletInReturn> for WalletInReturnView {
    fn from(wallet: WalletInReturn) -> Self {
        let WalletInReturn { given_back, clawed, short, balance } = wallet;
        Self { given_back, clawed, short, balance: balance.into() }
    }
}
