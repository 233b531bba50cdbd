import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { AUDIT_LOG, JOB_LOG, uris } from '../../src/redfish/uris.ts'
import { type Answer, Client } from './client.ts'

/** What activities need beside their BMC. */
export interface Surroundings {
  /** A multipart body with an image, and its type. */
  readonly push: { readonly body: Buffer; readonly type: string }
  /** Where the same image can be fetched. */
  readonly imageUri: string
  /** Where events may be sent, and whether one that says this has come. */
  readonly receiver: { readonly url: string; readonly isTold: (text: string) => boolean }
  /** From 0 to 1, the same in every run with the same seed. */
  readonly random: () => number
}

type Activity = (client: Client, surroundings: Surroundings) => Promise<void>

const LOGS = [undefined, AUDIT_LOG, JOB_LOG]
const MANAGER = uris.manager('1')
const SYSTEM = uris.system('1')
const action = uris.action

/** What clients do, by the name under which failures are told. Each leaves its BMC as it found it, but for its traces. */
export const activities = {
  login: async (client) => {
    const body = { UserName: 'admin', Password: 'redflash' }
    const { headers, location } = await client.ask(uris.sessions, 201, { method: 'POST', body })
    const token = { Authorization: '', 'X-Auth-Token': String(headers['x-auth-token']) }
    const read = [uris.updateService, uris.firmwareInventory, SYSTEM, MANAGER]
    await Promise.all(read.map((path) => client.ask(path, 200, { headers: token })))
    await client.ask(location, 204, { method: 'DELETE', headers: token })
  },
  'come by TLS': async ({ httpsUrl }) => {
    const client = new Client([httpsUrl])
    try {
      for (const path of [`${uris.root}/`, SYSTEM]) await client.ask(path, 200)
    } finally {
      client.close()
    }
  },
  push: async (client, { push: { body, type } }) => {
    const asked = { method: 'POST', headers: { 'Content-Type': type }, body } as const
    // One that was aborted may not be known to be over.
    let answer = await client.ask(uris.multipartPush, [202, 503], asked)
    await client.until('room for an upload', async () => {
      if (answer.status === 503) answer = await client.ask(uris.multipartPush, [202, 503], asked)
      return answer.status === 202
    })
    await follow(client, answer)
  },
  pull: async (client, { imageUri }) => {
    const target = action(uris.updateService, 'UpdateService.SimpleUpdate')
    const body = { ImageURI: imageUri, ForceUpdate: true, '@Redfish.OperationApplyTime': 'Immediate' }
    await follow(client, await client.ask(target, 202, { method: 'POST', body }))
  },
  'abort an upload': async (client, { push: { body, type }, random }) => {
    const headers = { 'Content-Type': type, 'Content-Length': body.byteLength }
    const sent = client.begin(uris.multipartPush, { method: 'POST', headers })
    sent.on('error', () => {}) // our own doing
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    sent.once('close', resolve)
    sent.write(body.subarray(0, Math.floor(random() * body.byteLength)))
    await sleep(random() * 20)
    sent.destroy()
    await gone
  },
  'reset the manager': async (client) => {
    const body = { ResetType: 'ForceRestart' }
    await client.ask(action(MANAGER, 'Manager.Reset'), 204, { method: 'POST', body })
    // It goes down a moment later; nobody is answered until it is up.
    await client.until('the reset', () => isUp(client).then((up) => !up))
    await client.until('the end of the reset', () => isUp(client))
  },
  'reset a system': async (client) => {
    const target = action(SYSTEM, 'ComputerSystem.Reset')
    await client.ask(target, 204, { method: 'POST', body: { ResetType: 'ForceOff' } })
    await client.until('power off', async () => (await powerState(client)) === 'Off')
    await client.ask(target, 204, { method: 'POST', body: { ResetType: 'On' } })
    await client.until('power on', async () => (await powerState(client)) === 'On')
  },
  subscribe: async (client, { receiver: { url, isTold }, random }) => {
    const body = { Destination: url, Protocol: 'Redfish', Context: 'soak' }
    const { location } = await client.ask(uris.eventDestinations, 201, { method: 'POST', body })
    const told = await submitTestEvent(client, random)
    await client.until('an event', () => isTold(told))
    await client.ask(location, 204, { method: 'DELETE' })
  },
  stream: async (client, { random }) => {
    const asked = client.begin(uris.eventStream, { headers: { Accept: 'text/event-stream' } }).end()
    const [stream] = (await once(asked, 'response')) as [IncomingMessage]
    let received = ''
    stream.on('data', (chunk: Buffer) => (received += chunk.toString()))
    stream.on('error', () => {}) // cut by us
    const told = await submitTestEvent(client, random)
    await client.until('an event in the stream', () => received.includes(told))
    asked.destroy()
  },
  'make a job': async (client, { random }) => {
    const tag = `soak ${random()}`
    const Payload = { HttpOperation: 'PATCH', TargetUri: SYSTEM, JsonBody: JSON.stringify({ AssetTag: tag }) }
    const { location } = await client.ask(uris.jobs, 201, { method: 'POST', body: { Payload } })
    const look = async (): Promise<unknown> => (await client.ask(location, 200)).json['JobState']
    await client.until('the end of a job', async () => (await look()) === 'Completed')
    const { json } = await client.ask(SYSTEM, 200)
    if (json['AssetTag'] !== tag) throw new Error(`${location} did nothing`)
    await client.ask(location, 204, { method: 'DELETE' })
  },
  'clear the logs': async (client) => {
    const clear = (log?: string) => action(uris.logService(MANAGER, log), 'LogService.ClearLog')
    for (const log of LOGS) await client.ask(clear(log), [200, 204], { method: 'POST', body: {} })
  },
  wait: async (_client, { random }) => sleep(random() * 200),
} as const satisfies Readonly<Record<string, Activity>>
export type ActivityName = keyof typeof activities

/** Until the task is over, as it should be; and then it goes. */
async function follow(client: Client, { json }: Answer): Promise<void> {
  const task = String(json['@odata.id'])
  let state: unknown
  await client.until('the end of an update', async () => {
    state = (await client.ask(task, 200)).json['TaskState']
    return !['New', 'Starting', 'Running', 'Pending'].includes(String(state))
  })
  if (state !== 'Completed') throw new Error(`${task} ended ${String(state)}`)
  await client.ask(task, 204, { method: 'DELETE' })
}

/** What the event says that nobody else's does. */
async function submitTestEvent(client: Client, random: () => number): Promise<string> {
  const told = `soak-${random()}`
  const body = { MessageId: 'ResourceEvent.1.0.TestMessage', Message: told, EventId: told, Severity: 'OK' }
  const target = action(uris.eventService, 'EventService.SubmitTestEvent')
  await client.ask(target, [200, 202, 204], { method: 'POST', body })
  return told
}

async function isUp(client: Client): Promise<boolean> {
  return client.ask(`${uris.root}/`, [200, 503]).then(
    ({ status }) => status === 200,
    () => false,
  )
}

async function powerState(client: Client): Promise<unknown> {
  return (await client.ask(SYSTEM, 200)).json['PowerState']
}
