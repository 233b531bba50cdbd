import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { addressAt } from '../src/http/reach.ts'
import { uris } from '../src/redfish/uris.ts'
import { headOf, Wire } from './fleet-wire.ts'

/** Whom to update, with what. */
export interface Updating {
  readonly firstAddress: string
  readonly port: number
  /** How many BMCs, all at once. */
  readonly bmcs: number
  readonly image: string
}

/** What the client saw; written when every BMC has answered the push, and again when every task is over. */
export interface Updated {
  readonly seconds: number
}

const POLL_MS = 1_000
const PATIENCE_MS = 120_000
const BOUNDARY = 'redflash-bench-81f2'

const updating = JSON.parse(process.argv[2] ?? '') as Updating
const image = await readFile(updating.image)
const head = Buffer.from(
  `${partHead('name="UpdateParameters"', 'application/json')}{"ForceUpdate":true}\r\n` +
    partHead('name="UpdateFile"; filename="image.tar"', 'application/octet-stream'),
)
const body = Buffer.concat([head, image, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)])
const started = performance.now()
const tasks = await Promise.all(Array.from({ length: updating.bmcs }, (_, slot) => push(slot)))
tell()
await Promise.all(tasks.map((task, slot) => follow(slot, task)))
tell()

/** Gives a BMC the image; resolves to its task. */
async function push(slot: number): Promise<string> {
  const wire = await connect(slot)
  const request = headOf('POST', uris.multipartPush, {
    Host: 'bench',
    'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`,
    'Content-Length': body.length,
  })
  const answer = await wire.ask(request, body)
  wire.close()
  if (answer.status !== 202) throw new Error(`BMC ${slot} answers ${answer.status}: ${answer.body}`)
  return (JSON.parse(answer.body) as { readonly '@odata.id': string })['@odata.id']
}

/** By a connection of its own: the last push may end when that of the first would have been idle for too long. */
async function follow(slot: number, task: string): Promise<void> {
  const wire = await connect(slot)
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline;) {
    // As clients of many do: not all in the same moment.
    await sleep(POLL_MS * (0.5 + Math.random()))
    const answer = await wire.ask(headOf('GET', task, { Host: 'bench' }))
    const { TaskState } = JSON.parse(answer.body) as { readonly TaskState: string }
    if (TaskState === 'Completed') return wire.close()
    if (TaskState !== 'Running' && TaskState !== 'New')
      throw new Error(`${task} is ${TaskState}: ${answer.body}`)
  }
  throw new Error(`${task} has no end`)
}

function connect(slot: number): Promise<Wire> {
  return Wire.open(addressAt(updating.firstAddress, slot), updating.port)
}

function partHead(disposition: string, type: string): string {
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n`
}

function tell(): void {
  const seconds = (performance.now() - started) / 1_000
  process.stdout.write(`${JSON.stringify({ seconds } satisfies Updated)}\n`)
}
