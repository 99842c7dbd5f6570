-- What only 18 and later have.
set search_path = bank, public;
create table computed (n int, twice int generated always as (n * 2) virtual, thrice int generated always as (n * 3) stored);
insert into computed values (1), (null);
create table periods (id int, valid daterange, primary key (id, valid without overlaps));
create table period_parts (id int, valid daterange, foreign key (id, period valid) references periods (id, period valid));
insert into periods values (1, '[2025-01-01,2025-07-01)'), (1, '[2025-07-01,)');
insert into period_parts values (1, '[2025-06-01,2025-08-01)');
create table loosely (n int constraint "never null" not null, m int, constraint "not enforced" check (n > 0) not enforced,
  t int constraint "to targets" references tree not enforced);
insert into loosely values (-1, null, 999);
-- Not a name that must be quoted: pg_dump 18.6 does not quote it where a table inherits it.
alter table loosely add constraint not_yet not null m not valid;
create table heirs () inherits (loosely);
create publication with_computed for table computed with (publish_generated_columns = stored);
