#!/usr/bin/env python3

# A memcached with the commands "get" and "set".

import serving

values = {}


def serve(conn):
    lines = conn.makefile('rb')

    for line in lines:
        words = line.split()

        if words[0] == b'set':
            values[words[1]] = lines.read(int(words[4]))
            lines.readline()
            conn.sendall(b'STORED\r\n')
            continue

        value = values.get(words[1])

        if value is not None:
            conn.sendall(b'VALUE %s 0 %d\r\n%s\r\n'
                         % (words[1], len(value), value))

        conn.sendall(b'END\r\n')


serving.by_threads(serve)
