import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import { TotalsReporter } from './test/support/totals-reporter.ts'

/** Tests that look at nothing of their process: no sockets, no descriptors, no memory. */
const within = ['events', 'fleet', 'services', 'stories', 'tasks', 'trust'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
)

export default defineConfig({
  test: {
    projects: [
      // To load everything anew would cost each of these files a second.
      { extends: true, test: { name: 'within', include: within, isolate: false } },
      { extends: true, test: { name: 'alone', include: ['test/**/*.test.ts'], exclude: within } },
    ],
    reporters: ['default', new TotalsReporter()],
    expect: { requireAssertions: true },
    testTimeout: 30_000,
    // Services that tests start as processes load what the first of them has compiled.
    env: { NODE_COMPILE_CACHE: resolve(import.meta.dirname, 'node_modules/.cache/node') },
    // Alone it takes one on two cores, and half the tests wait for sockets anyway.
    maxWorkers: 2,
    coverage: { include: ['src/**'], thresholds: { lines: 90 } },
  },
})
