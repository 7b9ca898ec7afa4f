drop function store_referrals;
drop function due_referrals;
drop function open_referrals;
drop function merged_into;
drop table referral;
drop function guard_referral;
