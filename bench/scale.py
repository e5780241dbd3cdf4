# Throughput with many resources, many connections, and a Redis that stalls.


def measure(guards, rounds, seconds, part):
    pass
