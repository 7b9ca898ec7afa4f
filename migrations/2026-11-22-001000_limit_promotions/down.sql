drop function count_promotions;
drop function lock_promotions;
drop table promotion_member_usage;
drop table promotion_usage;
