//! Notices (PROGRAMME.md §5 and §6): each once, however late or often the job runs.

use tessera_rules::notice::{Matter, Notice, Notices};
use tessera_rules::programme::Tiers;
use tessera_rules::tier::{Measure, Validity, Window};
use tessera_rules::time::Period;
use tessera_rules::{Command, Outcome, Programme};

use crate::support::{Desk, after, level, programme, zone};

fn notify(desk: &mut Desk, time: &str) -> Vec<String> {
    let show = |notice: &Notice| {
        let what = match &notice.matter {
            Matter::Expiry { points } => points.to_string(),
            Matter::Tier { from, to, missing } => format!("{from}>{to} {missing}"),
        };
        format!("{}d {} {what}", notice.lead_days, notice.due_at.date_naive())
    };
    match desk.at(time).run(&Command::Notify).expect("warning is never refused") {
        Outcome::Notices(notices) => notices.iter().map(show).collect(),
        other => panic!("not notices: {other:?}"),
    }
}

fn lapsing() -> Programme {
    Programme { expiry: after(2, Period::Month), ..programme() }
}

#[test]
fn a_member_is_warned_30_7_and_1_days_ahead() {
    let mut desk = Desk::new(lapsing());
    desk.at("2025-01-10T10:00:00Z").buy(1_000);
    desk.at("2025-01-20T10:00:00Z").buy(2_000);
    desk.at("2025-02-10T10:00:00Z").buy(500);
    // Both of January lapse at the midnight that opens 1 April, the other a month later.
    let known: [(&str, &[&str]); 8] = [
        ("2025-03-01T00:00:00Z", &[]),
        ("2025-03-02T00:00:00Z", &["30d 2025-04-01 30"]),
        ("2025-03-02T00:00:00Z", &[]),
        ("2025-03-24T23:59:59Z", &[]),
        ("2025-03-25T00:00:00Z", &["7d 2025-04-01 30"]),
        ("2025-03-31T00:00:00Z", &["1d 2025-04-01 30"]),
        ("2025-03-31T12:00:00Z", &[]),
        ("2025-04-01T00:00:00Z", &["30d 2025-05-01 5"]),
    ];
    for (time, expected) in known {
        assert_eq!(notify(&mut desk, time), expected, "{time}");
    }
}

#[test]
fn a_late_job_skips_leads_that_a_later_one_has_overtaken() {
    let mut desk = Desk::new(lapsing());
    desk.at("2025-01-10T10:00:00Z").buy(1_000);
    assert_eq!(notify(&mut desk, "2025-03-26T08:00:00Z"), ["7d 2025-04-01 10"]);
    assert!(notify(&mut desk, "2025-03-26T09:00:00Z").is_empty());
    assert_eq!(notify(&mut desk, "2025-03-31T23:00:00Z"), ["1d 2025-04-01 10"]);
    assert!(notify(&mut desk, "2025-04-02T00:00:00Z").is_empty(), "too late for any");
}

#[test]
fn what_joins_a_date_is_in_the_next_notice_of_it() {
    let mut desk = Desk::new(lapsing());
    desk.at("2025-01-10T10:00:00Z").buy(1_000);
    notify(&mut desk, "2025-03-05T00:00:00Z");
    desk.at("2025-03-05T10:00:00Z").buy_late(700, "2025-02-03T10:00:00Z");
    desk.buy(700);
    desk.adjust(-4).expect("taken");
    assert!(notify(&mut desk, "2025-03-06T00:00:00Z").is_empty());
    assert_eq!(notify(&mut desk, "2025-03-25T00:00:00Z"), ["7d 2025-04-01 6"], "the 4 spent are gone");
}

#[test]
fn a_new_activity_makes_a_new_date() {
    let mut desk = Desk::new(Programme {
        expiry: tessera_rules::expiry::Expiry::Inactivity { months: 1 },
        notices: Notices { expiry_days: vec![7], tier_days: Vec::new() },
        time_zone: zone("Asia/Shanghai"),
        ..programme()
    });
    desk.at("2025-01-10T10:00:00Z").buy(1_000);
    // Gone with the midnight that opens 11 February in Shanghai.
    assert!(notify(&mut desk, "2025-02-03T15:59:59Z").is_empty());
    assert_eq!(notify(&mut desk, "2025-02-03T16:00:00Z"), ["7d 2025-02-10 10"]);
    desk.at("2025-02-05T10:00:00Z").buy(100);
    assert!(notify(&mut desk, "2025-02-09T16:00:00Z").is_empty());
    assert_eq!(notify(&mut desk, "2025-03-03T16:00:00Z"), ["7d 2025-03-05 11"]);
}

#[test]
fn a_member_is_warned_before_the_tier_falls() {
    let levels = vec![level("base", 0, "1"), level("silver", 100, "2"), level("gold", 200, "3")];
    let (measure, window, validity) = (Measure::Points, Window::CalendarYear, Validity::EndOfNextYear);
    let tiers = Tiers { measure, window, validity, levels, ..Tiers::default() };
    let mut desk = Desk::new(Programme { tiers, ..programme() });
    desk.at("2025-06-01T10:00:00Z").buy(20_000);
    desk.at("2026-06-01T10:00:00Z").buy(5_000);
    assert!(notify(&mut desk, "2026-12-01T00:00:00Z").is_empty());
    assert_eq!(notify(&mut desk, "2026-12-02T00:00:00Z"), ["30d 2027-01-01 gold>silver 150"]);
    assert!(notify(&mut desk, "2026-12-03T00:00:00Z").is_empty());
    desk.at("2026-12-20T10:00:00Z").buy(15_000);
    desk.at("2027-01-02T10:00:00Z").settle();
    assert_eq!(desk.standing().tier, "gold", "renewed in time");
    assert_eq!(notify(&mut desk, "2027-12-15T00:00:00Z"), ["30d 2028-01-01 gold>silver 200"]);
}
