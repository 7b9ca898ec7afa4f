//! The tables, as `diesel print-schema` writes them.

#![expect(missing_docs, reason = "generated: the migrations comment the tables")]

diesel::table! {
    staff (id) {
        id -> Uuid,
        identifier -> Text,
        name -> Text,
        role -> Text,
        store_id -> Nullable<Uuid>,
        password_hash -> Text,
        status -> Text,
        version -> Int8,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    member_credential (member_id) {
        member_id -> Uuid,
        password_hash -> Nullable<Text>,
        pin_hash -> Nullable<Text>,
        otp_secret -> Bytea,
        failures -> Int4,
        locked_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    session (id) {
        id -> Uuid,
        principal_kind -> Text,
        principal_id -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        device -> Nullable<Text>,
    }
}

diesel::table! {
    api_key (id) {
        id -> Uuid,
        name -> Text,
        prefix -> Text,
        hash -> Bytea,
        store_id -> Uuid,
        scopes -> Array<Text>,
        created_by -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    verification (id) {
        id -> Uuid,
        purpose -> Text,
        phone -> Nullable<Text>,
        email -> Nullable<Text>,
        code_hash -> Bytea,
        attempts -> Int4,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        member_id -> Nullable<Uuid>,
        name -> Nullable<Text>,
        birth_date -> Nullable<Text>,
        locale -> Nullable<Text>,
        password_hash -> Nullable<Text>,
    }
}

diesel::table! {
    contact_message (id) {
        id -> Uuid,
        channel -> Text,
        contact -> Text,
        kind -> Text,
        text -> Jsonb,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    refresh_token (hash) {
        hash -> Bytea,
        session_id -> Uuid,
        salt -> Bytea,
        issued_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(refresh_token -> session (session_id));

// core tables

diesel::table! {
    store (id) {
        id -> Uuid,
        code -> Text,
        name -> Text,
        version -> Int8,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    member (id) {
        id -> Uuid,
        code -> Text,
        name -> Text,
        phone -> Nullable<Text>,
        email -> Nullable<Text>,
        external_id -> Nullable<Text>,
        birth_year -> Nullable<Int2>,
        birth_month -> Nullable<Int2>,
        birth_day -> Nullable<Int2>,
        locale -> Text,
        status -> Text,
        store_id -> Nullable<Uuid>,
        enrolled_at -> Timestamptz,
        version -> Int8,
    }
}

diesel::table! {
    standing (member_id) {
        member_id -> Uuid,
        frozen -> Bool,
        enrolled_at -> Timestamptz,
        recorded_at -> Timestamptz,
        pending -> Int8,
        available -> Int8,
        held -> Int8,
        debt -> Int8,
        lifetime_earned -> Int8,
        entries -> Int8,
        head -> Bytea,
        lots -> Int8,
        purchases -> Int8,
        carry -> Int8,
        tier -> Text,
        tier_since -> Timestamptz,
        tier_changes -> Int8,
        window_from -> Date,
        window_to -> Date,
        window_points -> Int8,
        window_spend -> Int8,
        window_visits -> Int8,
        window_oldest -> Nullable<Date>,
        tier_due_at -> Nullable<Timestamptz>,
        boost_until -> Nullable<Timestamptz>,
        otp_step -> Int8,
        version -> Int8,
        tier_until -> Nullable<Timestamptz>,
        placement -> Nullable<crate::store::rows::PlacementType>,
        clock -> crate::store::rows::ClockType,
        due_at -> Nullable<Timestamptz>,
        ties -> Nullable<crate::store::rows::TiesType>,
    }
}

diesel::table! {
    entry (member_id, number) {
        member_id -> Uuid,
        number -> Int8,
        kind -> Text,
        from_account -> Text,
        to_account -> Text,
        points -> Int8,
        effective_at -> Timestamptz,
        recorded_at -> Timestamptz,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
        document_id -> Nullable<Uuid>,
        reason -> Nullable<Text>,
        reverses -> Nullable<Int8>,
        hash -> Bytea,
    }
}

diesel::table! {
    lot (member_id, number) {
        member_id -> Uuid,
        number -> Int8,
        entry -> Int8,
        points -> Int8,
        remaining -> Int8,
        occurred_at -> Timestamptz,
        available_from -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        held -> Int8,
        lapsed -> Int8,
        pending -> Bool,
        origin -> Nullable<Int8>,
        fixed -> Bool,
        idle_months -> Nullable<Int4>,
        parent_member -> Nullable<Uuid>,
        parent_lot -> Nullable<Int8>,
    }
}

diesel::table! {
    lot_movement (member_id, entry, lot) {
        member_id -> Uuid,
        entry -> Int8,
        lot -> Int8,
        points -> Int8,
        held -> Int8,
        lapsed -> Int8,
    }
}

diesel::table! {
    qualifying_day (member_id, day) {
        member_id -> Uuid,
        day -> Date,
        points -> Int8,
        spend -> Int8,
        visits -> Int8,
        given -> Int8,
    }
}

diesel::table! {
    tier_change (member_id, number) {
        member_id -> Uuid,
        number -> Int8,
        from_tier -> Text,
        to_tier -> Text,
        at -> Timestamptz,
        recorded_at -> Timestamptz,
        cause -> Text,
        measure -> Int8,
        programme_version -> Int8,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    perk_grant (member_id, perk, occasion) {
        member_id -> Uuid,
        perk -> Text,
        occasion -> Int4,
        granted_at -> Timestamptz,
        gift -> Jsonb,
        window_from -> Timestamptz,
        window_until -> Timestamptz,
    }
}

diesel::table! {
    purchase (id) {
        id -> Uuid,
        member_id -> Uuid,
        store_id -> Uuid,
        source -> Text,
        external_id -> Text,
        content -> Bytea,
        occurred_at -> Timestamptz,
        occurred_named -> Bool,
        recorded_at -> Timestamptz,
        programme_version -> Int8,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
        amount -> Int8,
        points -> Int8,
        micropoints -> Nullable<Int8>,
        answer -> Text,
        redemption_id -> Nullable<Uuid>,
        particulars -> Nullable<Jsonb>,
    }
}

diesel::table! {
    redemption (id) {
        id -> Uuid,
        member_id -> Uuid,
        store_id -> Nullable<Uuid>,
        reward -> Nullable<Text>,
        points -> Int8,
        worth -> Nullable<Int8>,
        status -> Text,
        recorded_at -> Timestamptz,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
        answer -> Text,
        purchase_id -> Nullable<Uuid>,
        held_until -> Nullable<Timestamptz>,
        entry -> Nullable<Int8>,
        bite_lots -> Array<Int8>,
        bite_points -> Array<Int8>,
        perk -> Nullable<Text>,
        occasion -> Nullable<Int4>,
    }
}

diesel::table! {
    purchase_return (id) {
        id -> Uuid,
        member_id -> Uuid,
        purchase_id -> Uuid,
        store_id -> Uuid,
        source -> Text,
        external_id -> Text,
        content -> Bytea,
        reason -> Text,
        recorded_at -> Timestamptz,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
        lines -> Text,
        amount -> Int8,
        clawed -> Int8,
        owed -> Int8,
        forgiven -> Int8,
        micropoints -> Int8,
        given_back -> Int8,
        answer -> Text,
    }
}

diesel::table! {
    entitlement_use (member_id, code, year, number) {
        member_id -> Uuid,
        code -> Text,
        year -> Int4,
        number -> Int4,
        used_at -> Timestamptz,
        day -> Nullable<Date>,
        multiplier -> Nullable<Int8>,
    }
}

diesel::table! {
    member_tag_change (seq) {
        seq -> Int8,
        member_id -> Uuid,
        tag -> Text,
        at -> Timestamptz,
        held -> Bool,
        until -> Nullable<Timestamptz>,
        cause -> Text,
        promotion -> Nullable<Text>,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    member_tag (member_id, tag) {
        member_id -> Uuid,
        tag -> Text,
        since -> Timestamptz,
        until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    notice (member_id, kind, due_at, lead_days) {
        member_id -> Uuid,
        kind -> Text,
        due_at -> Timestamptz,
        lead_days -> Int4,
        noticed_at -> Timestamptz,
        content -> Jsonb,
    }
}

diesel::table! {
    adjustment (id) {
        id -> Uuid,
        member_id -> Uuid,
        points -> Int8,
        reason -> Text,
        note -> Text,
        requested_by -> Uuid,
        requested_role -> Text,
        store_id -> Nullable<Uuid>,
        requested_at -> Timestamptz,
        day -> Date,
        key -> Text,
        fingerprint -> Bytea,
        day_before -> Int8,
        limit_each -> Int8,
        limit_day -> Int8,
        status -> Text,
        decided_by -> Nullable<Uuid>,
        decided_at -> Nullable<Timestamptz>,
        decision_key -> Nullable<Text>,
        decision_note -> Nullable<Text>,
        refusal -> Nullable<Text>,
        booked -> Int8,
        booked_at -> Nullable<Timestamptz>,
        booked_entry -> Nullable<Int8>,
    }
}

diesel::table! {
    promotion_member_usage (member_id, promotion, day) {
        member_id -> Uuid,
        promotion -> Text,
        day -> Date,
        uses -> Int8,
    }
}

diesel::table! {
    promotion_usage (promotion) {
        promotion -> Text,
        uses -> Int8,
        points -> Int8,
        money -> Int8,
    }
}

diesel::table! {
    reward_usage (reward) {
        reward -> Text,
        used -> Int8,
    }
}

diesel::table! {
    idempotency (caller, key) {
        caller -> Uuid,
        key -> Text,
        fingerprint -> Bytea,
        member_id -> Uuid,
        status -> Int2,
        document_id -> Nullable<Uuid>,
        body -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    outbox (id) {
        id -> Uuid,
        member_id -> Uuid,
        kind -> Text,
        document_id -> Nullable<Uuid>,
        points -> Int8,
        at -> Timestamptz,
    }
}

diesel::table! {
    programme_version (version) {
        version -> Int8,
        document -> Jsonb,
        created_at -> Timestamptz,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    audit (id) {
        id -> Uuid,
        at -> Timestamptz,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
        action -> Text,
        object -> Text,
        before -> Nullable<Jsonb>,
        after -> Nullable<Jsonb>,
    }
}

diesel::table! {
    sandbox_clock (singleton) {
        singleton -> Bool,
        offset_micros -> Int8,
    }
}

diesel::table! {
    job_lease (name) {
        name -> Text,
        holder -> Uuid,
        until -> Timestamptz,
    }
}

diesel::table! {
    job_run (job, day) {
        job -> Text,
        day -> Date,
        position -> Nullable<Uuid>,
        done_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    notice_watch (member_id) {
        member_id -> Uuid,
        version -> Int8,
        programme -> Int8,
        next_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    scheduled_programme (number) {
        number -> Int8,
        effective_on -> Date,
        base -> Int8,
        document -> Jsonb,
        created_at -> Timestamptz,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
        refused_at -> Nullable<Timestamptz>,
        refusal -> Nullable<Jsonb>,
    }
}

diesel::table! {
    transfer (id) {
        id -> Uuid,
        from_member -> Uuid,
        to_member -> Uuid,
        points -> Int8,
        recorded_at -> Timestamptz,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
        answer -> Text,
    }
}

diesel::table! {
    pool_invitation (id) {
        id -> Uuid,
        head -> Uuid,
        code_hash -> Bytea,
        may_spend -> Bool,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        taken_by -> Nullable<Uuid>,
        joined_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    voucher_upload (id) {
        id -> Uuid,
        reward -> Text,
        digest -> Bytea,
        codes -> Int4,
        uploaded_by -> Uuid,
        uploaded_at -> Timestamptz,
    }
}

diesel::table! {
    voucher_code (number) {
        number -> Int8,
        reward -> Text,
        code -> Text,
        upload_id -> Uuid,
        redemption_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    draw_ticket (reward, number) {
        reward -> Text,
        number -> Int8,
        redemption_id -> Uuid,
        member_id -> Uuid,
        given_at -> Timestamptz,
        voided_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    referral (member_id) {
        member_id -> Uuid,
        referrer_id -> Uuid,
        at -> Timestamptz,
        purchase_id -> Nullable<Uuid>,
        completed_at -> Nullable<Timestamptz>,
        rewarded_id -> Nullable<Uuid>,
        number -> Nullable<Int8>,
        rewarded_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    fulfilment (redemption_id) {
        redemption_id -> Uuid,
        member_id -> Uuid,
        store_id -> Nullable<Uuid>,
        status -> Text,
        changed_at -> Timestamptz,
        steps -> Int4,
    }
}

diesel::table! {
    fulfilment_step (redemption_id, number) {
        redemption_id -> Uuid,
        number -> Int4,
        status -> Text,
        store_id -> Nullable<Uuid>,
        at -> Timestamptz,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    coupon_issue (id) {
        id -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        member_id -> Nullable<Uuid>,
        count -> Int4,
        issued_at -> Timestamptz,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
        key -> Nullable<Text>,
        fingerprint -> Nullable<Bytea>,
        given_by -> Nullable<Text>,
        document_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    member_event (id) {
        id -> Uuid,
        member_id -> Uuid,
        number -> Int8,
        code -> Text,
        occurred_at -> Timestamptz,
        recorded_at -> Timestamptz,
        programme_version -> Int8,
        store_id -> Uuid,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
        attributes -> Jsonb,
    }
}

diesel::table! {
    message (id) {
        id -> Uuid,
        member_id -> Uuid,
        given_by -> Text,
        at -> Timestamptz,
        text -> Jsonb,
    }
}

diesel::table! {
    coupon (code) {
        code -> Text,
        #[sql_name = "type"]
        type_ -> Text,
        issue_id -> Uuid,
        owner -> Nullable<Uuid>,
        valid_from -> Timestamptz,
        valid_until -> Nullable<Timestamptz>,
        uses -> Int4,
        used -> Int4,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    coupon_type_usage (type_) {
        #[sql_name = "type"]
        type_ -> Text,
        uses -> Int8,
        money -> Int8,
    }
}

diesel::table! {
    coupon_use (coupon, number) {
        coupon -> Text,
        number -> Int8,
        purchase_id -> Uuid,
        amount -> Int8,
        used_at -> Timestamptz,
        given_back_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    quote (id) {
        id -> Uuid,
        store_id -> Uuid,
        asked_at -> Timestamptz,
        valid_until -> Timestamptz,
        asked -> Jsonb,
        promised -> Jsonb,
        purchase_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    wallet (member_id) {
        member_id -> Uuid,
        entries -> Int8,
        head -> Bytea,
        lots -> Int8,
        paid -> Int8,
        bonus -> Int8,
        cashback -> Int8,
        due_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    re_rating (id) {
        id -> Uuid,
        status -> Text,
        from_day -> Date,
        to_day -> Date,
        stores -> Array<Text>,
        tried -> Jsonb,
        reason -> Text,
        note -> Text,
        fingerprint -> Bytea,
        looked_at -> Int8,
        inexact -> Int8,
        refused -> Int8,
        purchases -> Int8,
        members -> Int8,
        gives -> Int8,
        takes -> Int8,
        largest -> Int8,
        planned_by -> Uuid,
        planned_at -> Timestamptz,
        limit_each -> Nullable<Int8>,
        limit_day -> Nullable<Int8>,
        day_before -> Nullable<Int8>,
        applied_by -> Nullable<Uuid>,
        applied_at -> Nullable<Timestamptz>,
        undone_by -> Nullable<Uuid>,
        undone_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    wallet_entry (member_id, number) {
        member_id -> Uuid,
        number -> Int8,
        kind -> Text,
        from_account -> Text,
        to_account -> Text,
        amount -> Int8,
        effective_at -> Timestamptz,
        recorded_at -> Timestamptz,
        actor_role -> Text,
        actor_id -> Nullable<Uuid>,
        document_id -> Nullable<Uuid>,
        purchase_id -> Nullable<Uuid>,
        store_id -> Nullable<Uuid>,
        reason -> Nullable<Text>,
        month -> Nullable<Date>,
        hash -> Bytea,
    }
}

diesel::table! {
    re_rating_member (re_rating_id, member_id) {
        re_rating_id -> Uuid,
        member_id -> Uuid,
        purchases -> Int4,
        points -> Int8,
        applied -> Nullable<Int8>,
        forgiven -> Nullable<Int8>,
        applied_at -> Nullable<Timestamptz>,
        left_out -> Nullable<Text>,
        undone -> Nullable<Int8>,
        undone_forgiven -> Nullable<Int8>,
        undone_at -> Nullable<Timestamptz>,
        kept -> Nullable<Text>,
    }
}

diesel::table! {
    wallet_lot (member_id, number) {
        member_id -> Uuid,
        number -> Int8,
        account -> Text,
        entry -> Int8,
        amount -> Int8,
        remaining -> Int8,
        lapsed -> Int8,
        refunded -> Int8,
        bonus -> Int8,
        with_lot -> Nullable<Int8>,
        origin -> Nullable<Int8>,
        parent_member -> Nullable<Uuid>,
        parent_lot -> Nullable<Int8>,
        opened_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    wallet_movement (member_id, entry, lot) {
        member_id -> Uuid,
        entry -> Int8,
        lot -> Int8,
        amount -> Int8,
    }
}

diesel::table! {
    re_rating_purchase (re_rating_id, purchase_id) {
        re_rating_id -> Uuid,
        purchase_id -> Uuid,
        member_id -> Uuid,
        occurred_at -> Timestamptz,
        given -> Int8,
        clawed -> Int8,
        points -> Int8,
        should_be_clawed -> Int8,
        claws -> Jsonb,
        returned -> Int4,
        explanation -> Text,
        lapsed -> Nullable<Int8>,
        applied_at -> Nullable<Timestamptz>,
        undone_at -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(coupon -> coupon_issue (issue_id));

diesel::allow_tables_to_appear_in_same_query!(
    coupon,
    coupon_issue,
    member_event,
    message,
    notice_watch,
    store,
    member,
    standing,
    entry,
    lot,
    lot_movement,
    purchase,
    redemption,
    fulfilment,
    fulfilment_step,
    voucher_code,
    voucher_upload,
    staff,
    session,
    refresh_token,
    member_credential,
    transfer,
);
