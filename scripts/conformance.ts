import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { arrayBuffer as bytesOf } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { loadMachine } from '../src/bmc/mockup-folder.ts'
import { bundleComponents } from '../src/cli/image.ts'
import { buildBundle } from '../src/image/build-bundle.ts'
import { uris } from '../src/redfish/uris.ts'
import { type Installation, type Outcome, type Service, tools } from './conformance-tools.ts'

const USAGE = `npm run conformance -- --tools DIR --csdl DIR [--python FILE] [--machine NAME]... [--tool NAME]... [--hurry] [--details]

  --tools    holds the checkouts of the DMTF tools                      (or CONFORMANCE_TOOLS)
  --csdl     holds the CSDL files of the DMTF schema bundle             (or CONFORMANCE_CSDL)
  --python   a Python that has what the tools import, default python3   (or CONFORMANCE_PYTHON)
  --machine  rackmount, bladed; both by default
  --tool     a word of a tool's name; all by default
  --hurry    cuts the tools' own pauses short
  --details  prints every finding, not only failures`
const READY_MS = 30_000
const machines = ['rackmount', 'bladed']

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
      await using service = await startService(machine)
      await inhabit(service, machine)
      const outcome = await tool.run(installation, service, folder)
      lines.push({ tool: tool.name, machine, ...outcome })
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

/** An update, its task and log entries, a subscription and a test event: what a service in use shows. */
async function inhabit({ url, user, password }: Service, machine: string): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  const post = async (uri: string, body: string | FormData): Promise<void> => {
    const type = typeof body === 'string' ? { 'content-type': 'application/json' } : {}
    const answer = await fetch(url + uri, { method: 'POST', headers: { authorization, ...type }, body })
    if (!answer.ok) throw new Error(`${uri} answers ${answer.status}: ${await answer.text()}`)
    await answer.arrayBuffer()
  }
  const destination = {
    Destination: 'http://127.0.0.1:9/events',
    Protocol: 'Redfish',
    Context: 'conformance',
  }
  await post(uris.eventDestinations, JSON.stringify(destination))
  const names = [...loadMachine(machine).components.keys()]
  const name = names.find((one) => /^(NIC|PSU)/.test(one)) ?? ''
  const components = bundleComponents([{ name, version: '99.0' }], 65_536, machine)
  const form = new FormData()
  form.set('UpdateParameters', new Blob(['{}'], { type: 'application/json' }))
  form.set('UpdateFile', new Blob([await bytesOf(buildBundle(components))]), 'update.tar')
  await post(uris.multipartPush, form)
  const event = { MessageId: 'ResourceEvent.1.4.TestMessage', Message: 'test', MessageSeverity: 'OK' }
  await post(uris.action(uris.eventService, 'EventService.SubmitTestEvent'), JSON.stringify(event))
}

/** A service in a process of its own, on free ports; it ends when it leaves scope. */
async function startService(machine: string): Promise<Service & AsyncDisposable> {
  const main = resolve(import.meta.dirname, '../src/main.ts')
  const ports = ['--port', '0', '--https-port', '0']
  const options = ['--machine', machine, '--speed', 'max', '--ssdp', '--log-level', 'error']
  const child = spawn(process.execPath, [main, 'serve', ...ports, ...options], {
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
      return { url, httpsUrl, user: 'admin', password: 'redflash', [Symbol.asyncDispose]: end }
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
