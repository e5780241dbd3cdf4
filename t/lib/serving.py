# Common code of the servers of t/lib: the port is the first argument, "ready" is
# printed once it is open, and they exit when their standard input is closed.

import asyncio
import os
import socket
import sys
import threading


# a thread for each connection: serve(socket)

def by_threads(serve):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(('127.0.0.1', int(sys.argv[1])))
    sock.listen(50)
    print('ready', flush=True)

    def accept():
        while True:
            conn, _ = sock.accept()
            threading.Thread(target=serve, args=(conn,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


# a task for each connection: serve(reader, writer)

async def by_tasks(serve):
    server = await asyncio.start_server(serve, '127.0.0.1', int(sys.argv[1]),
                                        backlog=1024, limit=1 << 24)
    print('ready', flush=True)

    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def stdin():
        if not os.read(0, 4096):
            loop.remove_reader(0)
            ended.set()

    loop.add_reader(0, stdin)

    async with server:
        await ended.wait()

    os._exit(0)
