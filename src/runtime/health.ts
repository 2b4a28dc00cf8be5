/** Which check of its health a container has: what was asked for, then the image's HEALTHCHECK, then docker's defaults. Pure. */

import type { Healthcheck } from '../image/config.ts';
import type { HealthRequest } from './options.ts';

/** As monitor.json has it; times in nanoseconds. */
export type HealthPlan = HealthRequest;

const second = 1_000_000_000;

/** @returns undefined when nobody names a check, or it was switched off */
export function planHealth(asked: HealthRequest, image: Healthcheck | undefined): HealthPlan | undefined {
  const test = asked.test.length > 0 ? asked.test : (image?.test ?? []);
  if (test.length === 0 || test[0] === 'NONE') return undefined;
  return {
    test,
    interval: asked.interval || image?.interval || 30 * second,
    timeout: asked.timeout || image?.timeout || 30 * second,
    startPeriod: asked.startPeriod || image?.startPeriod || 0,
    startInterval: asked.startInterval || image?.startInterval || 5 * second,
    retries: asked.retries || image?.retries || 3,
    onFailure: asked.onFailure,
  };
}
