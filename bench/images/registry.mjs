// docker-registry on a free port of loopback, as the tests have it.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

export async function startRegistry(folder) {
  const port = await freePort();
  const storage = join(folder, 'registry');
  mkdirSync(storage);
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage } },
    http: { addr: `127.0.0.1:${port}` },
  };
  // JSON is YAML.
  writeFileSync(join(folder, 'registry.yml'), JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', join(folder, 'registry.yml')], { stdio: 'ignore' });
  for (let attempt = 0; attempt < 200 && !(await answers(port)); attempt++) await new Promise((resolve) => setTimeout(resolve, 50));
  return { host: `localhost:${port}`, stop: () => child.kill('SIGKILL') };
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.end() !== undefined));
    socket.once('error', () => resolve(false));
  });
}
