// The script that a recovering server runs for each log file: a shell and no more, because it runs once per 16 MiB.

import { fail } from '../../errors/index.ts';
import type { RestorePaths } from './paths.ts';

/** A heartbeat that stands still this long means that nobody fetches any more. */
export const heartbeatLimitSeconds = 60;

/**
 * 0 once the file has its second name; 1 only for names outside the frozen list, which tells the server that the file does not exist; 255 for
 * everything else, which makes it stop: a hiccup can never look like the end of the log (PostgreSQL manual, "restore_command":
 * any exit status above 125 aborts recovery). No redirection of a special built-in such as `:`, whose failure ends the shell with a status of its
 * own (POSIX, "Consequences of Shell Errors").
 *
 * A link, because the server waits while 16 MiB are copied, and then again while it puts the copy on the disk. Nobody writes into a file that
 * has a name in the spool: the feed makes each of them anew, and the server overwrites log that it was given only once it has left recovery, after
 * which the spool is not read any more. Where a link cannot be, as on another file system, it is a copy; never over what is there, which may
 * be a link to another segment.
 *
 * It asks again and again: whoever fetches now may not be the one who was asked first.
 */
export function restoreCommand({ spool }: RestorePaths): string {
  if (spool.includes("'"))
    fail('TARGET_UNFIT', `'${spool}' has a quote in its path`, { hint: 'choose another directory' });
  return `#!/bin/sh
# Answers a recovering server from the frozen list of log files of its plan. Written by holdfast; not for use by hand.
spool='${spool}'
name=$1
target=$2
limit=${heartbeatLimitSeconds}
[ -n "$name" ] && [ -n "$target" ] || exit 255
[ -r "$spool/list" ] || exit 255
give() {
  ln "$spool/ready/$name" "$target" 2>/dev/null && exit 0
  # The server has removed what was there before it asks: this is for another one, or from another one.
  [ ! -e "$target" ] || exit 255
  cp "$spool/ready/$name" "$target" && exit 0
}
# What is ready is on the list.
if [ -f "$spool/ready/$name" ]; then
  true > "$spool/wanted/$name" || exit 255
  give
fi
grep -q -x -F -e "$name" "$spool/list"
case $? in
  0) ;;
  1) exit 1 ;;
  *) exit 255 ;;
esac
true > "$spool/wanted/$name" || exit 255
beat=
still=0
while :; do
  if [ -f "$spool/ready/$name" ]; then
    give
    # It may have been taken away as used between the two lines; it is asked for again.
    [ -f "$spool/ready/$name" ] && exit 255
  fi
  # A feed that begins forgets what was asked for before.
  [ -e "$spool/wanted/$name" ] || true > "$spool/wanted/$name" || exit 255
  [ -f "$spool/failed" ] && exit 255
  now=$(cat "$spool/heartbeat" 2>/dev/null)
  if [ "$now" = "$beat" ]; then still=$((still + 1)); else still=0; beat=$now; fi
  [ "$still" -lt $((limit * 20)) ] || exit 255
  sleep 0.05 || exit 255
done
`;
}
