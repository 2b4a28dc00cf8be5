/** The doctor on a machine where everything is as it should be, and where a session is missing. */

import * as assert from 'uvu/assert';
import type { Result } from '../../src/doctor/finding.ts';
import { live } from '../support/live.ts';
import { good, inPlace, root } from '../support/vm.ts';

const findings = (place: string, checks = ''): readonly Result[] =>
  JSON.parse(inPlace(place, `rootless doctor --json ${checks} 2> /dev/null`).out) as Result[];

live('in a login of ana nothing is wrong', [], () => {
  // A guest without a network has nothing that a name could be asked of.
  const wrong = findings('session').filter(({ id, status }) => status !== 'ok' && status !== 'off' && id !== 'dns');
  assert.equal(
    wrong.map(({ id, status, message }) => `${id} ${status}: ${message}`),
    [],
  );
  const by = (id: string) => findings('session', id)[0];
  assert.match(by('delegation')?.message ?? '', /cpu.*memory.*pids/);
  assert.match(by('bus')?.message ?? '', /answers/);
  assert.match(by('linger')?.message ?? '', /on:/);
});

live('without linger and without a session, both are found', [], () => {
  good(root('loginctl disable-linger ben; systemctl stop user@1001.service; true'));
  const results = findings('bare:ben', 'delegation bus linger');
  assert.equal(
    results.map(({ id, status }) => `${id} ${status}`),
    ['delegation warn', 'bus warn', 'linger warn'],
  );
  for (const { fix } of results) assert.match((fix ?? []).join('\n'), /loginctl enable-linger ben/);
});

live('what it prints for that, run by root, mends it', [], () => {
  good(root('loginctl disable-linger ben; systemctl stop user@1001.service; true'));
  try {
    inPlace('bare:ben', 'rootless doctor --fix delegation bus linger > /tmp/mend.sh');
    good(root('sh -e /tmp/mend.sh'));
    assert.equal(
      findings('bare:ben', 'delegation bus linger').map(({ id, status }) => `${id} ${status}`),
      ['delegation ok', 'bus ok', 'linger ok'],
    );
  } finally {
    root('rm -f /tmp/mend.sh; loginctl disable-linger ben; systemctl stop user@1001.service');
  }
});

live.run();
