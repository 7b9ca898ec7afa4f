//! What the outbox calls what happened.

use tessera_rules::fulfilment::FulfilmentStatus;
use tessera_rules::redemption::RedemptionStatus;
use tessera_rules::trigger::promotion_of;
use tessera_rules::wallet::WalletDone;
use tessera_rules::{Command, Outcome};

/// The kind of the event that a command brings about.
pub(super) fn kind(command: &Command, outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Purchase(_) => "purchase.recorded",
        Outcome::Redemption(redemption) => match (command, redemption.status) {
            (Command::Fulfil(step), _) if step.to == FulfilmentStatus::Ready => "reward.ready",
            (Command::Fulfil(_), _) => "reward.handed_over",
            (_, RedemptionStatus::Held) => "points.held",
            (_, RedemptionStatus::Captured) => "points.redeemed",
            (_, RedemptionStatus::Voided) => "redemption.voided",
        },
        Outcome::Return(_) => "purchase.returned",
        Outcome::Tier(_) => "tier.placed",
        Outcome::Entitlement(_) => "entitlement.used",
        Outcome::Tags(_) => "member.tagged",
        Outcome::Notices(given) if !given.is_empty() => "member.noticed",
        Outcome::Adjustment(_) => "points.adjusted",
        Outcome::ReRating(_) => "purchases.re_rated",
        Outcome::Transfer(_) => "points.transferred",
        Outcome::Move(_) => "purchase.moved",
        Outcome::Link(_) => match command {
            Command::Merge(_) => "member.merged",
            Command::Unmerge => "member.unmerged",
            Command::JoinPool(_) => "pool.joined",
            Command::LeavePool => "pool.left",
            _ => "pool.changed",
        },
        Outcome::Wallet(wallet) => match wallet.done {
            WalletDone::TopUp { .. } => "wallet.topped_up",
            WalletDone::Refund { .. } => "wallet.refunded",
            WalletDone::Adjustment { .. } => "wallet.adjusted",
            WalletDone::Settled => "member.settled",
        },
        Outcome::Event(_) => "event.recorded",
        Outcome::Perks(granted) if granted.iter().any(|by| promotion_of(by).is_none()) => "perk.granted",
        Outcome::Perks(granted) if !granted.is_empty() => "promotion.granted",
        Outcome::Perks(_) | Outcome::Notices(_) | Outcome::Settled => "member.settled",
    }
}
