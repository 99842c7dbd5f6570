import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ComponentId } from '../../../src/domain/component.ts';
import {
  forksOf,
  goneSince,
  type Head,
  judgeHead,
  manifestName,
  type RememberedHead,
  type SeenHead,
} from '../../../src/domain/heads.ts';
import { forkFinding } from '../../../src/domain/put-back-words.ts';

const component = 'database/main' as ComponentId;
const now = new Date('2026-11-25T12:00:00Z');
const head = (sequence: number, mark = 'a'): Head => ({
  sequence,
  id: `20261123T061407Z-${mark.repeat(7)}${sequence}`,
  sha256: `${mark}${sequence}`.padEnd(64, '0'),
});
const upTo = (sequence: number, from = 1): SeenHead => {
  const heads = Array.from({ length: sequence - from + 1 }, (_, index) => head(from + index));
  return { head: heads.at(-1), names: heads.map(manifestName) };
};
const nothing: SeenHead = { head: undefined, names: [] };
const judge = (known: RememberedHead | undefined, seen: SeenHead, accepted: readonly Head[] = []) =>
  judgeHead({
    ...{ copy: 'eu', component, known, seen, now },
    isAccepted: (lost) => accepted.some(({ sha256 }) => sha256 === lost.sha256),
  });
const known = judge(undefined, upTo(5));

it('a head that is seen for the first time, grows or stays is remembered and nothing else', () => {
  assert.deepEqual(known?.head, head(5));
  assert.equal(judge(known, upTo(5))?.putBack, undefined);
  assert.deepEqual(judge(known, upTo(7))?.head, head(7));
  assert.equal(judge(undefined, nothing), undefined);
});

it('what retention takes below the head is no loss', () => {
  assert.equal(judge(known, upTo(5, 5))?.putBack, undefined);
  assert.equal(judge(known, upTo(9, 8))?.putBack, undefined);
});

it('a lower head, none at all, and another snapshot with the same number are a copy that was put back', () => {
  const lower = judge(known, upTo(3));
  assert.deepEqual([lower?.head, lower?.putBack?.shown, lower?.putBack?.state], [head(5), head(3), 'open']);
  assert.deepEqual(judge(known, nothing)?.putBack?.lost, head(5));
  const other = { head: head(5, 'b'), names: [...upTo(4).names, manifestName(head(5, 'b'))] };
  assert.equal(judge(known, other)?.putBack?.state, 'open');
});

it('a manifest of the same name with other bytes is not what was seen', () => {
  const seen = { ...upTo(5), head: { ...head(5), sha256: 'f'.repeat(64) } };
  assert.equal(judge(known, seen)?.putBack?.state, 'open');
});

it('a manifest that is listed and cannot be read is damage and not a copy that was put back', () => {
  assert.equal(judge(known, { head: head(4), names: upTo(5).names })?.putBack, undefined);
});

it('a snapshot that is added after it was put back hides nothing', () => {
  const open = judge(known, upTo(3));
  const later = judge(open, { head: head(6), names: [...upTo(3).names, manifestName(head(6))] });
  assert.deepEqual([later?.head, later?.putBack?.state], [head(5), 'open']);
});

it('a copy that has everything again is told as repaired, until that is accepted', () => {
  const repaired = judge(judge(known, upTo(3)), upTo(6));
  assert.deepEqual([repaired?.head, repaired?.putBack?.state], [head(6), 'repaired']);
  assert.equal(judge(repaired, upTo(6))?.putBack?.state, 'repaired');
  assert.equal(judge(repaired, upTo(6), [head(4)])?.putBack?.state, 'repaired');
  assert.equal(judge(repaired, upTo(6), [head(5)])?.putBack, undefined);
});

it('a loss that is accepted is forgotten, and the next one of the same copy is another', () => {
  const accepted = judge(judge(known, upTo(3)), upTo(3), [head(5)]);
  assert.deepEqual([accepted?.head, accepted?.putBack], [head(3), undefined]);
  assert.equal(judge(accepted, upTo(2), [head(5)])?.putBack?.state, 'open');
});

it('names what was seen above the older state and lies nowhere now', () => {
  const open = judge(known, upTo(3));
  assert.ok(open);
  assert.deepEqual(goneSince(open, new Set(upTo(3).names)), [head(4).id, head(5).id]);
  assert.deepEqual(goneSince(open, new Set([...upTo(3).names, manifestName(head(5))])), [head(4).id]);
});

it('a number that two snapshots have is a fork; the copies that have not both are apart', () => {
  const other = manifestName(head(3, 'b'));
  const [ours, theirs] = [head(3).id, head(3, 'b').id];
  const parted = new Map([
    ['eu', upTo(3).names],
    ['us', [...upTo(2).names, other]],
    ['dr', [...upTo(3).names, other]],
  ]);
  const copies = { [ours]: ['dr', 'eu'], [theirs]: ['dr', 'us'] };
  const fork = { component, sequence: 3, ids: [ours, theirs], copies, apart: ['eu', 'us'] };
  assert.deepEqual(forksOf(component, parted), [fork]);
  const [found] = forksOf(component, new Map([['dr', [...upTo(3).names, other]]]));
  assert.deepEqual(found?.apart, []);
  assert.deepEqual(
    forksOf(
      component,
      new Map([
        ['eu', upTo(3).names],
        ['us', upTo(3).names],
      ]),
    ),
    [],
  );
});

it('a fork is told in words: who has which, why that is, and what to do', () => {
  const [ours, theirs] = [head(3).id, head(3, 'b').id];
  const fork = { component, sequence: 3, ids: [ours, theirs], copies: { [ours]: ['eu'], [theirs]: ['us'] } };
  const apart = forkFinding({ ...fork, apart: ['eu', 'us'] });
  assert.equal(apart.severity, 'warning');
  const given = `number 3 of ${component} was given 2 times, to ${ours} (on eu) and to ${theirs} (on us)`;
  assert.ok(apart.message.startsWith(given), apart.message);
  assert.match(apart.message, /two writers did not see each other, or a copy was put back and written on$/);
  assert.match(apart.hint, /^`holdfast copies catch-up eu`, `holdfast copies catch-up us` brings both to every copy/);
  const together = forkFinding({ ...fork, apart: [] });
  assert.equal(together.severity, 'hint');
  assert.match(together.hint, /^every copy has both/);
});
