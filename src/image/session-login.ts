/** The login of a conversation: credentials looked up once, an authorization for each set of scopes, renewed when it ends. */

import { type Authorization, authorize, type Challenge, parseChallenges } from './auth.ts';
import { type Credentials, findCredentials, type Place } from './credentials.ts';
import type { HttpClient } from './http.ts';
import type { Purpose } from './registry-error.ts';

export type LoginOptions = {
  readonly place: Place;
  readonly purpose: Purpose;
  /** Files to look for credentials in. */
  readonly files: readonly string[];
  /** Instead of those in files. */
  readonly given: Credentials | undefined;
  readonly signal: AbortSignal | undefined;
  /** Sends to token servers, with patience. */
  readonly send: HttpClient['send'];
  /** The scheme and host of the registry. */
  readonly base: () => Promise<URL>;
};

export class SessionLogin {
  readonly #options: LoginOptions;
  #challenges: readonly Challenge[] = [];
  readonly #known = new Map<string, Authorization | undefined>();
  readonly #running = new Map<string, Promise<Authorization | undefined>>();
  #credentials: Promise<Credentials | undefined> | undefined;
  #loggedIn = false;

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  /** Whether there are credentials, as far as anybody asked. */
  get loggedIn(): boolean {
    return this.#loggedIn;
  }

  /** What a token server gave to be kept. */
  get refreshToken(): string | undefined {
    return [...this.#known.values()].find((one) => one?.refresh !== undefined)?.refresh;
  }

  /** From now on these, whatever is stored. */
  use(credentials: Credentials | undefined): void {
    this.#credentials = Promise.resolve(credentials);
    this.#loggedIn = credentials !== undefined;
  }

  /** What to send now: nothing before the registry has asked for anything. */
  async current(more: readonly string[]): Promise<Authorization | undefined> {
    const known = this.#known.get(key(more));
    const stale = known === undefined || known.expires < Date.now();
    return stale && this.#challenges.length > 0 ? this.#renew(more) : known;
  }

  /** After a 401 to `used`: a new authorization, or undefined when there is nothing else to try. Parallel requests share one login. */
  async answer(challenge: string, used: Authorization | undefined, more: readonly string[]): Promise<Authorization | undefined> {
    this.#challenges = parseChallenges(challenge);
    const known = this.#known.get(key(more));
    return known !== undefined && known !== used ? known : this.#renew(more);
  }

  #renew(more: readonly string[]): Promise<Authorization | undefined> {
    const running = this.#running.get(key(more));
    if (running !== undefined) return running;
    const login = this.#logIn(more)
      .then((authorization) => {
        this.#known.set(key(more), authorization);
        return authorization;
      })
      .finally(() => this.#running.delete(key(more)));
    this.#running.set(key(more), login);
    return login;
  }

  async #logIn(more: readonly string[]): Promise<Authorization | undefined> {
    const { files, given, place, purpose, send, signal, base } = this.#options;
    this.#credentials ??= given === undefined ? findCredentials(files, place, signal) : Promise.resolve(given);
    const credentials = await this.#credentials;
    this.#loggedIn = credentials !== undefined;
    const registry = new URL((await base()).origin);
    const scopes = [...scopesOf(place, purpose), ...more];
    return authorize(registry, this.#challenges, { credentials, scopes, offline: purpose === 'login', signal, send });
  }
}

function scopesOf({ repository }: Place, purpose: Purpose): readonly string[] {
  if (purpose === 'login') return [];
  if (repository === '') return ['registry:catalog:*'];
  return [`repository:${repository}:${purpose === 'push' ? 'pull,push' : 'pull'}`];
}

function key(scopes: readonly string[]): string {
  return scopes.join(' ');
}
