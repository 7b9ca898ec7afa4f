//! What somebody does, as a command of the rulebook.

use chrono::Duration;
use tessera_rules::Command;
use tessera_rules::amount::{Minor, Quantity};
use tessera_rules::command::{
    Adjust, Capture, JoinPool, Line, MOVED, Merge, Move, PayWithPoints, PlaceTier, Purchase, Redeem, RedeemMode,
    Redeemed, Return, ReturnLine, ReturnPart, ReturnedGoods, Tender, Transfer, UseEntitlement,
};
use tessera_rules::id::{AdjustmentId, PurchaseId, RedemptionId, ReturnId, TransferId};
use uuid::Uuid;

use super::calendar::{day_of, on};
use super::document::{TIERS, points};
use super::goods::{Goods, Piece};
use super::sales::{Kind, Receipt};
use super::scene::{Act, Tie};
use super::trial::{Shop, Trial};

impl<S: Shop> Trial<'_, S> {
    pub(super) fn command(&mut self, who: usize, act: &Act) -> Command {
        let id = self.id();
        let somebody = &self.members[who];
        let sale = |i: usize| somebody.sales.get(i % somebody.sales.len().max(1)).copied();
        let redeemed = |i: usize| somebody.redemptions.get(i % somebody.redemptions.len().max(1)).copied();
        let command = match act {
            Act::Buy(receipt) => Some(Command::Purchase(self.purchase(who, id, receipt))),
            Act::Spend(value, hold) => Some(redeem(id, Redeemed::MoneyOff(points(*value)), *hold)),
            Act::Mug(hold) => Some(redeem(id, Redeemed::Reward(self.mug.clone()), *hold)),
            Act::Capture(i, part) => {
                redeemed(*i).map(|redemption| Command::Capture(Capture { redemption, points: part.map(points) }))
            }
            Act::Void(i) => redeemed(*i).map(Command::Void),
            Act::Return(i, goods) => sale(*i).map(|purchase| give_back(id, purchase, goods)),
            Act::Adjust(value) => {
                let (id, reason) = (AdjustmentId::new(id), "goodwill".to_owned());
                Some(Command::Adjust(Adjust { id, points: points(*value), reason }))
            }
            Act::Give(value) => {
                let (id, to) = (TransferId::new(id), self.members[self.next(who)].id);
                Some(Command::Transfer(Transfer { id, to, points: points(*value), otp_step: None }))
            }
            Act::Place(tier, minutes) => {
                let (tier, until) = (TIERS[*tier].to_owned(), self.now + Duration::minutes(*minutes));
                Some(Command::PlaceTier(PlaceTier { tier, until, reason: "trial".to_owned() }))
            }
            Act::DoubleDay(days) => {
                let day = Some(on(day_of(self.book.zone, self.now), *days));
                Some(Command::UseEntitlement(UseEntitlement { code: "double".to_owned(), day }))
            }
            Act::Grant => Some(Command::GrantPerks),
            Act::Notify => Some(Command::Notify),
            Act::Pass(i) => somebody.sales.len().checked_sub(1).map(|last| {
                let number = last - i % (last + 1);
                Command::Move(Box::new(self.pass(who, id, somebody.sales[number], number)))
            }),
            Act::Tie(tie) => Some(self.tie(who, *tie)),
            Act::Settle | Act::Adopt(_) => None,
        };
        // Where there is nothing to capture, to void or to bring back, time goes on.
        command.unwrap_or(Command::Settle)
    }

    fn tie(&self, who: usize, tie: Tie) -> Command {
        let next = self.members[self.next(who)].id;
        match tie {
            Tie::Join(may_spend) => Command::JoinPool(JoinPool { head: next, may_spend }),
            Tie::Allow(may_spend) => Command::AllowSpending(may_spend),
            Tie::Leave => Command::LeavePool,
            Tie::Merge => Command::Merge(Merge { into: next }),
            Tie::Unmerge => Command::Unmerge,
        }
    }

    /// A purchase goes to the next member.
    fn pass(&self, who: usize, id: Uuid, purchase: PurchaseId, number: usize) -> Move {
        let sale = self.club.members[who].sales[number].clone();
        let again = Purchase {
            source: MOVED.to_owned(),
            external_id: purchase.to_string(),
            occurred_at: Some(sale.occurred),
            ..self.purchase(self.next(who), flipped(id), &sale.receipt)
        };
        Move { id: ReturnId::new(id), purchase, to: self.members[self.next(who)].id, again }
    }

    fn purchase(&self, who: usize, id: Uuid, receipt: &Receipt) -> Purchase {
        let lines: Vec<Line> = receipt.lines.iter().map(line).collect();
        let card = Minor::new(receipt.gift_card).expect("in range");
        let tenders = vec![Tender { kind: "gift_card".to_owned(), amount: card }];
        // The redemption needs an id of its own.
        let pay = |value| PayWithPoints { id: RedemptionId::new(flipped(id)), points: points(value), otp_step: None };
        let (redeem, currency) = (receipt.pay.map(pay), self.base.currency);
        let paid = redeem.map(|pay| pay.points);
        Purchase {
            id: PurchaseId::new(id),
            store: self.store,
            store_code: "west".to_owned(),
            source: "west".to_owned(),
            external_id: id.to_string(),
            occurred_at: receipt.late.map(|late| self.now - Duration::minutes(late)),
            currency,
            content: Purchase::content_of(self.members[who].id, currency, &lines, &tenders, paid),
            lines,
            tenders,
            redeem,
            channel: None,
            wallet: None,
            pricing: None,
        }
    }
}

fn flipped(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() | 1 << 120)
}

fn line(sold: &super::sales::Line) -> Line {
    let categories: &[&str] = match sold.kind {
        Kind::Plain => &[],
        Kind::Food => &["fresh", "food"],
        Kind::Wine => &["food", "wine"],
    };
    Line {
        sku: None,
        categories: categories.iter().map(|&category| category.to_owned()).collect(),
        quantity: Quantity::from_units(sold.pieces),
        amount: Minor::new(sold.amount).expect("in range"),
    }
}

fn redeem(id: Uuid, what: Redeemed, hold: bool) -> Command {
    let mode = if hold { RedeemMode::Hold } else { RedeemMode::Capture };
    Command::Redeem(Redeem { id: RedemptionId::new(id), store: None, what, mode, otp_step: None })
}

fn give_back(id: Uuid, purchase: PurchaseId, goods: &Goods) -> Command {
    let line = |&(number, piece): &(usize, Piece)| ReturnLine {
        line: number as u32,
        part: match piece {
            Piece::Rest => ReturnPart::Rest,
            Piece::Pieces(pieces) => ReturnPart::Quantity(Quantity::from_units(pieces)),
            Piece::Amount(amount) => ReturnPart::Amount(Minor::new(amount).expect("in range")),
        },
    };
    let goods = match goods {
        Goods::All => ReturnedGoods::All,
        Goods::Lines(lines) => ReturnedGoods::Lines(lines.iter().map(line).collect()),
    };
    let content = Return::content_of(purchase, &goods);
    let (source, external_id, reason) = ("west".to_owned(), id.to_string(), "unwanted".to_owned());
    let (id, elsewhere) = (ReturnId::new(id), false);
    Command::Return(Return { id, purchase, elsewhere, source, external_id, goods, reason, content })
}
