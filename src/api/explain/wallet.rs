//! Why money moved in a wallet, in a sentence of both languages, from the entry alone.

use tessera_rules::Programme;
use tessera_rules::text::Text;
use tessera_rules::wallet::ledger::{WalletAccount, WalletEntryKind};

use super::words::{Names, money, say};
use crate::api::error::both;
use crate::store::wallet::EntryView;

/// The sentence for an entry. Promotions are called what they are called today.
pub(in crate::api) fn told(entry: &EntryView, programme: &Programme) -> Text {
    let amount = money(entry.amount, programme.currency);
    let reason = entry.reason.as_deref().unwrap_or("-");
    let promotion = || Names(programme).promotion(reason);
    let of = |account: &str| account_name(WalletAccount::parse(account));
    match WalletEntryKind::parse(&entry.kind) {
        Some(WalletEntryKind::TopUp) => say!("{amount} was paid in.", "充值 {amount}。", amount = amount),
        Some(WalletEntryKind::Bonus) => {
            say!("{amount} came on top of what was paid in.", "充值赠送 {amount}。", amount = amount)
        }
        Some(WalletEntryKind::Cashback) => say!(
            "{promotion} gave {amount} for a purchase.",
            "“{promotion}”返现 {amount}。",
            promotion = promotion(),
            amount = amount,
        ),
        Some(WalletEntryKind::Payment) => say!(
            "{amount} of {from} paid for a purchase.",
            "消费支付：使用{from} {amount}。",
            amount = amount,
            from = of(&entry.from_account),
        ),
        Some(WalletEntryKind::GiveBack) => say!(
            "Goods came back: {amount} is {to} again.",
            "退货：{amount} 退回{to}。",
            amount = amount,
            to = of(&entry.to_account),
        ),
        Some(WalletEntryKind::Return) => say!(
            "Goods came back, and so {amount} that {promotion} gave for them.",
            "退货：收回“{promotion}”返现 {amount}。",
            amount = amount,
            promotion = promotion(),
        ),
        Some(WalletEntryKind::Refund) => say!("{amount} was paid out.", "退款 {amount}。", amount = amount),
        Some(WalletEntryKind::Forfeit) if entry.from_account == WalletAccount::Paid.as_str() => say!(
            "{amount} was kept back: the bonus that came with it is spent.",
            "扣除 {amount}：对应赠金已使用。",
            amount = amount,
        ),
        Some(WalletEntryKind::Forfeit) => {
            say!("{amount} of bonus went with what was paid out.", "随退款收回赠金 {amount}。", amount = amount,)
        }
        Some(WalletEntryKind::Expiry) => say!(
            "{amount} of {from} lapsed.",
            "{from} {amount} 已过期。",
            amount = amount,
            from = of(&entry.from_account),
        ),
        Some(WalletEntryKind::Adjustment) => {
            say!(
                "Put right by hand: {amount} ({reason}).",
                "人工调整：{amount}（{reason}）。",
                amount = amount,
                reason = reason
            )
        }
        Some(WalletEntryKind::Transfer) => {
            say!("{amount} moved between accounts that were merged.", "账号合并转移 {amount}。", amount = amount)
        }
        None => Text::from(entry.kind.as_str()),
    }
}

fn account_name(account: Option<WalletAccount>) -> Text {
    match account {
        Some(WalletAccount::Bonus) => both("bonus", "赠金"),
        Some(WalletAccount::Cashback) => both("cashback", "返现"),
        _ => both("paid money", "本金"),
    }
}
