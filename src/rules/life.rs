//! The life of a promotion: `draft → live → paused → ended` (PROGRAMME.md §8). Only a live one applies.
//! What it says is never changed in place: a change of it, and of its state, is a new version of the
//! programme.

use serde::{Deserialize, Serialize};

use crate::programme::{Problem, Programme};

/// Where a promotion is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromotionState {
    /// In the making: nobody but the back office sees it.
    Draft,
    /// It applies inside its schedule.
    #[default]
    Live,
    /// It does not apply for now.
    Paused,
    /// It applies no more. It may begin anew, as a draft.
    Ended,
}

impl PromotionState {
    /// The word in files and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }

    /// Whether this is the state of a promotion that says nothing of it.
    pub(crate) fn is_live(&self) -> bool {
        *self == Self::Live
    }

    /// Whether a version of the programme may show the promotion in that state where the version before
    /// showed it in this one.
    pub const fn may_become(self, next: Self) -> bool {
        use PromotionState::{Draft, Ended, Live, Paused};
        match self {
            Draft => matches!(next, Draft | Live | Ended),
            Live | Paused => matches!(next, Live | Paused | Ended),
            Ended => matches!(next, Ended | Draft),
        }
    }
}

/// A step in the life of a promotion, as somebody asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A draft goes live.
    Publish,
    /// A live one is paused.
    Pause,
    /// A paused one is live again.
    Resume,
    /// Whichever it was, it ends.
    End,
}

impl Step {
    /// The state it leads to, or `None` where it cannot be taken from a state.
    pub const fn from(self, state: PromotionState) -> Option<PromotionState> {
        use PromotionState::{Draft, Ended, Live, Paused};
        match (self, state) {
            (Self::Publish, Draft) | (Self::Resume, Paused) => Some(Live),
            (Self::Pause, Live) => Some(Paused),
            (Self::End, Draft | Live | Paused) => Some(Ended),
            (Self::Publish | Self::Pause | Self::Resume | Self::End, _) => None,
        }
    }
}

impl Programme {
    /// The promotions whose state cannot follow the one they have in the programme before.
    pub fn life_problems(&self, before: &Self) -> Vec<Problem> {
        let problem = |(i, now): (usize, &crate::promotion::Promotion)| {
            let was = before.promotions.iter().find(|was| was.code == now.code)?;
            let (was, now) = (was.state, now.state);
            (!was.may_become(now)).then(|| Problem {
                pointer: format!("/promotions/{i}/state"),
                code: "promotion_state",
                detail: format!("a promotion that is {} cannot become {}", was.as_str(), now.as_str()),
            })
        };
        self.promotions.iter().enumerate().filter_map(problem).collect()
    }
}
