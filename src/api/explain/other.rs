//! Why every other entry was made: points spent, set aside, lapsed, given back, put right.

use tessera_rules::Programme;
use tessera_rules::ledger::{Account, EntryKind};
use tessera_rules::text::Text;
use tessera_rules::time::Zone;

use super::words::{Names, day, life, money, points, say};
use super::{For, Matter, Story};
use crate::api::error::both;
use crate::store::adjustment::AdjustmentRow;
use crate::store::explain::Touched;
use crate::store::ledger::RedemptionState;

/// The sentences for an entry that no purchase made.
pub(super) fn tell(story: &Story, programme: &Programme, reader: For) -> Vec<Text> {
    let (zone, names) = (programme.time_zone, Names(programme));
    let (count, on) = (points(story.entry.points), day(zone, story.entry.effective_at));
    match story.kind {
        Some(EntryKind::Redemption) => vec![spent(story, programme, count, on)],
        Some(EntryKind::Hold) => held(story, programme, count, on),
        Some(EntryKind::Release) => vec![released(story, count, on)],
        Some(EntryKind::Expiry) => lapsed(story, zone, count, on),
        Some(EntryKind::Perk) => {
            let perk = names.perk(story.entry.reason.as_deref().unwrap_or_default());
            vec![say!("{perk}: {count} on {on}.", "“{perk}”：{on}赠送 {count}。", perk = perk, count = count, on = on)]
        }
        Some(EntryKind::Adjustment) => adjusted(story, zone, reader, count, on),
        Some(EntryKind::ReRating) => re_rated(story, reader, count, on),
        Some(EntryKind::Activation) => activated(story, zone, count, on),
        Some(EntryKind::DebtPayment) => {
            vec![say!("{count} paid points that were owed.", "{count} 用于抵还欠分。", count = count)]
        }
        Some(EntryKind::Return) => returned(story, programme, count, on),
        Some(EntryKind::GiveBack) => vec![given_back(story, count, on)],
        Some(EntryKind::Transfer) => vec![transferred(story, count, on)],
        // A purchase whose answer cannot be read any more, or a kind of a later version.
        Some(EntryKind::Accrual) | None => {
            vec![say!("Booked on {on}: {count}.", "{on}记账 {count}。", count = count, on = on)]
        }
    }
}

/// What became of points that arrived: they paid a debt, or until when they may be spent.
pub(super) fn arrival(story: &Story, zone: Zone) -> Vec<Text> {
    let arrives = matches!(
        story.kind,
        Some(
            EntryKind::Accrual
                | EntryKind::Perk
                | EntryKind::Adjustment
                | EntryKind::ReRating
                | EntryKind::GiveBack
                | EntryKind::Transfer
        )
    );
    if arrives && story.entry.to_account == Account::Debt.as_str() && story.kind != Some(EntryKind::Transfer) {
        return vec![both("It went towards points that were owed.", "用于抵还欠分。")];
    }
    let Some(lot) = story.opened.as_ref().filter(|_| arrives) else { return Vec::new() };
    let mut told = Vec::new();
    if story.entry.to_account == Account::Pending.as_str() {
        let from = day(zone, lot.available_from);
        told.push(say!("To be spent from {from} on.", "自{from}起可使用。", from = from));
    }
    told.push(life(zone, lot));
    told
}

/// For what points were redeemed.
fn purpose(row: &RedemptionState, programme: &Programme) -> Text {
    match (&row.reward, row.worth) {
        (Some(code), _) => {
            let reward = Names(programme).reward(code);
            say!("the reward {reward}", "奖品“{reward}”", reward = reward)
        }
        (None, worth) => {
            let worth = money(worth.unwrap_or(0), programme.currency);
            match row.purchase_id {
                Some(_) => say!("{worth} of a purchase", "支付消费中的 {worth}", worth = worth),
                None => say!("{worth} off", "抵扣 {worth}", worth = worth),
            }
        }
    }
}

fn spent(story: &Story, programme: &Programme, count: Text, on: Text) -> Text {
    let Matter::Redemption(row) = &story.matter else {
        return say!("Spent on {on}: {count}.", "{on}使用 {count}。", count = count, on = on);
    };
    let what = purpose(row, programme);
    if story.entry.from_account == Account::Held.as_str() {
        return say!(
            "Spent on {on}: {count} that had been set aside, for {what}.",
            "{on}使用了冻结的 {count}：{what}。",
            count = count,
            on = on,
            what = what,
        );
    }
    say!("Spent on {on}: {count}, for {what}.", "{on}使用 {count}：{what}。", count = count, on = on, what = what)
}

fn held(story: &Story, programme: &Programme, count: Text, on: Text) -> Vec<Text> {
    let Matter::Redemption(row) = &story.matter else {
        return vec![say!("Set aside on {on}: {count}.", "{on}冻结 {count}。", count = count, on = on)];
    };
    let what = purpose(row, programme);
    let mut told = vec![say!(
        "Set aside on {on}: {count}, for {what}.",
        "{on}冻结 {count}：{what}。",
        count = count,
        on = on,
        what = what,
    )];
    if let Some(until) = row.held_until {
        let local = until.with_timezone(&programme.time_zone.0);
        let until =
            both(local.format("%-d %B %Y, %H:%M").to_string(), local.format("%Y年%-m月%-d日 %H:%M").to_string());
        told.push(say!(
            "What is not spent by {until} can be spent again.",
            "若在{until}前未使用，将自动解冻。",
            until = until,
        ));
    }
    told
}

fn released(story: &Story, count: Text, on: Text) -> Text {
    if story.by_the_clock() {
        return say!(
            "Set aside and not spent in time: {count}, which can be spent again since {on}.",
            "冻结的 {count} 未在时限内使用，{on}已解冻。",
            count = count,
            on = on,
        );
    }
    say!(
        "Set aside and let go on {on}: {count}, which can be spent again.",
        "{on}解冻 {count}，可继续使用。",
        count = count,
        on = on,
    )
}

fn lapsed(story: &Story, zone: Zone, count: Text, on: Text) -> Vec<Text> {
    let mut told = vec![match story.entry.from_account == Account::Held.as_str() {
        true => say!(
            "Lapsed on {on}: {count} that had been set aside and came back after their last day.",
            "冻结的 {count} 于{on}退回时已过有效期，随即失效。",
            count = count,
            on = on,
        ),
        false => say!("Lapsed on {on}: {count}.", "{count} 于{on}失效。", count = count, on = on),
    }];
    told.extend(story.moved.iter().map(|lot| last_day(lot, zone)));
    told
}

/// When points were earned that lapsed, and how long they could be spent.
fn last_day(lot: &Touched, zone: Zone) -> Text {
    let (count, earned) = (points(lot.points), day(zone, lot.occurred_at));
    match (lot.expires_at, lot.idle_months) {
        (Some(expires_at), _) => {
            let last = day(zone, expires_at - chrono::TimeDelta::microseconds(1));
            say!(
                "{count} of {earned} could be spent through {last}.",
                "{count} 于{earned}获得，有效期至{last}。",
                count = count,
                earned = earned,
                last = last,
            )
        }
        (None, Some(months)) => say!(
            "{count} of {earned} could be spent until {months} months had passed without an activity.",
            "{count} 于{earned}获得，连续 {months} 个月无活动后失效。",
            count = count,
            earned = earned,
            months = months,
        ),
        (None, None) => say!("{count} of {earned}.", "{count} 于{earned}获得。", count = count, earned = earned),
    }
}

fn activated(story: &Story, zone: Zone, count: Text, on: Text) -> Vec<Text> {
    let earned = story.moved.first().map(|lot| day(zone, lot.occurred_at));
    let mut told = vec![match earned {
        Some(earned) => say!(
            "Earned on {earned}, to be spent since {on}: {count}.",
            "{earned}获得的 {count} 自{on}起可使用。",
            count = count,
            earned = earned,
            on = on,
        ),
        None => say!("To be spent since {on}: {count}.", "{count} 自{on}起可使用。", count = count, on = on),
    }];
    told.extend(story.moved.first().map(|lot| life(zone, lot)));
    told
}

fn adjusted(story: &Story, zone: Zone, reader: For, count: Text, on: Text) -> Vec<Text> {
    let reason = story.entry.reason.clone().unwrap_or_default();
    let gives = story.entry.from_account == Account::Adjusted.as_str();
    let Matter::Adjustment(row) = &story.matter else {
        return vec![match gives {
            true => say!(
                "Brought along on {on}: {count} (reason: {reason}).",
                "{on}转入 {count}（原因：{reason}）。",
                count = count,
                on = on,
                reason = reason,
            ),
            false => say!(
                "Taken off on {on}: {count} (reason: {reason}).",
                "{on}扣除 {count}（原因：{reason}）。",
                count = count,
                on = on,
                reason = reason,
            ),
        }];
    };
    let mut told = vec![match gives {
        true => say!(
            "Staff gave {count} by hand on {on} (reason: {reason}).",
            "{on}工作人员手动增加 {count}（原因：{reason}）。",
            count = count,
            on = on,
            reason = reason,
        ),
        false => say!(
            "Staff took {count} by hand on {on} (reason: {reason}).",
            "{on}工作人员手动扣除 {count}（原因：{reason}）。",
            count = count,
            on = on,
            reason = reason,
        ),
    }];
    if reader == For::Staff {
        told.extend(behind(row, zone));
    }
    told
}

/// Purchases that stand otherwise since: which days they are of, and why.
fn re_rated(story: &Story, reader: For, count: Text, on: Text) -> Vec<Text> {
    let Matter::ReRating(row) = &story.matter else {
        return vec![say!(
            "Purchases were rated anew on {on}: {count}.",
            "{on}重新计算消费积分：{count}。",
            on = on,
            count = count
        )];
    };
    let (from, to) = (row.from_day.to_string(), row.to_day.to_string());
    let reason = story.entry.reason.clone().unwrap_or_default();
    let gives = story.entry.from_account == Account::Adjusted.as_str();
    let owed = story.entry.from_account == Account::Debt.as_str();
    let undone = row.undone_by.is_some()
        && row.undone_by == story.entry.actor_id
        && row.undone_at <= Some(story.entry.recorded_at);
    let how = if undone { both("taken back", "撤销") } else { both("done", "完成") };
    let mut told = vec![say!(
        "The points of purchases from {from} to {to} were put right (reason: {reason}); this was {how} on {on}.",
        "{from} 至 {to} 的消费积分已更正（原因：{reason}），于{on}{how}。",
        from = from,
        to = to,
        reason = reason,
        on = on,
        how = how,
    )];
    told.push(match (gives, owed) {
        (true, _) => say!("Given: {count}.", "增加 {count}。", count = count),
        (false, false) => say!("Taken: {count}.", "扣除 {count}。", count = count),
        (false, true) => say!("Spent already and owed now: {count}.", "{count} 已被使用，记为欠分。", count = count),
    });
    if reader == For::Staff {
        told.push(say!("Note: {note}", "备注：{note}", note = row.note.as_str()));
    }
    told
}

/// What staff read of an adjustment beside the reason.
fn behind(row: &AdjustmentRow, zone: Zone) -> Vec<Text> {
    let mut told = vec![say!("Note: {note}", "备注：{note}", note = row.note.as_str())];
    if let Some(at) = row.decided_at {
        let at = day(zone, at);
        told.push(say!("A second person agreed on {at}.", "{at}由另一名员工批准。", at = at));
    }
    if let Some(note) = &row.decision_note {
        told.push(say!("To which was said: {note}", "批准备注：{note}", note = note.as_str()));
    }
    told
}

fn returned(story: &Story, programme: &Programme, count: Text, on: Text) -> Vec<Text> {
    let reason = story.entry.reason.clone().unwrap_or_default();
    let mut told = vec![match story.entry.from_account == Account::Debt.as_str() {
        true => say!(
            "Goods came back on {on} (reason: {reason}). Earned by them, spent already and owed now: {count}.",
            "{on}退货（原因：{reason}）。其所得的 {count} 已被使用，记为欠分。",
            on = on,
            reason = reason,
            count = count,
        ),
        false => say!(
            "Goods came back on {on} (reason: {reason}). Earned by them and taken back: {count}.",
            "{on}退货（原因：{reason}）。收回其所得的 {count}。",
            on = on,
            reason = reason,
            count = count,
        ),
    }];
    let Matter::Return(goods) = &story.matter else { return told };
    let (row, sold_at) = goods.as_ref();
    let (sold, amount) = (day(programme.time_zone, *sold_at), money(row.amount, programme.currency));
    told.push(say!(
        "They were sold on {sold} for {amount}: what they had earned goes by the rate of that day.",
        "商品于{sold}售出，金额 {amount}：所得积分按当日比例计算。",
        sold = sold,
        amount = amount,
    ));
    if row.clawed != story.entry.points {
        let (all, owed, forgiven) = (points(row.clawed), points(row.owed), points(row.forgiven));
        told.push(say!(
            "The return took back {all} in all; of these owed: {owed}; not asked for: {forgiven}.",
            "本次退货共收回 {all}，其中欠分 {owed}，免除 {forgiven}。",
            all = all,
            owed = owed,
            forgiven = forgiven,
        ));
    }
    told
}

fn given_back(story: &Story, count: Text, on: Text) -> Text {
    match &story.matter {
        Matter::Return(goods) => say!(
            "Goods came back on {on} (reason: {reason}). Paid for them and given back: {count}.",
            "{on}退货（原因：{reason}）。退还用于支付的 {count}。",
            on = on,
            reason = goods.0.reason.as_str(),
            count = count,
        ),
        _ => say!(
            "What points had been spent on was taken back on {on}. Given back: {count}.",
            "{on}兑换被撤销，退还 {count}。",
            count = count,
            on = on,
        ),
    }
}

fn transferred(story: &Story, count: Text, on: Text) -> Text {
    let other = match story.entry.reason.as_deref() {
        Some("pool") => both("another member of the household", "家庭成员"),
        Some("merged") => both("the other account of the same person", "同一人的另一账户"),
        _ => both("another member", "其他会员"),
    };
    let debt = |account: &str| account == Account::Debt.as_str();
    let comes = story.entry.from_account == Account::Transferred.as_str();
    match (comes, debt(&story.entry.from_account) || debt(&story.entry.to_account)) {
        (true, false) => {
            say!(
                "{count} came from {other} on {on}.",
                "{on}从{other}转入 {count}。",
                count = count,
                other = other,
                on = on
            )
        }
        (false, false) => {
            say!(
                "{count} went to {other} on {on}.",
                "{on}转出 {count} 至{other}。",
                count = count,
                other = other,
                on = on
            )
        }
        (true, true) => say!(
            "Owed here no more since {on}, but by {other}: {count}.",
            "{on}起 {count} 欠分由{other}承担。",
            count = count,
            other = other,
            on = on,
        ),
        (false, true) => say!(
            "Owed here since {on}, by {other} before: {count}.",
            "{on}起承担{other}的 {count} 欠分。",
            count = count,
            other = other,
            on = on,
        ),
    }
}
