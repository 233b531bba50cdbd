import { buffer } from 'node:stream/consumers'
import { buildBundle } from '../../src/image/build/bundle.ts'
import { isObject, type JsonObject, linkUris } from '../../src/redfish/resource.ts'
import { lastSegment, uris } from '../../src/redfish/uris.ts'
import type { TestEmulator } from './emulator.ts'
import { LONG_MS, reset, update } from './updates.ts'

/** A bundle for components of the emulator's own machine. */
export function imageFor({ bmc }: TestEmulator, versions: Readonly<Record<string, string>>): Promise<Buffer> {
  const parts = Object.entries(versions).map(([name, version]) => ({
    name,
    version,
    softwareId: bmc.machine.components.get(name)?.softwareId ?? name,
    sizeBytes: 512,
  }))
  return buffer(buildBundle(parts))
}

/** Updates one component, and makes the reset that it needs: what its manager's or system's boot came to is there. */
export async function updateAndReset(
  emulator: TestEmulator,
  id: string,
  version: string,
  parameters: JsonObject = {},
) {
  const result = await update(emulator, await imageFor(emulator, { [id]: version }), parameters)
  const { reset: needed } = emulator.bmc.machine.components.get(id)?.behaviour ?? {}
  await resetWhole(emulator, needed?.resource ?? '')
  return result
}

/** Resets a manager or a system, and lets it come back. */
export async function resetWhole(emulator: TestEmulator, resource: string): Promise<void> {
  const answer = await reset(emulator, resource, 'ForceRestart')
  if (answer.status !== 204) throw new Error(`no reset: ${answer.text}`)
  await emulator.clock.advance(LONG_MS)
}

/** What a client sees of a manager's images: its version, the image that runs, and all of them. */
export async function seen({ get }: TestEmulator, manager: string) {
  const { FirmwareVersion, Links } = await get(manager)
  const links = isObject(Links) ? Links : {}
  const [active = ''] = linkUris([links['ActiveSoftwareImage'] ?? null])
  const images = linkUris(links['SoftwareImages']).map(lastSegment)
  return { version: FirmwareVersion, active: lastSegment(active), images }
}

/** What a client sees of an inventory item. */
export async function item({ get }: TestEmulator, id: string) {
  const { Version, Active, Status } = (await get(uris.firmware(id))) as {
    readonly Version?: string
    readonly Active?: boolean
    readonly Status?: { readonly State: string; readonly Health: string }
  }
  return `${Version} ${Status?.State} ${Status?.Health}${Active === true ? ' active' : ''}`
}

/** PATCHes the image that a manager is to run. */
export function choose({ send }: TestEmulator, manager: string, image: string) {
  const body = { Links: { ActiveSoftwareImage: { '@odata.id': image } } }
  return send(manager, { method: 'PATCH', body })
}

/** Fails a manager over, and lets it come back. */
export async function failOver({ send, clock }: TestEmulator, manager: string, to = manager) {
  const action = uris.action(manager, 'Manager.ForceFailover')
  const answer = await send(action, { method: 'POST', body: { NewManager: { '@odata.id': to } } })
  await clock.advance(LONG_MS)
  return answer
}
