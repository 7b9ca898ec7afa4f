drop function store_wallets;
drop function load_wallets;
drop table wallet_movement;
drop table wallet_lot;
drop table wallet_entry;
drop table wallet;
