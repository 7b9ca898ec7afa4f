-- Budgets in money: what limited promotions gave to wallets is counted beside their uses and points.

alter table promotion_usage
    add column money bigint not null default 0 constraint promotion_usage_money_check check (money >= 0);
comment on column promotion_usage.uses is 'Purchases in which the promotion gave something.';
comment on column promotion_usage.money is 'The cashback it gave, in minor units.';

drop function count_promotions;

-- Counts what a batch used of promotions, after store_batch in the same statement: that has locked the
-- members, and what is locked here for all stays locked for as short a time as can be.
--   p_promotions       sorted; each with by how much its counts change
--   p_least_…, p_most_…  between which figures, both included, a count must lie before: else the batch
--                      would have been decided otherwise
--   p_members …        by how much the uses of a member on a day change
create function count_promotions(
    p_promotions text[], p_uses bigint[], p_points bigint[], p_money bigint[],
    p_least_uses bigint[], p_most_uses bigint[], p_least_points bigint[], p_most_points bigint[],
    p_least_money bigint[], p_most_money bigint[],
    p_members uuid[], p_member_promotions text[], p_days date[], p_member_uses bigint[]
) returns void language plpgsql as $$
begin
    if cardinality(p_members) > 0 then
        -- A use that is given back was counted before: its row is there.
        update promotion_member_usage u set uses = u.uses + n.uses
        from unnest(p_members, p_member_promotions, p_days, p_member_uses) n(member_id, promotion, day, uses)
        where n.uses < 0 and u.member_id = n.member_id and u.promotion = n.promotion and u.day = n.day;
        insert into promotion_member_usage as u
        select n.* from unnest(p_members, p_member_promotions, p_days, p_member_uses) n(member_id, promotion, day, uses)
        where n.uses > 0
        on conflict (member_id, promotion, day) do update set uses = u.uses + excluded.uses;
    end if;
    for i in 1 .. cardinality(p_promotions) loop
        for attempt in 1 .. 2 loop
            if p_uses[i] = 0 and p_points[i] = 0 and p_money[i] = 0 then
                perform from promotion_usage u where u.promotion = p_promotions[i]
                    and u.uses between p_least_uses[i] and p_most_uses[i]
                    and u.points between p_least_points[i] and p_most_points[i]
                    and u.money between p_least_money[i] and p_most_money[i];
            else
                update promotion_usage u
                set uses = u.uses + p_uses[i], points = u.points + p_points[i], money = u.money + p_money[i]
                where u.promotion = p_promotions[i]
                    and u.uses between p_least_uses[i] and p_most_uses[i]
                    and u.points between p_least_points[i] and p_most_points[i]
                    and u.money between p_least_money[i] and p_most_money[i];
            end if;
            exit when found;
            if attempt = 1 then
                insert into promotion_usage values (p_promotions[i], 0, 0) on conflict do nothing;
            else
                raise exception 'a batch was decided on what has moved on' using errcode = 'serialization_failure';
            end if;
        end loop;
    end loop;
end $$;
