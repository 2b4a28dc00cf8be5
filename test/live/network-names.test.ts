/** Names that are no containers', asked from a network of the user's: its name server asks the resolvers of the host, like a resolver itself. */

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { bin, uid } from '../support/checkout.ts';
import { environment, finished } from '../support/cli.ts';
import { live } from '../support/live.ts';
import { withNameserver } from '../support/nameserver.ts';
import { withTmp } from '../support/tmp.ts';

/** Two servers by UDP and TCP. The first fails where the name says so; `big` does not fit into a datagram; `edns` tells who asked with it. */
const servers = `
import os, socket, struct, sys, threading
def reply(query, first, tcp):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode()); at += query[at] + 1
    end, name = at + 5, labels[0]
    if first and name == 'silent': return None
    code = 2 if first and name == 'servfail' or name == 'broken' else 3 if name == 'nosuch' else 0
    edns = struct.unpack('>H', query[10:12])[0]
    address = '192.0.2.8' if name == 'edns' and edns else '192.0.2.7'
    count = 0 if code or (name == 'big' and not tcp) else 100 if name == 'big' else 1
    flags = 0x8180 | code | (0x0200 if name == 'big' and not tcp else 0)
    answer = b'\\xc0\\x0c' + struct.pack('>HHIH', 1, 1, 60, 4) + socket.inet_aton(address)
    return query[:2] + struct.pack('>HHHHH', flags, 1, count, 0, 0) + query[12:end] + answer * count
def datagrams(host, first):
    s = socket.socket(type=socket.SOCK_DGRAM); s.bind((host, 53))
    while True:
        query, peer = s.recvfrom(4096)
        said = reply(query, first, False)
        if said: s.sendto(said, peer)
def streams(host, first):
    s = socket.create_server((host, 53))
    while True:
        c, _ = s.accept()
        query = c.recv(4096)[2:]
        said = reply(query, first, True)
        if said: c.sendall(struct.pack('>H', len(said)) + said)
        c.close()
work = [threading.Thread(target=f, args=(h, h.endswith('.1')), daemon=True) for f in (datagrams, streams) for h in ('127.0.0.1', '127.0.0.2')]
for one in work: one.start()
import time; time.sleep(0.3)
open(sys.argv[1], 'w').close()
for one in work: one.join()
`;

/** Asks the first server of resolv.conf, and says what came: code, flags, count of answers, the first address. */
const asks = `
import re, socket, struct
text = open('/etc/resolv.conf').read()
print(' '.join(sorted(text.split('\\n'))))
server = re.search(r'nameserver (\\S+)', text).group(1)
def query(name, edns):
    labels = b''.join(bytes([len(l)]) + l.encode() for l in name.split('.')) + b'\\0'
    extra = b'\\0' + struct.pack('>HHIH', 41, 4096, 0, 0) if edns else b''
    return struct.pack('>HHHHHH', 4711, 0x0100, 1, 0, 0, 1 if edns else 0) + labels + struct.pack('>HH', 1, 1) + extra
def show(name, way, said):
    number, flags, _, count = struct.unpack('>HHHH', said[:8])
    print(name, way, 'own' if number == 4711 else 'foreign', flags & 15, 'cut' if flags & 512 else 'whole', count, socket.inet_ntoa(said[-4:]) if count else '-')
def udp(name, edns=False):
    s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(30)
    s.sendto(query(name, edns), (server, 53))
    show(name, 'edns' if edns else 'udp', s.recvfrom(65535)[0])
def tcp(name):
    s = socket.create_connection((server, 53), 30)
    asked = query(name, False)
    s.sendall(struct.pack('>H', len(asked)) + asked)
    said = b''
    while len(said) < 2 or len(said) < 2 + struct.unpack('>H', said[:2])[0]: said += s.recv(65535)
    show(name, 'tcp', said[2:])
for name in ('a.example', 'nosuch.example', 'big.example', 'edns.example', 'servfail.example', 'broken.example', 'silent.example'): udp(name)
udp('edns.example', True)
tcp('a.example'); tcp('big.example')
print('host', socket.gethostbyname('a.example'))
`;

live('answers of all kinds come through, from the server that has one', ['userns', 'python', 'tun', 'pasta'], () =>
  withTmp(async (folder) => {
    writeFileSync(join(folder, 'ask.py'), asks);
    const script = '"$0" network create front >/dev/null && exec "$0" run --rm --network front -v "$1:/ask" host: python3 /ask/ask.py';
    const conf = 'nameserver 127.0.0.1\nnameserver 127.0.0.2\nsearch corp.example\noptions timeout:9 ndots:2\n';
    const argv = withNameserver(folder, uid === 0, ['sh', '-c', script, bin, folder], { server: servers, conf });
    const [program = '', ...args] = argv;
    const { stdout, stderr } = await finished(spawn(program, args, { env: environment }));
    const lines = stdout.trim().split('\n');
    const [conf1 = '', ...rest] = lines;
    assert.match(conf1, /nameserver 10\.\S+ options timeout:9 ndots:0 search corp\.example/, stdout + stderr);
    assert.equal(rest, [
      'a.example udp own 0 whole 1 192.0.2.7',
      'nosuch.example udp own 3 whole 0 -',
      'big.example udp own 0 cut 0 -',
      'edns.example udp own 0 whole 1 192.0.2.7',
      'servfail.example udp own 0 whole 1 192.0.2.7',
      'broken.example udp own 2 whole 0 -',
      'silent.example udp own 0 whole 1 192.0.2.7',
      'edns.example edns own 0 whole 1 192.0.2.8',
      'a.example tcp own 0 whole 1 192.0.2.7',
      'big.example tcp own 0 whole 100 192.0.2.7',
      'host 192.0.2.7',
    ]);
  }),
);

live.run();
