#!/usr/bin/env python3

# Keeps a server running while its standard input is open: keep.py PORT
# COMMAND.  Prints "ready" once it listens on the port.

import os
import signal
import socket
import subprocess
import sys
import time

port = int(sys.argv[1])
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, start_new_session=True)
end = time.time() + 20

while time.time() < end and server.poll() is None:
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        print('ready', flush=True)
        os.read(0, 1)
        break

    except OSError:
        time.sleep(0.02)

try:
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(5)

except ProcessLookupError:
    pass

except subprocess.TimeoutExpired:
    os.killpg(server.pid, signal.SIGKILL)
