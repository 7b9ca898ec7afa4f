drop table scheduled_programme;
drop table notice_watch;
