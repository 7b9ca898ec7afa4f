drop table pool_invitation;
