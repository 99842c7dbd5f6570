-- Views that need each other, rules, triggers of every kind, row-level security and an event trigger.
set search_path = bank, public;
create view rich_owners with (security_barrier, security_invoker) as select owner, balance, plain.total from plain where balance > 100 with local check option;
create recursive view numbers (n) as values (1) union all select n + 1 from numbers where n < 5;
create view "view "" of odd; name" as select "tab	and
new line" as "select", row_number() over (order by "a b" nulls first) as "order" from "we = ird; "" \ ' %s $1";
create view of_views as select o.*, n.n from rich_owners o cross join numbers n where o.owner like 'owner%1';
create view counted as select id, owner, count(*) as n from plain group by id;
alter view of_views alter column balance set default 3;
create materialized view totals with (fillfactor = 90) as select account, count(*) as entries, max(at) as last from entries group by account;
create unique index totals_account on totals (account);
create materialized view totals_of_totals as select sum(entries) as sum from totals;
create materialized view unfilled as select * from numbers with no data;
comment on view rich_owners is 'rich';
comment on materialized view totals is 'totals';
comment on column rich_owners.balance is 'of a view';

create rule no_delete as on delete to edges where old.what = 'odd' do instead nothing;
create rule log_it as on insert to rooms do also insert into empty values (new.room, 'by a rule');
create rule "_RETURNED rule" as on update to of_views do instead (update plain set balance = new.balance where owner = old.owner; notify changed);
create view by_rule as select 1 as n;
create rule insert_by_rule as on insert to by_rule do instead insert into empty values (new.n) returning empty.n;
alter table edges disable rule no_delete;

create trigger touched before update of balance, owner on plain for each row when (old.balance is distinct from new.balance) execute function touch();
create function note_it() returns trigger language plpgsql as $$ begin return coalesce(new, old); end $$;
create trigger statement_wise after insert on plain referencing new table as added for each statement execute function note_it('an', 'argument '' "');
create constraint trigger at_the_end after insert or delete on links from tree deferrable initially deferred for each row execute function note_it();
create trigger on_partitions after insert on entries for each row execute function note_it();
create trigger instead_of instead of insert on rich_owners for each row execute function note_it();
create trigger on_truncate before truncate on edges execute function note_it();
create trigger always_fires after delete on tree for each row execute function note_it();
alter table tree enable always trigger always_fires;
alter table entries_2025 disable trigger on_partitions;
alter table edges disable trigger on_truncate;
create trigger uniquely before update on indexed for each row execute function suppress_redundant_updates_trigger();
comment on trigger touched on plain is 'touched';
comment on rule no_delete on edges is 'disabled';

create function watch_commands() returns event_trigger language plpgsql as $$ begin return; end $$;
create event trigger watching on ddl_command_end when tag in ('CREATE TABLE', 'ALTER TABLE') execute function watch_commands();
create event trigger watching_drops on sql_drop execute function watch_commands();
alter event trigger watching_drops disable;
alter event trigger watching enable always;
comment on event trigger watching is 'watches';

alter table plain enable row level security;
create policy own on plain using (owner = current_user) with check (balance >= 0);
create policy "look only" on plain as restrictive for select to auditor, clerk using (exists (select from bank.parent where parent.id = plain.id));
create policy adding on plain for insert to public with check (true);
alter table tree enable row level security, force row level security;
create policy everything on tree;
comment on policy own on plain is 'one''s own';
