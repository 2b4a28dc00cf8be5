/** A real containerd as its rootless guide has it, in the namespaces of `rootless unshare`, whose shim starts the helper: what `ctr` shows is what the container did. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ociArchive } from '../support/archive.ts';
import { helper } from '../support/checkout.ts';
import { rootless } from '../support/cli.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

/** The daemon, then one file a step: what it printed, and its code in the last line. The shim's sockets are below /run. */
const script = `
mkdir "$1/said" && cd "$1" && mount -t tmpfs none /run || exit
export CONTAINERD_ADDRESS=$1/socket CONTAINERD_SNAPSHOTTER=native
containerd -c config.toml > daemon 2>&1 & daemon=$!
trap 'ctr task rm -f a b; kill $daemon; wait' EXIT
until ctr version > /dev/null 2>&1; do kill -0 $daemon || exit; sleep 0.1; done
step() { to=said/$1; shift; "$@" > $to 2>&1; echo "=$?" >> $to; }
becomes() { for try in $(seq 300); do ctr task ls | grep -q "^$1 .*$2" && return; sleep 0.1; done; return 1; }
run() { ctr run --runc-binary "$HELPER" --runc-root "$PWD/state" "$@"; }
step import ctr image import --base-name local/bb image.tar
image=local/bb:latest
step run run --rm $image c sh -c 'id -u; hostname > /made; cat /made; exit 3'
step none run --rm $image n /no/such
step denied run --rm $image p /etc/passwd
step read run --rm --read-only --cwd /tmp --env A=b $image r sh -c 'exec 2>&1; pwd; echo $A; touch /x'
step caps run --rm --seccomp $image s grep -E 'CapEff|Seccomp:|NoNewPrivs' /proc/self/status
bind=type=bind,src=$PWD/said,dst=/said,options=rbind
step terminal script -qec "ctr run --runc-binary $HELPER --rm -t --mount $bind $image t sh -c 'tty > /said/tty; exit 4'" /dev/null
step detached run -d $image a sh -c 'trap "exit 5" TERM; touch /ready; while :; do sleep 0.1; done'
step ready sh -c 'for try in $(seq 300); do ctr task exec --exec-id w$try a test -e /ready && exit; sleep 0.1; done; exit 1'
step exec ctr task exec --exec-id e --user 1000 a sh -c 'id -u; exit 6'
step missing ctr task exec --exec-id m a /no/such
step running becomes a RUNNING
step checkpoint ctr task checkpoint --image-path "$PWD/frozen" a
step early ctr task delete a
step term ctr task kill -s TERM a
step stopped becomes a STOPPED
step late ctr task kill -s KILL a
step delete ctr task delete a
step remove ctr container delete a
step second run -d $image b sleep 1000
step force ctr task rm -f b
step gone ctr container delete b
step tasks ctr task ls -q
step state sh -c 'ls -A state/*'
`;

live('containerd runs, enters, signals and deletes containers, and says what the helper said', ['userns', 'busybox', 'containerd'], () =>
  withTmp(async (folder) => {
    const off = ['grpc.v1.cri', 'internal.v1.opt', ...['aufs', 'btrfs', 'devmapper', 'zfs'].map((name) => `snapshotter.v1.${name}`)];
    const disabled = `disabled_plugins = ${JSON.stringify(off.map((name) => `io.containerd.${name}`))}\n`;
    const places = `root = "${folder}/root"\nstate = "${folder}/run"\n`;
    writeFileSync(join(folder, 'config.toml'), `version = 2\n${places}${disabled}[grpc]\naddress = "${folder}/socket"\n`);
    ociArchive(join(folder, 'image.tar'), busyboxImage().slice('oci:'.length));
    const done = await rootless(['unshare', 'sh', '-c', script, 'sh', folder], { env: { HELPER: helper } });
    const said = (step: string): string => readFileSync(join(folder, 'said', step), 'utf8').replaceAll('\r', '');
    for (const [step, says] of [
      ['import', /=0\n$/],
      ['run', /^0\n.+\n=3\n$/],
      ['none', /create failed: exec "\/no\/such": .*no such file or directory.*\n=1\n$/],
      ['denied', /exec "\/etc\/passwd": .*permission denied.*\n=1\n$/],
      ['read', /^\/tmp\nb\ntouch: \/x: Read-only file system\n=1\n$/],
      ['caps', /^CapEff:\t0000.*\nNoNewPrivs:\t1\nSeccomp:\t2\n=0\n$/],
      ['terminal', /=4\n$/],
      ['tty', /^\/dev\/pts\/0\n$/],
      ['detached', /=0\n$/],
      ['ready', /=0\n$/],
      ['exec', /^1000\n=6\n$/],
      ['missing', /exec failed: .*no such file or directory.*\n=1\n$/],
      ['running', /=0\n$/],
      ['checkpoint', /checkpoint and restore are not supported.*\n=1\n$/],
      ['early', /must be stopped before deletion.*\n=1\n$/],
      ['term', /^=0\n$/],
      ['stopped', /^=0\n$/],
      ['late', /process already finished: not found\n=1\n$/],
      ['delete', /non-zero exit code 5"\n=0\n$/],
      ['remove', /^=0\n$/],
      ['second', /^=0\n$/],
      ['force', /exit code 137"\n=0\n$/],
      ['gone', /^=0\n$/],
      ['tasks', /^=0\n$/],
      ['state', /^=0\n$/],
    ] as const) {
      assert.match(said(step), says, `${step}: ${said(step)}${done.stderr}`);
    }
    assert.is(done.code, 0, done.stderr);
  }),
);

live.run();
