drop function store_gifts;
drop table message, member_event;

-- Gifts of kinds that are not known there.
alter table perk_grant disable trigger perk_grant_keep;
delete from perk_grant where gift ->> 'kind' in ('coupon', 'message');
alter table perk_grant enable trigger perk_grant_keep;

drop index coupon_issue_of_document;
alter table coupon_issue drop constraint coupon_issue_given_check, drop column given_by, drop column document_id;
