drop function store_tickets;
drop function member_now;
drop table draw_ticket;
drop function guard_draw_ticket;
