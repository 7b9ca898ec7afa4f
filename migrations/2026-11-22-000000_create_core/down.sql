drop function store_batch;
drop function load_batch;
drop table job_run, job_lease, sandbox_clock, audit, programme_version, outbox, idempotency, reward_usage,
    redemption, purchase, perk_grant, tier_change, qualifying_day, lot_movement, lot, entry, standing, member, store;
drop function refuse_change;
