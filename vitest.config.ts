import { defineConfig } from 'vitest/config'
import { TotalsReporter } from './test/support/totals-reporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', new TotalsReporter()],
    expect: { requireAssertions: true },
    testTimeout: 30_000,
    coverage: { include: ['src/**'], thresholds: { lines: 90 } },
  },
})
