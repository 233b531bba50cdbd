import { commit } from '../../src/bmc/commit.ts'
import { jobLogged } from '../../src/bmc/log.ts'
import { message } from '../../src/redfish/messages/message.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { JOB_LOG, uris } from '../../src/redfish/uris.ts'
import type { TestEmulator } from './emulator.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

/** A schedule that begins a day after the emulator. */
export const DAILY = { InitialStartTime: '2026-01-02T00:00:00Z', RecurrenceInterval: 'P1D' }

/** A request that changes something one can see, and may be made by whoever configures managers. */
export const renaming: JsonObject = {
  HttpOperation: 'PATCH',
  TargetUri: uris.system('1'),
  JsonBody: JSON.stringify({ AssetTag: 'made by a job' }),
}

/** What `renaming` changes. */
export async function tagOf({ get }: Pick<TestEmulator, 'get'>): Promise<unknown> {
  return (await get(uris.system('1')))['AssetTag']
}

/** Asks for a job: the answer. */
export function postJob({ send }: Pick<TestEmulator, 'send'>, body: JsonObject, user = 'admin') {
  return send(uris.jobs, { method: 'POST', body, user })
}

/** Makes a job and lets it begin: its URI. */
export async function makeJob(
  emulator: Pick<TestEmulator, 'send' | 'clock'>,
  members: JsonObject = {},
  user = 'admin',
): Promise<string> {
  const { status, headers, text } = await postJob(emulator, { Payload: renaming, ...members }, user)
  if (status !== 201) throw new Error(`no job: ${text}`)
  await emulator.clock.advance(1)
  return String(headers['location'])
}

/** The keys of what the job service's log says, each with the Id of the job that it is about. */
export async function jobLog({ get, bmc }: Pick<TestEmulator, 'get' | 'bmc'>): Promise<string[]> {
  const { Members } = await get(uris.logEntries(bmc.machine.manager, JOB_LOG))
  const entries = Members as unknown as readonly {
    readonly MessageId: string
    readonly Links: { readonly OriginOfCondition?: { readonly '@odata.id': string } }
  }[]
  return entries.map(({ MessageId, Links }) => {
    const origin = Links.OriginOfCondition?.['@odata.id'] ?? 'gone'
    return `${MessageId.split('.').at(-1)} ${origin.split('/').at(-1)}`
  })
}

/** A job of the service's own as an update of a device makes it, with its step and what the log says; nothing works on it. */
export function addJobWithStep(
  { bmc, clock }: Pick<TestEmulator, 'bmc' | 'clock'>,
  username = 'admin',
): void {
  const now = clock.now()
  const actor = { username, address: 'http://127.0.0.1' }
  const job = {
    id: '900',
    name: 'Firmware update 900',
    type: 'ServiceGenerated',
    state: 'UserIntervention',
    percent: 50,
    messages: [message('Base.ResetRequired', uris.action(uris.system('1'), 'ComputerSystem.Reset'), 'On')],
    createdAt: now,
    startTime: now,
    endTime: undefined,
    actor,
    parts: 1,
  } as const
  const { parts: _parts, ...step } = { ...job, id: '1', parent: job.id, name: 'Update of BIOS' }
  const said = [message('JobEvent.JobStarted', job.id)]
  commit(bmc, {
    jobs: [
      [job.id, job],
      [`${job.id}/1`, step],
    ],
    ...jobLogged(bmc, now, { origin: uris.job(job.id), actor }, said),
  })
}
