//! The writer: decides what comes in on what it remembers and loads, and hands it to a storer. While the
//! storers are busy the next batch grows, decided as if theirs were stored.

use std::collections::BTreeMap;
use std::sync::mpsc::{SendError, SyncSender};

use crossbeam_channel::{Receiver, select};
use tessera_rules::Programme;
use tessera_rules::id::MemberId;
use tessera_rules::limit::PromotionUsage;
use tessera_rules::time::Instant;
use uuid::Uuid;

use crate::clock::Clock;
use crate::store::batch::{self, Load, Loaded};
use crate::store::db::Connection;
use crate::store::standing::Standings;
use crate::store::{promotion, referral};

use super::convert;
use super::deciding::Known;
use super::guard::guarded;
use super::memory::Memory;
use super::open::OpenBatch;
use super::plan::{beside, leave_out, plan};
use super::storer::{Draft, Handed, Landed};
use super::{Failure, Job, Programmes, Versioned};

/// For so many batches after a repetition the next is expected: retries and imports done again come
/// in rows.
const WARY: u32 = 64;

/// What came of commands that were to be decided with the open batch.
enum Drafted {
    /// They are.
    Decided,
    /// They need to see what it changes stored.
    Apart,
}

/// What the writer knows of members.
enum Found {
    /// What was loaded, and who is remembered.
    All(Box<Loaded>, Vec<MemberId>),
    /// The open batch changes one of them.
    Apart,
    /// The programme has moved on.
    Outdated,
}

/// A storer as the writer sees it.
struct Lane {
    storer: SyncSender<Handed>,
    /// The members of the batch it has, sorted; `None` while it has none.
    flying: Option<Vec<MemberId>>,
    /// Its thread has ended, which it never should.
    gone: bool,
}

pub(super) struct Writer {
    url: String,
    connection: Option<Connection>,
    clock: Clock,
    programmes: Programmes,
    batch_limit: usize,
    memory: Memory,
    /// What was used of limited promotions when all that was handed over is stored. Other processes may
    /// have used more: that what was decided on it is right is proved by storing.
    promotions_used: BTreeMap<String, PromotionUsage>,
    lanes: Vec<Lane>,
    landed: Receiver<Landed>,
    /// Batches to go in which earlier uses of keys and receipts are looked for.
    wary: u32,
}

impl Writer {
    pub(super) fn new(
        url: &str,
        clock: Clock,
        programmes: Programmes,
        batch_limit: usize,
        storers: Vec<SyncSender<Handed>>,
        landed: Receiver<Landed>,
    ) -> Self {
        Self {
            url: url.to_owned(),
            connection: None,
            clock,
            programmes,
            batch_limit,
            memory: Memory::new(),
            promotions_used: BTreeMap::new(),
            lanes: storers.into_iter().map(|storer| Lane { storer, flying: None, gone: false }).collect(),
            landed,
            wary: 0,
        }
    }

    /// Runs until every sender is gone and the queue is empty.
    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        let mut open = OpenBatch::default();
        while let Some(jobs) = self.wait(queue, &open) {
            if !jobs.is_empty() {
                open = self.add(open, jobs);
            }
            // While every storer is busy the batch stays open, and what comes in is decided with it.
            if !open.is_empty() && (open.is_spoilt() || self.has_room()) {
                self.close(std::mem::take(&mut open));
            }
        }
        if !open.is_empty() {
            self.close(open);
        }
    }

    /// Waits for commands or for a storer: what is waiting, up to the limit of a batch, or nothing where only
    /// a storer has become free. `None` when no command can come any more.
    fn wait(&mut self, queue: &Receiver<Job>, open: &OpenBatch) -> Option<Vec<Job>> {
        while let Ok(landed) = self.landed.try_recv() {
            self.land(landed);
        }
        let room = self.batch_limit.saturating_sub(open.len());
        if !open.is_empty() && self.has_room() {
            return Some(Vec::new());
        }
        let first = if room == 0 {
            let landed = self.landed.recv().ok()?;
            self.land(landed);
            return Some(Vec::new());
        } else if self.flies() {
            select! {
                recv(queue) -> job => job.ok()?,
                recv(self.landed) -> landed => {
                    self.land(landed.ok()?);
                    return Some(Vec::new());
                }
            }
        } else {
            queue.recv().ok()?
        };
        let mut jobs = vec![first];
        jobs.extend(queue.try_iter().take(room - 1));
        Some(jobs)
    }

    /// Decides commands with the open batch, or with a new one where they need to see what that one changes
    /// stored.
    pub(super) fn add(&mut self, mut open: OpenBatch, jobs: Vec<Job>) -> OpenBatch {
        // What goes wrong here goes wrong under locks too, and is answered there.
        let drafted = guarded("writer", || self.draft(&mut open, &jobs));
        match drafted {
            Ok(Ok(Drafted::Decided)) => {}
            Ok(Ok(Drafted::Apart)) => {
                self.close(std::mem::take(&mut open));
                return self.add(open, jobs);
            }
            Ok(Err(_)) => open.spoil(),
            Err(_) => {
                // Nobody knows how far it came.
                self.memory = Memory::new();
                self.promotions_used.clear();
                open.spoil();
            }
        }
        open.jobs.extend(jobs);
        open
    }

    /// Hands the batch to a storer.
    fn close(&mut self, open: OpenBatch) {
        let (handed, members) = self.finish(open);
        self.hand_over(handed, members);
    }

    /// What a storer is to be handed of a batch, and whom it concerns; from here on the batch counts as stored.
    pub(super) fn finish(&mut self, mut open: OpenBatch) -> (Handed, Vec<MemberId>) {
        metrics::histogram!("tessera_batch_size").record(open.len() as f64);
        let named = |job: &Job| [Some(job.submission.member), job.submission.command.other()];
        let mut members = self.with_keepers(open.jobs.iter().flat_map(named).flatten().collect());
        let batch = std::mem::take(&mut open.jobs);
        let closed = guarded("writer", || open.finish()).unwrap_or(None);
        let draft = closed.and_then(|closed| {
            if closed.repeated {
                self.wary = WARY;
            }
            if closed.repeated || closed.decided.doubtful {
                return None;
            }
            for known in closed.decided.changed {
                self.memory.keep(known);
            }
            self.promotions_used.extend(closed.decided.promotions_used);
            let writes = Some(closed.decided.writes).filter(|writes| !writes.is_empty());
            Some(Draft { answers: closed.answers, writes })
        });
        match &draft {
            None => {
                self.memory.forget(&members);
                self.promotions_used.clear();
            }
            Some(draft) => also(&mut members, draft.members()),
        }
        (Handed { batch, draft }, members)
    }

    /// Members and, as far as is remembered, who keeps their points; sorted.
    fn with_keepers(&self, mut members: Vec<MemberId>) -> Vec<MemberId> {
        let keeper = |member: &MemberId| self.memory.recall(*member)?.standing.link.map(|link| link.root);
        let keepers: Vec<MemberId> = members.iter().filter_map(keeper).collect();
        let keep_theirs: Vec<MemberId> = keepers.iter().filter_map(keeper).collect();
        members.extend(keepers.into_iter().chain(keep_theirs));
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Decides commands on what is remembered and loaded, without locks, after those of the open batch.
    fn draft(&mut self, open: &mut OpenBatch, jobs: &[Job]) -> Result<Drafted, Failure> {
        let now = self.clock.now();
        let mut connection = self.connection.take().map_or_else(|| batch::connect(&self.url), Ok)?;
        let versioned = self.programmes.any(&mut connection)?;
        let mut load = plan(&versioned.programme, now, jobs.iter().map(|job| &job.submission));
        let named = [load.keys.0.len(), load.receipts.0.len(), load.returns.0.len()];
        self.wary = self.wary.saturating_sub(1);
        let look = self.wary > 0;
        if !look {
            (load.keys, load.receipts, load.returns) = Default::default();
        }
        // Rewards and coupons are counted under their lock, and quotes used up.
        if !(load.rewards.is_empty() && load.coupons.is_empty() && load.quotes.is_empty()) {
            self.connection = Some(connection);
            if open.is_empty() {
                open.spoil();
                return Ok(Drafted::Decided);
            }
            return Ok(Drafted::Apart);
        }
        let promotions = std::mem::take(&mut load.promotions);
        let (referred, since) = (std::mem::take(&mut load.referrals.open), load.since);
        let mut loaded = self.load(open, load, &mut connection, &versioned)?;
        if let Found::All(loaded, _) = &mut loaded {
            loaded.promotions_used = self.used(open, promotions, &mut connection)?;
        }
        let (loaded, remembered) = match loaded {
            Found::All(loaded, remembered) => (loaded, remembered),
            found => {
                self.connection = Some(connection);
                if matches!(found, Found::Apart) {
                    return Ok(Drafted::Apart);
                }
                open.spoil();
                return Ok(Drafted::Decided);
            }
        };
        let referrals = self.referrals(open, referred, &loaded, (&versioned.programme, since), &mut connection)?;
        self.connection = Some(connection);
        let deciding = open.deciding(versioned, *loaded, now)?;
        for member in remembered {
            if !deciding.knows(member)
                && let Some(known) = self.memory.recall(member)
            {
                deciding.recall(known.clone());
            }
        }
        deciding.refer(&referrals);
        open.decide(jobs, named, look);
        Ok(Drafted::Decided)
    }

    /// Loads what is not remembered and names the members that are.
    fn load(
        &mut self,
        open: &OpenBatch,
        mut load: Load,
        connection: &mut Connection,
        in_force: &Versioned,
    ) -> Result<Found, Failure> {
        if open.version().is_some_and(|version| version != in_force.version) {
            return Ok(Found::Apart);
        }
        let mut remembered = self.leave_out(open, &mut load, in_force);
        if !load.members.is_empty() {
            let wanted = self.with_keepers(load.members.iter().copied().map(MemberId::new).collect());
            // What the open batch changes is not stored yet.
            if wanted.iter().any(|&member| open.standing(member).is_some()) {
                return Ok(Found::Apart);
            }
            // Nor is what a storer is about to write.
            let waited = self.wait_for(&wanted);
            // Most need no more than their standing.
            let Some(found) = self.find(&load, connection, in_force)? else { return Ok(Found::Outdated) };
            if waited || found {
                load.members.extend(remembered.into_iter().map(MemberId::uuid));
                remembered = self.leave_out(open, &mut load, in_force);
            }
        }
        if load.members.is_empty()
            && [&load.keys.1, &load.receipts.1, &load.returns.1].iter().all(|list| list.is_empty())
        {
            return Ok(Found::All(Box::default(), remembered));
        }
        let loaded = load.run(connection)?;
        if loaded.programme != Some(in_force.version) {
            self.programmes.reload(connection)?;
            return Ok(Found::Outdated);
        }
        // Who keeps a member's points came along, and the open batch changes him.
        if loaded.standings.iter().any(|row| open.standing(MemberId::new(row.member_id)).is_some()) {
            return Ok(Found::Apart);
        }
        Ok(Found::All(Box::new(loaded), remembered))
    }

    /// What was used of promotions that the open batch knows nothing of: as remembered, or looked up.
    fn used(
        &mut self,
        open: &OpenBatch,
        mut promotions: Vec<String>,
        connection: &mut Connection,
    ) -> Result<Vec<promotion::Used>, Failure> {
        promotions.retain(|promotion| !open.knows_promotion(promotion));
        let unknown = |promotion: &&String| !self.promotions_used.contains_key(*promotion);
        let unknown: Vec<String> = promotions.iter().filter(unknown).cloned().collect();
        if !unknown.is_empty() {
            let found = promotion::used(connection, &unknown)?;
            // Nobody has used those that are not there.
            self.promotions_used.extend(unknown.into_iter().map(|promotion| (promotion, PromotionUsage::default())));
            let usage = |(promotion, uses, points, money)| (promotion, PromotionUsage { uses, points, money });
            self.promotions_used.extend(found.into_iter().map(usage));
        }
        let used = |promotion: String| {
            let PromotionUsage { uses, points, money } =
                self.promotions_used.get(&promotion).copied().unwrap_or_default();
            (promotion, uses, points, money)
        };
        Ok(promotions.into_iter().map(used).collect())
    }

    /// The open referrals of those who have enrolled so lately that a purchase made since an instant may complete
    /// theirs. One that another process has completed meanwhile lets storing fail.
    fn referrals(
        &self,
        open: &OpenBatch,
        mut members: Vec<Uuid>,
        loaded: &Loaded,
        (programme, since): (&Programme, Instant),
        connection: &mut Connection,
    ) -> Result<referral::Found, Failure> {
        members.retain(|&id| {
            let member = MemberId::new(id);
            let remembered = open.standing(member).or_else(|| Some(&self.memory.recall(member)?.standing));
            let row = || loaded.standings.iter().find(|row| row.member_id == id).map(|row| row.enrolled_at);
            let enrolled_at = remembered.map(|standing| standing.enrolled_at).or_else(row);
            enrolled_at.is_some_and(|at| programme.awaits_referral(at, since))
        });
        Ok(referral::Found { open: referral::open(connection, &members)?, due: Vec::new() })
    }

    fn leave_out(&self, open: &OpenBatch, load: &mut Load, in_force: &Versioned) -> Vec<MemberId> {
        let remembered = |member| self.memory.recall(member).map(|known| &known.standing);
        leave_out(load, &in_force.programme, |member| open.standing(member).or_else(|| remembered(member)))
    }

    /// Remembers the standings of those to load of whom that may be all that is needed; says whether there
    /// were any. `None` where the programme has moved on.
    fn find(
        &mut self,
        load: &Load,
        connection: &mut Connection,
        in_force: &Versioned,
    ) -> Result<Option<bool>, Failure> {
        let beside = beside(load);
        let alone = |member: &Uuid| !beside.contains(member) && self.memory.recall(MemberId::new(*member)).is_none();
        let alone: Vec<Uuid> = load.members.iter().copied().filter(alone).collect();
        if alone.is_empty() {
            return Ok(Some(false));
        }
        let (programme, standings) = Standings(alone).run(connection)?;
        if programme != Some(in_force.version) {
            self.programmes.reload(connection)?;
            return Ok(None);
        }
        for row in standings {
            let version = row.version;
            self.memory.keep(Known { standing: convert::standing(row)?, version });
        }
        Ok(Some(true))
    }

    /// Gives the batch to a storer that is free, after every batch that shares a member with it. Where
    /// every storer is gone the batch is dropped, and its callers are told so.
    fn hand_over(&mut self, mut handed: Handed, members: Vec<MemberId>) {
        self.wait_for(&members);
        loop {
            if let Some(lane) = self.lanes.iter_mut().find(|lane| !lane.gone && lane.flying.is_none()) {
                match lane.storer.send(handed) {
                    Ok(()) => {
                        lane.flying = Some(members);
                        return;
                    }
                    Err(SendError(back)) => {
                        lane.gone = true;
                        handed = back;
                        continue;
                    }
                }
            }
            if self.lanes.iter().all(|lane| lane.gone) {
                return;
            }
            let Ok(landed) = self.landed.recv() else { return };
            self.land(landed);
        }
    }

    /// Whether a storer is free, or every one is gone.
    fn has_room(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.gone && lane.flying.is_none()) || !self.flies()
    }

    /// Whether a batch is on its way.
    fn flies(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.gone && lane.flying.is_some())
    }

    /// Waits until no batch is on its way that has one of the members; says whether it had to.
    fn wait_for(&mut self, members: &[MemberId]) -> bool {
        let mut waited = false;
        while self.lanes.iter().any(|lane| lane.flying.as_ref().is_some_and(|flying| share(flying, members)))
            && let Ok(landed) = self.landed.recv()
        {
            self.land(landed);
            waited = true;
        }
        waited
    }

    /// Takes note of what became of a batch.
    fn land(&mut self, landed: Landed) {
        let members = self.lanes[landed.lane].flying.take().unwrap_or_default();
        self.learn(landed, &members);
    }

    /// Forgets what turned out otherwise for these members.
    pub(super) fn learn(&mut self, landed: Landed, members: &[MemberId]) {
        if !landed.as_decided {
            self.memory.forget(members);
            self.promotions_used.clear();
        }
        if landed.taken {
            self.wary = WARY;
        }
    }
}

/// Adds members to a sorted list: keepers of points that nobody remembered.
fn also(members: &mut Vec<MemberId>, more: impl Iterator<Item = MemberId>) {
    let new: Vec<MemberId> = more.filter(|member| members.binary_search(member).is_err()).collect();
    if !new.is_empty() {
        members.extend(new);
        members.sort_unstable();
    }
}

/// Whether two sorted lists have a member in common.
fn share(a: &[MemberId], b: &[MemberId]) -> bool {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    few.iter().any(|member| many.binary_search(member).is_ok())
}
