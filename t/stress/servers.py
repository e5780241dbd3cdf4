# The servers of the stress tests, and their faults.

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(condition, what, seconds=20):
    end = time.time() + seconds

    while not condition():
        if time.time() > end:
            sys.exit(what)
        time.sleep(0.01)


def module(broken=''):
    """the module, or the build without the safeguard of this number"""

    return TOP + ('/build/broken/%s' % broken if broken else '/build') \
        + '/ngx_http_conflict_module.so'


class Api:
    def __init__(self):
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, TOP + '/t/lib/upstream.py', str(self.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Nginx:
    BINARY = (os.environ.get('TEST_NGINX_BINARY') or shutil.which('nginx')
              or '/usr/sbin/nginx')

    FILES = ''          # where in "root" what nginx writes is

    HEAD = '''
load_module %(module)s;
worker_processes %(workers)d;
pid %(root)s/nginx.pid;
error_log %(root)s/error.log warn;
events { worker_connections 2048; }
http {
    client_body_temp_path %(files)s/body;
    proxy_temp_path %(files)s/proxy;
    fastcgi_temp_path %(files)s/fastcgi;
    uwsgi_temp_path %(files)s/uwsgi;
    scgi_temp_path %(files)s/scgi;
    access_log off;
    conflict_log %(files)s/conflict.log;
    upstream api { server 127.0.0.1:%(api)d; keepalive 8; }
'''

    CONF = '''
    %(store)s
    server {
        listen 127.0.0.1:%(port)d backlog=1024;
        location / {
            conflict %(policy)s;
            conflict_lease 400ms;
            conflict_quarantine 400ms;
            conflict_wait 300ms;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://api;
        }
    }
}
'''

    def __init__(self, api, policy='version', store='', workers=4, **more):
        self.root = tempfile.mkdtemp(prefix='conflict-')
        os.chmod(self.root, 0o755)
        self.port = free_port()

        with open(self.root + '/nginx.conf', 'w') as out:
            out.write((self.HEAD + self.CONF) % {
                'module': module(),
                'root': self.root, 'files': self.root + self.FILES,
                'store': store, 'api': api.port, 'port': self.port,
                'policy': policy, 'workers': workers, **more})

        self.start()

    def start(self):
        subprocess.run([self.BINARY, '-e', self.root + '/error.log', '-p',
                        self.root, '-c', self.root + '/nginx.conf'],
                       check=True)
        wait_for(self.pid_file, 'nginx does not start')
        self.pid = self.pid_file()
        wait_for(self.workers, 'nginx has no workers')

    def pid_file(self):
        """the number in a file; 0 if there is none yet"""

        try:
            return int(open(self.root + '/nginx.pid').read() or 0)
        except OSError:
            return 0

    def workers(self):
        pids = []

        for name in os.listdir('/proc'):
            try:
                status = open('/proc/%s/status' % name).read()
                if name.isdigit() and 'PPid:\t%d\n' % self.pid in status:
                    pids.append(int(name))
            except OSError:
                pass

        return pids

    def kill_worker(self):
        workers = self.workers()

        if workers:
            try:
                os.kill(random.choice(workers), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def reload(self):
        os.kill(self.pid, signal.SIGHUP)

    def rekey(self, old, new):
        """a reload with other keys"""

        name = self.root + '/nginx.conf'

        with open(name) as conf:
            text = conf.read()

        with open(name, 'w') as conf:
            conf.write(text.replace('conflict_key %s$' % old,
                                    'conflict_key %s$' % new))

        self.reload()

    def freeze(self, pause):
        """a worker is stopped for a while"""

        pid = random.choice(self.workers())

        try:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(pause)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def kill(self, pause=0):
        """the host fails, and restarts after a while"""

        workers = self.workers()
        os.kill(self.pid, signal.SIGKILL)

        for pid in workers + self.workers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        wait_for(lambda: all(gone(pid) for pid in [self.pid] + workers),
                 'nginx cannot be killed')
        os.remove(self.root + '/nginx.pid')
        time.sleep(pause)
        self.start()

    def upgrade(self, keep=True):
        """a new binary takes over, or is terminated again"""

        old = self.pid

        os.kill(old, signal.SIGUSR2)
        wait_for(lambda: self.pid_file() not in (0, old),
                 'no new nginx comes up')
        self.pid = self.pid_file()
        wait_for(self.workers, 'the new nginx has no workers')

        if keep:
            os.kill(old, signal.SIGQUIT)
            wait_for(lambda: gone(old), 'the old nginx does not go')
            return

        new, self.pid = self.pid, old
        os.kill(new, signal.SIGQUIT)
        wait_for(lambda: gone(new) and self.pid_file() == old,
                 'the new nginx does not exit')

    def errors(self):
        """the messages that must not be in the error log"""

        return [line for line in open(self.root + '/error.log',
                                       errors='replace')
                if ('[alert]' in line or '[crit]' in line
                    or '[emerg]' in line)
                and 'exited on signal 9' not in line
                and 'was locked by' not in line]

    def stop(self):
        workers = self.workers()
        os.kill(self.pid, signal.SIGTERM)
        wait_for(lambda: all(gone(pid) for pid in [self.pid] + workers),
                 'nginx does not stop')
        shutil.rmtree(self.root, ignore_errors=True)


def gone(pid):
    try:
        return ') Z ' in open('/proc/%d/stat' % pid).read()
    except OSError:
        return True


class Redis:
    def __init__(self, *args, file=None):
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix='conflict-redis-')
        self.file = []
        self.args = list(args)

        if file is not None:
            self.file = [self.dir + '/conf', '--sentinel']
            with open(self.file[0], 'w') as out:
                out.write(file)
        else:
            self.args += ['--save', '', '--appendonly', 'no',
                          '--repl-diskless-sync-delay', '0']

        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ['redis-server'] + self.file
            + ['--port', str(self.port), '--bind', '127.0.0.1', '--dir',
               self.dir] + self.args, stdout=subprocess.DEVNULL)
        wait_for(lambda: self.ask('PING').startswith('+PONG'),
                 'redis-server does not start')

    def ask(self, *words):
        """the response as received, '' if there is none"""

        try:
            with socket.create_connection(('127.0.0.1', self.port), 5) as s:
                s.sendall((' '.join(words) + '\r\n').encode())
                s.shutdown(socket.SHUT_WR)
                return b''.join(iter(lambda: s.recv(65536), b'')).decode()
        except OSError:
            return ''

    def info(self, name):
        for line in self.ask('INFO').split('\r\n'):
            if line.startswith(name + ':'):
                return line[len(name) + 1:]
        return ''

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class Single:
    """one server, which is killed, restarts empty, and hangs"""

    def __init__(self):
        self.redis = Redis()
        self.store = ('conflict_store default redis://127.0.0.1:%d '
                      'timeout=200ms;' % self.redis.port)

    def fault(self):
        if random.random() < 0.5:
            self.redis.kill()
            self.redis.start()
            return 'redis killed'

        self.redis.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        self.redis.process.send_signal(signal.SIGCONT)
        return 'redis stopped'

    def stop(self):
        self.redis.stop()


class Wire:
    """a faulty connection to a server; see t/lib/wire.py"""

    def __init__(self, target):
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, TOP + '/t/lib/wire.py', str(self.port),
             str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        self.process.stdout.readline()

    def say(self, mode):
        self.process.stdin.write(mode + '\n')
        self.process.stdin.flush()
        self.process.stdout.readline()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Wired(Single):
    """the same behind a connection that is cut, slow, and loses replies"""

    FAULTS = {'redis cut': ['cut', 'pass'], 'redis slow': ['slow 150', 'pass'],
              'answers of redis lost': ['mute', 'break', 'pass'],
              'redis by bytes': ['slice', 'pass'],
              'redis reset': ['break', 'pass']}

    def __init__(self):
        super().__init__()
        self.wire = Wire(self.redis.port)
        self.store = self.store.replace(str(self.redis.port),
                                        str(self.wire.port))

    def fault(self):
        # rarely, since it stops all writes for a lease and a quarantine

        if random.random() < 0.1:
            return super().fault()

        what = random.choice(list(self.FAULTS))

        for mode in self.FAULTS[what]:
            self.wire.say(mode)

            if mode not in ('pass', 'break'):
                time.sleep(random.uniform(0.2, 0.6))

        return what

    def stop(self):
        self.wire.stop()
        super().stop()


class Sentinel:
    """a master that is killed and restarted; sentinels promote a replica"""

    # Otherwise a former master accepts writes when it restarts, until all
    # sentinels have reconfigured it.

    ALONE = ('--min-replicas-to-write', '1')

    def __init__(self):
        master = Redis(*self.ALONE)
        self.servers = [master] + [
            Redis('--replicaof', '127.0.0.1 %d' % master.port, *self.ALONE)
            for _ in range(2)]
        self.settle()

        self.sentinels = [
            Redis(file='sentinel monitor notes 127.0.0.1 %d 2\n'
                       'sentinel down-after-milliseconds notes 500\n'
                       'sentinel failover-timeout notes 2000\n'
                       % master.port) for _ in range(3)]
        wait_for(lambda: all(
            'num-other-sentinels\r\n$1\r\n2' in s.ask('SENTINEL MASTER notes')
            and 'num-slaves\r\n$1\r\n2' in s.ask('SENTINEL MASTER notes')
            for s in self.sentinels), 'the sentinels do not meet')

        self.store = ('conflict_store default %s sentinel=notes '
                      'timeout=200ms;'
                      % ' '.join('redis://127.0.0.1:%d' % s.port
                                 for s in self.sentinels))

    def of(self, role):
        return [one for one in self.servers if one.info('role') == role]

    def settle(self):
        # A master that restarts during its replacement can be made a replica of
        # its own replica: sentinels detect that after 20 s.

        wait_for(lambda: len(self.of('master')) == 1
                 and all(one.info('master_link_status') == 'up'
                         for one in self.of('slave')),
                 'the replicas are not whole', 60)

    def fault(self):
        self.settle()
        master = self.of('master')[0]
        master.kill()
        wait_for(lambda: self.of('master'), 'no replica is promoted')
        master.start()
        return 'master killed'

    def stop(self):
        for server in self.servers + self.sentinels:
            server.stop()


class Cluster:
    """three masters with replicas; masters are killed, replicas take over"""

    def __init__(self):
        self.nodes = [
            Redis('--cluster-enabled', 'yes', '--cluster-port',
                  str(free_port()), '--cluster-node-timeout', '1000',
                  '--cluster-require-full-coverage', 'no')
            for _ in range(6)]

        subprocess.run(['redis-cli', '--cluster', 'create']
                       + ['127.0.0.1:%d' % node.port for node in self.nodes]
                       + ['--cluster-replicas', '1', '--cluster-yes'],
                       stdout=subprocess.DEVNULL, check=True)
        self.settle()

        self.store = ('conflict_store default %s cluster timeout=200ms;'
                      % ' '.join('redis://127.0.0.1:%d' % node.port
                                 for node in self.nodes[:3]))

    def settle(self):
        wait_for(lambda: all(
            'cluster_state:ok' in node.ask('CLUSTER INFO')
            and (node.info('role') == 'master'
                 or node.info('master_link_status') == 'up')
            for node in self.nodes), 'the cluster is not whole')

    def of(self, role):
        return [node for node in self.nodes if node.info('role') == role]

    def fault(self):
        if random.random() < 0.5:
            replica = random.choice(self.of('slave'))
            replica.ask('CLUSTER FAILOVER')
            wait_for(lambda: replica.info('role') == 'master',
                     'the replica does not take over')
            self.settle()
            return 'replica took over'

        node = random.choice(self.of('master'))
        node.kill()
        wait_for(lambda: len(self.of('master')) == 3,
                 'no replica is promoted')
        node.start()
        self.settle()
        return 'master killed'

    def stop(self):
        for node in self.nodes:
            node.stop()


class Shm:
    """no other server that could fail"""

    store = ''
    fault = None

    def stop(self):
        pass
