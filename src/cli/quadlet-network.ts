/** Networks in quadlets (podman-systemd.unit(5)): a .network file as a unit, and what Network= of a .container file means. Pure. */

import { isTrue, type Rule, value, when, words } from './quadlet-rules.ts';
import { formatUnit, quoteWord, splitWords, type UnitLine, type UnitSection, unitWord, valuesOf } from './systemd-text.ts';

/** Keys of [Network] and the flags of `network create` that they mean. */
export const networkKeys: Readonly<Record<string, Rule>> = Object.assign(Object.create(null), {
  DisableDNS: when('disable-dns'),
  Driver: value('driver'),
  Gateway: value('gateway'),
  Internal: when('internal'),
  IPAMDriver: value('ipam-driver'),
  IPRange: value('ip-range'),
  IPv6: when('ipv6'),
  Label: words('label'),
  Options: words('opt'),
  Subnet: value('subnet'),
  PodmanArgs: (text: string) => splitWords(text),
});

/** Read elsewhere. */
export const otherNetworkKeys: readonly string[] = ['NetworkName', 'NetworkDeleteOnStop'];

export const networkUnit = (stem: string): string => `${stem}-network.service`;
const usualName = (stem: string): string => `systemd-${stem}`;

/** `front.network` is the network that the unit of that file makes, `web.container` the container of that one; both go before. */
export function networkValue(text: string): { readonly value: string; readonly unit?: string } {
  const [, stem = '', kind = '', options = ''] = /^([^:]+)\.(network|container)(:.*)?$/.exec(text) ?? [];
  if (kind === 'network') return { value: `${usualName(stem)}${options}`, unit: networkUnit(stem) };
  if (kind === 'container') return { value: `container:${usualName(stem)}`, unit: `${stem}.service` };
  return { value: text };
}

/** Lines of [Unit] that put what Network= names before the container. */
export function networkOrder(container: readonly UnitLine[]): (readonly [string, string])[] {
  return valuesOf(container, 'Network').flatMap((text) => {
    const { unit } = networkValue(text);
    return unit === undefined
      ? []
      : ([
          ['Requires', unit],
          ['After', unit],
        ] as const);
  });
}

export type NetworkFile = {
  readonly stem: string;
  readonly lines: readonly UnitLine[];
  readonly sections: readonly UnitSection[];
  readonly program: string;
  /** Lines of [Service] that every unit has. */
  readonly environment: readonly (readonly [string, string])[];
};

/** Started once; containers stay on the network when the unit is stopped, unless it says otherwise. */
export function networkText({ stem, lines, sections, program, environment }: NetworkFile): string {
  const own = unitWord(program);
  const name = valuesOf(lines, 'NetworkName').at(-1) ?? usualName(stem);
  const flags = Object.entries(networkKeys).flatMap(([key, rule]) => valuesOf(lines, key).flatMap((text) => rule(text)));
  const remove = isTrue(valuesOf(lines, 'NetworkDeleteOnStop').at(-1) ?? '');
  const others = sections.filter(({ name: section }) => section !== 'Network' && section !== 'Service' && section !== 'Quadlet');
  const plain = (section: UnitSection) => section.lines.map(({ key, value: text }) => [key, text] as const);
  return formatUnit([
    ...others.map((section) => ({ name: section.name, lines: plain(section) })),
    {
      name: 'Service',
      lines: [
        ...environment,
        ...sections.filter((section) => section.name === 'Service').flatMap(plain),
        ['Type', 'oneshot'],
        ['RemainAfterExit', 'yes'],
        ['SyslogIdentifier', '%N'],
        ['ExecStart', [own, 'network', 'create', '--ignore', ...[...flags, name].map(quoteWord)].join(' ')],
        ...(remove ? [['ExecStopPost', `-${own} network rm ${quoteWord(name)}`] as const] : []),
      ],
    },
  ]);
}
