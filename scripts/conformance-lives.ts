import { arrayBuffer as bytesOf } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { componentOrders } from '../src/cli/image-order.ts'
import { buildBundle } from '../src/image/build/bundle.ts'
import type { JsonObject } from '../src/redfish/resource.ts'
import { uris } from '../src/redfish/uris.ts'
import type { Service } from './conformance-tools.ts'

const ROLLED_OUT_MS = 60_000
const POLL_MS = 200
/** By machine, the component that an image is staged on, one that waits for its reset, and one that is never done. */
export const inhabited = {
  rackmount: { done: 'NIC-1', staged: 'NIC-2', waiting: 'BIOS', endless: 'PSU-1' },
  bladed: { done: 'PSU-2', staged: 'Blade1-BIOS', waiting: 'Blade2-BMC', endless: 'PSU-1' },
} as const
const FAILING = 'NIC-2'
/** The BMCs that a console manages: the update of one component fails on the first of them. */
export const managedFleet = {
  groups: [
    { name: 'bad', count: 1, devices: { [FAILING]: { fail: { at: 'install' } } } },
    { name: 'good', count: 2 },
  ],
}

/**
 * What a service in use shows: updates that are done, run, wait in a job and are staged, a kept image, keys, a job that is
 * to come, a subscription and a test event.
 */
export async function inhabit(service: Service, machine: string): Promise<void> {
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
    await ask(service, uris.multipartPush, form)
  }
  await ask(service, uris.action(uris.updateService, 'UpdateService.GenerateSSHIdentityKeyPair'), {
    KeyType: 'Ed25519',
  })
  await ask(service, uris.jobs, {
    Payload: { HttpOperation: 'PATCH', TargetUri: uris.updateService, JsonBody: '{"ServiceEnabled":true}' },
    Schedule: { RecurrenceInterval: 'P7D', InitialStartTime: '2100-01-01T00:00:00Z' },
  })
  const event = { MessageId: 'ResourceEvent.1.4.TestMessage', Message: 'test', MessageSeverity: 'OK' }
  await ask(service, uris.action(uris.eventService, 'EventService.SubmitTestEvent'), event)
}

/**
 * What a console in use shows: devices, an aggregate of them, updates that go to them, a roll-out that has ended, and one
 * that waits for approval after one device succeeded and one failed.
 */
export async function manage(service: Service, bmcs: readonly Service[]): Promise<void> {
  await subscribe(service)
  for (const { url, user, password } of bmcs) {
    await ask(service, uris.aggregationSources, {
      HostName: url,
      UserName: user,
      Password: password,
      Links: { ConnectionMethod: { '@odata.id': uris.connectionMethod('Redfish') } },
    })
  }
  const Elements = ['1', '2'].map((id) => ({ '@odata.id': uris.system(id) }))
  await ask(service, uris.aggregates, { Elements })
  const form = await formOf('rackmount', 'NIC-1', { Targets: [uris.aggregate('1')] })
  await ask(service, uris.multipartPush, form)
  await rollOut(service, 'PSU-1', { Name: 'Ended' }, 'Completed')
  const Waves = [{ Count: 2 }, { Count: 1, ApprovalRequired: true }]
  const FailureThreshold = { Count: 2 }
  await rollOut(service, FAILING, { Name: 'Under way', Waves, FailureThreshold }, 'UserIntervention')
}

/** Rolls new firmware out; resolves when its job has come to that state. */
async function rollOut(
  service: Service,
  component: string,
  RollOut: JsonObject & { readonly Name: string },
  state: string,
): Promise<void> {
  const form = await formOf('rackmount', component, { Oem: { Redflash: { RollOut } } })
  await ask(service, uris.multipartPush, form)
  const tooLate = AbortSignal.timeout(ROLLED_OUT_MS)
  for (;;) {
    const { Members = [] } = (await ask(service, `${uris.jobs}?$expand=.`)) as {
      Members?: readonly ShownJob[]
    }
    if (Members.some(({ Name, JobState }) => Name === RollOut.Name && JobState === state)) return
    await sleep(POLL_MS, undefined, { signal: tooLate })
  }
}

interface ShownJob {
  readonly Name?: string
  readonly JobState?: string
}

async function subscribe(service: Service): Promise<void> {
  await ask(service, uris.eventDestinations, {
    Destination: 'http://127.0.0.1:9/events',
    Protocol: 'Redfish',
    Context: 'conformance',
  })
}

/** POSTs a body, or GETs where there is none; what the service answers, where that is well. */
async function ask({ url, user, password }: Service, uri: string, body?: object): Promise<unknown> {
  const isForm = body instanceof FormData
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  const answer = await fetch(url + uri, {
    headers: { authorization, ...(body && !isForm && { 'content-type': 'application/json' }) },
    ...(body && { method: 'POST', body: isForm ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${uri} answers ${answer.status}: ${text}`)
  return text === '' ? undefined : JSON.parse(text)
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

export function inhabitedOf(machine: string): (typeof inhabited)[keyof typeof inhabited] {
  return inhabited[machine === 'bladed' ? 'bladed' : 'rackmount']
}
