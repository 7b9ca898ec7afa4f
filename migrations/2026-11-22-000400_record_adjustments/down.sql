drop trigger entry_adjustment on entry;
drop function book_adjustment;
drop table adjustment;
drop function guard_adjustment;
drop function count_adjustment;
