//! A decision in the making: a copy of the member that every recorded effect changes at once, so
//! that the next step of the same decision sees it.

use uuid::Uuid;

use crate::amount::Points;
use crate::command::{Actor, Context};
use crate::decision::{Effect, Refusal, StandingPatch};
use crate::ledger::{Account, Entry, EntryKind};
use crate::lot::{Lot, LotMovement, consume};
use crate::member::MemberState;
use crate::programme::Programme;
use crate::time::{Day, Instant, Zone};

pub(crate) struct Draft<'a> {
    pub(crate) programme: &'a Programme,
    pub(crate) context: &'a Context,
    /// The time of the command: never before the member's last.
    pub(crate) at: Instant,
    pub(crate) member: MemberState,
    pub(crate) effects: Vec<Effect>,
}

/// What an entry says beside who, when and how much.
#[derive(Clone, Copy)]
pub(crate) struct Note<'n> {
    pub(crate) kind: EntryKind,
    pub(crate) actor: Actor,
    pub(crate) effective_at: Instant,
    pub(crate) document: Option<Uuid>,
    pub(crate) reason: Option<&'n str>,
}

/// The life of the lot that a credit opens.
#[derive(Clone, Copy)]
pub(crate) struct LotLife {
    pub(crate) occurred_at: Instant,
    pub(crate) available_from: Instant,
    pub(crate) expires_at: Option<Instant>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(programme: &'a Programme, context: &'a Context, member: &MemberState) -> Self {
        let at = context.now.max(member.standing.recorded_at);
        Self { programme, context, at, member: member.clone(), effects: Vec::new() }
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

    fn entry(&mut self, note: Note<'_>, from: Account, to: Account, points: Points) -> Result<i64, Refusal> {
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
            reverses: None,
            hash: [0; 32],
        };
        entry.hash = entry.chained(&standing.head);
        let number = entry.number;
        self.record(Effect::Entry(entry))?;
        Ok(number)
    }

    /// Credits points that are new to the member: debt is paid first, a lot opens with the rest
    /// (PROGRAMME.md §2).
    pub(crate) fn credit(
        &mut self,
        note: Note<'_>,
        from: Account,
        points: Points,
        life: LotLife,
    ) -> Result<(), Refusal> {
        let pays = points.min(self.member.standing.debt);
        if pays.is_positive() {
            self.entry(note, from, Account::Debt, pays)?;
        }
        let rest = points.minus(pays)?;
        if rest.is_positive() {
            let entry = self.entry(note, from, Account::Available, rest)?;
            let lot = Lot {
                number: self.member.standing.lots + 1,
                entry,
                points: rest,
                remaining: rest,
                occurred_at: life.occurred_at,
                available_from: life.available_from,
                expires_at: life.expires_at,
            };
            self.record(Effect::OpenLot(lot))?;
        }
        Ok(())
    }

    /// Takes points out of `available`, lot by lot in consumption order.
    pub(crate) fn debit(&mut self, note: Note<'_>, to: Account, points: Points) -> Result<(), Refusal> {
        let short = Refusal::InsufficientPoints { available: self.member.standing.available, required: points };
        if self.member.standing.available < points {
            return Err(short);
        }
        let bites = consume(self.member.lots.values(), points, self.at).ok_or(short)?;
        let entry = self.entry(note, Account::Available, to, points)?;
        for (lot, bite) in bites {
            self.bite(entry, lot, bite)?;
        }
        Ok(())
    }

    /// Lets what is left of a lot lapse at the instant it was due.
    pub(crate) fn expire(&mut self, lot: &Lot, due: Instant) -> Result<(), Refusal> {
        let note =
            Note { kind: EntryKind::Expiry, actor: Actor::SYSTEM, effective_at: due, document: None, reason: None };
        let entry = self.entry(note, Account::Available, Account::Expired, lot.remaining)?;
        self.bite(entry, lot.number, lot.remaining)
    }

    fn bite(&mut self, entry: i64, lot: i64, points: Points) -> Result<(), Refusal> {
        self.record(Effect::MoveLot(LotMovement { entry, lot, points: Points::ZERO.minus(points)? }))
    }
}
