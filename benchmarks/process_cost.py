"""Runs a command and prints what it cost as JSON: seconds, seconds of the processor, and bytes of its largest resident size.

    python benchmarks/process_cost.py COMMAND...

Its own process, because the system counts what the parent had in memory when it made the child as the child's.
"""

import json
import resource
import subprocess
import sys
import time


def main() -> int:
    """The command's exit status; its messages go to stderr, its output nowhere."""
    begin = time.perf_counter()
    done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
    seconds, usage = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "bytes": usage.ru_maxrss * unit}))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
