#!/usr/bin/env python3

# An upstream that sends the exact bytes that a test has specified, for things
# that no JSON API does: ranges, encodings, upgrades, endless responses.
#
#   origin.py PORT
#
# It exits when its standard input is closed.  Its controls:
#
#   PUT /_answer?path=P&if=TEXT   the body is the response to P, if the head of
#                                 the request has TEXT, or to all others;
#                                 <hold> in it waits for /_release, and after a
#                                 101 all input is sent back in upper case
#   GET /_asked?n=N               the requests since the last call, once there
#                                 are N
#   GET /_got?n=N                 waits until N bytes of a body have arrived
#   GET /_gone?n=N                waits until N connections were closed by the
#                                 other side, during a response
#   GET /_release, /_reset

import asyncio
import json
import urllib.parse

import serving

answers = {}            # by target: a list of condition and response
asked = []
state = {'got': 0, 'gone': 0, 'conn': 0}
released = None


async def until(check):
    for _ in range(4000):
        if check():
            break
        await asyncio.sleep(0.005)


async def read_body(reader, headers, count=lambda n: None):
    get = dict(headers)
    body = b''

    if get.get('transfer-encoding', '').lower() == 'chunked':
        while True:
            size = int((await reader.readline()).split(b';')[0], 16)
            body += await reader.readexactly(size)
            count(len(body))
            while await reader.readline() != b'\r\n':
                pass
            if size == 0:
                return body

    left = int(get.get('content-length', 0))

    while left:
        piece = await reader.read(left)
        if not piece:
            raise EOFError
        body += piece
        left -= len(piece)
        count(len(body))

    return body


async def control(target, body):
    global released

    path, _, query = target.partition('?')
    args = dict(urllib.parse.parse_qsl(query))
    n = int(args.get('n', 0))

    if path == '/_answer':
        rules = answers.setdefault(args['path'], [])
        rules[:] = [r for r in rules if r[0] != args.get('if', '')]
        rules.append((args.get('if', ''), body))
        rules.sort(key=lambda r: r[0] == '')

    elif path == '/_asked':
        await until(lambda: len(asked) >= n)
        out = json.dumps(asked).encode()
        asked.clear()
        state['got'] = 0
        return out

    elif path == '/_got':
        await until(lambda: state['got'] >= n)
        return json.dumps(state['got']).encode()

    elif path == '/_gone':
        await until(lambda: state['gone'] >= n)
        return json.dumps(state['gone']).encode()

    elif path == '/_release':
        released.set()
        released = asyncio.Event()

    elif path == '/_reset':
        released.set()
        released = asyncio.Event()
        answers.clear()
        asked.clear()
        state.update(got=0, gone=0)

    return b'{}'


def answer_to(target, head):
    for name in (target, target.partition('?')[0]):
        for condition, text in answers.get(name, []):
            if condition.lower() in head.lower():
                return text

    return b'HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone'


async def held(reader):
    """waits for /_release; whether the other side went away meanwhile"""

    wait = asyncio.ensure_future(released.wait())
    read = asyncio.ensure_future(reader.read(1))
    done, left = await asyncio.wait({wait, read},
                                    return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()

    if read not in done:
        await asyncio.gather(read, return_exceptions=True)
        return False

    return read.exception() is not None or read.result() == b''


async def echo(reader, writer):
    while True:
        data = await reader.read(65536)
        if not data:
            state['gone'] += 1
            return
        writer.write(data.upper())
        await writer.drain()


async def serve(reader, writer):
    state['conn'] += 1
    conn = state['conn']

    try:
        while True:
            head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1')
            lines = head.split('\r\n')[:-2]
            method, target, _ = lines[0].split(' ', 2)
            headers = [(n.lower(), v.strip()) for n, v in
                       (line.split(':', 1) for line in lines[1:])]

            if target.startswith('/_'):
                text = await control(target, await read_body(reader, headers))
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n'
                             % len(text) + text)
                await writer.drain()
                return

            body = await read_body(reader, headers,
                                   lambda n: state.update(got=n))
            asked.append({'line': lines[0], 'headers': headers, 'conn': conn,
                          'body': body.decode('latin-1')})

            text = answer_to(target, head)
            start = text.partition(b'\r\n\r\n')[0].lower()

            if method == 'HEAD':
                text = text.partition(b'\r\n\r\n')[0] + b'\r\n\r\n'

            for i, part in enumerate(text.split(b'<hold>')):
                if i and await held(reader):
                    state['gone'] += 1
                    return
                writer.write(part)
                await writer.drain()

            if start.startswith(b'http/1.1 101'):
                await echo(reader, writer)
                return

            # without a length the body ends with the connection

            if (b'connection: close' in start
                    or ('connection', 'close') in headers
                    or not (b'content-length:' in start
                            or b'transfer-encoding:' in start
                            or start[9:12] in (b'204', b'304'))):
                return

    except (asyncio.IncompleteReadError, ConnectionError, EOFError,
            ValueError):
        pass

    finally:
        writer.close()


async def main():
    global released

    released = asyncio.Event()
    await serving.by_tasks(serve)


asyncio.run(main())
