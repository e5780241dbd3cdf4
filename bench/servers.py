# The processes of the benchmark: nginx, Redis, the load generator.  All of
# them end with close().

import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHM = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
NGINX = (os.environ.get('TEST_NGINX_BINARY') or shutil.which('nginx')
         or '/usr/sbin/nginx')

running = []


def close():
    # a signal to the group also ends the load generator, which gets us here
    # before our own

    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    while running:
        running.pop().stop()


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def cpu(pid):
    """nanoseconds that a process has run"""

    return sum(int(open(path).read().split()[0])
               for path in glob.glob('/proc/%d/task/*/schedstat' % pid))


def directory():
    root = tempfile.mkdtemp(prefix='conflict-bench-', dir=SHM)
    os.chmod(root, 0o755)
    return root


class Nginx:
    """one worker, which is measured"""

    def __init__(self, text):
        self.root = directory()

        with open(self.root + '/nginx.conf', 'w') as out:
            out.write(text)

        try:
            subprocess.run([NGINX, '-e', self.root + '/error.log', '-p',
                            self.root, '-c', 'nginx.conf'], check=True)
        except subprocess.CalledProcessError:
            shutil.rmtree(self.root)
            raise

        while not os.path.exists(self.root + '/nginx.pid'):
            time.sleep(0.01)

        self.pid = int(open(self.root + '/nginx.pid').read())
        running.append(self)
        self.worker = None

        while self.worker is None:
            for pid in os.listdir('/proc'):
                try:
                    status = open('/proc/%s/status' % pid).read()
                    if pid.isdigit() and 'PPid:\t%d\n' % self.pid in status:
                        self.worker = int(pid)
                except OSError:
                    pass

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)

        for _ in range(500):
            try:
                if ') Z ' in open('/proc/%d/stat' % self.pid).read():
                    break
            except OSError:
                break
            time.sleep(0.01)

        shutil.rmtree(self.root, ignore_errors=True)


class Redis:
    """keeps nothing; listens at a port and at a path"""

    def __init__(self):
        self.root = directory()
        self.port = free_port()
        self.path = self.root + '/redis.sock'
        self.process = subprocess.Popen(
            ['redis-server', '--port', str(self.port), '--bind', '127.0.0.1',
             '--unixsocket', self.path, '--unixsocketperm', '777',
             '--save', '', '--appendonly', 'no'], stdout=subprocess.DEVNULL)
        self.pid = self.process.pid
        running.append(self)

        while self.ask('PING') is None:
            if self.process.poll() is not None:
                sys.exit('redis-server does not start')
            time.sleep(0.01)

    def ask(self, *words):
        """the reply as text, None while nobody listens"""

        command = b'*%d\r\n' % len(words) + b''.join(
            b'$%d\r\n%s\r\n' % (len(word), word) for word in
            (word.encode('latin-1') for word in words))

        try:
            with socket.create_connection(('127.0.0.1', self.port), 60) as s:
                s.sendall(command + b'QUIT\r\n')
                return b''.join(iter(lambda: s.recv(65536),
                                     b'')).decode('latin-1')
        except ConnectionRefusedError:
            return None

    def used_memory(self):
        return int(self.ask('INFO', 'memory').split('used_memory:')[1]
                   .split()[0])

    def in_commands(self):
        """nanoseconds that it has spent in commands"""

        lines = self.ask('INFO', 'commandstats').split('\r\n')
        return 1000 * sum(int(line.split('usec=')[1].split(',')[0])
                          for line in lines if line.startswith('cmdstat_')
                          and not line.startswith('cmdstat_info'))

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


class Load:
    """the connections of build/load, which stay open between runs"""

    def __init__(self, port, connections, kind, size=0, first=0, last=0):
        self.process = subprocess.Popen(
            [TOP + '/build/load'] + [str(word) for word in (
                port, connections, kind, size, first, last)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        running.append(self)

    def run(self, seconds, rate=0, refusals=False):
        """requests, seconds, p50 and p99 in milliseconds, refused, next of
        many"""

        self.process.stdin.write(b'%f %f\n' % (seconds, rate))
        words = self.process.stdout.readline().split()

        if not words:
            sys.exit('the load generator has failed')

        count, took, p50, p99, bad, at = (float(word) for word in words)

        if bad and not refusals:
            sys.exit('%d of %d answers were refusals' % (bad, count))

        return int(count), took, p50, p99, int(bad), int(at)

    def stop(self):
        if self in running:
            running.remove(self)

        self.process.stdin.close()
        self.process.wait()
