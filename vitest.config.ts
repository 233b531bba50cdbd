import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import { isProof } from './test/support/sample.ts'
import { TotalsReporter } from './test/support/totals-reporter.ts'

/** Tests that look at their process (its sockets, descriptors, memory, warnings), or change a module of it. */
const alone = [
  'clock',
  'contracts/spool',
  'digests',
  'wire/{aborted-pushes,cut-goodbyes,fleet-cut,transfer-ways}',
].map((name) => `test/${name}.test.ts`)

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'alone', include: alone } },
      // To load everything anew would cost each of these files a second.
      {
        extends: true,
        test: { name: 'within', include: ['test/**/*.test.ts'], exclude: alone, isolate: false },
      },
    ],
    reporters: ['default', new TotalsReporter()],
    expect: { requireAssertions: true },
    // Of a bug that waits for ever. A proof has more samples, and longer.
    testTimeout: isProof ? 600_000 : 30_000,
    // Services that tests start as processes load what the first of them has compiled.
    env: { NODE_COMPILE_CACHE: resolve(import.meta.dirname, 'node_modules/.cache/node') },
    // More than the two cores of a small machine: half of the tests wait for sockets.
    maxWorkers: 4,
    coverage: { include: ['src/**'], thresholds: { lines: 90 } },
  },
})
