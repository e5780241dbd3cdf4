# What `make bench` measures side by side, and the bars.

from measure import Bar, Group, Row

# a fixed rate takes up to this many connections

RATES = ((256, 1000), (256, 4000))

SHM = [Bar('cpu', 1.10, 'plain', connections=(4, 64, 256))]

# of the module with versions in Redis: beside the limit of the same kind of
# connection, and the script in Lua that does the same


def redis_bars(limit):
    return [Bar('cpu', 1.10, limit, connections=(4, 64)),
            Bar('rate', 0.95, limit, connections=(4, 64)),
            Bar('rate', 1.5, 'Lua right way', connections=(4,)),
            Bar('rate', 2.0, 'Lua right way', connections=(64,)),
            Bar('redis', 20, None, connections=(64,))]


GROUPS = (
    Group('PUT 1 KB', 'put', 1024, (1, 4, 64, 256, 512), RATES, (
        Row('shm', SHM),
    )),

    Group('PUT 1 KB, Redis', 'put', 1024, (1, 4, 64, 512), RATES, (
        Row('redis', redis_bars('limit A'), ['limit A', 'limit B']),
        Row('redis unix', redis_bars('limit A unix'),
            ['limit A unix', 'limit B unix']),
        Row('limit A'),
        Row('limit A unix'),
        Row('limit B'),
        Row('limit B unix'),
        Row('Lua usual way'),
        Row('Lua right way'),
    )),

    Group('PUT 64 KB', 'put', 65536, (4,), (), (
        Row('shm', [Bar('cpu', 1.10)]),
        Row('merge', [Bar('cpu', 1.15)]),
    )),

    Group('PUT 1 MB', 'put', 1048576, (4,), (), (
        Row('shm', [Bar('cpu', 1.10)]),
        Row('merge', [Bar('cpu', 1.10)]),
    )),

    Group('GET 1 KB', 'get', 0, (4, 64), (), (
        Row('shm', [Bar('cpu', 1.05)]),
        Row('redis'),
    )),

    # 100 items, each of which gets its version

    Group('GET of a list', 'list', 0, (4,), (), (
        Row('list'),
        Row('list, redis'),
    )),

    Group('PUT 1 KB, merge', 'put', 1024, (4,), (), (
        Row('merge'),
    )),

    # another write has changed a member

    Group('PUT 1 KB, merged', 'merge', 1024, (4,), (), (
        Row('merge', [Bar('cpu', 1.60)]),
    )),

    Group('PUT 64 KB, merged', 'merge', 65536, (4,), (), (
        Row('merge', [Bar('cpu', 3.50)]),
    )),

    Group('PUT 1 KB, counted', 'put', 1024, (4,), (), (
        Row('shm'),
        Row('counted', [Bar('cpu', 1.02, 'shm')]),
    )),
)
