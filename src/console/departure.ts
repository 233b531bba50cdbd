import type { Bmc } from '../bmc/bmc.ts'
import { deviceOfFirmware, deviceUris, firmwareId } from '../bmc/device-documents.ts'
import type { Change } from '../bmc/state.ts'
import { uris } from '../redfish/uris.ts'

/** The firmware of which something is kept, by its device: thousands leave one by one, and none is looked for among all. */
export class KeptFirmware {
  readonly #ids = new Map<string, Set<string>>()

  constructor({ state, listeners }: Bmc) {
    for (const id of [...state.components.keys(), ...state.history.keys()]) this.#add(id)
    listeners.add(({ components = [], history = [], devices = [] }) => {
      for (const [id, now] of [...components, ...history]) if (now !== undefined) this.#add(id)
      for (const [id, now] of devices) if (now === undefined) this.#ids.delete(id)
    })
  }

  of(device: string): readonly string[] {
    return [...(this.#ids.get(device) ?? [])]
  }

  #add(id: string): void {
    const device = deviceOfFirmware(id)
    const known = this.#ids.get(device)
    if (known === undefined) this.#ids.set(device, new Set([id]))
    else known.add(id)
  }
}

/** A device leaves: all that was known of it goes with it. */
export function departure({ state }: Bmc, id: string, firmware: readonly string[]): Change {
  const isOfIt = isPartOf(id)
  const aggregates = [...state.aggregates].flatMap(([key, aggregate]) => {
    const elements = aggregate.elements.filter((uri) => !isOfIt(uri))
    return elements.length < aggregate.elements.length ? [[key, { ...aggregate, elements }] as const] : []
  })
  return {
    devices: [[id, undefined]],
    aggregates,
    components: without(firmware.filter((one) => state.components.has(one))),
    history: without(firmware.filter((one) => state.history.has(one))),
    deviceLogs: without(state.deviceLogs.has(id) ? [id] : []),
    overlays: without([...state.overlays.keys()].filter(isOfIt)),
    resets: without([...state.resets.keys()].filter(isOfIt)),
  }
}

function without(keys: readonly string[]) {
  return keys.map((key) => [key, undefined] as const)
}

/** Whether a URI is that of a device's resource, of something below one, or of its firmware. */
function isPartOf(id: string): (uri: string) => boolean {
  const own = new Set(deviceUris(id))
  const below = [...own].map((one) => `${one}/`)
  const starts = [...below, uris.firmware(firmwareId(id, ''))]
  return (uri) => own.has(uri) || starts.some((start) => uri.startsWith(start))
}
