-- What goes on once a base backup was taken: rows of every kind of table, sequences, catalogues.
set search_path = bank, public;
insert into plain (owner, balance) select 'chapter :n, ' || g, g from generate_series(1, 50) g;
update plain set balance = balance + 1 where id % 11 = 0;
insert into entries (account, at, kind, note) select 7, '2025-06-01'::timestamptz + :n * interval '400 days' + g * interval '1 minute', 'fee', 'chapter :n'
  from generate_series(1, 500) g;
delete from entries where id % 13 = :n;
update long_values set ext = ext || 'chapter :n', b = b || '\x00ff' where id % 4 = :n;
update edges set n = 'nan', d = 'infinity' where what = 'all null';
insert into unlogged_rows (t) values ('chapter :n');
insert into by_mood select 'very busy', 1000 + g from generate_series(1, 30) g;
insert into nothing_at_all default values;
select nextval('fresh'), nextval('used'), nextval('cycled');
select lo_put(4711, 7 * :n, 'chapter :n'), lo_unlink(lo_create(99990 + :n)), lo_from_bytea(5000 + :n, 'made in chapter :n');
create table "made in chapter :n" as select g as n, md5(g::text) as t from generate_series(1, 700) g;
create index on "made in chapter :n" using gin (t gin_trgm_ops);
alter table kept_fully add column "added in chapter :n" text default 'by default';
truncate empty;
refresh materialized view totals;
vacuum (analyze) entries_old_in_0, edges;
