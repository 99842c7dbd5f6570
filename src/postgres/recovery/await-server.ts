// Waits for a server that was started until it lets us in, and says why when it has ended instead.

import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { fail, type HoldfastError } from '../../errors/index.ts';
import { findPostmaster, type Postmaster } from './postmaster.ts';
import { type RecoveredServer, type RecoveredSession, tryOpenSession } from './recovered-session.ts';
import { logTail, startLine, until } from './recovery-server.ts';

/** A server that was just started has no pid file for a moment; one that ran and has none any more has ended. */
const startsWithinMs = 30_000;
const goneAfterMs = 300;

/** What is known of a server by looking at its data directory again and again. */
export class Presence {
  readonly #dataDirectory: string;
  #hasRun: boolean;
  #seenAt = performance.now();

  /** `hasRun`: it was seen already; default false. */
  constructor(dataDirectory: string, hasRun = false) {
    this.#dataDirectory = dataDirectory;
    this.#hasRun = hasRun;
  }

  async look(): Promise<{ readonly postmaster: Postmaster | undefined; readonly hasEnded: boolean }> {
    const postmaster = await findPostmaster(this.#dataDirectory);
    if (postmaster !== undefined) {
      this.#hasRun = true;
      this.#seenAt = performance.now();
    }
    const goneForMs = performance.now() - this.#seenAt;
    return { postmaster, hasEnded: goneForMs > (this.#hasRun ? goneAfterMs : startsWithinMs) };
  }
}

export interface AwaitedServer {
  /** In messages: `the recovered server`. */
  readonly what: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  readonly limitMs: number;
  /** It was seen running, and not started by us; default false. */
  readonly hasRun?: boolean;
}

/** Throws `RECOVERY_FAILED`, or `NO_SPACE` where the disk is full, with the end of its log when the server has ended, `PROCESS_TIMEOUT` after `limitMs`. */
export async function openWhenReady(
  server: RecoveredServer,
  { what, dataDirectory, logFile, limitMs, hasRun = false }: AwaitedServer,
): Promise<RecoveredSession> {
  const presence = new Presence(dataDirectory, hasRun);
  const open = async () => {
    const { postmaster, hasEnded } = await presence.look();
    if (hasEnded) await explainEnd(what, logFile);
    // Asked earlier, it would fill its log with refusals.
    return postmaster?.status === 'ready' ? await tryOpenSession(server) : undefined;
  };
  return await until(open, { limitMs, what });
}

/** What it says to those who connect too early is not why it ended. */
const refusal = /the database system is/;
/** In English, because what is recovered is started with the messages of no other language. */
const noRoom = /No space left on device|Disk quota exceeded/i;
/** The first of them in a line is its own; the prefix before it is the server's setting. */
const severity = /\b(?:LOG|ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|DEBUG\d?|DETAIL|HINT|CONTEXT|STATEMENT|QUERY): /;
/** Of the restore command: its shell's, and those of the programs that it calls. */
const ofRestoreCommand = /^(?:ln|cp|sh|\/.*\/restore-command\.sh): /;
/** The kernel has the same words for what is on no disk. */
const notOfDisk = /shared memory|semaphore/i;

/** An error of one query does not end the server. */
function saysNoRoom(line: string): boolean {
  const isEnd = /^(?:FATAL|PANIC)/.test(severity.exec(line)?.[0] ?? '');
  return noRoom.test(line) && (isEnd || ofRestoreCommand.test(line)) && !notOfDisk.test(line);
}

/** A server that cannot write a page cannot write why it ended. */
const PAGE_BYTES = 8192;

async function isWithoutRoom(directory: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize < PAGE_BYTES;
}

/** An earlier start's words are not why this one ended. What has the line no more in its tail is of this start alone. */
function wordsOfThisStart(words: string): readonly string[] {
  const begin = words.lastIndexOf(startLine);
  const own = begin < 0 ? words.slice(Math.max(words.lastIndexOf('starting PostgreSQL'), 0)) : words.slice(begin);
  return own.split('\n').filter((line) => line !== startLine && line !== '');
}

/** What ended it; where the server did not come to a word of its own, the last one of whatever was to start it. */
function lastWords(lines: readonly string[]): string {
  const fatal = lines.findLast((line) => /FATAL|PANIC/.test(line) && !refusal.test(line));
  if (fatal !== undefined) return fatal.replace(/^.*?(FATAL|PANIC):\s*/, '');
  const isSilent = !lines.some((line) => severity.test(line));
  return (isSilent ? lines.at(-1) : undefined) ?? 'without a word';
}

/** `cause`: what kept it from its log, if that is known. */
export async function explainEnd(what: string, logFile: string, cause?: HoldfastError): Promise<never> {
  const lines = wordsOfThisStart(await logTail(logFile));
  const why = cause === undefined ? '' : `; the log could not be fetched: ${cause.message}`;
  const isFull = cause?.code === 'NO_SPACE' || lines.some(saysNoRoom) || (await isWithoutRoom(path.dirname(logFile)));
  return fail(isFull ? 'NO_SPACE' : 'RECOVERY_FAILED', `${what} ended: ${lastWords(lines)}${why}`, {
    ...(cause === undefined ? {} : { cause }),
    details: { log: lines.slice(-20).join('\n'), ...(cause === undefined ? {} : { store: cause.code }) },
  });
}
