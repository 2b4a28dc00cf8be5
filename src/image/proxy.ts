/** Which proxy a URL goes through, by the rules of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Pure. */

import { BlockList, isIP } from 'node:net';
import { RootlessError } from '../errors.ts';
import type { RegistryEnvironment } from '../paths.ts';

/** @throws RootlessError PROXY_INVALID, without the credentials that the value may hold */
export function proxyFor(url: URL, environment: RegistryEnvironment): URL | undefined {
  const value = url.protocol === 'https:' ? environment.httpsProxy : environment.httpProxy;
  if (value === undefined || isLoopback(url.hostname) || isExcepted(url, environment.noProxy ?? '')) return undefined;
  const proxy = parseUrl(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  if (proxy === undefined || !/^https?:$/.test(proxy.protocol)) {
    throw new RootlessError({
      code: 'PROXY_INVALID',
      message: 'the proxy of the environment is not an http or https URL',
      fix: 'correct HTTP_PROXY and HTTPS_PROXY',
    });
  }
  return proxy;
}

export function parseUrl(text: string, base?: URL): URL | undefined {
  return URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
}

/** localhost, 127.0.0.0/8 and ::1: docker's rule for registries that may speak plain HTTP. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || /^127(?:\.[0-9]{1,3}){3}$/.test(hostname) || hostname === '[::1]' || hostname === '::1';
}

/** NO_PROXY: `*`, names (and all below them), `.suffix`, addresses, CIDR ranges, each with an optional port. */
function isExcepted(url: URL, list: string): boolean {
  const host = url.hostname.toLowerCase().replace(/^\[|\]$/g, '');
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((rule) => {
      if (rule === '*') return true;
      if (rule.includes('/')) return inRange(host, rule);
      const [, name = rule, only] = /^(\[[^\]]*\]|[^:]*):([0-9]+)$/.exec(rule) ?? [];
      if (only !== undefined && only !== port) return false;
      const bare = name.replace(/^\[|\]$/g, '').replace(/^\*?\./, '');
      return host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`));
    });
}

function inRange(host: string, range: string): boolean {
  const [network = '', bits = ''] = range.split('/');
  const family = isIP(host);
  const width = Number(bits);
  if (family === 0 || isIP(network) !== family || !/^[0-9]+$/.test(bits) || width > (family === 4 ? 32 : 128)) return false;
  const blocks = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  blocks.addSubnet(network, width, type);
  return blocks.check(host, type);
}
