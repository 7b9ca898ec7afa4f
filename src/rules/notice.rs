//! Notices: what members are warned of before it happens (PROGRAMME.md §5 and §6). A job asks at each
//! midnight; how late it runs and how often makes no difference to what members are told.

use serde::{Deserialize, Serialize};

use crate::amount::Points;
use crate::command::Context;
use crate::decision::{Effect, Outcome};
use crate::draft::Draft;
use crate::expiry::Expiring;
use crate::forecast::{Forecast, TierFall, forecast};
use crate::member::MemberState;
use crate::programme::{Problems, Programme};
use crate::refusal::Refusal;
use crate::time::{Day, Instant, Zone, add_days};

/// How many days ahead members are warned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    /// Before points lapse; each 1 to 366.
    #[serde(default = "expiry_days")]
    pub expiry_days: Vec<u32>,
    /// Before a tier falls; each 1 to 366.
    #[serde(default = "tier_days")]
    pub tier_days: Vec<u32>,
}

fn expiry_days() -> Vec<u32> {
    vec![30, 7, 1]
}

fn tier_days() -> Vec<u32> {
    vec![30]
}

impl Default for Notices {
    fn default() -> Self {
        Self { expiry_days: expiry_days(), tier_days: tier_days() }
    }
}

impl Notices {
    /// The furthest ahead anybody is warned, in days.
    pub fn furthest(&self) -> u32 {
        self.expiry_days.iter().chain(&self.tier_days).copied().max().unwrap_or(0)
    }

    pub(crate) fn check(&self, found: &mut Problems) {
        for (list, days) in [("expiry_days", &self.expiry_days), ("tier_days", &self.tier_days)] {
            for (i, lead) in days.iter().enumerate() {
                let wrong = !(1..=366).contains(lead);
                found.refuse(wrong, &format!("/notices/{list}/{i}"), "out_of_range", "must be 1 to 366");
            }
        }
    }
}

/// A warning, given once for each member, matter, instant and lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Of what.
    pub matter: Matter,
    /// When it happens unless the member does something.
    pub due_at: Instant,
    /// The lead it was given for, in days.
    pub lead_days: u32,
    /// When it was given.
    pub noticed_at: Instant,
}

/// What a notice warns of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Matter {
    /// Points lapse: the sum over all lots of that instant.
    Expiry {
        /// How many.
        points: Points,
    },
    /// The tier falls.
    Tier {
        /// Code of the tier held.
        from: String,
        /// Code of the tier it falls to.
        to: String,
        /// What the measure lacks for keeping it.
        missing: i64,
    },
}

impl Matter {
    /// The word in rows and JSON; with the instant and the lead it makes a notice unique.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Expiry { .. } => "expiry",
            Self::Tier { .. } => "tier",
        }
    }
}

/// How many days ahead one look suffices for. A look costs more the further it goes.
const LOOK_AHEAD: i64 = 32;

/// What there is to tell a member, now and later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreseen {
    /// Whether [`crate::Command::Notify`] would give a notice now.
    pub due: bool,
    /// The next instant at which it may have something to tell, as long as neither the member nor the
    /// programme changes; `None`: never. At the latest after a month, when it is looked again.
    pub next_at: Option<Instant>,
}

/// Looks ahead instead of asking every day: what was foreseen holds until the member or the programme
/// changes. The member needs all that [`crate::Command::Notify`] needs.
///
/// # Errors
/// [`Refusal::AmountOutOfRange`] where a sum would leave its range.
pub fn foresee(programme: &Programme, member: &MemberState, context: &Context) -> Result<Foreseen, Refusal> {
    let mut draft = Draft::new(programme, context, member);
    draft.settle()?;
    let mut foreseen = Foreseen { due: false, next_at: None };
    if draft.is_merged() {
        return Ok(foreseen);
    }
    let notices = &programme.notices;
    let look = Look { zone: programme.time_zone, at: draft.at, today: draft.today(), told: &member.notices };
    // What lies further off is looked at again in time: its longest lead begins later than this day.
    let again = add_days(look.today, LOOK_AHEAD);
    let ahead = draft.run_ahead(look.zone.midnight(add_days(again, i64::from(notices.furthest()))))?;
    foreseen.next_at = Some(look.zone.midnight(again));
    for (matter, due_at, leads) in matters(ahead, notices) {
        foreseen.next_at = foreseen.next_at.into_iter().chain(look.next_lead(due_at, leads)).min();
        foreseen.due |= look.due_notice(matter, due_at, leads).is_some();
    }
    Ok(foreseen)
}

/// What is coming to a member, each with its instant and how many days ahead it is told.
fn matters(ahead: Forecast, notices: &Notices) -> impl Iterator<Item = (Matter, Instant, &[u32])> {
    let lapse = |lot: Expiring| (Matter::Expiry { points: lot.points }, lot.expires_at, notices.expiry_days.as_slice());
    let fall = |fall: TierFall| {
        let TierFall { at, from, to, missing } = fall;
        (Matter::Tier { from, to, missing }, at, notices.tier_days.as_slice())
    };
    ahead.expiring.into_iter().map(lapse).chain(ahead.fall.map(fall))
}

impl Draft<'_> {
    /// Gives every notice that is due and was not given yet.
    pub(crate) fn notify(&mut self) -> Result<Outcome, Refusal> {
        self.settle()?;
        let notices = &self.programme.notices;
        let look = Look { zone: self.zone(), at: self.at, today: self.today(), told: &self.member.notices };
        let by = look.zone.midnight(add_days(look.today, i64::from(notices.furthest()) + 1));
        let ahead = forecast(self.programme, &self.member, self.context, by)?;
        let due = |(matter, due_at, leads)| look.due_notice(matter, due_at, leads);
        let given: Vec<Notice> = matters(ahead, notices).filter_map(due).collect();
        for notice in &given {
            self.record(Effect::Notice(notice.clone()))?;
        }
        Ok(Outcome::Notices(given))
    }
}

/// A look at what is coming, from an instant of a day, by what was told before.
struct Look<'n> {
    zone: Zone,
    at: Instant,
    today: Day,
    told: &'n [Notice],
}

impl Look<'_> {
    /// When the next lead begins.
    fn next_lead(&self, due_at: Instant, leads: &[u32]) -> Option<Instant> {
        let day = self.zone.day_of(due_at);
        let begins = |lead: &u32| self.zone.midnight(add_days(day, -i64::from(*lead)));
        leads.iter().map(begins).filter(|begin| *begin > self.at).min()
    }

    /// The notice of the shortest lead that has begun. Longer ones are then told too late, and it is
    /// told once: a notice of that lead, or of a shorter one, is enough.
    fn due_notice(&self, matter: Matter, due_at: Instant, leads: &[u32]) -> Option<Notice> {
        let day = self.zone.day_of(due_at);
        let begun = |lead: &u32| add_days(day, -i64::from(*lead)) <= self.today;
        let lead_days = leads.iter().copied().filter(begun).min()?;
        let same = |old: &Notice| old.matter.as_str() == matter.as_str() && old.due_at == due_at;
        let told = self.told.iter().any(|old| same(old) && old.lead_days <= lead_days);
        (!told).then_some(Notice { matter, due_at, lead_days, noticed_at: self.at })
    }
}
