import { onTestFinished } from 'vitest'
import type { FlashResult } from '../../src/devices/flasher.ts'
import { createRedfishAdapter, type RedfishOptions } from '../../src/devices/redfish/redfish-adapter.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { deviceJob, stages } from '../contracts/device-adapter.ts'
import { hurried } from './redfish-peer.ts'
import { type Reply, startService } from './scripted-service.ts'

export const V1 = '/redfish/v1'
export const ITEM = `${V1}/UpdateService/FirmwareInventory/BIOS`
export const TASK = `${V1}/TaskService/Tasks/1`
export const MONITOR = `${V1}/TaskService/TaskMonitors/1`
export const JOB = `${V1}/JobService/Jobs/1`
export const RESET = `${V1}/Systems/S/Actions/ComputerSystem.Reset`
export const RESTART = `${V1}/Managers/M/Actions/Manager.Reset`

export const link = (uri: string) => ({ '@odata.id': uri })
export const said = (MessageId: string, ...MessageArgs: string[]) => ({ MessageId, MessageArgs })
export const update = (key: string) => said(`Update.1.0.${key}`, 'image', ITEM)
export const successful = said('Update.1.0.UpdateSuccessful', ITEM, 'image')
export const resetRequired = said('Base.1.8.ResetRequired', RESET, 'ForceRestart')
export const task = (TaskState: string, ...Messages: JsonObject[]): Reply => ({
  body: { ...link(TASK), Id: '1', TaskState, Messages },
})
export const job = (JobState: string, more: JsonObject = {}): Reply => ({
  body: { ...link(JOB), Id: '1', JobState, ...more },
})
export const inventory = (Version: string, more: JsonObject = {}): Reply => ({
  body: { ...link(ITEM), Id: 'BIOS', Version, ...more },
})
export const accepted: Reply = { status: 202, headers: { Location: MONITOR } }
const resettable = (place: string, target: string, types: readonly string[]): Record<string, Reply> => ({
  [`GET ${V1}/${place.split('/')[0]}`]: { body: { Members: [link(`${V1}/${place}`)] } },
  [`GET ${V1}/${place}`]: {
    body: {
      ...link(`${V1}/${place}`),
      Id: place.split('/')[1] ?? '',
      Actions: {
        [target.includes('Manager') ? '#Manager.Reset' : '#ComputerSystem.Reset']: {
          target,
          'ResetType@Redfish.AllowableValues': types,
        },
      },
    },
  },
  [`POST ${target}`]: { status: 204 },
})

export type Script = Readonly<Record<string, Reply | readonly Reply[]>>

/** A device with one piece of firmware at version 1, and an image with version 2. */
export async function startDevice(script: Script, options: Partial<RedfishOptions> = {}) {
  const service = await startService({
    [`GET ${V1}/`]: {
      body: {
        RedfishVersion: '1.15.0',
        Systems: link(`${V1}/Systems`),
        Managers: link(`${V1}/Managers`),
        UpdateService: link(`${V1}/UpdateService`),
        Tasks: link(`${V1}/TaskService`),
      },
    },
    [`GET ${V1}/UpdateService`]: { body: { ...link(`${V1}/UpdateService`), MultipartHttpPushUri: '/push' } },
    ...resettable('Systems/S', RESET, ['On', 'PowerCycle', 'ForceRestart', 'GracefulRestart']),
    ...resettable('Managers/M', RESTART, ['ForceRestart']),
    'POST /push': accepted,
    [`GET ${ITEM}`]: inventory('2'),
    ...script,
  })
  const pauses: number[] = []
  const clock = {
    ...hurried,
    sleep: (ms: number, signal?: AbortSignal) => {
      pauses.push(ms)
      return hurried.sleep(ms / 10, signal)
    },
    now: () => hurried.now() * 10,
  }
  const adapter = createRedfishAdapter({ clock, ...options })
  onTestFinished(() => adapter.close())
  const device = { hostName: service.hostName, userName: 'me', password: 's3cret' }
  const firmware = { id: 'BIOS', name: 'BIOS', version: '1', updateable: true, of: 'system' } as const
  const one = deviceJob(device, firmware, { image: Buffer.alloc(50_000, 7), version: '2' })
  const run = async (): Promise<FlashResult[]> => {
    const results: FlashResult[] = []
    for (const stage of stages) if (results.every(({ ok }) => ok)) results.push(await adapter[stage](one))
    return results
  }
  /** The pushes, in their order. */
  const pushed = () => service.requests.filter(({ line }) => line === 'POST /push')
  return { ...service, adapter, job: one, run, pauses, pushed }
}

/** What an update comes to where all goes well. */
export const good = [{ ok: true }, { ok: true }, { ok: true }, { ok: true, value: { version: '2' } }] as const
