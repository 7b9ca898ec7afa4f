//! Deciding a batch, command by command, and gathering what is to be written.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tessera_rules::decision::{Beside, Effect, PurchaseRecord, RedemptionRecord, ReturnRecord};
use tessera_rules::explain::Explanation;
use tessera_rules::id::{MemberId, RedemptionId};
use tessera_rules::limit::PromotionUsage;
use tessera_rules::time::{Day, Instant};
use tessera_rules::wallet::WalletCommand;
use tessera_rules::{Command, Context, Decision, MemberState, Outcome, Refusal, Standing, State, decide};
use uuid::Uuid;

use crate::clock::{new_uuid, random_bytes};
use crate::store::batch::{Loaded, Writes};
use crate::store::referral::Found;
use crate::store::rows::{AuditRow, DayRow, IdempotencyRow, OutboxRow, PurchaseRow, RedemptionRow, RewardUsageRow};

use super::convert::{self, broken};
use super::counting::Counting;
use super::state::{refer, state};
use super::wallets::Gathered;
use super::{Answer, Answered, Audit, Claim, Failure, Reply, Submission, Time, Versioned, documents, event, gifts};

/// A standing and the version it has once stored.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) standing: Standing,
    pub(super) version: i64,
}

/// What came of a batch.
pub(super) struct Decided {
    /// Everything to write.
    pub(super) writes: Writes,
    /// The members that were changed, as they stand when that is written.
    pub(super) changed: Vec<Known>,
    /// What all members have used of the promotions that it looked at, when that is written.
    pub(super) promotions_used: Vec<(String, PromotionUsage)>,
    /// Whether a refusal rests on a remembered standing, which may have moved on.
    pub(super) doubtful: bool,
}

/// What a command changes, member by member and in order.
type Changes = Vec<(MemberId, Vec<Effect>)>;

/// What is known of an earlier use of a key.
struct Used {
    fingerprint: Vec<u8>,
    answer: Answer,
}

/// What is known of an earlier receipt, of a purchase or a return.
struct Receipt {
    id: Uuid,
    content: Vec<u8>,
    named_at: Option<Instant>,
    answer: String,
}

/// A batch in the middle of being decided.
pub(super) struct Deciding {
    programme: Arc<Versioned>,
    now: Instant,
    state: State,
    used: HashMap<(Uuid, String), Used>,
    receipts: HashMap<(String, String), Receipt>,
    returns: HashMap<(String, String), Receipt>,
    /// Where the goods that come back were sold.
    sold_in: HashMap<Uuid, Uuid>,
    /// The versions of the members' standings, and who was remembered instead of loaded.
    versions: HashMap<MemberId, i64>,
    remembered: BTreeSet<MemberId>,
    /// Whether a refusal rests on a remembered standing.
    doubtful: bool,
    /// Members that were changed, and by how much the counts of rewards were.
    changed: BTreeSet<MemberId>,
    counted: BTreeMap<String, i64>,
    promotions: Counting,
    /// Whether commands may issue coupons, whose codes take chance.
    issues_coupons: bool,
    redemptions: BTreeMap<Uuid, RedemptionRow>,
    new_lots: BTreeSet<(MemberId, i64)>,
    moved_lots: BTreeSet<(MemberId, i64)>,
    days: BTreeMap<(Uuid, Day), DayRow>,
    wallets: Gathered,
    writes: Writes,
}

impl Deciding {
    pub(super) fn new(programme: Arc<Versioned>) -> Self {
        Self {
            issues_coupons: programme.programme.issues_coupons(),
            programme,
            now: Instant::UNIX_EPOCH,
            state: State::default(),
            used: HashMap::new(),
            receipts: HashMap::new(),
            returns: HashMap::new(),
            sold_in: HashMap::new(),
            versions: HashMap::new(),
            remembered: BTreeSet::new(),
            doubtful: false,
            changed: BTreeSet::new(),
            counted: BTreeMap::new(),
            promotions: Counting::default(),
            redemptions: BTreeMap::new(),
            new_lots: BTreeSet::new(),
            moved_lots: BTreeSet::new(),
            days: BTreeMap::new(),
            wallets: Gathered::default(),
            writes: Writes::default(),
        }
    }

    /// Takes note of what was loaded for the commands to come, of which nothing is known yet, and of the
    /// time it is.
    pub(super) fn learn(&mut self, mut loaded: Loaded, now: Instant) -> Result<(), Failure> {
        self.now = now;
        self.versions.extend(loaded.standings.iter().map(|row| (MemberId::new(row.member_id), row.version)));
        let State { members, shared } = state(&mut loaded)?;
        self.state.members.extend(members);
        self.state.shared.rewards_used.extend(shared.rewards_used);
        for (promotion, usage) in shared.promotions_used {
            if self.promotions.learn(&promotion) {
                // What commands before have given back is noted already.
                let used = self.state.shared.promotions_used.entry(promotion).or_default();
                *used = used.plus(usage);
            }
        }
        self.state.shared.coupons.extend(shared.coupons);
        self.state.shared.coupons_used.extend(shared.coupons_used);
        self.state.shared.quotes.extend(shared.quotes);
        self.state.shared.vouchers.extend(shared.vouchers);
        self.state.shared.tickets_given.extend(shared.tickets_given);
        for row in loaded.keys {
            let body = row.body.ok_or_else(|| broken("answer"))?;
            let answer = Answer { status: row.status.unsigned_abs(), body };
            self.used.insert((row.caller, row.key), Used { fingerprint: row.fingerprint, answer });
        }
        self.receipts.extend(loaded.receipts.into_iter().map(|row| {
            let named_at = row.occurred_named.then_some(row.occurred_at);
            let receipt = Receipt { id: row.id, content: row.content, named_at, answer: row.answer };
            ((row.source, row.external_id), receipt)
        }));
        self.returns.extend(loaded.returns.into_iter().map(|row| {
            let receipt = Receipt { id: row.id, content: row.content, named_at: None, answer: row.answer };
            ((row.source, row.external_id), receipt)
        }));
        self.sold_in.extend(loaded.sales.iter().map(|row| (row.id, row.store_id)));
        Ok(())
    }

    /// The programme version it decides under.
    pub(super) fn version(&self) -> i64 {
        self.programme.version
    }

    /// How a member stands after what was decided so far.
    pub(super) fn standing(&self, member: MemberId) -> Option<&Standing> {
        self.state.members.get(&member).map(|member| &member.standing)
    }

    /// Adds a member as remembered, with nothing loaded beside the standing.
    pub(super) fn recall(&mut self, Known { standing, version }: Known) {
        let member = standing.member;
        self.versions.insert(member, version);
        self.remembered.insert(member);
        self.state.members.insert(member, MemberState::new(standing));
    }

    /// Takes note of open referrals of members it knows.
    pub(super) fn refer(&mut self, found: &Found) {
        refer(&mut self.state, found);
    }

    /// Whether it was told how much of a promotion was used.
    pub(super) fn knows_promotion(&self, promotion: &str) -> bool {
        self.promotions.knows(promotion)
    }

    /// Whether a member was loaded.
    pub(super) fn knows(&self, member: MemberId) -> bool {
        self.state.members.contains_key(&member)
    }

    /// Decides one command of the batch; a failure is its own and changes nothing.
    pub(super) fn take(&mut self, submission: &Submission) -> Answered {
        if let Some(claim) = &submission.claim
            && let Some(used) = self.used.get(&(claim.caller, claim.key.clone()))
        {
            return if used.fingerprint == claim.fingerprint {
                Ok(Reply::Replayed(used.answer.clone()))
            } else {
                Err(Failure::KeyReused)
            };
        }
        if let Some(known) = self.known_document(&submission.command) {
            let (id, body) = known?;
            let answer = Answer { status: 200, body };
            self.claim(submission, &answer, Some(id));
            return Ok(Reply::Known(answer));
        }
        self.decide(submission)
    }

    /// The document that was made of the same receipt before, with its answer; or that another one
    /// has its number.
    fn known_document(&self, command: &Command) -> Option<Result<(Uuid, String), Failure>> {
        let (receipt, content, occurred_at, conflict) = match command {
            Command::Purchase(purchase) => {
                let name = (purchase.source.clone(), purchase.external_id.clone());
                (self.receipts.get(&name)?, purchase.content, purchase.occurred_at, Failure::ReceiptConflict)
            }
            Command::Return(goods) => {
                let name = (goods.source.clone(), goods.external_id.clone());
                (self.returns.get(&name)?, goods.content, None, Failure::ReturnConflict)
            }
            _ => return None,
        };
        let times_differ = matches!((receipt.named_at, occurred_at), (Some(a), Some(b)) if a != b);
        let same = receipt.content == content && !times_differ;
        Some(if same { Ok((receipt.id, receipt.answer.clone())) } else { Err(conflict) })
    }

    fn decide(&mut self, submission: &Submission) -> Answered {
        let context = Context {
            now: submission.time.instant(self.now),
            actor: submission.actor,
            programme_version: self.programme.version,
            historic: matches!(submission.time, Time::Past(_)),
            seed: self.issues_coupons.then(random_bytes),
        };
        let programme = &self.programme.programme;
        let decision = decide(programme, &self.state, submission.member, &submission.command, &context);
        let (outcome, changes) = match decision {
            Ok(Decision { effects, beside, outcome }) => {
                let beside = beside.into_iter().map(|Beside { member, effects }| (member, effects));
                (Ok(outcome), std::iter::once((submission.member, effects)).chain(beside).collect())
            }
            Err(refusal) => {
                // Storing proves what was granted, not what was refused.
                self.doubtful |= self.remembered.contains(&submission.member);
                (Err(refusal), Vec::new())
            }
        };
        let answer = (submission.render)(&outcome);
        let mut document = None;
        if let Ok(outcome) = &outcome
            && material(&submission.command, &changes)
        {
            document = self.write(submission, outcome, changes, &answer)?;
        }
        // That a member does not exist is not remembered: enrolling makes the same request right. Nor that
        // he was merged: the same request goes to the one that stays.
        if !matches!(outcome, Err(Refusal::MemberUnknown | Refusal::MemberMerged)) {
            self.claim(submission, &answer, document);
        }
        Ok(Reply::Decided { answer, outcome })
    }

    /// Notes the idempotency key with its answer; an answer that a document keeps stays there.
    fn claim(&mut self, submission: &Submission, answer: &Answer, document: Option<Uuid>) {
        let Some(Claim { caller, key, fingerprint }) = submission.claim.clone() else { return };
        self.writes.keys.push(IdempotencyRow {
            caller,
            key: key.clone(),
            fingerprint: fingerprint.to_vec(),
            member_id: submission.member.uuid(),
            status: i16::try_from(answer.status).unwrap_or(i16::MAX),
            document_id: document,
            body: document.is_none().then(|| answer.body.clone()),
            created_at: submission.time.instant(self.now),
        });
        self.used.insert((caller, key), Used { fingerprint: fingerprint.to_vec(), answer: answer.clone() });
    }

    /// Applies a decision to the state and gathers its rows; returns the document that keeps the
    /// answer.
    fn write(
        &mut self,
        submission: &Submission,
        outcome: &Outcome,
        changes: Changes,
        answer: &Answer,
    ) -> Result<Option<Uuid>, Failure> {
        let mut moved = 0;
        for (member, effects) in changes {
            let applied = self.state.apply(member, &effects);
            applied.map_err(|_| Failure::Internal("a decision could not be applied".to_owned()))?;
            self.changed.insert(member);
            for effect in effects {
                if let Effect::Entry(entry) = &effect
                    && member == submission.member
                {
                    moved += entry.points.get();
                }
                if let (Effect::Purchase(_), Some(why)) = (&effect, explanation(outcome)) {
                    self.promotions.decided(&self.programme.programme, why);
                }
                self.gather(submission, member, effect, answer)?;
            }
        }
        let document = document(&submission.command);
        self.event(submission, outcome, document, moved);
        self.audit(submission);
        Ok(document)
    }

    /// The rows of one effect.
    fn gather(
        &mut self,
        submission: &Submission,
        member: MemberId,
        effect: Effect,
        answer: &Answer,
    ) -> Result<(), Failure> {
        let member_id = member.uuid();
        match effect {
            Effect::Entry(entry) => self.writes.entries.push(convert::entry_row(entry)),
            Effect::OpenLot(lot) => drop(self.new_lots.insert((member, lot.number))),
            Effect::MoveLot(movement) => {
                self.moved_lots.insert((member, movement.lot));
                self.writes.movements.push(convert::movement_row(member_id, &movement));
            }
            Effect::Activate { lot, .. } | Effect::RedateLot { lot, .. } => drop(self.moved_lots.insert((member, lot))),
            Effect::Day { day, totals } => {
                let row = self.days.entry((member_id, day));
                let row = row.or_insert(DayRow { member_id, day, points: 0, spend: 0, visits: 0, given: 0 });
                row.points += totals.points;
                row.spend += totals.spend;
                row.visits += totals.visits;
                row.given += totals.given;
            }
            Effect::Tier(change) => self.writes.tier_changes.push(convert::tier_change_row(member_id, change)),
            Effect::Grant(grant) => self.writes.grants.push(convert::grant_row(member_id, grant)?),
            Effect::UseEntitlement(used) => self.writes.uses.push(documents::entitlement_use_row(member_id, used)),
            Effect::Tag(change) => self.writes.tags.changed(member, change, submission.actor),
            Effect::Notice(notice) => self.writes.notices.push(documents::notice_row(member_id, notice)?),
            Effect::UseReward { code, redemption, voucher } => self.use_reward(code, redemption, voucher),
            Effect::PutBackReward { code, redemption, voucher } => {
                self.writes.reward.freed.extend(voucher.map(|_| redemption.uuid()));
                *self.counted.entry(code).or_default() -= 1;
            }
            Effect::Tickets(change) => {
                let at = self.recorded_at(member);
                self.writes.reward.tickets.changed(change, member, at);
            }
            Effect::Fulfil(step) => {
                let row = documents::step_row(step, self.recorded_at(member), submission.actor);
                self.writes.reward.steps.push(row);
            }
            Effect::UsePromotion(used) => {
                if let Some(promotion) = self.programme.programme.promotion(&used.code)
                    && !promotion.trigger.is_purchase()
                {
                    self.promotions.granted(promotion, used.change.points);
                }
                self.promotions.count(member, used);
            }
            Effect::IssueCoupon(_)
            | Effect::RevokeCoupons { .. }
            | Effect::Message(_)
            | Effect::Event(_)
            | Effect::CompleteReferral { .. }
            | Effect::RewardReferral { .. } => {
                let at = self.recorded_at(member);
                gifts::gather(&mut self.writes, effect, (member, at), submission.actor)?;
            }
            Effect::UseCoupon(used) => self.writes.coupons.used(used, self.recorded_at(member)),
            Effect::GiveBackCoupon(used) => self.writes.coupons.given_back(used, self.recorded_at(member)),
            Effect::UseQuote { quote, purchase } => self.writes.coupons.made_of(quote, purchase),
            Effect::Wallet(step) => self.wallets.step(*step),
            Effect::Purchase(record) => self.purchase(submission, member, record, answer)?,
            Effect::Redemption(record) => self.redemption(submission, member, record, answer),
            Effect::Return(record) => self.goods(submission, member, record, answer)?,
            Effect::Transfer(record) => {
                let recorded_at = self.recorded_at(member);
                let row = documents::transfer_row(record, recorded_at, submission.actor, answer.body.clone());
                self.writes.transfers.push(row);
            }
            Effect::Rate(_) | Effect::ReRated(_) => self.re_rated(member, effect),
            Effect::Standing(_) => {}
        }
        Ok(())
    }

    fn re_rated(&mut self, member: MemberId, effect: Effect) {
        let (at, changes) = (self.recorded_at(member), &mut self.writes.re_ratings);
        match effect {
            Effect::Rate(rated) => {
                changes.purchases.by.push(rated.re_rating.uuid());
                changes.purchases.purchases.push(rated.purchase.uuid());
                changes.purchases.lapsed.push(rated.lapsed.get());
                changes.purchases.undone.push(rated.undone);
                changes.purchases.at.push(at);
            }
            Effect::ReRated(came) => {
                changes.members.by.push(came.re_rating.uuid());
                changes.members.members.push(member.uuid());
                changes.members.points.push(came.points.get());
                changes.members.forgiven.push(came.forgiven.get());
                changes.members.undone.push(came.undone);
                changes.members.at.push(at);
            }
            _ => {}
        }
    }

    fn use_reward(&mut self, code: String, redemption: RedemptionId, voucher: Option<String>) {
        if let Some(voucher) = voucher {
            let (rewards, codes, redemptions) = &mut self.writes.reward.given;
            rewards.push(code.clone());
            codes.push(voucher);
            redemptions.push(redemption.uuid());
        }
        *self.counted.entry(code).or_default() += 1;
    }

    /// A redemption is written once a batch, as it stands in the end.
    fn redemption(&mut self, submission: &Submission, member: MemberId, record: RedemptionRecord, answer: &Answer) {
        let recorded_at = self.recorded_at(member);
        // What a purchase was paid with has its answer with the purchase.
        let own = matches!(submission.command, Command::Redeem(_));
        let body = if own { answer.body.clone() } else { String::new() };
        let row = documents::redemption_row(member, record, recorded_at, submission.actor, body);
        match self.redemptions.entry(row.id) {
            Entry::Vacant(free) => drop(free.insert(row)),
            Entry::Occupied(mut made) => {
                let RedemptionRow { recorded_at, actor_role, actor_id, answer, .. } = made.get().clone();
                made.insert(RedemptionRow { recorded_at, actor_role, actor_id, answer, ..row });
            }
        }
    }

    fn goods(
        &mut self,
        submission: &Submission,
        member: MemberId,
        record: ReturnRecord,
        answer: &Answer,
    ) -> Result<(), Failure> {
        let store = self.sold_in.get(&record.purchase.uuid()).copied().ok_or_else(|| broken("purchase"))?;
        let recorded_at = self.recorded_at(member);
        let body = documents::body(&submission.command, answer, "return")?;
        let row = documents::return_row(member, store, record, recorded_at, submission.actor, body)?;
        let receipt = Receipt { id: row.id, content: row.content.clone(), named_at: None, answer: row.answer.clone() };
        self.returns.insert((row.source.clone(), row.external_id.clone()), receipt);
        self.writes.returns.push(row);
        Ok(())
    }

    fn purchase(
        &mut self,
        submission: &Submission,
        member: MemberId,
        record: PurchaseRecord,
        answer: &Answer,
    ) -> Result<(), Failure> {
        let row = PurchaseRow {
            id: record.id.uuid(),
            member_id: member.uuid(),
            store_id: record.store.uuid(),
            source: record.source,
            external_id: record.external_id,
            content: record.content.to_vec(),
            occurred_at: record.occurred_at,
            occurred_named: record.occurred_named,
            recorded_at: self.recorded_at(member),
            programme_version: self.programme.version,
            actor_role: convert::role(submission.actor.role),
            actor_id: submission.actor.id,
            amount: record.amount.get(),
            points: record.points.get(),
            micropoints: record.micropoints,
            answer: documents::body(&submission.command, answer, "purchase")?,
            redemption_id: record.redemption.map(RedemptionId::uuid),
            particulars: documents::particulars(&submission.command),
        };
        let receipt = Receipt {
            id: row.id,
            content: row.content.clone(),
            named_at: row.occurred_named.then_some(row.occurred_at),
            answer: row.answer.clone(),
        };
        self.receipts.insert((row.source.clone(), row.external_id.clone()), receipt);
        self.writes.purchases.push(row);
        Ok(())
    }

    fn recorded_at(&self, member: MemberId) -> Instant {
        self.state.members[&member].standing.recorded_at
    }

    fn audit(&mut self, submission: &Submission) {
        let Some(Audit { action, object, before, after }) = submission.audit.clone() else { return };
        self.writes.audit.push(AuditRow {
            id: new_uuid(),
            at: self.recorded_at(submission.member),
            actor_role: convert::role(submission.actor.role),
            actor_id: submission.actor.id,
            action: action.to_owned(),
            object,
            before,
            after,
        });
    }

    fn event(&mut self, submission: &Submission, outcome: &Outcome, document: Option<Uuid>, points: i64) {
        let kind = event::kind(&submission.command, outcome);
        // Whoever is told that something waits for him wants to know what.
        let fulfilled = match &submission.command {
            Command::Fulfil(fulfil) => Some(fulfil.redemption.uuid()),
            Command::Event(happened) => Some(happened.id.uuid()),
            Command::ReRate(asked) => Some(asked.id.uuid()),
            _ => None,
        };
        self.writes.events.push(OutboxRow {
            id: new_uuid(),
            member_id: submission.member.uuid(),
            kind: kind.to_owned(),
            document_id: document.or(fulfilled),
            points,
            at: self.recorded_at(submission.member),
        });
    }

    /// What came of the batch.
    pub(super) fn finish(mut self) -> Result<Decided, Failure> {
        self.writes.programme = self.programme.version;
        self.writes.version = i64::from_be_bytes(random_bytes());
        let lot = |state: &State, (member, number): &(MemberId, i64)| {
            let lot = state.members.get(member).and_then(|member| member.lots.get(number));
            lot.map(|lot| convert::lot_row(member.uuid(), lot)).ok_or_else(|| broken("lot"))
        };
        for key in &self.new_lots {
            self.writes.lots.push(lot(&self.state, key)?);
        }
        for key in self.moved_lots.difference(&self.new_lots) {
            self.writes.touched.push(lot(&self.state, key)?);
        }
        self.writes.wallets = self.wallets.finish(&self.state)?;
        self.writes.days = self.days.into_values().collect();
        let counted = self.counted.into_iter().filter(|(_, by)| *by != 0);
        self.writes.usages = counted.map(|(reward, used)| RewardUsageRow { reward, used }).collect();
        self.writes.redemptions = self.redemptions.into_values().collect();
        let used = |code: &String| Some((code.clone(), *self.state.shared.promotions_used.get(code)?));
        let promotions_used = self.promotions.known().filter_map(used).collect();
        self.writes.promotions = self.promotions.finish();
        let mut changed = Vec::with_capacity(self.changed.len());
        for member in &self.changed {
            let state = self.state.members.remove(member).ok_or_else(|| broken("member"))?;
            let seen = self.versions.get(member).copied().ok_or_else(|| broken("version"))?;
            self.writes.standings.push(convert::standing_row(state.standing.clone(), seen));
            changed.push(Known { standing: state.standing, version: self.writes.version });
        }
        // Processes that insert the same keys wait for each other in one order.
        self.writes.keys.sort_by(|a, b| (a.caller, &a.key).cmp(&(b.caller, &b.key)));
        Ok(Decided { writes: self.writes, changed, promotions_used, doubtful: self.doubtful })
    }
}

/// Why a purchase came to what it did.
fn explanation(outcome: &Outcome) -> Option<&Explanation> {
    match outcome {
        Outcome::Purchase(purchase) => Some(&purchase.explanation),
        Outcome::Move(moved) => Some(&moved.purchase.explanation),
        _ => None,
    }
}

/// The document a command makes, which keeps its answer.
fn document(command: &Command) -> Option<Uuid> {
    match command {
        Command::Purchase(purchase) => Some(purchase.id.uuid()),
        Command::Redeem(redeem) => Some(redeem.id.uuid()),
        Command::Return(goods) => Some(goods.id.uuid()),
        Command::Transfer(transfer) => Some(transfer.id.uuid()),
        _ => None,
    }
}

/// Whether a decision changes anything worth writing: a job that finds nothing due writes nothing.
fn material(command: &Command, changes: &Changes) -> bool {
    let mut effects = changes.iter().flat_map(|(_, effects)| effects);
    match command {
        Command::Settle | Command::GrantPerks | Command::Notify | Command::Wallet(WalletCommand::Settle) => effects
            .any(|effect| match effect {
                Effect::Standing(patch) => patch.window.is_some() || patch.tier_due_at.is_some(),
                _ => true,
            }),
        _ => true,
    }
}
