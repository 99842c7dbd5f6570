-- Functions in SQL and plpgsql, aggregates, operators and their classes, casts, conversions, a language and a transform.
set search_path = bank, public;
create function touch() returns trigger language plpgsql as $fn$ begin new.mood = 'very busy'; return new; end $fn$;
create function twice(n int, variadic more int[] default '{}', out a int, out b text) returns record language sql immutable strict parallel safe cost 7
  as $$ select n * 2, more::text $$;
create function atomic(n int) returns table (k int, v text) language sql stable rows 3 set search_path = bank, pg_temp
  begin atomic select id, owner from bank.plain where id > n order by id; end;
create function "Odd name (with) ""parts"" \ '"("argument 1" text = '$$ "quoted" \ ') returns text language plpgsql security definer leakproof
  set "work_mem" = '9MB' as 'begin return $1 || $_$ nested $x$ dollars $_$; end';
create function later_made() returns setof plain language sql as 'select * from plain where id < 0';
create procedure move_all(inout n int) language plpgsql as $$ begin n = n + 1; end $$;
create function total(plain) returns numeric language sql stable as 'select $1.balance + coalesce($1.later, 0)';
comment on function twice is 'doubles';

create function product_step(numeric, numeric) returns numeric language sql immutable strict as 'select $1 * $2';
create aggregate product (numeric) (sfunc = product_step, stype = numeric, initcond = '1', combinefunc = product_step, parallel = safe);
create aggregate moving_sum (int) (sfunc = int4pl, stype = int, initcond = 0, msfunc = int4pl, minvfunc = int4mi, mstype = int, minitcond = 0);
create aggregate nearest (float8 order by anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra);

create function amount_of(text) returns amount language sql immutable as 'select length($1)::amount';
create type weight as (kg numeric);
create function weight_less(weight, weight) returns boolean language sql immutable as 'select $1.kg < $2.kg';
create function weight_equal(weight, weight) returns boolean language sql immutable as 'select $1.kg = $2.kg';
create function weight_more(weight, weight) returns boolean language sql immutable as 'select $1.kg > $2.kg';
create function weight_order(weight, weight) returns int language sql immutable as 'select sign($1.kg - $2.kg)::int';
create operator <<< (leftarg = weight, rightarg = weight, function = weight_less, commutator = >>>, restrict = scalarltsel);
create operator >>> (leftarg = weight, rightarg = weight, function = weight_more, commutator = <<<);
create operator === (leftarg = weight, rightarg = weight, function = weight_equal, commutator = ===, merges);
create operator @#@ (rightarg = int4, function = int4abs);
create operator family weights using btree;
create operator class weight_ops for type weight using btree family weights as
  operator 1 <<<, operator 3 ===, operator 5 >>>, function 1 weight_order(weight, weight);
create operator class int_again for type int using hash as operator 1 =, function 1 hashint4(int);
create table weights (w weight);
insert into weights select row(n)::weight from generate_series(1, 20) n;
create index weights_w on weights (w weight_ops);
create cast (weight as text) with inout as assignment;
create function weight_of(int) returns weight language sql immutable as 'select row($1)::weight';
create cast (int as weight) with function weight_of(int) as implicit;
comment on operator <<< (weight, weight) is 'lighter';
comment on operator class weight_ops using btree is 'by kg';
comment on cast (int as weight) is 'in kg';

create conversion latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create function same_call_handler() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler';
create function same_inline(internal) returns void language c as '$libdir/plpgsql', 'plpgsql_inline_handler';
create function same_validator(oid) returns void language c as '$libdir/plpgsql', 'plpgsql_validator';
create trusted language plsame handler same_call_handler inline same_inline validator same_validator;
create function in_same() returns int language plsame as 'begin return 4; end';
