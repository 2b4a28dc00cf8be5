// QEMU's control socket (qemu-qmp-ref(7)): one JSON a line, answers in the order of the commands, events between them.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

/** Runs `body` with a function that executes one command; waits up to `seconds` for the socket to appear. */
export async function withQmp(path, body, seconds = 60) {
  const socket = await dial(path, seconds);
  const waiting = [];
  const lines = createInterface({ input: socket });
  lines.on('line', (line) => {
    const message = JSON.parse(line);
    if ('return' in message || 'error' in message) waiting.shift()?.(message);
  });
  socket.once('close', () => {
    for (const settle of waiting.splice(0)) settle({ error: { desc: 'QEMU closed its control socket' } });
  });
  const execute = async (command, args = {}) => {
    const answer = await new Promise((resolve) => {
      waiting.push(resolve);
      socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
    if ('error' in answer) throw new Error(`QEMU refuses ${command}: ${answer.error.desc}`);
    return answer.return;
  };
  try {
    await execute('qmp_capabilities');
    return await body(execute);
  } finally {
    socket.destroy();
  }
}

/** Asks again until the answer will do. */
export async function poll(ask, done, seconds) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await pause(50)) {
    const answer = await ask();
    if (done(answer)) return answer;
  }
  throw new Error(`QEMU was not ready after ${seconds} s`);
}

export async function dial(path, seconds) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await new Promise((resolve, reject) => {
        const socket = connect(path);
        socket.once('connect', () => resolve(socket));
        socket.once('error', reject);
      });
    } catch (error) {
      if (Date.now() > end) throw error;
      await pause(50);
    }
  }
}
