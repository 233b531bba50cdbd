import { execFileSync } from 'node:child_process'
import { benchFleet } from './fleet.ts'
import { benchGet } from './get.ts'
import { benchJournal } from './journal.ts'
import { benchLoad } from './load.ts'
import { benchMatch } from './match.ts'
import { benchPush } from './push.ts'
import { benchPushes } from './pushes.ts'
import type { Row } from './row.ts'
import { benchStart } from './start.ts'
import { benchState } from './state.ts'

const benches = {
  fleet: benchFleet,
  get: benchGet,
  journal: benchJournal,
  load: benchLoad,
  match: benchMatch,
  push: benchPush,
  pushes: benchPushes,
  start: benchStart,
  state: benchState,
} as const
type BenchName = keyof typeof benches

/** `npm run bench`: every bench, or those named; exits 1 when a target is missed. */
const named = process.argv.slice(2)
const unknown = named.filter((name) => !Object.hasOwn(benches, name))
if (unknown.length > 0) {
  throw new Error(`no bench called ${unknown.join(', ')}: there are ${Object.keys(benches).join(', ')}`)
}
// What is measured is what is installed.
execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
const chosen = (named.length > 0 ? named : Object.keys(benches)) as BenchName[] // checked above
const rows: Row[] = []
for (const name of chosen) rows.push(...(await benches[name]()))
process.stdout.write(`${table(rows)}\n`)
process.exitCode = rows.some((row) => row.isMissed) ? 1 : 0

function table(all: readonly Row[]): string {
  const lines = [
    ['name', 'ours', 'baseline', 'ratio', 'target', 'ok'],
    ...all.map((row) => [
      row.name,
      row.ours,
      row.baseline,
      row.ratio.toFixed(2),
      row.target,
      row.target === '' ? '' : row.isMissed ? 'MISSED' : 'yes',
    ]),
  ]
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
