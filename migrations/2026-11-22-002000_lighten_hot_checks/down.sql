alter table idempotency
    add constraint idempotency_fingerprint_check check (length(fingerprint) = 32),
    add constraint idempotency_answer_check check ((document_id is null) <> (body is null));

alter table purchase add constraint purchase_content_check check (length(content) = 32);

alter table lot
    drop constraint lot_points_check,
    add constraint lot_points_check check (points > 0),
    add constraint lot_held_check check (held >= 0),
    add constraint lot_lapsed_check check (lapsed >= 0),
    add constraint lot_idle_months_check check (idle_months between 1 and 240),
    add constraint lot_parent_check
        check ((parent_member is null) = (parent_lot is null) and parent_member is distinct from member_id),
    add constraint lot_remaining_check check (remaining >= 0 and remaining + held + lapsed <= points);

alter table entry
    drop constraint entry_points_check,
    add constraint entry_number_check check (number > 0),
    add constraint entry_points_check check (points between 1 and 9007199254740991),
    add constraint entry_actor_check
        check (actor_role in ('member', 'cashier', 'manager', 'admin', 'import', 'system')),
    add constraint entry_hash_check check (length(hash) = 32),
    add constraint entry_accounts_check check (from_account <> to_account);

alter table standing
    drop constraint standing_points_check,
    add constraint standing_pending_check check (pending between 0 and 9007199254740991),
    add constraint standing_available_check check (available between 0 and 9007199254740991),
    add constraint standing_held_check check (held between 0 and 9007199254740991),
    add constraint standing_debt_check check (debt between 0 and 9007199254740991),
    add constraint standing_head_check check (length(head) = 32),
    add constraint standing_ties_check check (ties is null or
        ((ties).root is null) = ((ties).kind is null) and (ties).root is distinct from member_id
        and ((ties).kind is null or (ties).kind in ('merged', 'pool'))
        and ((ties).may_spend is not null) = ((ties).kind is not distinct from 'pool')
        and (ties).household >= 0 and ((ties).sent_day is null) = ((ties).sent_points is null) and (ties).sent_points >= 0),
    add constraint standing_debt_alone_check check (debt = 0 or available = 0);
