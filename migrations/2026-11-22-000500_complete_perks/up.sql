-- Perks that give rewards, and how those are found whom an occasion of a perk concerns.

-- A reward that a perk gave costs nothing: its redemption names the grant that it uses, and uses it once.
alter table redemption
    add column perk text,
    add column occasion integer,
    drop constraint redemption_points_check,
    add constraint redemption_points_check check (points > 0 or points = 0 and perk is not null),
    add constraint redemption_grant_check check (
        (perk is null) = (occasion is null)
        and (perk is null or points = 0 and reward is not null and worth is null and entry is null
            and purchase_id is null and cardinality(bite_lots) = 0));
comment on column redemption.perk is 'The perk that gave the reward for nothing; beside it the number of the grant''s occasion.';
create unique index redemption_grant_key on redemption (member_id, perk, occasion)
    where perk is not null and status <> 'voided';

-- Members by enrolment (welcome, anniversaries), by a change of tier, and by purchases, which arrive in
-- about the order in which they happen.
create index member_enrolled on member (enrolled_at);
create index tier_change_at on tier_change (at);
create index purchase_occurred on purchase using brin (occurred_at);
