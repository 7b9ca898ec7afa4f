//! The state of a member as loaded for one batch of commands, and how a decision changes it.

use std::collections::{BTreeMap, VecDeque};

use crate::amount::{OutOfRange, Points};
use crate::coupon::{Coupon, CouponsUsed};
use crate::decision::{CouponUse, Decision, Effect};
use crate::entitlement::EntitlementUse;
use crate::fulfilment::Fulfilment;
use crate::id::{MemberId, PurchaseId, QuoteId, RedemptionId};
use crate::ledger::{Account, Entry, GENESIS};
use crate::limit::{MemberUses, PromotionUsage};
use crate::link::{Link, Sent};
use crate::lot::{Lapse, Lot};
use crate::notice::Notice;
use crate::perk::PerkGrant;
use crate::redemption::{Redemption, RedemptionStatus};
use crate::referral::{Referral, Referred};
use crate::returns::Sold;
use crate::tag::Tags;
use crate::ticket::TicketChange;
use crate::tier::{Placement, TierChange};
use crate::time::{BirthDate, Day, Instant};
use crate::wallet::purse::Wallet;

/// What a batch knows: its members, and what they share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Members by id.
    pub members: BTreeMap<MemberId, MemberState>,
    /// Counters shared between members.
    pub shared: Shared,
}

/// Rows that several members change: how much of each limited thing is used up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// Rewards handed out so far, by code.
    pub rewards_used: BTreeMap<String, i64>,
    /// What was used of promotions that are limited for all members together, by code; loaded for a
    /// purchase.
    pub promotions_used: BTreeMap<String, PromotionUsage>,
    /// Issued coupons, by code: those that commands name, and for a quote those of the member.
    pub coupons: BTreeMap<String, Coupon>,
    /// What was used of all coupons of a type, by its code: of those coupons' types that have limits.
    pub coupons_used: CouponsUsed,
    /// Kept quotes that commands name, each with the purchase that was made of it.
    pub quotes: BTreeMap<QuoteId, Option<PurchaseId>>,
    /// Codes of partners that nobody has yet, by reward, in the order in which they go; loaded as many as
    /// a batch may need.
    pub vouchers: BTreeMap<String, VecDeque<String>>,
    /// How many tickets each reward has given, void ones too; loaded for those that a batch redeems.
    pub tickets_given: BTreeMap<String, i64>,
}

/// One member as loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberState {
    /// The hot row: balances and standing.
    pub standing: Standing,
    /// Open lots by number: all of them for a debit, a notice or a forecast, when a lot or a hold falls
    /// due, and for every command where [`crate::Programme::redates_lots`]; else none. Beside them, spent
    /// or not, the lots of a loaded sale and those a loaded redemption took from.
    pub lots: BTreeMap<i64, Lot>,
    /// Qualifying days that enter or leave the window up to the batch's time, the first day that
    /// stays in it, and the days whose cap a purchase asks for. For a notice or a forecast all from the
    /// start of the window on; for a plan all from the start of the other programme's window too.
    pub days: BTreeMap<Day, DayTotals>,
    /// Tier changes, oldest first; loaded when a command looks back in time.
    pub tier_changes: Vec<TierChange>,
    /// Perk grants; loaded for a perk, a reward, a placement, and a purchase inside a granted
    /// multiplier's window.
    pub grants: Vec<PerkGrant>,
    /// Uses of entitlements in this calendar year and later ones; loaded for a use, and for a purchase
    /// inside a granted multiplier's window (`Standing::boost_until`).
    pub entitlement_uses: Vec<EntitlementUse>,
    /// Uses of promotions that are limited by member; loaded for a purchase that one may be for.
    pub promotion_uses: MemberUses,
    /// How many events are on record; loaded for one.
    pub events: i64,
    /// Tags as of every instant a command looks at; loaded where a command changes them, and for a purchase
    /// where the programme asks for them ([`crate::Programme::asks_for_tags`]).
    pub tags: Tags,
    /// Notices of what is still to come (`due_at` after the command's time); loaded for
    /// [`crate::Command::Notify`] alone.
    pub notices: Vec<Notice>,
    /// By whom the member was referred; loaded for a purchase that may complete the referral, as long as it is open.
    pub referral: Option<Referral>,
    /// What the member's own referrals have come to; loaded for [`crate::Command::GrantPerks`].
    pub referred: Referred,
    /// Birth date; loaded for a perk.
    pub birth_date: Option<BirthDate>,
    /// Redemptions: every open hold when one is opened, ended or falls due, the one a command names,
    /// and the one that paid for a loaded sale; where grants are loaded, what was redeemed by them; for a
    /// reward with a limit for each member, what he has of it. Those a decision makes are added.
    pub redemptions: BTreeMap<RedemptionId, Redemption>,
    /// The wallet; loaded where one may be concerned.
    pub wallet: Option<Box<Wallet>>,
    /// Purchases as they stand, loaded for a return of their goods and for nothing else.
    pub sales: BTreeMap<PurchaseId, Sold>,
    /// The earliest expiry among open lots that were not loaded: noted when a purchase opens a lot
    /// beside them, for the new lot may lapse before they do. They are loaded before they move.
    unloaded_due_at: Option<Instant>,
    /// The fewest months of inactivity after which one of those lots lapses.
    unloaded_idle_months: Option<u32>,
}

/// A member's cached balances and standing: the one row a command locks. Everything in it follows
/// from the member's entries, lots, purchases and days, and `tessera verify` recomputes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub member: MemberId,
    /// A frozen member neither earns nor redeems.
    pub frozen: bool,
    /// When the member joined.
    pub enrolled_at: Instant,
    /// The time of the last command; the next is never earlier.
    pub recorded_at: Instant,
    /// Balance of `pending`.
    pub pending: Points,
    /// Balance of `available`.
    pub available: Points,
    /// Balance of `held`.
    pub held: Points,
    /// Balance of `debt`: what the member owes.
    pub debt: Points,
    /// Everything ever earned by purchases and perks.
    pub lifetime_earned: Points,
    /// Number of the last entry.
    pub entries: i64,
    /// Hash of the last entry.
    pub head: [u8; 32],
    /// Number of the last lot.
    pub lots: i64,
    /// Purchases so far.
    pub purchases: i64,
    /// When the latest of them happened; returns do not take it back.
    pub purchased_at: Option<Instant>,
    /// Unawarded fraction of a point, in micropoints (PROGRAMME.md §1).
    pub carry: i64,
    /// Code of the current tier; empty: the lowest.
    pub tier: String,
    /// Since when.
    pub tier_since: Instant,
    /// Number of the last tier change.
    pub tier_changes: i64,
    /// First day of the window that `window` sums.
    pub window_from: Day,
    /// Last day of it.
    pub window_to: Day,
    /// The sums of the qualifying days in the window.
    pub window: DayTotals,
    /// The oldest qualifying day in the window.
    pub window_oldest: Option<Day>,
    /// When the clock next changes an open lot: the earliest activation of a pending one or expiry
    /// of an available one.
    pub lots_due_at: Option<Instant>,
    /// The earliest time-out among open holds.
    pub holds_due_at: Option<Instant>,
    /// From when inactivity is counted: the last activity that counts, or the change of tier that put
    /// the lots under such a rule (PROGRAMME.md §5).
    pub active_at: Instant,
    /// The fewest months of inactivity after which an open lot lapses; absent: none does.
    pub idle_months: Option<u32>,
    /// When the first of them may lapse, unless the member is active before: never later than it does.
    pub idle_due_at: Option<Instant>,
    /// The end of the own tier's validity, where it has one; past it the tier is in its grace.
    pub tier_until: Option<Instant>,
    /// When the clock next looks at the own tier: the first midnight at which it may fall.
    pub tier_due_at: Option<Instant>,
    /// The placement by staff that is running.
    pub placement: Option<Placement>,
    /// The end of the last multiplier a perk granted.
    pub boost_until: Option<Instant>,
    /// The last step of the member's rotating code that was used; 0: none.
    pub otp_step: i64,
    /// With whom the member's points are kept.
    pub link: Option<Link>,
    /// What the member passed on last: the day, and the points of that day.
    pub sent: Option<Sent>,
    /// How many others of the household have joined the pool that this member keeps.
    pub household: i32,
}

/// What the purchases of one local day add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayTotals {
    /// Base points.
    pub points: i64,
    /// Basis in minor units.
    pub spend: i64,
    /// Purchases.
    pub visits: i64,
    /// Points given, for the cap per day.
    pub given: i64,
}

impl DayTotals {
    /// Adds another sum.
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        let add = |a: i64, b: i64| a.checked_add(b).ok_or(OutOfRange);
        Ok(Self {
            points: add(self.points, other.points)?,
            spend: add(self.spend, other.spend)?,
            visits: add(self.visits, other.visits)?,
            given: add(self.given, other.given)?,
        })
    }

    /// The same sum with its sign turned.
    pub fn negated(self) -> Self {
        Self { points: -self.points, spend: -self.spend, visits: -self.visits, given: -self.given }
    }
}

impl Standing {
    /// A member who has just joined.
    pub fn new(member: MemberId, enrolled_at: Instant) -> Self {
        Self {
            member,
            frozen: false,
            enrolled_at,
            recorded_at: enrolled_at,
            pending: Points::ZERO,
            available: Points::ZERO,
            held: Points::ZERO,
            debt: Points::ZERO,
            lifetime_earned: Points::ZERO,
            entries: 0,
            head: GENESIS,
            lots: 0,
            purchases: 0,
            purchased_at: None,
            carry: 0,
            tier: String::new(),
            tier_since: enrolled_at,
            tier_changes: 0,
            window_from: crate::tier::FIRST_DAY,
            window_to: crate::tier::LAST_DAY,
            window: DayTotals::default(),
            window_oldest: None,
            lots_due_at: None,
            holds_due_at: None,
            active_at: enrolled_at,
            idle_months: None,
            idle_due_at: None,
            tier_until: None,
            tier_due_at: None,
            placement: None,
            boost_until: None,
            otp_step: 0,
            link: None,
            sent: None,
            household: 0,
        }
    }

    /// The next instant at which the clock alone changes this member.
    pub fn due_at(&self) -> Option<Instant> {
        let due = [self.lots_due_at, self.idle_due_at, self.holds_due_at, self.tier_changes_at()];
        due.into_iter().flatten().min()
    }

    /// The next instant at which the clock may change the tier.
    pub fn tier_changes_at(&self) -> Option<Instant> {
        let placed = self.placement.as_ref().map(|placement| placement.until);
        [self.tier_due_at, placed].into_iter().flatten().min()
    }

    fn balance(&mut self, account: Account) -> Option<&mut Points> {
        match account {
            Account::Pending => Some(&mut self.pending),
            Account::Available => Some(&mut self.available),
            Account::Held => Some(&mut self.held),
            Account::Debt => Some(&mut self.debt),
            _ => None,
        }
    }

    /// Books an entry on the balances. Debt counts what goes out of it, the others what comes in.
    fn book(&mut self, entry: &Entry) -> Result<(), OutOfRange> {
        for (account, comes_in) in [(entry.from, false), (entry.to, true)] {
            let grows = comes_in != (account == Account::Debt);
            if let Some(balance) = self.balance(account) {
                *balance = if grows { balance.plus(entry.points)? } else { balance.minus(entry.points)? };
            }
        }
        self.entries = entry.number;
        self.head = entry.hash;
        Ok(())
    }
}

impl MemberState {
    /// A member with nothing loaded beside the standing.
    pub fn new(standing: Standing) -> Self {
        Self {
            standing,
            lots: BTreeMap::new(),
            days: BTreeMap::new(),
            tier_changes: Vec::new(),
            grants: Vec::new(),
            entitlement_uses: Vec::new(),
            promotion_uses: MemberUses::new(),
            events: 0,
            tags: Tags::default(),
            notices: Vec::new(),
            referral: None,
            referred: Referred::default(),
            birth_date: None,
            redemptions: BTreeMap::new(),
            wallet: None,
            sales: BTreeMap::new(),
            unloaded_due_at: None,
            unloaded_idle_months: None,
        }
    }

    /// Changes the state by one effect. Errors when a sum leaves ±(2^53 − 1).
    pub(crate) fn apply(&mut self, effect: &Effect) -> Result<(), OutOfRange> {
        match effect {
            Effect::Entry(entry) => self.standing.book(entry)?,
            Effect::OpenLot(lot) => self.open_lot(lot),
            Effect::MoveLot(movement) => self.change_lot(movement.lot, |lot| lot.book(movement))?,
            Effect::Day { day, totals } => {
                let sum = self.days.get(day).copied().unwrap_or_default().plus(*totals)?;
                self.days.insert(*day, sum);
            }
            Effect::Tier(change) => {
                self.standing.tier.clone_from(&change.to);
                self.standing.tier_since = change.at;
                self.standing.tier_changes = change.number;
                self.tier_changes.push(change.clone());
            }
            Effect::RedateLot { lot, expires_at, lapse } => self.change_lot(*lot, |lot| {
                (lot.expires_at, lot.lapse) = (*expires_at, *lapse);
                Ok(())
            })?,
            Effect::Grant(grant) => self.grants.push(grant.clone()),
            Effect::UseEntitlement(used) => self.entitlement_uses.push(used.clone()),
            Effect::Tag(change) => self.tags.learn(change.clone()),
            Effect::Notice(notice) => self.notices.push(notice.clone()),
            Effect::Standing(patch) => patch.apply(&mut self.standing)?,
            Effect::Activate { lot, .. } => self.change_lot(*lot, |lot| {
                lot.pending = false;
                Ok(())
            })?,
            Effect::Redemption(record) => self.redemption(record.id, record.redemption.clone()),
            Effect::Fulfil(step) => {
                if let Some(redemption) = self.redemptions.get_mut(&step.redemption) {
                    redemption.fulfilment = Some(Fulfilment { status: step.status, steps: step.number });
                }
            }
            Effect::Return(record) => {
                if let Some(sold) = self.sales.get_mut(&record.purchase) {
                    sold.record(record)?;
                }
            }
            Effect::UsePromotion(used) => {
                if let Some(day) = used.day {
                    *self.promotion_uses.entry(used.code.clone()).or_default().entry(day).or_default() +=
                        used.change.uses;
                }
            }
            Effect::Event(record) => self.events = record.number,
            Effect::CompleteReferral { .. } => {
                if let Some(referral) = &mut self.referral {
                    referral.completed = true;
                }
            }
            Effect::RewardReferral { member, number } => {
                self.referred.rewarded = *number;
                self.referred.due.retain(|due| due.member != *member);
            }
            Effect::Wallet(step) => self.wallet.get_or_insert_default().apply(step)?,
            Effect::Rate(rated) => {
                if let Some(sold) = self.sales.get_mut(&rated.purchase) {
                    sold.rate(rated.points, rated.clawed, rated.explanation.clone())?;
                }
            }
            Effect::UseReward { .. }
            | Effect::IssueCoupon(_)
            | Effect::RevokeCoupons { .. }
            | Effect::Message(_)
            | Effect::PutBackReward { .. }
            | Effect::Tickets(_)
            | Effect::UseCoupon(_)
            | Effect::GiveBackCoupon(_)
            | Effect::UseQuote { .. }
            | Effect::Purchase(_)
            | Effect::ReRated(_)
            | Effect::Transfer(_) => {}
        }
        Ok(())
    }

    fn open_lot(&mut self, lot: &Lot) {
        let due = self.standing.lots_due_at;
        if due.is_some() && !self.open_lots().any(|open| open.due_at() == due) {
            self.unloaded_due_at = due;
        }
        let idle = self.standing.idle_months;
        if idle.is_some() && !self.open_lots().any(|open| idle_months(open) == idle) {
            self.unloaded_idle_months = idle;
        }
        self.standing.idle_months = [idle, idle_months(lot)].into_iter().flatten().min();
        self.standing.lots = lot.number;
        self.standing.lots_due_at = [due, lot.due_at()].into_iter().flatten().min();
        self.lots.insert(lot.number, *lot);
    }

    /// Changes a lot, and where that may move the first instant at which the clock changes one, tells
    /// it anew from all of them.
    fn change_lot(
        &mut self,
        number: i64,
        change: impl FnOnce(&mut Lot) -> Result<(), OutOfRange>,
    ) -> Result<(), OutOfRange> {
        let Some(lot) = self.lots.get_mut(&number) else { return Ok(()) };
        let due = |lot: &Lot| lot.remaining.is_positive().then(|| (lot.due_at(), idle_months(lot)));
        let before = due(lot);
        change(lot)?;
        if due(lot) != before {
            self.standing.lots_due_at = self.open_lots().filter_map(Lot::due_at).chain(self.unloaded_due_at).min();
            self.standing.idle_months = self.open_lots().filter_map(idle_months).chain(self.unloaded_idle_months).min();
        }
        Ok(())
    }

    fn redemption(&mut self, id: RedemptionId, redemption: Redemption) {
        let held = |redemption: &Redemption| redemption.status == RedemptionStatus::Held;
        let is_held = held(&redemption);
        let was_held = self.redemptions.insert(id, redemption).is_some_and(|before| held(&before));
        // Open holds are loaded where one begins or ends, and only there.
        if was_held || is_held {
            let open = self.redemptions.values().filter(|redemption| held(redemption));
            self.standing.holds_due_at = open.filter_map(|redemption| redemption.held_until).min();
        }
    }

    /// Loaded lots with something left.
    pub(crate) fn open_lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.values().filter(|lot| lot.remaining.is_positive())
    }

    /// Whether there are open lots that lapse by inactivity and were not loaded.
    pub(crate) fn has_unloaded_idle_lots(&self) -> bool {
        let idle = self.standing.idle_months;
        self.unloaded_idle_months.is_some() || idle.is_some() && !self.open_lots().any(|lot| idle_months(lot) == idle)
    }
}

fn idle_months(lot: &Lot) -> Option<u32> {
    match lot.lapse {
        Lapse::Idle { months } => Some(months),
        Lapse::Dated | Lapse::Fixed => None,
    }
}

impl State {
    /// Changes the state by a decision made on it.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub fn enact(&mut self, member: MemberId, decision: &Decision) -> Result<(), OutOfRange> {
        self.apply(member, &decision.effects)?;
        decision.beside.iter().try_for_each(|beside| self.apply(beside.member, &beside.effects))
    }

    /// Changes one member's state by effects decided for it.
    ///
    /// # Errors
    /// A sum left ±(2^53 − 1); `decide` has met the same error before and refused.
    pub fn apply(&mut self, member: MemberId, effects: &[Effect]) -> Result<(), OutOfRange> {
        let Some(state) = self.members.get_mut(&member) else { return Ok(()) };
        for effect in effects {
            state.apply(effect)?;
            self.shared.apply(effect);
        }
        Ok(())
    }
}

impl Shared {
    /// Counts what an effect uses up or puts back.
    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::UseReward { code, voucher, .. } => self.take(code, voucher.as_ref()),
            Effect::PutBackReward { code, voucher, .. } => self.put_back(code, voucher.as_ref()),
            Effect::Tickets(TicketChange::Given { reward, tickets, .. }) => {
                self.tickets_given.insert(reward.clone(), tickets.last());
            }
            Effect::UsePromotion(used) => {
                let usage = self.promotions_used.entry(used.code.clone()).or_default();
                *usage = usage.plus(used.change);
            }
            Effect::UseCoupon(CouponUse { code, of, amount, .. }) => {
                if let Some(coupon) = self.coupons.get_mut(code) {
                    coupon.used += 1;
                }
                let usage = self.coupons_used.entry(of.clone()).or_default();
                *usage = usage.with(*amount);
            }
            Effect::GiveBackCoupon(CouponUse { code, of, amount, .. }) => {
                if let Some(coupon) = self.coupons.get_mut(code) {
                    coupon.used = coupon.used.saturating_sub(1);
                }
                let usage = self.coupons_used.entry(of.clone()).or_default();
                *usage = usage.without(*amount);
            }
            Effect::UseQuote { quote, purchase } => drop(self.quotes.insert(*quote, Some(*purchase))),
            _ => {}
        }
    }

    fn take(&mut self, reward: &str, voucher: Option<&String>) {
        *self.rewards_used.entry(reward.to_owned()).or_default() += 1;
        if let (Some(taken), Some(free)) = (voucher, self.vouchers.get_mut(reward)) {
            free.retain(|code| code != taken);
        }
    }

    fn put_back(&mut self, reward: &str, voucher: Option<&String>) {
        *self.rewards_used.entry(reward.to_owned()).or_default() -= 1;
        if let Some(free) = voucher {
            self.vouchers.entry(reward.to_owned()).or_default().push_front(free.clone());
        }
    }
}
