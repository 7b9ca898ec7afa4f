drop table refresh_token;
drop table session;
drop table member_credential;
drop table staff;
