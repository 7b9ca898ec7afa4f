drop function store_tags, load_tags;
drop table member_tag, member_tag_change;
