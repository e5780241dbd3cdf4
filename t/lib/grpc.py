#!/usr/bin/env python3

# A gRPC service over HTTP/2 without TLS: it answers each message immediately
# with the same text in upper case, and ends with the number of messages;
# "refuse" is answered with a status alone.  "alone N" and "then N" fail with
# the status N, without a message and after one.  With STATUS a request without
# a message gets that alone, else it is not answered.
#
#   grpc.py PORT [STATUS]
#
# It exits when its standard input is closed.

import struct
import sys

import serving

DATA, HEADERS, RST, SETTINGS, PING, WINDOW = 0, 1, 3, 4, 6, 8


def receive(conn, n):
    data = b''

    while len(data) < n:
        piece = conn.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece

    return data


def frame(kind, flags, stream, data=b''):
    return struct.pack('>I', len(data))[1:] + struct.pack(
        '>BBI', kind, flags, stream) + data


def fields(*pairs):
    """literal fields without indexing, in plain text"""

    return b''.join(b'\x00' + bytes([len(n)]) + n.encode()
                    + bytes([len(v)]) + v.encode() for n, v in pairs)


def alone(stream, status):
    return frame(HEADERS, 5, stream, b'\x88' + fields(
        ('content-type', 'application/grpc'), ('grpc-status', status)))


def serve(conn):
    streams = {}        # incomplete messages, and the number of messages

    try:
        receive(conn, 24)
        conn.sendall(frame(SETTINGS, 0, 0))

        while True:
            head = receive(conn, 9)
            length = struct.unpack('>I', b'\0' + head[:3])[0]
            kind, flags, stream = struct.unpack('>BBI', head[3:])
            data = receive(conn, length)
            out = b''

            if kind == SETTINGS and not flags & 1:
                out = frame(SETTINGS, 1, 0)

            elif kind == PING and not flags & 1:
                out = frame(PING, 1, 0, data)

            elif kind == DATA:
                text, n = streams.get(stream, (b'', 0))
                text += data

                if length:
                    out = frame(WINDOW, 0, 0, struct.pack('>I', length))

                while len(text) >= 5:
                    size = 5 + struct.unpack('>I', text[1:5])[0]
                    if len(text) < size:
                        break

                    message, text = text[:size], text[size:]

                    word, _, status = message[5:].decode().partition(' ')

                    if word in ('refuse', 'alone'):
                        out += alone(stream, status or '12')
                        continue

                    if n == 0:
                        out += frame(HEADERS, 4, stream, b'\x88' + fields(
                            ('content-type', 'application/grpc'),
                            ('x-first', 'yes')))

                    n += 1
                    out += frame(DATA, 0, stream, message[:5]
                                 + message[5:].upper())

                streams[stream] = (text, n)

                if flags & 1 and n:
                    out += frame(HEADERS, 5, stream, fields(
                        ('grpc-status', status if word == 'then' else '0'),
                        ('grpc-message', str(n))))

            elif kind == HEADERS and flags & 1 and len(sys.argv) > 2:
                out = alone(stream, sys.argv[2])

            conn.sendall(out)

    except (EOFError, OSError):
        pass

    finally:
        conn.close()


serving.by_threads(serve)
