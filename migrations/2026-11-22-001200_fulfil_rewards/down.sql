drop function store_rewards;
drop table fulfilment_step, fulfilment, voucher_code, voucher_upload;
drop function guard_voucher_code;

-- What cost nothing and was not a perk's gift has no place in what this goes back to.
update reward_usage u set used = u.used - n.used from (
    select reward, count(*) as used from redemption where points = 0 and perk is null and status <> 'voided' group by reward
) n where n.reward = u.reward;
update standing s set clock.holds_due_at = (
    select min(r.held_until) from redemption r where r.member_id = s.member_id and (r.points > 0 or r.perk is not null)
) where s.member_id in (select member_id from redemption where points = 0 and perk is null and status = 'held');
delete from idempotency i using redemption r where r.id = i.document_id and r.points = 0 and r.perk is null;
delete from redemption where points = 0 and perk is null;
alter table redemption
    drop constraint redemption_points_check,
    add constraint redemption_points_check check (points > 0 or points = 0 and perk is not null);
