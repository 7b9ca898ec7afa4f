alter table session drop column device;
drop table contact_message;
drop table verification;
