drop function store_re_ratings;
drop trigger entry_re_rating on entry;
drop function allow_re_rating;
drop table re_rating_purchase, re_rating_member, re_rating;
drop function guard_re_rated;
drop function guard_re_rating;
