drop index purchase_occurred;
drop index tier_change_at;
drop index member_enrolled;
drop index redemption_grant_key;

-- A reward that cost nothing has no place in what this goes back to, nor has the grant that gave it.
update reward_usage u set used = u.used - n.used from (
    select reward, count(*) as used from redemption where perk is not null and status <> 'voided' group by reward
) n where n.reward = u.reward;
update standing s set clock.holds_due_at = (
    select min(r.held_until) from redemption r where r.member_id = s.member_id and r.perk is null
) where s.member_id in (select r.member_id from redemption r where r.perk is not null and r.status = 'held');
delete from idempotency i using redemption r where r.id = i.document_id and r.perk is not null;
delete from redemption where perk is not null;
alter table perk_grant disable trigger perk_grant_keep;
delete from perk_grant where gift ->> 'kind' = 'reward';
alter table perk_grant enable trigger perk_grant_keep;
alter table redemption
    drop constraint redemption_grant_check,
    drop constraint redemption_points_check,
    drop column occasion, drop column perk,
    add constraint redemption_points_check check (points > 0);
