-- Constraints and foreign keys that point everywhere, indexes of every method, and statistics.
set search_path = bank, public;
create table tree (id int primary key, above int references tree deferrable initially deferred, place int not null);
insert into tree select n, nullif(n / 2, 0), n from generate_series(1, 60) n;
alter table tree add constraint "one place" unique (place) deferrable initially immediate;
alter table tree add constraint "never there" check (place < 10) not valid;
create table links (id int primary key, entry bigint, at timestamptz, kind text, tree int default 1, owner text,
  foreign key (entry, at, kind) references entries match full on delete cascade on update set null,
  constraint "to the tree" foreign key (tree) references tree on delete set default,
  foreign key (owner) references plain (owner) on update cascade not valid);
insert into links select n, e.id, e.at, e.kind, n, 'owner ' || n from generate_series(1, 50) n join entries e on e.id = n;
create table targets (a int, b int, primary key (a, b));
insert into targets select n, n from generate_series(1, 50) n;
alter table links add constraint partly foreign key (id, tree) references targets on delete set null (tree);
alter table entries add constraint "to the owner" foreign key (account) references plain (id) deferrable;
create table rooms (room int, during tstzrange, place point, who text,
  constraint "one at a time" exclude using gist (room with =, during with &&) where (who is not null),
  exclude using spgist (place with ~=) deferrable initially deferred);
insert into rooms values (1, '[2025-01-01,2025-01-02)', '(1,1)', 'a'), (1, '[2025-01-02,)', '(1,2)', 'b'), (1, '[2025-01-01,)', '(2,2)', null);

create table indexed (id int, words text, doc jsonb, tags text[], at timestamptz, place point, box box, v tsvector, net inet, n int, s text);
insert into indexed
  select n, md5(n::text) || ' ' || md5((n * 7)::text), jsonb_build_object('n', n, 's', md5(n::text)), array['t' || n % 9, 'u' || n % 5],
    '2025-01-01'::timestamptz + n * interval '1 minute', point(n % 50, n / 50), box(point(n, n), point(n + 2, n + 3)),
    to_tsvector('simple', md5((n % 77)::text)), '10.0.0.0'::inet + n, n % 100, 's' || n
  from generate_series(1, 3000) n;
alter table indexed add constraint indexed_key unique (id) include (n, s);
create index indexed_words on indexed using gin (words gin_trgm_ops) with (fastupdate = off);
create index indexed_doc on indexed using gin (doc jsonb_path_ops);
create index indexed_tags on indexed using gin (tags, n);
create index indexed_v on indexed using gist (v tsvector_ops (siglen = 64));
create index indexed_box on indexed using gist (box) with (buffering = on);
create index indexed_place on indexed using spgist (place quad_point_ops);
create index indexed_net on indexed using spgist (net);
create index indexed_at on indexed using brin (at timestamptz_minmax_multi_ops (values_per_range = 16)) with (pages_per_range = 4, autosummarize = on);
create index indexed_bloom on indexed using bloom (n, id) with (length = 64, col1 = 3);
create index indexed_hash on indexed using hash (s) where n > 50;
create index indexed_expression on indexed (lower(words) text_pattern_ops, (doc ->> 's') collate bank.exact desc nulls last) where (n % 2 = 0);
create unique index indexed_nulls on indexed (s, id) nulls not distinct;
create index "index "" of odd; name" on "we = ird; "" \ ' %s $1" ("Ünïcødé ☃ 雪", ("select" + "order"));
alter index indexed_expression alter column 1 set statistics 77;
alter table indexed cluster on indexed_key;
alter table indexed alter id set not null;
create unique index indexed_identity on indexed (id);
alter table indexed replica identity using index indexed_identity;
create statistics indexed_together (ndistinct, dependencies, mcv) on n, s, id from indexed;
create statistics indexed_of_expressions on (n % 7), lower(words) from indexed;
alter statistics indexed_together set statistics 300;
comment on index indexed_doc is 'paths';
comment on constraint "to the tree" on links is 'a constraint';
comment on statistics indexed_together is 'statistics';
