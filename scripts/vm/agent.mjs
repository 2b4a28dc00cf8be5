// Jobs for the guest: a script goes in by the virtio port, its output comes back as it is written, then its status.
import { randomBytes } from 'node:crypto';
import { dial } from './qmp.mjs';

/** The guest did not end what it was asked to do, or never came up. */
export class OutOfTime extends Error {}

/**
 * Runs a bash script as the guest's root.
 * @param {{ folder: string, ended: Promise<string> }} machine
 * @param {{ seconds: number, output?: (chunk: Buffer) => void }} options
 * @returns {Promise<number>} the script's status; rejects when the guest does not answer in time, or is gone
 */
export async function runJob(machine, script, { seconds, output = () => undefined }) {
  const nonce = randomBytes(8).toString('hex');
  const socket = await dial(`${machine.folder}/lab.sock`, 30);
  let timer;
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new OutOfTime(`the guest did not end its job within ${seconds.toFixed(0)} s`)), seconds * 1000);
      machine.ended.then((how) => reject(new Error(how)));
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('QEMU closed the port of jobs')));
      socket.on('data', answerReader(nonce, output, resolve));
      socket.write(`${nonce} ${Math.floor(Date.now() / 1000)} ${Buffer.from(script).toString('base64')}\n`);
    });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** Hands on all before the last line; holds back as much as could be its beginning. */
export function answerReader(nonce, output, done) {
  const mark = Buffer.from(`\nlab-end ${nonce} `);
  let held = Buffer.alloc(0);
  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    const at = held.indexOf(mark);
    const end = at < 0 ? -1 : held.indexOf('\n', at + mark.length);
    if (end >= 0) {
      if (at > 0) output(held.subarray(0, at));
      done(Number(held.subarray(at + mark.length, end)));
      return;
    }
    const free = at >= 0 ? at : held.length - mark.length;
    if (free <= 0) return;
    output(held.subarray(0, free));
    held = held.subarray(free);
  };
}
