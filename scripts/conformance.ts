import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { addressAt } from '../src/http/reach.ts'
import { inhabit, inhabited, inhabitedOf, manage, managedFleet } from './conformance-lives.ts'
import { type Installation, type Outcome, type Service, tools } from './conformance-tools.ts'

const USAGE = `npm run conformance -- --tools DIR --csdl DIR [--python FILE] [--machine NAME]... [--tool NAME]... [--bmcs N] [--hurry] [--details]

  --tools    holds the checkouts of the DMTF tools                      (or CONFORMANCE_TOOLS)
  --csdl     holds the CSDL files of the DMTF schema bundle             (or CONFORMANCE_CSDL)
  --python   a Python that has what the tools import, default python3   (or CONFORMANCE_PYTHON)
  --machine  rackmount, bladed, console (over a fleet of three); all by default
  --tool     a word of a tool's name; all by default
  --bmcs     looks at three of a fleet of so many: the first, the middle, the last; 1 by default, which is no fleet
  --hurry    cuts the tools' own pauses short
  --details  prints every finding, not only failures`
const READY_MS = 30_000
const CONSOLE = 'console'
const machines = [...Object.keys(inhabited), CONSOLE]

interface Line extends Outcome {
  readonly tool: string
  readonly machine: string
}

const { values } = parseArgs({
  options: {
    tools: { type: 'string', default: process.env['CONFORMANCE_TOOLS'] ?? '' },
    csdl: { type: 'string', default: process.env['CONFORMANCE_CSDL'] ?? '' },
    python: { type: 'string', default: process.env['CONFORMANCE_PYTHON'] ?? 'python3' },
    machine: { type: 'string', multiple: true, default: machines },
    tool: { type: 'string', multiple: true, default: [''] },
    bmcs: { type: 'string', default: '1' },
    hurry: { type: 'boolean', default: false },
    details: { type: 'boolean', default: false },
  },
})
if (values.tools === '') {
  console.error(USAGE)
  process.exitCode = 2
} else {
  process.exitCode = (await runAll()) ? 0 : 1
}

/** Every tool on every machine, each with a service of its own; whether nothing failed. */
async function runAll(): Promise<boolean> {
  const installation: Installation = {
    folder: resolve(values.tools),
    python: values.python,
    csdl: values.csdl === '' ? undefined : resolve(values.csdl),
    isHurried: values.hurry,
  }
  const chosen = tools.filter(({ name }) =>
    values.tool.some((word) => name.toLowerCase().includes(word.toLowerCase())),
  )
  const missing = chosen.flatMap(({ name, missing: isMissing }) => {
    const what = isMissing(installation)
    return what === undefined ? [] : [`the ${name} cannot run: ${what}`]
  })
  for (const line of missing) console.error(line)
  const reports = await mkdtemp(join(tmpdir(), 'redflash-conformance-'))
  const lines: Line[] = []
  for (const tool of chosen.filter((one) => one.missing(installation) === undefined)) {
    for (const machine of values.machine) {
      const folder = join(reports, `${tool.name}-${machine}`.toLowerCase().replaceAll(' ', '-'))
      await mkdir(folder)
      const bmcs = machine === CONSOLE ? 1 : Number(values.bmcs)
      await using managed = await startManaged(machine, folder)
      const options =
        machine === CONSOLE ? ['--console', '--mqtt', '0'] : await machineOptions(machine, folder, bmcs)
      await using started = await startService(machine, options, bmcs)
      for (const { name, ...service } of started.services) {
        if (managed === undefined) await inhabit(service, machine)
        else await manage(service, managed.services)
        const own = join(folder, name)
        await mkdir(own)
        lines.push({ tool: tool.name, machine: name, ...(await tool.run(installation, service, own)) })
      }
    }
  }
  for (const { tool, machine, findings } of lines) {
    const shown = values.details ? findings : findings.filter((one) => /^(FAIL|ERROR)/.test(one))
    for (const finding of shown) console.log(`${tool}, ${machine}: ${finding}`)
  }
  console.table(
    lines.map(({ tool, machine, pass, fail, warn, notTested }) => {
      return { tool, machine, pass, fail, warn, 'not tested': notTested }
    }),
  )
  console.log(`reports: ${reports}`)
  return missing.length === 0 && lines.length > 0 && lines.every(({ fail }) => fail === 0)
}

/** Whom the tools look at. */
interface Started extends AsyncDisposable {
  readonly services: readonly (Service & { readonly name: string })[]
}

/** The BMCs that a console is to manage. */
async function startManaged(machine: string, folder: string): Promise<Started | undefined> {
  if (machine !== CONSOLE) return undefined
  const fleet = join(folder, 'fleet.json')
  await writeFile(fleet, JSON.stringify(managedFleet))
  const count = managedFleet.groups.reduce((sum, group) => sum + group.count, 0)
  return startService('rackmount', ['--fleet', fleet], count)
}

/** A service in a process of its own, on free ports; it ends when it leaves scope. */
async function startService(machine: string, options: readonly string[], bmcs: number): Promise<Started> {
  const main = resolve(import.meta.dirname, '../src/main.ts')
  const ports = ['--port', '0', '--https-port', '0']
  const many = bmcs === 1 ? ['--ssdp'] : []
  const other = ['--speed', 'max', '--log-level', 'error']
  const child = spawn(process.execPath, [main, 'serve', ...ports, ...options, ...other, ...many], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const end = async (): Promise<void> => {
    child.kill()
    await exited
  }
  const tooLate = AbortSignal.timeout(READY_MS)
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  for (;;) {
    const [url, httpsUrl] = ['http', 'https'].map((scheme) => RegExp(`${scheme}://[^/\\s]+`).exec(said)?.[0])
    if (url !== undefined && httpsUrl !== undefined && said.endsWith('\n')) {
      const slots = [...new Set([0, Math.floor(bmcs / 2), bmcs - 1])]
      const services = slots.map((slot) => ({
        name: bmcs > 1 ? `${machine}-${slot + 1}` : machine,
        url: moved(url, slot),
        httpsUrl: moved(httpsUrl, slot),
        user: 'admin',
        password: 'redflash',
      }))
      return { services, [Symbol.asyncDispose]: end }
    }
    try {
      await Promise.race([
        once(child.stdout, 'data', { signal: tooLate }),
        exited.then(() => Promise.reject(new Error(`the service ended: ${said}`))),
      ])
    } catch (error) {
      child.kill()
      throw error
    }
  }
}

/** A machine of which one device is never done, or so many of them. */
async function machineOptions(machine: string, folder: string, bmcs: number): Promise<string[]> {
  const devices = join(folder, 'devices.json')
  const hangs = { fail: { at: 'transfer', how: 'hangs' } }
  await writeFile(devices, JSON.stringify({ [inhabitedOf(machine).endless]: hangs }))
  const many = bmcs > 1 ? ['--bmcs', String(bmcs)] : []
  return ['--machine', machine, '--devices', devices, ...many]
}

/** The URL of the BMC so many places further on; without a fleet it is at a name, perhaps. */
function moved(url: string, slots: number): string {
  if (slots === 0) return url
  const { protocol, hostname, port } = new URL(url)
  return `${protocol}//${addressAt(hostname, slots)}:${port}`
}
