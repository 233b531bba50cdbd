import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { arrayBuffer as bytesOf } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { componentOrders } from '../src/cli/image-order.ts'
import { buildBundle } from '../src/image/build/bundle.ts'
import { addressAt } from '../src/http/reach.ts'
import { uris } from '../src/redfish/uris.ts'
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
/** By machine, the component that an image is staged on, one that waits for its reset, and one that is never done. */
const inhabited = {
  rackmount: { done: 'NIC-1', staged: 'NIC-2', waiting: 'BIOS', endless: 'PSU-1' },
  bladed: { done: 'PSU-2', staged: 'Blade1-BIOS', waiting: 'Blade2-BMC', endless: 'PSU-1' },
} as const
const CONSOLE = 'console'
/** How many BMCs a console manages. */
const MANAGED = 3
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
      await using started = await startService(machine, folder, bmcs)
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

/**
 * What a service in use shows: updates that are done, run, wait in a job and are staged, a kept image, keys, a job that is
 * to come, a subscription and a test event.
 */
async function inhabit(service: Service, machine: string): Promise<void> {
  await subscribe(service)
  const { done, staged, waiting, endless } = inhabitedOf(machine)
  const updates = [
    [done, { LocalImage: true }],
    [staged, { Stage: true }],
    [waiting, {}],
    [endless, {}],
  ] as const
  for (const [name, parameters] of updates) {
    const form = await formOf(machine, name, { Targets: [uris.firmware(name)], ...parameters })
    await post(service, uris.multipartPush, form)
  }
  await post(service, uris.action(uris.updateService, 'UpdateService.GenerateSSHIdentityKeyPair'), {
    KeyType: 'Ed25519',
  })
  await post(service, uris.jobs, {
    Payload: { HttpOperation: 'PATCH', TargetUri: uris.updateService, JsonBody: '{"ServiceEnabled":true}' },
    Schedule: { RecurrenceInterval: 'P7D', InitialStartTime: '2100-01-01T00:00:00Z' },
  })
  const event = { MessageId: 'ResourceEvent.1.4.TestMessage', Message: 'test', MessageSeverity: 'OK' }
  await post(service, uris.action(uris.eventService, 'EventService.SubmitTestEvent'), event)
}

/** What a console in use shows: devices, an aggregate of them, updates that go to them. */
async function manage(service: Service, bmcs: readonly Service[]): Promise<void> {
  await subscribe(service)
  for (const { url, user, password } of bmcs) {
    await post(service, uris.aggregationSources, {
      HostName: url,
      UserName: user,
      Password: password,
      Links: { ConnectionMethod: { '@odata.id': uris.connectionMethod('Redfish') } },
    })
  }
  const Elements = ['1', '2'].map((id) => ({ '@odata.id': uris.system(id) }))
  await post(service, uris.aggregates, { Elements })
  const form = await formOf('rackmount', 'NIC-1', { Targets: [uris.aggregate('1')] })
  await post(service, uris.multipartPush, form)
}

async function subscribe(service: Service): Promise<void> {
  await post(service, uris.eventDestinations, {
    Destination: 'http://127.0.0.1:9/events',
    Protocol: 'Redfish',
    Context: 'conformance',
  })
}

async function post({ url, user, password }: Service, uri: string, body: object): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  const isForm = body instanceof FormData
  const answer = await fetch(url + uri, {
    method: 'POST',
    headers: { authorization, ...(!isForm && { 'content-type': 'application/json' }) },
    body: isForm ? body : JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${uri} answers ${answer.status}: ${await answer.text()}`)
  await answer.arrayBuffer()
}

/** A push of new firmware for one component. */
async function formOf(machine: string, name: string, parameters: object): Promise<FormData> {
  const components = componentOrders([{ name, version: '99.0' }], 65_536, machine)
  const asked = JSON.stringify(parameters)
  const form = new FormData()
  form.set('UpdateParameters', new Blob([asked], { type: 'application/json' }))
  form.set('UpdateFile', new Blob([await bytesOf(buildBundle(components))]), 'update.tar')
  return form
}

function inhabitedOf(machine: string): (typeof inhabited)[keyof typeof inhabited] {
  return inhabited[machine === 'bladed' ? 'bladed' : 'rackmount']
}

/** Whom the tools look at. */
interface Started extends AsyncDisposable {
  readonly services: readonly (Service & { readonly name: string })[]
}

/** The BMCs that a console is to manage. */
async function startManaged(machine: string, folder: string): Promise<Started | undefined> {
  if (machine !== CONSOLE) return undefined
  return startService('rackmount', folder, MANAGED)
}

/** A service in a process of its own, on free ports; it ends when it leaves scope. */
async function startService(machine: string, folder: string, bmcs: number): Promise<Started> {
  const main = resolve(import.meta.dirname, '../src/main.ts')
  const ports = ['--port', '0', '--https-port', '0']
  const many = bmcs > 1 ? ['--bmcs', String(bmcs)] : ['--ssdp']
  const kind = machine === CONSOLE ? ['--console'] : await machineOptions(machine, folder)
  const other = ['--speed', 'max', '--log-level', 'error']
  const child = spawn(process.execPath, [main, 'serve', ...ports, ...kind, ...other, ...many], {
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

/** A machine of which one device is never done. */
async function machineOptions(machine: string, folder: string): Promise<string[]> {
  const devices = join(folder, 'devices.json')
  const hangs = { fail: { at: 'transfer', how: 'hangs' } }
  await writeFile(devices, JSON.stringify({ [inhabitedOf(machine).endless]: hangs }))
  return ['--machine', machine, '--devices', devices]
}

/** The URL of the BMC so many places further on; without a fleet it is at a name, perhaps. */
function moved(url: string, slots: number): string {
  if (slots === 0) return url
  const { protocol, hostname, port } = new URL(url)
  return `${protocol}//${addressAt(hostname, slots)}:${port}`
}
