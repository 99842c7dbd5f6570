// What the configuration engine is asked, and what it tells.

import type { FilesDetails, ScanRules, Told } from '../files/index.ts';

/** A pattern of the user: what it matches is a secret. */
export interface RedactionRule {
  /** A regular expression, `^` and `$` at every line; its first group is the secret, or all that it matches. */
  readonly pattern: string;
  /** Lines of a gitignore file, of whole paths; default every file and every output. */
  readonly files?: readonly string[];
  /** Word for the marker. */
  readonly kind: string;
}

export interface CommandSpec {
  readonly name: string;
  /** Program and arguments; a shell is `['/bin/sh', '-c', …]`, and somebody asked for it. */
  readonly argv: readonly [string, ...string[]];
  readonly timeoutMs: number;
  readonly largestBytes: number;
  /** Resolved: secrets that the program gets, and that its output must not show. */
  readonly env: Readonly<Record<string, string>>;
  readonly runAs?: string;
}

/** What Holdfast's own configuration refers to as secret, as far as this host has it. */
export interface OwnSecrets {
  /** Taken out of every text; remembered in a snapshot only when one of its texts has them. */
  readonly values: readonly string[];
  /** SHA-256 of files: withheld under whatever name. */
  readonly contents: readonly string[];
  /** Paths of files that are there, or may be, and could not be read: any text may show what is in them. */
  readonly unread?: readonly string[];
}

/** What is captured. */
export interface ConfigurationSource {
  /** Absolute; those with `*`, `?` or `[` are patterns. */
  readonly paths: readonly string[];
  readonly rules: ScanRules;
  readonly commands: readonly CommandSpec[];
  readonly redact: readonly RedactionRule[];
  /** Lines of a gitignore file, of whole paths: never more of these in Git than that they are there. */
  readonly withhold: readonly string[];
  /** Larger texts are withheld from Git. */
  readonly largestTextBytes: number;
  readonly ownSecrets?: OwnSecrets;
}

/** A secret that was found: where and of what kind, never what. */
export interface FoundSecret {
  /** A path as the tree has it, or `commands/NAME`. */
  readonly place: string;
  readonly line: number;
  readonly kind: string;
}

export interface Withheld {
  readonly place: string;
  readonly why:
    | 'not text'
    | 'too large'
    | 'asked for'
    | 'name of a secret file'
    | 'same content as one that is withheld'
    | 'a line is too long'
    | 'pattern takes too long'
    | 'takes too long to look through'
    | 'cannot be looked through'
    | 'more text than is looked through'
    | 'changed while it was read'
    | 'secret of our own that cannot be read'
    | 'name that Git cannot hold'
    | 'name that Git obeys';
}

export interface CommandOutcome {
  readonly name: string;
  /** As it was run, without what looks like a secret. */
  readonly argv: readonly string[];
  readonly state: 'succeeded' | 'failed';
  /** Absent when a signal ended it, or it was never started. */
  readonly exitCode?: number;
  /** In words, of one that failed: how. */
  readonly because?: string;
  /** The end of standard error, without secrets. */
  readonly lastWords?: string;
  readonly sizeBytes: number;
  readonly isEmpty?: true;
  readonly durationMs: number;
}

/** What differs between two states of the texts. */
export interface TextChanges {
  readonly created: number;
  readonly changed: number;
  readonly removed: number;
}

export interface RepositoryDetails {
  /** Of `main` with this snapshot: its own, or the one that it is the same as. */
  readonly commit: string;
  /** Whether the commit was made for this snapshot. */
  readonly isNew: boolean;
  /** First line of the commit's message, or that nothing changed. */
  readonly summary: string;
  readonly changes: TextChanges;
  /** In words, when what was there before could not be gone on with. */
  readonly begunAnew?: string;
}

/** `engine` of a configuration snapshot (docs/vault-format.md, section 7): that of files, and more. */
export interface ConfigurationDetails extends FilesDetails {
  readonly paths: readonly string[];
  /** Paths without a pattern that are not there. */
  readonly missing: readonly string[];
  /** Patterns that matched nothing. */
  readonly unmatched: readonly string[];
  readonly commands: readonly CommandOutcome[];
  readonly repository: RepositoryDetails;
  readonly secrets: Told<FoundSecret>;
  readonly withheld: Told<Withheld>;
}
