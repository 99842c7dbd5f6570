-- Partitions by range, list and hash, below each other, with defaults, of other column orders, and taken off again.
set search_path = bank, public;
create table entries (id bigint generated always as identity, account int, at timestamptz not null, kind text not null, note text,
  primary key (id, at, kind)) partition by range (at);
create table entries_old partition of entries for values from (minvalue) to ('2025-01-01') partition by list (kind);
create table entries_old_in partition of entries_old for values in ('in', 'fee') partition by hash (id);
create table entries_old_in_0 partition of entries_old_in for values with (modulus 3, remainder 0);
create table entries_old_in_1 partition of entries_old_in for values with (modulus 3, remainder 1);
create table entries_old_in_2 partition of entries_old_in for values with (modulus 3, remainder 2);
create table entries_old_rest partition of entries_old default;
create table entries_2025 partition of entries for values from ('2025-01-01') to ('2026-01-01') with (fillfactor = 80);
create table entries_2026 (note text, kind text not null, at timestamptz not null, gone int, id bigint not null, account int);
alter table entries_2026 drop column gone;
alter table entries attach partition entries_2026 for values from ('2026-01-01') to ('2027-01-01');
create table entries_rest partition of entries default;
create table "entries, detached" partition of entries for values from ('2030-01-01') to ('2031-01-01');
alter table entries detach partition "entries, detached";
create index entries_account on entries (account) include (kind);
create index entries_note on only entries using hash (note);
create index entries_2025_note on entries_2025 using hash (note);
alter index entries_note attach partition entries_2025_note;
insert into entries (account, at, kind, note)
  select 7 + 3 * (n % 400), '2024-06-01'::timestamptz + n * interval '6 hours', (array['in', 'out', 'fee', 'odd'])[1 + n % 4], E'note\\ \t' || n
  from generate_series(1, 4000) n;
insert into entries (account, at, kind) values (null, 'infinity', 'in'), (null, '-infinity', 'fee'), (null, '-infinity', 'x');

create table by_mood (mood bank.mood, n int, t text default 'x') partition by hash (mood);
create table by_mood_0 partition of by_mood for values with (modulus 2, remainder 0);
create table by_mood_1 partition of by_mood (t default 'y') for values with (modulus 2, remainder 1);
insert into by_mood select m, n from unnest(enum_range(null::bank.mood)) m, generate_series(1, 20) n;

create table by_expression (t text collate bank.exact, n numeric) partition by list (lower(t));
create table by_expression_a partition of by_expression for values in ('a', 'ä', null);
create table by_expression_rest partition of by_expression default;
insert into by_expression values ('A', 1), ('Ä', 'nan'), (null, 3), ('z', 4);
create table by_two (a int, b text) partition by range (a, b);
create table by_two_1 partition of by_two for values from (minvalue, minvalue) to (10, 'm');
create table by_two_2 partition of by_two for values from (10, 'm') to (maxvalue, maxvalue);
insert into by_two values (1, 'z'), (10, 'a'), (10, 'm'), (99, '');
create table without_partitions (n int) partition by range (n);
