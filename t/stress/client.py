# One request on a separate connection, for the stress tests.

import asyncio


async def request(port, method, path, body=None, headers=(), cut=None):
    """
    The status, headers and body.  The status is None where there was no
    connection, 0 where there is no whole answer, or after "cut" seconds.
    """

    try:
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
    except OSError:
        return None, {}, b''

    try:
        head = ['%s %s HTTP/1.1' % (method, path), 'Host: x',
                'Connection: close'] + list(headers)

        if body is not None:
            if not any(line.startswith('Content-Type:') for line in headers):
                head.append('Content-Type: application/json')

            head.append('Content-Length: %d' % len(body))

        writer.write(('\r\n'.join(head) + '\r\n\r\n').encode() + (body or b''))
        data = await asyncio.wait_for(reader.read(), cut or 20)

    except (OSError, asyncio.TimeoutError):
        return 0, {}, b''

    finally:
        writer.close()

    head, _, body = data.partition(b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')

    if not lines[0].startswith('HTTP/'):
        return 0, {}, b''

    got = {}
    for line in lines[1:]:
        name, _, value = line.partition(':')
        got[name.lower()] = value.strip()

    if len(body) < int(got.get('content-length', 0)):
        return 0, {}, b''

    return int(lines[0].split()[1]), got, body
