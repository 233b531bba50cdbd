import { defineConfig } from 'vitest/config'
import { TotalsReporter } from './test/support/totals-reporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', new TotalsReporter()],
    expect: { requireAssertions: true },
    testTimeout: 30_000,
    // Alone it takes one on two cores, and half the tests wait for sockets anyway.
    maxWorkers: 2,
    coverage: { include: ['src/**'], thresholds: { lines: 90 } },
  },
})
