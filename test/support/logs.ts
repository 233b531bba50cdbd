import { inspect } from 'node:util'
import type { FastifyBaseLogger } from 'fastify'

/** Everything that is logged, at every level. */
export function recordingLogger() {
  const lines: string[] = []
  const write = (...facts: unknown[]): void =>
    void lines.push(inspect(facts, { depth: Infinity, maxStringLength: Infinity, maxArrayLength: Infinity }))
  const levels = { fatal: write, error: write, warn: write, info: write, debug: write, trace: write }
  const logger: FastifyBaseLogger = { level: 'trace', ...levels, silent: write, child: () => logger }
  return { lines, logger }
}
