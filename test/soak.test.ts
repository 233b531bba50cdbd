import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { leaks } from '../scripts/soak/leak.ts'
import { isProof } from './support/sample.ts'
import { PATIENCE_MS, run } from './support/programs.ts'

const LENGTH = 40
const TOLERANCE = 4
/** Series of forty values, the same in every run. */
const series = (valueAt: (n: number) => number) => Array.from({ length: LENGTH }, (_, n) => valueAt(n))
const noise = (n: number): number => ((n * 7_919) % 13) - 6

describe('what a soak calls a leak', () => {
  test.each<[string, (n: number) => number]>([
    ['rises', (n) => 100 + n],
    ['rises among noise', (n) => 100 + n + noise(n)],
    ['rises in steps', (n) => 100 + 8 * Math.floor(n / 8)],
    ['rises between collections', (n) => 100 + 20 * (n % 5) + n],
    ['rises after a quiet beginning', (n) => 100 + Math.max(0, n - 10)],
    ['rises faster and faster', (n) => 100 + n ** 2 / 20],
  ])('is what %s', (_how, valueAt) => {
    expect(leaks([{ name: 'it', values: series(valueAt), tolerance: TOLERANCE }])).toEqual(['it'])
  })

  test.each<[string, (n: number) => number]>([
    ['is always the same', () => 100],
    ['is noise', (n) => 100 + noise(n)],
    ['comes back to where it was', (n) => 100 + 10 * (n % 5)],
    ['comes back late', (n) => 100 + 3 * (n % 9)],
    ['falls', (n) => 100 - n],
    ['rises while it warms up', (n) => Math.min(100 + 10 * n, 190)],
    ['fills up', (n) => Math.min(100 + 4 * n, 180)],
    ['rises once', (n) => (n < 25 ? 100 : 150)],
    ['rises no more than comes and goes by itself', (n) => 100 + n / 10],
  ])('is not what %s', (_how, valueAt) => {
    expect(leaks([{ name: 'it', values: series(valueAt), tolerance: TOLERANCE }])).toEqual([])
  })

  test('is told by its name, among others', () => {
    const all = [
      { name: 'flat', values: series(() => 1), tolerance: TOLERANCE },
      { name: 'leaking', values: series((n) => n), tolerance: TOLERANCE },
    ]
    expect(leaks(all)).toEqual(['leaking'])
  })

  test('is nothing that a dozen looks can tell', () => {
    const few = (count: number) => [
      { name: 'it', values: series((n) => 9 * n).slice(0, count), tolerance: TOLERANCE },
    ]
    expect([leaks(few(11)), leaks(few(12))]).toEqual([[], ['it']])
  })
})

test.each(isProof ? [[[]], [['--data']]] : [[['--data']]])(
  'a short soak %j does something of everything, and fails at nothing',
  async (args) => {
    const script = resolve(import.meta.dirname, '../scripts/soak.ts')
    const printed = await run(process.execPath, [script, '--minutes', '0.05', '--bmcs', '8', ...args])
    const table = printed.slice(0, printed.indexOf('\n\n')).split('\n')
    expect(table[0]).toMatch(/^seconds .*heap MB .*descriptors .*database MB .*lag p99 ms .*failures$/)
    expect(table).toHaveLength(5)
    expect(printed).toMatch(
      /^done: .*abort an upload \d+, .*come by TLS \d+, .*login \d+, .*pull \d+, push \d+/m,
    )
    expect(printed).toMatch(/no failure; too short to judge leaks\n$/)
  },
  2 * PATIENCE_MS,
)
