//! `/v1/admin/members`: who they are ([`profile`]), what staff do to them ([`change`], [`placement`], [`tags`], [`merging`]),
//! what they own ([`account`], [`books`], [`wallet`]), and whom they brought ([`referrals`]). Here staff see the whole person, unlike at the till.

mod account;
mod books;
mod change;
mod merging;
mod placement;
mod profile;
mod referrals;
mod tags;
mod wallet;

use tessera_rules::id::MemberId;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::api::error::Code;
use crate::store::db::Connection;
use crate::store::member::{self, MemberRow};

use crate::api::work::Failed;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(profile::list_members)
        .service(profile::read_member)
        .service(change::change_member)
        .service(change::freeze_member)
        .service(change::unfreeze_member)
        .service(change::set_member_password)
        .service(account::member_balance)
        .service(account::member_lots)
        .service(account::member_tier)
        .service(account::member_perks)
        .service(account::member_notices)
        .service(referrals::member_referrals)
        .service(placement::place_member)
        .service(tags::member_tags)
        .service(tags::member_tag_changes)
        .service(tags::put_tag)
        .service(tags::take_tag_off)
        .service(merging::merge_member)
        .service(merging::unmerge_member)
        .service(wallet::adjust_wallet)
        .service(books::member_ledger)
        .service(books::member_entry)
        .service(books::find_ledger)
        .service(books::member_purchases)
        .service(books::member_redemptions);
}

/// A member that must be there.
fn known(conn: &mut Connection, id: MemberId) -> Result<MemberRow, Failed> {
    Ok(member::find(conn, id)?.ok_or(Code::MemberUnknown)?)
}
