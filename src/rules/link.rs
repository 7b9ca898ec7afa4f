//! Links: a member whose points are kept with another, because both are one person or one household.
//!
//! Whatever a linked member earns is handed over to the keeper of his points at the end of the same
//! command, lot by lot with its expiry; what he spends is fetched from there first. A lot that was
//! handed over knows the lot it came from, its parent: points that come back go there, and when the
//! link ends the member takes along what is left of his own. Every step is an entry of kind
//! `transfer` on either side, so that each ledger stands for itself and all transfers sum to 0.

use std::collections::BTreeSet;

use crate::amount::{OutOfRange, Points};
use crate::command::Context;
use crate::decision::{Balance, Effect, StandingPatch};
use crate::draft::{Draft, LotLife, Note};
use crate::expiry::Activity;
use crate::id::MemberId;
use crate::ledger::{Account, EntryKind};
use crate::lot::{Bite, Lapse, Lot, LotKey};
use crate::member::{Standing, State};
use crate::programme::Programme;
use crate::refusal::Refusal;
use crate::time::Day;

/// With whom a member's points are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Where the points stand: the member that stays of two that were merged, or the head of the
    /// household.
    pub root: MemberId,
    /// Why.
    pub kind: LinkKind,
}

/// Why a member's points are kept with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// Both are one person; everything of the member counts for the root.
    Merged,
    /// Both are of one household, which shares points and nothing else.
    Pool {
        /// Whether the member may spend from the pool.
        may_spend: bool,
    },
}

/// What a member passed on, to count against the limit of a day: transfers to other members, and
/// points of a pool that its head did not spend himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The programme's local day.
    pub day: Day,
    /// The points of that day.
    pub points: Points,
}

impl Link {
    /// The word that entries give as the reason why points moved along a link.
    pub(crate) const fn reason(&self) -> &'static str {
        match self.kind {
            LinkKind::Merged => "merged",
            LinkKind::Pool { .. } => "pool",
        }
    }
}

impl Standing {
    /// The points within the member's reach: his own and, past his own debt, those kept for him, where he
    /// may spend them. Limits of a day are not asked.
    pub fn spendable(&self, keeper: Option<&Self>) -> Points {
        let may_spend = self.link.is_some_and(|link| link.kind != LinkKind::Pool { may_spend: false });
        let kept = keeper.filter(|keeper| may_spend && !keeper.frozen).map_or(Points::ZERO, |keeper| keeper.available);
        let rest = kept.minus(self.debt).unwrap_or(Points::ZERO).max(Points::ZERO);
        self.available.plus(rest).unwrap_or(self.available)
    }
}

/// Links followed at most; more than that is a circle.
const LONGEST: usize = 8;

impl<'a> Draft<'a> {
    /// A draft of a member together with whoever keeps his points, and whoever keeps theirs; all at
    /// one time, which is never before the last of any of them.
    pub(crate) fn linked(
        programme: &'a Programme,
        context: &'a Context,
        state: &State,
        member: MemberId,
    ) -> Result<Self, Refusal> {
        Self::linked_within(LONGEST, programme, context, state, member)
    }

    fn linked_within(
        links: usize,
        programme: &'a Programme,
        context: &'a Context,
        state: &State,
        member: MemberId,
    ) -> Result<Self, Refusal> {
        let loaded = state.members.get(&member).ok_or(Refusal::MemberUnknown)?;
        let mut draft = Draft::new(programme, context, loaded);
        draft.promotions_used.clone_from(&state.shared.promotions_used);
        if let Some(link) = loaded.standing.link {
            let left = links.checked_sub(1).ok_or(Refusal::LinkCircle)?;
            let root = Self::linked_within(left, programme, context, state, link.root)?;
            let at = draft.at.max(root.at);
            draft.root = Some(Box::new(root));
            draft.each(&mut |draft| {
                draft.at = at;
                Ok(())
            })?;
        }
        Ok(draft)
    }

    /// Ties the member to another: from now on his points are kept there. What he has goes there when
    /// the command is done.
    pub(crate) fn tie(&mut self, link: Link, state: &State) -> Result<(), Refusal> {
        let mut root = Self::linked(self.programme, self.context, state, link.root)?;
        let at = self.at.max(root.at);
        self.at = at;
        root.document = self.document;
        root.each(&mut |draft| {
            draft.at = at;
            draft.settle()
        })?;
        if self.member.lots.values().any(|lot| lot.remaining.is_positive()) {
            // Nothing lapses by being handed over.
            root.active_since(at)?;
        }
        self.root = Some(Box::new(root));
        self.patch(StandingPatch { link: Some(Some(link)), ..StandingPatch::default() })
    }

    /// Does something for the member and for each who keeps his points.
    pub(crate) fn each(&mut self, step: &mut dyn FnMut(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal> {
        step(self)?;
        self.root.as_mut().map_or(Ok(()), |root| root.each(step))
    }

    /// The balances people are told: where points are kept with another, what stands there.
    pub(crate) fn balance(&self) -> Balance {
        let own = Balance::from(&self.member.standing);
        match self.keeper() {
            Some(root) if self.is_merged() => root.balance(),
            Some(root) => Balance { debt: own.debt, ..root.balance() },
            None => own,
        }
    }

    /// Whether the member is the same person as another, who is the member now.
    pub(crate) fn is_merged(&self) -> bool {
        self.member.standing.link.is_some_and(|link| link.kind == LinkKind::Merged)
    }

    /// Who keeps the member's points, unless he himself does.
    fn keeper(&self) -> Option<&Self> {
        self.root.as_deref().filter(|_| self.member.standing.link.is_some())
    }

    /// The points within the member's reach: his own and, past his own debt, those kept for him. Those
    /// that a frozen member keeps are out of reach.
    pub(crate) fn reach(&self) -> Result<Points, OutOfRange> {
        let kept = match self.keeper() {
            Some(root) if !root.member.standing.frozen => root.reach()?,
            _ => Points::ZERO,
        };
        let standing = &self.member.standing;
        standing.available.plus(kept.minus(standing.debt)?.max(Points::ZERO))
    }

    /// Hands everything the member has to whoever keeps his points: lots with their expiry, and the
    /// debt of a member that was merged. What a frozen member would have to keep stays.
    pub(crate) fn hand_over(&mut self) -> Result<(), Refusal> {
        let Some(link) = self.member.standing.link else { return Ok(()) };
        let Some(mut root) = self.root.take() else { return Ok(()) };
        if !root.member.standing.frozen {
            let note = self.transfer_note(link.reason());
            if link.kind == LinkKind::Merged {
                self.hand_over_debt(note, &mut root)?;
            }
            for from in [Account::Pending, Account::Available] {
                let parcels: Vec<Parcel> = self.open_lots(from).map(|lot| (lot, lot.remaining)).collect();
                self.part_with(note, from, &parcels)?;
                root.receive(note, Some(self.member.standing.member), &parcels)?;
                if !parcels.is_empty() {
                    root.active(Activity::Earning, self.at)?;
                }
            }
            root.hand_over()?;
        }
        self.root = Some(root);
        Ok(())
    }

    fn hand_over_debt(&mut self, note: Note<'_>, root: &mut Self) -> Result<(), Refusal> {
        let debt = self.member.standing.debt;
        if debt.is_positive() {
            self.entry(note, Account::Transferred, Account::Debt, debt)?;
            root.entry(note, Account::Debt, Account::Transferred, debt)?;
            root.pay_debt(note.actor, note.document, note.effective_at)?;
        }
        Ok(())
    }

    /// Fetches what the member's own points lack to `points`, in the keeper's order of consumption.
    /// On the way in they pay the member's own debt first, as all points do.
    ///
    /// # Errors
    /// [`Refusal::InsufficientPoints`] where so many are not within reach.
    pub(crate) fn fetch(&mut self, points: Points) -> Result<(), Refusal> {
        let available = self.reach()?;
        if available < points {
            return Err(Refusal::InsufficientPoints { available, required: points });
        }
        let standing = &self.member.standing;
        let wanted = points.minus(standing.available)?.plus(standing.debt)?;
        let (Some(link), Some(mut root)) = (standing.link, self.root.take()) else { return Ok(()) };
        if root.member.standing.available < wanted {
            root.fetch(wanted)?;
        }
        let note = self.transfer_note(link.reason());
        let taken = root.debit(note, Account::Transferred, wanted, self.at)?;
        root.active(Activity::Redeeming, self.at)?;
        let parcels: Vec<Parcel> = taken.bites.iter().map(|bite| (root.member.lots[&bite.lot], bite.points)).collect();
        self.receive(note, Some(root.member.standing.member), &parcels)?;
        self.root = Some(root);
        Ok(())
    }

    /// Brings home at most `limit` of what the keeper has left of the member's own lots: pending ones
    /// first, then in order of consumption. Returns how many came.
    pub(crate) fn bring_home(&mut self, own: &BTreeSet<i64>, limit: Points) -> Result<Points, Refusal> {
        let (Some(link), Some(mut root)) = (self.member.standing.link, self.root.take()) else {
            return Ok(Points::ZERO);
        };
        let children = root.children(self.member.standing.member, own);
        let there = children.iter().try_fold(Points::ZERO, |sum, lot| sum.plus(lot.remaining))?;
        if there < limit {
            let handed_on = children.iter().map(|lot| lot.number).collect();
            root.bring_home(&handed_on, limit.minus(there)?)?;
        }
        let mut children = root.children(self.member.standing.member, own);
        children.sort_unstable_by_key(|lot| (!lot.pending, lot.consumption_order()));
        let note = self.transfer_note(link.reason());
        let mut missing = limit;
        for from in [Account::Pending, Account::Available] {
            let mut parcels = Vec::new();
            for lot in children.iter().filter(|lot| lot.pending == (from == Account::Pending)) {
                let points = lot.remaining.min(missing);
                missing = missing.minus(points)?;
                if points.is_positive() {
                    parcels.push((*lot, points));
                }
            }
            root.part_with(note, from, &parcels)?;
            self.receive(note, Some(root.member.standing.member), &parcels)?;
        }
        self.root = Some(root);
        Ok(limit.minus(missing)?)
    }

    /// Points of the member's own lots that lapsed while others had them: so many as was loaded, and what
    /// lapsed a moment ago.
    pub(crate) fn lapsed_elsewhere(&self, own: &BTreeSet<i64>, loaded: Points) -> Result<Points, OutOfRange> {
        let in_all = self.sum_kept(own, &|_, lot| Ok(lot.lapsed))?;
        let just_now = self.sum_kept(own, &|root, lot| {
            let lapsed = root.effects.iter().filter_map(|effect| match effect {
                Effect::MoveLot(movement) if movement.lot == lot.number => Some(movement.lapsed),
                _ => None,
            });
            lapsed.into_iter().try_fold(Points::ZERO, |sum, points| sum.plus(points))
        })?;
        Ok(in_all.max(loaded.plus(just_now)?))
    }

    /// Sums something over the lots that hold points of the member's own lots where they are kept.
    fn sum_kept(
        &self,
        own: &BTreeSet<i64>,
        what: &dyn Fn(&Self, &Lot) -> Result<Points, OutOfRange>,
    ) -> Result<Points, OutOfRange> {
        let Some(root) = self.root.as_deref() else { return Ok(Points::ZERO) };
        let children = root.children(self.member.standing.member, own);
        let here = children.iter().try_fold(Points::ZERO, |sum, lot| sum.plus(what(root, lot)?))?;
        here.plus(root.sum_kept(&children.iter().map(|lot| lot.number).collect(), what)?)
    }

    /// The lots here that hold points of another member's lots.
    fn children(&self, member: MemberId, lots: &BTreeSet<i64>) -> Vec<Lot> {
        let is_child = |lot: &&Lot| lot.parent.is_some_and(|key| key.member == member && lots.contains(&key.lot));
        self.member.lots.values().filter(is_child).copied().collect()
    }

    fn open_lots(&self, account: Account) -> impl Iterator<Item = Lot> {
        let pending = account == Account::Pending;
        let open = move |lot: &&Lot| lot.remaining.is_positive() && lot.pending == pending;
        self.member.lots.values().filter(open).copied()
    }

    fn part_with(&mut self, note: Note<'_>, from: Account, parcels: &[Parcel]) -> Result<(), Refusal> {
        let bites: Vec<Bite> = parcels.iter().map(|(lot, points)| Bite { lot: lot.number, points: *points }).collect();
        self.move_lots(note, from, Account::Transferred, &bites)?;
        Ok(())
    }

    /// Takes in points of another member's lots: to the lots they once left here, or into lots of
    /// their own with the same expiry. `from` is whose they are; absent: they are given for good.
    pub(crate) fn receive(
        &mut self,
        note: Note<'_>,
        from: Option<MemberId>,
        parcels: &[Parcel],
    ) -> Result<(), Refusal> {
        for (lot, points) in parcels {
            let here = |key: &LotKey| key.member == self.member.standing.member;
            let home = from.and(lot.parent).filter(here).and_then(|key| self.member.lots.get(&key.lot)).copied();
            match home {
                Some(home)
                    if (home.pending, home.expires_at, home.lapse) == (lot.pending, lot.expires_at, lot.lapse) =>
                {
                    let to = if lot.pending { Account::Pending } else { Account::Available };
                    let bite = Bite { lot: home.number, points: *points };
                    self.move_lots(note, Account::Transferred, to, &[bite])?;
                    self.pay_debt(note.actor, note.document, note.effective_at)?;
                }
                // A lot whose expiry is another by now is not reopened.
                home => {
                    // What lapses by inactivity and was given for good counts from the day it came.
                    let idle = from.is_none() && matches!(lot.lapse, Lapse::Idle { .. });
                    let life = LotLife {
                        occurred_at: if idle { self.at } else { lot.occurred_at },
                        available_from: lot.available_from,
                        expires_at: lot.expires_at,
                        lapse: lot.lapse,
                        origin: home.map(|home| home.origin.unwrap_or(home.number)),
                        parent: match home {
                            Some(home) => home.parent,
                            None => from.map(|member| LotKey { member, lot: lot.number }),
                        },
                    };
                    self.credit(note, Account::Transferred, *points, life)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn transfer_note(&self, reason: &'static str) -> Note<'static> {
        Note {
            kind: EntryKind::Transfer,
            actor: self.context.actor,
            effective_at: self.at,
            document: self.document,
            reason: Some(reason),
            reverses: None,
        }
    }
}

/// Points of a lot on their way to another member.
pub(crate) type Parcel = (Lot, Points);
