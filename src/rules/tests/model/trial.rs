//! A trial: a scene happens to the model and to a shop that runs the rulebook; after every step both
//! must tell the same.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use tessera_rules::command::RedeemMode;
use tessera_rules::id::{MemberId, PurchaseId, RedemptionId, StoreId};
use tessera_rules::{Command, MemberState, Outcome, Programme, Refusal};
use uuid::Uuid;

use super::book::Book;
use super::calendar::{Instant, day_of, midnight, on};
use super::club::Club;
use super::compare::{self, Told};
use super::document::programme;
use super::redeem::What;
use super::sales::Receipt;
use super::scene::{Act, Scene, Step, Tie, Wait};
use super::{Member, No};

/// Something that runs the rulebook.
pub(crate) trait Shop {
    /// What a programme says beside what a book speaks of.
    fn base(&self) -> Programme;
    /// Whether it is asked like a till, at an instant to the microsecond: else it is told of the past,
    /// which may lie back as far as it likes, and shows its members a moment later.
    fn is_a_till(&self) -> bool;
    /// A number that no trial had before, and the store it happens in.
    fn open(&mut self) -> (u128, StoreId);
    fn enrol(&mut self, at: Instant, born: (u32, u32)) -> MemberId;
    fn adopt(&mut self, programme: &Programme);
    fn order(&mut self, member: MemberId, command: &Command, at: Instant) -> Result<Outcome, Refusal>;
    /// The member as a read shows him: settled, with every open lot.
    fn look(&mut self, member: MemberId, at: Instant) -> MemberState;
}

/// A member on both sides.
pub(super) struct Somebody {
    pub(super) id: MemberId,
    pub(super) sales: Vec<PurchaseId>,
    pub(super) redemptions: Vec<RedemptionId>,
}

pub(crate) struct Trial<'s, S> {
    pub(super) shop: &'s mut S,
    pub(super) base: Programme,
    pub(super) book: Book,
    pub(super) mug: String,
    pub(super) store: StoreId,
    pub(super) members: Vec<Somebody>,
    /// The same members as the model has them.
    pub(super) club: Club,
    pub(crate) now: Instant,
    ids: u128,
    /// Orders given so far, and those of them that were refused.
    pub(crate) orders: (u64, u64),
    /// How often something happened that is not in every history.
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

impl<'s, S: Shop> Trial<'s, S> {
    pub(crate) fn new(shop: &'s mut S, scene: &Scene, start: Instant) -> Self {
        let (number, store) = shop.open();
        let base = shop.base();
        let mug = format!("mug-{number}");
        shop.adopt(&programme(&scene.book, &base, &mug));
        let enrol =
            |&born: &(u32, u32)| Somebody { id: shop.enrol(start, born), sales: Vec::new(), redemptions: Vec::new() };
        let members = scene.born.iter().map(enrol).collect();
        let born = scene.born.iter().enumerate();
        let club = born.map(|(me, &born)| Member::new(me, &scene.book, start, Some(born))).collect();
        let club = Club { members: club };
        let (ids, book) = ((number + 1) << 64, scene.book.clone());
        Self { shop, base, book, mug, store, members, club, now: start, ids, orders: (0, 0), seen: BTreeMap::new() }
    }

    pub(crate) fn run(&mut self, scene: &Scene) {
        scene.steps.iter().for_each(|step| self.step(step));
    }

    pub(super) fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    pub(crate) fn wait(&mut self, wait: Wait) {
        let zone = self.book.zone;
        let night = |nights: i64| midnight(zone, on(day_of(zone, self.now), nights));
        self.now = match wait {
            Wait::Minutes(minutes) => self.now + Duration::minutes(minutes),
            Wait::Midnights(nights) => night(nights),
            Wait::Nearly(nights) if self.shop.is_a_till() => self.now.max(night(nights) - Duration::microseconds(1)),
            Wait::Nearly(nights) => self.now.max(night(nights) - Duration::minutes(1)),
        };
    }

    pub(crate) fn step(&mut self, step: &Step) {
        self.wait(step.wait);
        match &step.act {
            Act::Adopt(book) => self.adopt(book),
            Act::Buy(receipt) if !self.shop.is_a_till() => {
                let late = receipt.late.map(|late| late.clamp(-5, 30 * 24 * 60));
                self.act(step.who, &Act::Buy(Receipt { late, ..receipt.clone() }));
            }
            act => self.act(step.who, act),
        }
    }

    /// Another book comes into force, and everybody is settled under the one before and under it.
    fn adopt(&mut self, book: &Book) {
        self.settle();
        self.book = book.clone();
        self.shop.adopt(&programme(book, &self.base, &self.mug));
        self.club.adopt(self.now, book);
        self.settle();
    }

    fn settle(&mut self) {
        for who in 0..self.members.len() {
            self.act(who, &Act::Settle);
        }
    }

    fn act(&mut self, who: usize, act: &Act) {
        let command = self.command(who, act);
        let decided = self.shop.order(self.members[who].id, &command, self.now);
        let before = self.club.clone();
        let expected = self.told(who, &command, act);
        self.orders.0 += 1;
        let now = self.now;
        match (decided, expected) {
            (Ok(outcome), Ok(expected)) => {
                compare::outcome(&outcome, &expected);
                seen(act, &expected).iter().for_each(|word| *self.seen.entry(word).or_default() += 1);
            }
            (Err(refusal), Err(no)) => {
                assert_eq!(compare::refused(&refusal), no, "{act:?} at {now}");
                self.orders.1 += 1;
                // What is refused changes nothing.
                self.club = before;
            }
            (decided, expected) => panic!("{act:?} at {now}: {decided:?}, and not {expected:?}"),
        }
        let touched: BTreeSet<usize> = [who, self.next(who)].iter().flat_map(|&i| self.club.chain(i)).collect();
        for i in touched {
            let somebody = &self.members[i];
            let state = self.shop.look(somebody.id, now);
            let mut settled = self.club.clone();
            settled.does(i, now, |_| Ok(())).expect("settling is never refused");
            compare::member(&state, &settled.members[i], &somebody.redemptions);
        }
    }

    pub(super) fn next(&self, who: usize) -> usize {
        (who + 1) % self.members.len()
    }

    /// What the model makes of a command; what the command has made is remembered.
    fn told(&mut self, who: usize, command: &Command, act: &Act) -> Result<Told, No> {
        let (now, next) = (self.now, self.next(who));
        let (club, somebody) = (&mut self.club, &mut self.members[who]);
        let number = |i: usize, list: usize| i % list.max(1);
        match (command, act) {
            (Command::Purchase(purchase), Act::Buy(receipt)) => {
                let earned = club.begins(who, now, |member| member.buy(now, receipt))?;
                somebody.sales.push(purchase.id);
                somebody.redemptions.extend(purchase.redeem.map(|pay| pay.id));
                Ok(Told::Earned(earned))
            }
            (Command::Redeem(redeem), Act::Spend(..) | Act::Mug(_)) => {
                let hold = redeem.mode == RedeemMode::Hold;
                let what = if let Act::Spend(value, _) = act { What::MoneyOff(*value) } else { What::Mug };
                let elsewhere = club.members.iter().filter(|other| other.me != who).map(Member::mugs).sum();
                club.begins(who, now, |member| member.redeem(now, what, hold, elsewhere))?;
                somebody.redemptions.push(redeem.id);
                Ok(Told::Redeemed(club.members[who].redemptions.last().expect("just made").clone()))
            }
            (Command::Capture(_), Act::Capture(i, part)) => {
                let number = number(*i, somebody.redemptions.len());
                club.does(who, now, |member| member.capture(now, number, *part))?;
                Ok(Told::Redeemed(club.members[who].redemptions[number].clone()))
            }
            (Command::Void(_), Act::Void(i)) => {
                let number = number(*i, somebody.redemptions.len());
                club.does(who, now, |member| member.void(now, number))?;
                Ok(Told::Redeemed(club.members[who].redemptions[number].clone()))
            }
            (Command::Return(_), Act::Return(i, goods)) => {
                let number = number(*i, somebody.sales.len());
                club.does(who, now, |member| member.take_back(now, number, goods)).map(Told::Returned)
            }
            (Command::Move(moving), Act::Pass(i)) => {
                let number = somebody.sales.len() - 1 - number(*i, somebody.sales.len());
                let (returned, earned) = club.pass(who, number, next, now)?;
                self.members[next].sales.push(moving.again.id);
                Ok(Told::Moved(returned, earned))
            }
            (Command::Adjust(_), Act::Adjust(value)) => {
                done(club.begins(who, now, |member| member.adjust(now, *value)))
            }
            (Command::PlaceTier(place), Act::Place(tier, _)) => {
                done(club.begins(who, now, |member| member.place(now, *tier, place.until)))
            }
            (Command::UseEntitlement(asked), Act::DoubleDay(_)) => {
                let day = asked.day.expect("a day");
                club.begins(who, now, |member| member.choose_day(now, day)).map(Told::Left)
            }
            (Command::GrantPerks, _) => {
                let grant = |member: &mut Member| if member.is_merged() { Vec::new() } else { member.grant(now) };
                club.does(who, now, |member| Ok(grant(member))).map(Told::Granted)
            }
            (Command::Notify, _) => {
                let notify = |member: &mut Member| if member.is_merged() { Vec::new() } else { member.notify(now) };
                club.does(who, now, |member| Ok(notify(member))).map(Told::Warned)
            }
            (_, Act::Give(value)) => done(club.give(who, next, now, *value)),
            (_, Act::Tie(tie)) => self.tied(who, *tie).map(Told::Handed),
            _ => done(club.does(who, now, |_| Ok(()))),
        }
    }

    fn tied(&mut self, who: usize, tie: Tie) -> Result<i64, No> {
        let (club, next, now) = (&mut self.club, (who + 1) % self.members.len(), self.now);
        match tie {
            Tie::Join(may_spend) => club.join(who, next, now, may_spend),
            Tie::Allow(may_spend) => club.allow(who, now, may_spend).map(|()| 0),
            Tie::Leave => club.leave(who, now),
            Tie::Merge => club.merge(who, next, now),
            Tie::Unmerge => club.unmerge(who, now),
        }
    }
}

/// What is worth counting of what happened.
fn seen(act: &Act, told: &Told) -> Vec<&'static str> {
    match (act, told) {
        (_, Told::Granted(perks)) => perks.clone(),
        (_, Told::Earned(earned)) => earned.perks.clone(),
        (_, Told::Warned(warnings)) => warnings.iter().map(|warning| warning.of.word()).collect(),
        (_, Told::Moved(..)) => vec!["moved"],
        (Act::Tie(tie), _) => vec![tie.word()],
        (_, Told::Redeemed(made)) if made.gift.is_some() => vec!["mug for nothing"],
        _ => Vec::new(),
    }
}

fn done(told: Result<(), No>) -> Result<Told, No> {
    told.map(|()| Told::Nothing)
}
