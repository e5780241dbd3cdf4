#!/usr/bin/env python3

# A faulty TCP connection, to put in front of a server.
#
#   wire.py PORT TARGET-PORT
#
# Each line on its standard input sets the mode for all connections, and is
# confirmed by the same line:
#
#   pass         everything is forwarded
#   mute         requests are forwarded, replies are dropped
#   cut          all connections are closed, new ones immediately
#   break        all connections are closed, new ones work
#   slow N       replies arrive N ms later
#   pace N       replies arrive one by one, N ms after each other
#   slice        replies arrive byte by byte
#   rough        replies arrive up to 200 ms later, in pieces of any size
#   say TEXT     the reply to each request is TEXT, with escapes such as \n
#   swap         each reply is the one to the previous request
#   answer TEXT  TEXT, with escapes, is behind the token of each reply with one
#   hold TEXT    replies arrive once the mode is another one, on connections
#                that have sent TEXT since
#
# It exits when its standard input is closed.

import asyncio
import os
import random
import re
import sys

mode = ['pass']
writers = set()
held = set()


def decoded(text):
    return text.encode().decode('unicode_escape').encode('latin-1')


async def requests(reader, target, client):
    try:
        while True:
            data = await reader.read(65536)
            if not data:
                break

            if mode[0] == 'say':
                client.write(decoded(mode[1]))
                continue

            if mode[0] == 'hold' and mode[1].encode() in data:
                held.add(client)

            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()


# the length of the first reply, which is no array; 0: it is not complete

def reply_end(data):
    end = data.find(b'\r\n') + 2

    if end < 2:
        return 0

    if data[:1] == b'$' and data[:2] != b'$-':
        end += int(data[1:end - 2]) + 2

    return end if len(data) >= end else 0


async def answers(reader, client):
    kept = b''

    try:
        while True:
            data = await reader.read(65536)
            if not data:
                break

            # it may change while this reply is on its way
            kind, *value = mode

            if kind == 'mute':
                continue

            while client in held:
                await asyncio.sleep(0.001)

            if kind == 'slow':
                await asyncio.sleep(int(value[0]) / 1000)

            if kind == 'pace':
                kept += data

                while (end := reply_end(kept)):
                    await asyncio.sleep(int(value[0]) / 1000)
                    client.write(kept[:end])
                    await client.drain()
                    kept = kept[end:]
                continue

            if kind == 'answer':
                token = re.fullmatch(rb'\$\d+\r\n([0-9a-f]{16})[ +].*\r\n',
                                     data, re.DOTALL)

                if token:
                    data = token[1] + decoded(value[0])
                    data = b'$%d\r\n%s\r\n' % (len(data), data)

            if kind == 'swap':
                data, kept = kept, data

            if kind == 'rough':
                await asyncio.sleep(random.random() / 5)

            if kind in ('slice', 'rough'):
                while data:
                    n = 1 if kind == 'slice' else random.choice(
                        (1, 1, 2, 40, 4096))
                    client.write(data[:n])
                    await client.drain()
                    await asyncio.sleep(0)
                    data = data[n:]
                continue

            client.write(data)
            await client.drain()
    except OSError:
        pass
    finally:
        client.close()


async def connection(reader, writer):
    if mode[0] == 'cut':
        writer.close()
        return

    # it may be cut before there is a connection to the server

    writers.add(writer)

    try:
        up, down = await asyncio.open_connection('127.0.0.1',
                                                 int(sys.argv[2]))
    except OSError:
        writer.close()
        return

    if writer.is_closing():
        down.close()
        return

    writers.add(down)
    await asyncio.gather(requests(reader, down, writer), answers(up, writer))
    writers.difference_update((writer, down))


async def main():
    server = await asyncio.start_server(connection, '127.0.0.1',
                                        int(sys.argv[1]))
    stdin = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)

    print('ready', flush=True)

    while True:
        line = (await stdin.readline()).decode().strip()
        if not line:
            break

        mode[:] = line.split(' ', 1)
        held.clear()

        if mode[0] in ('cut', 'break'):
            for writer in list(writers):
                writer.transport.abort()

        print(line, flush=True)

    # all connections at once, not one after the other
    os._exit(0)


asyncio.run(main())
