#!/usr/bin/env python3

# A gRPC service over HTTP/2 without TLS: it answers each message immediately
# with the same text in upper case, and ends with the number of messages;
# "refuse" is answered with a status alone.
#
#   grpc.py PORT
#
# It exits when its standard input is closed.

import struct

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

                    if message[5:] == b'refuse':
                        out += frame(HEADERS, 5, stream, b'\x88' + fields(
                            ('content-type', 'application/grpc'),
                            ('grpc-status', '12')))
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
                        ('grpc-status', '0'), ('grpc-message', str(n))))

            conn.sendall(out)

    except (EOFError, OSError):
        pass

    finally:
        conn.close()


serving.by_threads(serve)
