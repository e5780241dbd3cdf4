#!/usr/bin/env python3

# A FastCGI application that stores documents by path and does what
# REQUEST_METHOD says, with the CONTENT_LENGTH that it receives.  It speaks uwsgi
# and SCGI as well: the first byte of a request tells which.
#
#   fcgi.py PORT
#
# GET /_seen returns the requests received so far: method, path, length, body.
# It exits when its standard input is closed.

import json
import socket
import struct

import serving

docs = {}
seen = []


def receive(conn, n):
    data = b''

    while len(data) < n:
        piece = conn.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece

    return data


def params(data):
    out = {}
    i = 0

    while i < len(data):
        lengths = []

        for _ in range(2):
            n = data[i]
            i += 1

            if n & 0x80:
                n = struct.unpack('>I', data[i - 1:i + 3])[0] & 0x7fffffff
                i += 3

            lengths.append(n)

        name = data[i:i + lengths[0]].decode()
        i += lengths[0]
        out[name] = data[i:i + lengths[1]].decode()
        i += lengths[1]

    return out


def answer(env, body):
    status, text = respond(env, body)

    return (b'Status: %d\r\nContent-Type: application/json\r\n\r\n' % status
            + text)


def respond(env, body):
    method = env.get('REQUEST_METHOD')
    path = env.get('REQUEST_URI')
    body = body[:int(env.get('CONTENT_LENGTH') or 0)]

    if path == '/_seen':
        return 200, json.dumps(seen).encode()

    seen.append([method, path, env.get('CONTENT_LENGTH'), body.decode()])

    if method in ('GET', 'HEAD'):
        return (200, docs[path]) if path in docs else (404, b'{}')

    if method == 'DELETE':
        return (204, b'') if docs.pop(path, None) is not None else (404, b'')

    docs[path] = body

    return 204, b''


def fastcgi(conn):
    env = body = b''

    while True:
        _, kind, _, length, pad = struct.unpack('>BBHHBx', receive(conn, 8))
        data = receive(conn, length)
        receive(conn, pad)

        if kind == 4:
            env += data
        elif kind == 5:
            if length == 0:
                break
            body += data

    out = answer(params(env), body)

    conn.sendall(struct.pack('>BBHHBx', 1, 6, 1, len(out), 0) + out
                 + struct.pack('>BBHHBx', 1, 6, 1, 0, 0)
                 + struct.pack('>BBHHBx', 1, 3, 1, 8, 0) + b'\0' * 8)


def uwsgi(conn):
    data = receive(conn, struct.unpack('<xHx', receive(conn, 4))[0])
    env = []

    while data:
        n, = struct.unpack('<H', data[:2])
        env.append(data[2:2 + n].decode())
        data = data[2 + n:]

    env = dict(zip(env[::2], env[1::2]))

    conn.sendall(answer(env, receive(conn, int(env['CONTENT_LENGTH'] or 0))))


def scgi(conn):
    n = b''

    while not n.endswith(b':'):
        n += receive(conn, 1)

    env = receive(conn, int(n[:-1]) + 1)[:-2].decode().split('\0')
    env = dict(zip(env[::2], env[1::2]))

    conn.sendall(answer(env, receive(conn, int(env['CONTENT_LENGTH']))))


def serve(conn):
    try:
        first = conn.recv(1, socket.MSG_PEEK)
        {b'\x01': fastcgi, b'\x00': uwsgi}.get(first, scgi)(conn)

    except (EOFError, ConnectionError):
        pass

    finally:
        conn.close()


serving.by_threads(serve)
