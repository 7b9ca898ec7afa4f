//! Random scenes: a book ([`any_book`]), and what some members do under it.
//!
//! [`any_book`]: super::any_book

use chrono_tz::Tz;
use proptest::prelude::*;

use super::any_book::book_in;
use super::book::Book;
use super::goods::{Goods, Piece};
use super::sales::{Kind, Line, Receipt};

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Buy(Receipt),
    /// So many points as money off, captured or held.
    Spend(i64, bool),
    Mug(bool),
    /// Of the member's redemptions this one, and how many of its points.
    Capture(usize, Option<i64>),
    Void(usize),
    /// Of the member's purchases this one.
    Return(usize, Goods),
    Adjust(i64),
    /// Points to the next member.
    Give(i64),
    /// Of the member's last purchases this one, counted from the last, was the next member's.
    Pass(usize),
    /// A tier, and for how many minutes.
    Place(usize, i64),
    /// So many days ahead.
    DoubleDay(i64),
    Grant,
    Notify,
    Settle,
    /// A tie to the next member begins or ends.
    Tie(Tie),
    /// Another book comes into force.
    Adopt(Box<Book>),
}

/// With whom points are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tie {
    /// The household of the next member, whose points may be spent or not.
    Join(bool),
    Allow(bool),
    Leave,
    /// Another account of the same person.
    Merge,
    Unmerge,
}

impl Tie {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Join(_) => "joined",
            Self::Allow(_) => "allowed",
            Self::Leave => "left",
            Self::Merge => "merged",
            Self::Unmerge => "unmerged",
        }
    }
}

/// How long nothing happens before.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wait {
    Minutes(i64),
    /// Until so many midnights have passed.
    Midnights(i64),
    /// Until one microsecond before.
    Nearly(i64),
}

/// What somebody does.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) who: usize,
    pub(crate) wait: Wait,
    pub(crate) act: Act,
}

#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) book: Book,
    /// Birthdays of the members.
    pub(crate) born: Vec<(u32, u32)>,
    pub(crate) steps: Vec<Step>,
}

pub(super) const DAY: i64 = 24 * 60;

fn receipt() -> impl Strategy<Value = Receipt> {
    let kind = prop_oneof![3 => Just(Kind::Plain), 2 => Just(Kind::Food), 1 => Just(Kind::Wine)];
    let amount = prop_oneof![8 => 0_i64..6_000, 1 => -3_000_i64..0, 1 => 0_i64..10];
    let pieces = prop_oneof![Just(1_000), Just(3_000), 1_i64..5_000];
    let line = (amount, pieces, kind).prop_map(|(amount, pieces, kind)| Line { amount, pieces, kind });
    let late = prop_oneof![
        5 => Just(None),
        2 => (0_i64..2 * DAY).prop_map(Some),
        2 => (0_i64..30 * DAY + 2).prop_map(Some),
        1 => (-6_i64..1).prop_map(Some),
    ];
    let gift_card = prop_oneof![4 => Just(0), 1 => 1_i64..4_000];
    let pay = prop::option::weighted(0.3, 1_i64..80);
    (prop::collection::vec(line, 1..5), gift_card, pay, late).prop_map(|(lines, gift_card, pay, late)| Receipt {
        lines,
        gift_card,
        pay,
        late,
    })
}

fn goods() -> impl Strategy<Value = Goods> {
    let piece = prop_oneof![
        1 => Just(Piece::Rest),
        3 => (0_i64..3_000).prop_map(Piece::Pieces),
        2 => (-500_i64..4_000).prop_map(Piece::Amount),
    ];
    let line = (1_usize..5, piece);
    prop_oneof![1 => Just(Goods::All), 4 => prop::collection::vec(line, 1..3).prop_map(Goods::Lines)]
}

fn act(zone: Tz) -> BoxedStrategy<Act> {
    prop_oneof![
        12 => receipt().prop_map(Act::Buy).boxed(),
        4 => (1_i64..100, any::<bool>()).prop_map(|(points, hold)| Act::Spend(points, hold)),
        2 => any::<bool>().prop_map(Act::Mug),
        2 => (0_usize..9, prop::option::of(0_i64..60)).prop_map(|(number, part)| Act::Capture(number, part)),
        2 => (0_usize..9).prop_map(Act::Void),
        8 => (0_usize..9, goods()).prop_map(|(number, goods)| Act::Return(number, goods)).boxed(),
        2 => (-60_i64..120).prop_map(Act::Adjust),
        3 => (1_i64..80).prop_map(Act::Give),
        5 => (0_usize..3).prop_map(Act::Pass),
        1 => (0_usize..3, -9_i64..60 * DAY).prop_map(|(tier, minutes)| Act::Place(tier, minutes)),
        2 => (-1_i64..20).prop_map(Act::DoubleDay),
        4 => Just(Act::Grant),
        4 => Just(Act::Notify),
        1 => Just(Act::Settle),
        1 => book_in(zone).prop_map(|book| Act::Adopt(Box::new(book))),
    ]
    .boxed()
}

fn step(act: BoxedStrategy<Act>, members: usize) -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        4 => Just(Wait::Minutes(0)),
        4 => (1_i64..DAY).prop_map(Wait::Minutes),
        4 => (0_i64..15 * DAY).prop_map(Wait::Minutes),
        1 => (0_i64..150 * DAY).prop_map(Wait::Minutes),
        2 => (1_i64..40).prop_map(Wait::Midnights),
        1 => (1_i64..40).prop_map(Wait::Nearly),
    ];
    (0..members, wait, act).prop_map(|(who, wait, act)| {
        // A purchase moves within a day.
        let wait = match (&act, wait) {
            (Act::Pass(_), Wait::Minutes(minutes)) => Wait::Minutes(minutes % (25 * 60)),
            (Act::Pass(_), _) => Wait::Minutes(24 * 60),
            (_, wait) => wait,
        };
        Step { who, wait, act }
    })
}

/// Something that ties members, or else anything.
fn tied(zone: Tz) -> BoxedStrategy<Act> {
    let tie = prop_oneof![
        3 => any::<bool>().prop_map(Tie::Join),
        1 => any::<bool>().prop_map(Tie::Allow),
        4 => Just(Tie::Leave),
        2 => Just(Tie::Merge),
        3 => Just(Tie::Unmerge),
    ];
    prop_oneof![1 => tie.prop_map(Act::Tie), 3 => act(zone)].boxed()
}

/// Books with every rule there is, and up to `most` steps of some members, who may be tied to each other
/// or not.
pub(crate) fn scene(members: usize, most: usize, ties: bool) -> impl Strategy<Value = Scene> {
    let zones = [Tz::UTC, Tz::Asia__Shanghai, Tz::Europe__Berlin, Tz::Africa__Cairo, Tz::America__Bogota];
    let birthday = prop_oneof![Just((2, 29)), Just((1, 2)), Just((12, 30)), (1_u32..13, 1_u32..29)];
    (0..zones.len(), prop::collection::vec(birthday, members)).prop_flat_map(move |(zone, born)| {
        let zone = zones[zone];
        let acts = if ties { tied(zone) } else { act(zone) };
        let steps = prop::collection::vec(step(acts, members), 1..most);
        (book_in(zone), steps).prop_map(move |(book, steps)| Scene { book, born: born.clone(), steps })
    })
}
