"""Keeps one server: what the server's processes leave behind becomes ours, so that all of its work is found below one process.

keep.py COMMAND...

SIGTERM and SIGINT are passed on to the command as SIGQUIT, at which PostgreSQL ends at once: nobody needs what it has any more. Ends with the command.
"""

import ctypes
import os
import signal
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36

ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
for each in (signal.SIGTERM, signal.SIGINT):
    signal.signal(each, lambda *_: child.send_signal(signal.SIGQUIT))
while True:
    pid, status = os.wait()
    if pid == child.pid:
        # Not through subprocess: its own wait would find nobody any more.
        os._exit(max(0, os.waitstatus_to_exitcode(status)))
