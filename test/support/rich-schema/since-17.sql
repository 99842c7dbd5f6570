-- What only 17 and later have.
set search_path = bank, public;
create collation built_in (provider = builtin, locale = 'C.UTF-8');
create table built_in_words (w text collate built_in primary key, i interval);
insert into built_in_words values ('Äpfel', 'infinity'), ('äpfel', '-infinity');
create table partition_identity (id int generated always as identity, k int) partition by list (k);
create table partition_identity_1 partition of partition_identity for values in (1);
insert into partition_identity (k) values (1), (1);
alter table partition_identity add constraint one_each exclude using gist (k with =, id with <>) where (false);
