//! Expiry: until when a lot may be spent (PROGRAMME.md §5).

use serde::{Deserialize, Serialize};

use crate::programme::Problems;
use crate::time::{Instant, Period, Zone, add_days, add_months};

/// The programme's expiry policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
pub enum Expiry {
    /// Points do not lapse.
    #[default]
    Never,
    /// Points lapse `months` after they became available.
    After {
        /// 1 to 240.
        months: u32,
        /// Rounded on to the end of this period.
        #[serde(default = "end_of_day")]
        round: Period,
    },
}

fn end_of_day() -> Period {
    Period::Day
}

impl Expiry {
    /// The instant from which a lot that became available at `available_from` can no longer be
    /// spent: the midnight after its last local day.
    pub fn expires_at(self, zone: Zone, available_from: Instant) -> Option<Instant> {
        match self {
            Self::Never => None,
            Self::After { months, round } => {
                let last = round.last_day(add_months(zone.day_of(available_from), months));
                Some(zone.midnight(add_days(last, 1)))
            }
        }
    }

    pub(crate) fn check(self, found: &mut Problems) {
        if let Self::After { months, .. } = self {
            found.refuse(!(1..=240).contains(&months), "/expiry/months", "out_of_range", "must be 1 to 240");
        }
    }
}
