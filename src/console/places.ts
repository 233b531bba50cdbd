import type { Bmc } from '../bmc/bmc.ts'
import type { ManagedDevice } from '../bmc/managed-device.ts'

/** The devices of a console by how they are reached: thousands tell of themselves, and nobody is looked for among all. */
export class Places {
  readonly #bmc: Bmc
  readonly #ids = new Map<string, string>()

  constructor(bmc: Bmc) {
    this.#bmc = bmc
    for (const device of bmc.state.devices.values()) this.#ids.set(placeOf(device), device.id)
    bmc.listeners.add(({ devices = [] }, before) => {
      for (const [, was] of before.devices ?? []) if (was !== undefined) this.#ids.delete(placeOf(was))
      for (const [id, now] of devices) if (now !== undefined) this.#ids.set(placeOf(now), id)
    })
  }

  find(method: string, hostName: string): ManagedDevice | undefined {
    return this.#bmc.state.devices.get(this.#ids.get(placeAt(method, hostName)) ?? '')
  }
}

/** Where a device is: host names are the same in small letters and large, and URLs without a last slash. */
export function placeAt(method: string, hostName: string): string {
  const isUrl = hostName.includes('://')
  return `${method} ${isUrl ? hostName.toLowerCase().replace(/\/$/, '') : hostName}`
}

function placeOf({ method, address }: ManagedDevice): string {
  return placeAt(method, address.hostName)
}
