/** A small world of its own for name resolution: a network namespace with a DNS server on its loopback and nothing else. */

/** Answers every A query with 192.0.2.7 (documentation range, RFC 5737), by UDP on 127.0.0.1:53. */
const simple = `
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 53))
open(sys.argv[1], 'w').close()
while True:
    query, peer = s.recvfrom(512)
    end = query.index(b'\\0', 12) + 5
    question = query[12:end]
    wanted = struct.unpack('>H', question[-4:-2])[0] == 1
    header = query[:2] + struct.pack('>HHHHH', 0x8180, 1, 1 if wanted else 0, 0, 0)
    answer = b'\\xc0\\x0c' + struct.pack('>HHIH', 1, 1, 60, 4) + socket.inet_aton('192.0.2.7') if wanted else b''
    s.sendto(header + question + answer, peer)
`;

type World = { readonly server: string; readonly conf: string };

/** argv that runs a command where `nameserver 127.0.0.1` is all that /etc/resolv.conf says; `folder` is a scratch folder. */
export function withNameserver(
  folder: string,
  asRoot: boolean,
  argv: readonly string[],
  { server, conf }: World = { server: simple, conf: 'nameserver 127.0.0.1\n' },
): string[] {
  const script = `set -e
    ip link set lo up
    ip link add up0 type veth peer name up1
    ip address add 10.99.0.2/24 dev up0
    ip link set up0 up
    ip link set up1 up
    ip route add default via 10.99.0.1
    printf %s "$2" > "$0/resolv.conf"
    mount --bind "$0/resolv.conf" /etc/resolv.conf
    python3 -c "$1" "$0/ready" &
    trap "kill $!" EXIT
    while ! test -e "$0/ready"; do sleep 0.05; done
    shift 2
    "$@"`;
  return ['unshare', asRoot ? '-mn' : '-Urmn', 'sh', '-c', script, folder, server, conf, ...argv];
}
