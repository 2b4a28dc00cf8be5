/** How much slower than usual the machine is: the guest of `npm run test:vm` is emulated. Time limits of tests are multiplied by it. */

export const slowness = Number(process.env['ROOTLESS_TEST_SLOW'] ?? 1);
