//! A decision in the making: a copy of the member that every recorded effect changes at once, so
//! that the next step of the same decision sees it.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::amount::Points;
use crate::command::{Actor, Context};
use crate::decision::{Effect, StandingPatch};
use crate::ledger::{Account, Entry, EntryKind};
use crate::limit::PromotionUsage;
use crate::lot::{Bite, Lapse, Lot, LotKey, LotMovement, consume};
use crate::member::MemberState;
use crate::programme::Programme;
use crate::refusal::Refusal;
use crate::time::{Day, Instant, Zone};

pub(crate) struct Draft<'a> {
    pub(crate) programme: &'a Programme,
    pub(crate) context: &'a Context,
    /// The time of the command: never before the member's last.
    pub(crate) at: Instant,
    pub(crate) member: MemberState,
    pub(crate) effects: Vec<Effect>,
    /// What all members have used of promotions before the command.
    pub(crate) promotions_used: BTreeMap<String, PromotionUsage>,
    /// Who keeps the member's points, unless he himself does.
    pub(crate) root: Option<Box<Self>>,
    /// The document of the command, for what moves between members because of it.
    pub(crate) document: Option<Uuid>,
}

/// What an entry says beside who, when and how much.
#[derive(Clone, Copy)]
pub(crate) struct Note<'n> {
    pub(crate) kind: EntryKind,
    pub(crate) actor: Actor,
    pub(crate) effective_at: Instant,
    pub(crate) document: Option<Uuid>,
    pub(crate) reason: Option<&'n str>,
    /// The entry it takes back.
    pub(crate) reverses: Option<i64>,
}

/// The life of the lot that a credit opens.
#[derive(Clone, Copy)]
pub(crate) struct LotLife {
    pub(crate) occurred_at: Instant,
    pub(crate) available_from: Instant,
    pub(crate) expires_at: Option<Instant>,
    pub(crate) lapse: Lapse,
    /// The lapsed lot whose points are given back.
    pub(crate) origin: Option<i64>,
    /// The lot of a linked member whose points these are.
    pub(crate) parent: Option<LotKey>,
}

/// What a debit took.
pub(crate) struct Taken {
    /// Its entry; absent where there was nothing to take.
    pub(crate) entry: Option<i64>,
    /// From which lots, in order of consumption.
    pub(crate) bites: Vec<Bite>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(programme: &'a Programme, context: &'a Context, member: &MemberState) -> Self {
        let at = context.now.max(member.standing.recorded_at);
        Self {
            programme,
            context,
            at,
            member: member.clone(),
            effects: Vec::new(),
            promotions_used: BTreeMap::new(),
            root: None,
            document: None,
        }
    }

    pub(crate) fn zone(&self) -> Zone {
        self.programme.time_zone
    }

    /// The programme's day of the command.
    pub(crate) fn today(&self) -> Day {
        self.zone().day_of(self.at)
    }

    /// The position of the member's current tier.
    pub(crate) fn tier(&self) -> usize {
        self.programme.tier_position(&self.member.standing.tier)
    }

    pub(crate) fn record(&mut self, effect: Effect) -> Result<(), Refusal> {
        self.member.apply(&effect)?;
        self.effects.push(effect);
        Ok(())
    }

    pub(crate) fn patch(&mut self, patch: StandingPatch) -> Result<(), Refusal> {
        self.record(Effect::Standing(patch))
    }

    pub(crate) fn entry(&mut self, note: Note<'_>, from: Account, to: Account, points: Points) -> Result<i64, Refusal> {
        let standing = &self.member.standing;
        let mut entry = Entry {
            member: standing.member,
            number: standing.entries + 1,
            kind: note.kind,
            from,
            to,
            points,
            effective_at: note.effective_at,
            recorded_at: self.at,
            actor: note.actor,
            document: note.document,
            reason: note.reason.map(str::to_owned),
            reverses: note.reverses,
            hash: [0; 32],
        };
        entry.hash = entry.chained(&standing.head);
        let number = entry.number;
        self.record(Effect::Entry(entry))?;
        Ok(number)
    }

    /// Credits points that are new to the member and opens a lot with them. What is spendable now
    /// pays debt first; what is not stands in `pending` and pays on activation (PROGRAMME.md §2).
    pub(crate) fn credit(
        &mut self,
        note: Note<'_>,
        from: Account,
        points: Points,
        life: LotLife,
    ) -> Result<(), Refusal> {
        let pending = life.available_from > self.at;
        let pays = if pending { Points::ZERO } else { points.min(self.member.standing.debt) };
        if pays.is_positive() {
            self.entry(note, from, Account::Debt, pays)?;
        }
        let rest = points.minus(pays)?;
        if rest.is_positive() {
            let to = if pending { Account::Pending } else { Account::Available };
            let entry = self.entry(note, from, to, rest)?;
            let lot = Lot {
                number: self.member.standing.lots + 1,
                entry,
                points: rest,
                remaining: rest,
                held: Points::ZERO,
                lapsed: Points::ZERO,
                pending,
                origin: life.origin,
                parent: life.parent,
                occurred_at: life.occurred_at,
                available_from: life.available_from,
                expires_at: life.expires_at,
                lapse: life.lapse,
            };
            self.record(Effect::OpenLot(lot))?;
        }
        Ok(())
    }

    /// Takes points out of `available`, lot by lot in the order of consumption at an instant. What is
    /// kept for the member elsewhere is fetched first.
    pub(crate) fn debit(&mut self, note: Note<'_>, to: Account, points: Points, at: Instant) -> Result<Taken, Refusal> {
        if self.member.standing.available < points {
            self.fetch(points)?;
        }
        let short = Refusal::InsufficientPoints { available: self.member.standing.available, required: points };
        let bites = consume(self.member.lots.values(), points, at).ok_or(short)?;
        let entry = self.move_lots(note, Account::Available, to, &bites)?;
        Ok(Taken { entry, bites })
    }

    /// Moves points of lots by one entry and returns its number. Nothing to move makes no entry.
    pub(crate) fn move_lots(
        &mut self,
        note: Note<'_>,
        from: Account,
        to: Account,
        bites: &[Bite],
    ) -> Result<Option<i64>, Refusal> {
        let total = bites.iter().try_fold(Points::ZERO, |sum, bite| sum.plus(bite.points))?;
        if total.is_zero() {
            return Ok(None);
        }
        let entry = self.entry(note, from, to, total)?;
        for bite in bites {
            self.record(Effect::MoveLot(LotMovement::of(entry, *bite, from, to)?))?;
        }
        Ok(Some(entry))
    }

    /// Pays debt with what has come to stand beside it, through the lots (PROGRAMME.md §2).
    pub(crate) fn pay_debt(&mut self, actor: Actor, document: Option<Uuid>, at: Instant) -> Result<(), Refusal> {
        let pays = self.member.standing.debt.min(self.member.standing.available);
        if pays.is_positive() {
            let kind = EntryKind::DebtPayment;
            let note = Note { kind, actor, effective_at: at, document, reason: None, reverses: None };
            self.debit(note, Account::Debt, pays, at)?;
        }
        Ok(())
    }
}

impl Note<'_> {
    /// What the clock does by itself at a due instant.
    pub(crate) fn by_the_clock(kind: EntryKind, due: Instant, document: Option<Uuid>) -> Self {
        Self { kind, actor: Actor::SYSTEM, effective_at: due, document, reason: None, reverses: None }
    }
}
