//! The writer: takes what is waiting, decides it on what it remembers and loads, and hands it to a
//! storer. While one batch is stored, the next is decided as if it were.

use std::sync::mpsc::{Receiver, SendError, SyncSender};

use tessera_rules::id::MemberId;

use crate::clock::Clock;
use crate::store::batch::{self, Load, Loaded};
use crate::store::db::Connection;

use super::deciding::Deciding;
use super::guard::guarded;
use super::memory::Memory;
use super::plan::{leave_out, plan};
use super::storer::{Draft, Handed, Landed};
use super::{Failure, Job, Programmes, Versioned};

/// For so many batches after a repetition the next is expected: retries and imports done again come
/// in rows.
const WARY: u32 = 64;

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
            lanes: storers.into_iter().map(|storer| Lane { storer, flying: None, gone: false }).collect(),
            landed,
            wary: 0,
        }
    }

    /// Runs until every sender is gone and the queue is empty.
    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(self.batch_limit - 1));
            metrics::histogram!("tessera_batch_size").record(batch.len() as f64);
            let named = |job: &Job| [Some(job.submission.member), job.submission.command.other()];
            let mut members = self.with_keepers(batch.iter().flat_map(named).flatten().collect());
            // What goes wrong here goes wrong under locks too, and is answered there.
            let draft = match guarded("writer", || self.draft(&batch)) {
                Ok(drafted) => drafted.unwrap_or(None),
                Err(_) => {
                    // Nobody knows how far it came.
                    self.memory = Memory::new();
                    None
                }
            };
            match &draft {
                None => self.memory.forget(&members),
                Some(draft) => also(&mut members, draft.members()),
            }
            self.hand_over(Handed { batch, draft }, members);
        }
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

    /// Decides a batch on what is remembered and loaded, without locks; `None` where it takes them.
    fn draft(&mut self, batch: &[Job]) -> Result<Option<Draft>, Failure> {
        while let Ok(landed) = self.landed.try_recv() {
            self.land(landed);
        }
        let now = self.clock.now();
        let mut connection = self.connection.take().map_or_else(|| batch::connect(&self.url), Ok)?;
        let versioned = self.programmes.any(&mut connection)?;
        let mut load = plan(&versioned.programme, now, batch.iter().map(|job| &job.submission));
        let expected = [load.keys.0.len(), load.receipts.0.len(), load.returns.0.len()];
        self.wary = self.wary.saturating_sub(1);
        let look = self.wary > 0;
        if !look {
            (load.keys, load.receipts, load.returns) = Default::default();
        }
        // Rewards are counted under their lock.
        let mut loaded = None;
        if load.rewards.is_empty() {
            loaded = self.load(load, &mut connection, &versioned)?;
        }
        self.connection = Some(connection);
        let Some((loaded, remembered)) = loaded else { return Ok(None) };

        let mut deciding = Deciding::new(versioned, loaded, now)?;
        for member in remembered {
            if !deciding.knows(member)
                && let Some(known) = self.memory.recall(member)
            {
                deciding.recall(known.clone());
            }
        }
        let answers = batch.iter().map(|job| deciding.take(&job.submission)).collect();
        let decided = deciding.finish()?;
        // A key or a receipt that left nothing to store has no unique index to speak up for it.
        let stored = [decided.writes.keys.len(), decided.writes.purchases.len(), decided.writes.returns.len()];
        let unproved = !look && stored != expected;
        if unproved {
            self.wary = WARY;
        }
        if unproved || decided.doubtful {
            return Ok(None);
        }
        for known in decided.changed {
            self.memory.keep(known);
        }
        let writes = Some(decided.writes).filter(|writes| !writes.is_empty());
        Ok(Some(Draft { answers, writes }))
    }

    /// Loads what is not remembered and names the members that are; `None` where the programme has
    /// moved on.
    fn load(
        &mut self,
        mut load: Load,
        connection: &mut Connection,
        in_force: &Versioned,
    ) -> Result<Option<(Loaded, Vec<MemberId>)>, Failure> {
        let standing = |member| self.memory.recall(member).map(|known| &known.standing);
        let mut remembered = leave_out(&mut load, &in_force.programme, standing);
        if !load.members.is_empty() {
            let wanted = self.with_keepers(load.members.iter().copied().map(MemberId::new).collect());
            // What a storer is about to write is not there yet.
            if self.wait_for(&wanted) {
                load.members.extend(remembered.into_iter().map(MemberId::uuid));
                let standing = |member| self.memory.recall(member).map(|known| &known.standing);
                remembered = leave_out(&mut load, &in_force.programme, standing);
            }
        }
        if load.members.is_empty()
            && [&load.keys.1, &load.receipts.1, &load.returns.1].iter().all(|list| list.is_empty())
        {
            return Ok(Some((Loaded::default(), remembered)));
        }
        let loaded = load.run(connection)?;
        if loaded.programme == Some(in_force.version) {
            return Ok(Some((loaded, remembered)));
        }
        self.programmes.reload(connection)?;
        Ok(None)
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
        if !landed.as_decided {
            self.memory.forget(&members);
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
