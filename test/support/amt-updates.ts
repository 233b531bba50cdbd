import { buffer } from 'node:stream/consumers'
import type { FlashResult } from '../../src/devices/flasher.ts'
import type { ComponentOrder } from '../../src/image/build/builder.ts'
import { buildBundle } from '../../src/image/build/bundle.ts'
import { type DeviceJob, deviceJob, type stages } from '../contracts/device-adapter.ts'
import { never, startMachine } from './amt-machine.ts'
import type { AmtPeerOptions } from './amt-peer.ts'

export const LONG_MS = 3_600_000
const SIZE_BYTES = 2 ** 18
export const newer = { BIOS: '1.5.0', CSME: '16.1.30.2307' }
export type Id = keyof typeof newer

export const guids = {
  BIOS: '9e58292b-7c68-497d-a0ce-6500fd9f1b95',
  CSME: '23192307-d667-4bdf-af1a-6059db171246',
}
export const orders: Readonly<Record<Id, ComponentOrder>> = {
  BIOS: orderOf('BIOS', 'BIOS-Virtual-vPro', 1),
  CSME: orderOf('CSME', 'Intel-CSME', 2),
}

function orderOf(name: Id, softwareId: string, identifier: number): ComponentOrder {
  const descriptors = [{ type: 2, data: '0123456789abcdef0123456789abcdef' }]
  const pldm = { descriptors, classification: name === 'BIOS' ? 11 : 10, identifier }
  const capsule = { imageTypeId: guids[name] }
  const version = newer[name]
  return { name, version, softwareId, sizeBytes: SIZE_BYTES, identity: { pldm, capsule } }
}

export const bundle = (...ids: readonly Id[]) => buffer(buildBundle(ids.map((id) => orders[id])))

/** A machine that is updated: a job for one of its components, run stage by stage on its clock. */
export async function start(options: AmtPeerOptions = {}) {
  const machine = await startMachine(options)
  const { adapter, address, clock } = machine
  const firmwareOf = async (id: string) => {
    const seen = await adapter.look(address, never)
    if (!seen.ok) throw new Error(seen.problem.detail)
    return seen.value.firmware.find((one) => one.id === id)
  }
  const jobFor = async (id: Id, image: Uint8Array, signal = never): Promise<DeviceJob> => {
    const firmware = await firmwareOf(id)
    if (firmware === undefined) throw new Error(`no ${id}`)
    const job = deviceJob(address, firmware, { image, version: newer[id], signal })
    return { ...job, component: { ...job.component, id } }
  }
  const run = async (job: DeviceJob, ...wanted: readonly (typeof stages)[number][]): Promise<FlashResult> => {
    let result: FlashResult = { ok: true, value: undefined }
    for (const stage of wanted) {
      if (!result.ok) break
      const done = adapter[stage](job)
      await clock.advance(LONG_MS)
      result = await done
    }
    return result
  }
  const versionOf = async (id: string) => (await firmwareOf(id))?.version
  return { ...machine, jobFor, run, versionOf }
}
