import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { componentOrders } from '../src/cli/image-order.ts'
import { writeBundle } from '../src/cli/image-build.ts'
import { uris } from '../src/redfish/uris.ts'
import { type Child, startServer } from './child.ts'
import { logIn } from './get.ts'
import { forget, installed, push, startReceiver, warmMemory } from './pushing.ts'
import { atLeast, median, type Row, under } from './row.ts'

const ROUNDS = 5
const IDLE_MS = 5_000
const IMAGE_BYTES = 128 * 2 ** 20
const components = [1, 2, 3, 4].flatMap((blade) => [`Blade${blade}-BMC`, `Blade${blade}-BIOS`])
const TOTAL_BYTES = components.length * IMAGE_BYTES

interface Push {
  readonly component: string
  readonly image: string
}

/** Eight pushes at once to eight components, against a bare server that takes the same; and who polls meanwhile. */
export async function benchPushes(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'redflash-bench-'))
  try {
    const machine = await makeMachine(folder)
    const pushes: Push[] = []
    for (const component of components) {
      const image = join(folder, `${component}.tar`)
      await writeBundle(componentOrders([{ name: component, version: '99.0' }], IMAGE_BYTES, 'bladed'), image)
      pushes.push({ component, image })
    }
    const spool = join(folder, 'bare')
    await mkdir(spool)
    await using redflash = await startReceiver(folder, '--no-https', '--machine', machine)
    await using bare = await startServer('baselines/bare-upload.mjs', [spool])
    const token = await logIn(redflash.url)
    const idle = startPolling(redflash, token)
    await sleep(IDLE_MS)
    const idleMs = await idle.end()
    const rates = { ours: [] as number[], baseline: [] as number[] }
    const p99s: number[] = []
    // One more than counts: the first is for the compilers.
    for (let round = 0; round <= ROUNDS; round++) {
      await warmMemory(folder, 1.5 * TOTAL_BYTES)
      const { rate, p99Ms } = await pushAllToRedflash(redflash, pushes, token)
      rates.ours.push(rate)
      p99s.push(p99Ms)
      await warmMemory(folder, 1.5 * TOTAL_BYTES)
      rates.baseline.push(await pushAllToBare(bare, pushes))
    }
    return [
      atLeast(0.9, {
        name: 'pushes: eight at once',
        ours: median(rates.ours.slice(1)),
        baseline: median(rates.baseline.slice(1)),
        show: (rate) => `${Math.round(rate)} MB/s`,
      }),
      under(20, {
        name: 'pushes: p99 of GETs, against idle',
        ours: median(p99s.slice(1)),
        baseline: idleMs,
        show: (ms) => `${ms.toFixed(1)} ms`,
      }),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The bladed machine, with eight components that take such images, all at once, and need no reset. */
async function makeMachine(folder: string): Promise<string> {
  const machine = join(folder, 'machine')
  await cp(fileURLToPath(new URL('../mockups/bladed', import.meta.url)), machine, { recursive: true })
  const file = join(machine, 'machine.json')
  const data = JSON.parse(await readFile(file, 'utf8')) as { readonly components: Record<string, object> }
  const changed = Object.fromEntries(
    components.map((name) => {
      const needsReset = { reset: undefined, spare: undefined, after: undefined, recovery: undefined }
      return [name, { ...data.components[name], ...needsReset, capacityBytes: 2 * IMAGE_BYTES }]
    }),
  )
  const all = { ...data.components, ...changed }
  const limits = { maxParallelUploads: components.length, maxParallelFlashes: components.length }
  await writeFile(file, JSON.stringify({ ...data, ...limits, components: all }))
  return machine
}

async function pushAllToRedflash(redflash: Child, pushes: readonly Push[], token: string) {
  const polling = startPolling(redflash, token)
  await sleep(500)
  const started = performance.now()
  const pushed = await Promise.all(
    pushes.map(({ component, image }) => {
      const parameters = JSON.stringify({ ForceUpdate: true, Targets: [uris.firmware(component)] })
      return push(`${redflash.url}${uris.multipartPush}`, image, parameters)
    }),
  )
  const seconds = (performance.now() - started) / 1_000
  const p99Ms = await polling.end()
  for (const one of pushed) await installed(redflash, one)
  return { rate: TOTAL_BYTES / 1e6 / seconds, p99Ms }
}

async function pushAllToBare(bare: Child, pushes: readonly Push[]): Promise<number> {
  const started = performance.now()
  await Promise.all(pushes.map(({ image }) => push(bare.url, image)))
  const seconds = (performance.now() - started) / 1_000
  await forget(bare)
  return TOTAL_BYTES / 1e6 / seconds
}

/** GETs from a process that does nothing else; `end` tells their p99. */
function startPolling({ url }: Child, token: string): { readonly end: () => Promise<number> } {
  const script = fileURLToPath(new URL('polling-child.ts', import.meta.url))
  const child = spawn(process.execPath, [script, `${url}${uris.updateService}`, token], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  return {
    end: async () => {
      child.stdin.end()
      const [text] = await Promise.all([buffer(child.stdout), exited])
      return Number(text.toString())
    },
  }
}
