import type { Bmc } from '../bmc/bmc.ts'
import type { ManagedDevice } from '../bmc/managed-device.ts'
import { type Method, methodOf } from './method.ts'

/** The devices of a console by how they are reached: thousands tell of themselves, and nobody is looked for among all. */
export class Places {
  readonly #bmc: Bmc
  readonly #ids = new Map<string, string>()

  constructor(bmc: Bmc, methods: readonly Method[]) {
    const placeOf = (device: ManagedDevice): string =>
      placeAt(methodOf(methods, device) ?? { id: device.method }, device.address.hostName)
    this.#bmc = bmc
    for (const device of bmc.state.devices.values()) this.#ids.set(placeOf(device), device.id)
    bmc.listeners.add(({ devices = [] }, before) => {
      for (const [, was] of before.devices ?? []) if (was !== undefined) this.#ids.delete(placeOf(was))
      for (const [id, now] of devices) if (now !== undefined) this.#ids.set(placeOf(now), id)
    })
  }

  find(place: string): ManagedDevice | undefined {
    return this.#bmc.state.devices.get(this.#ids.get(place) ?? '')
  }
}

/** Where a device is: as the way to it knows; else URLs are the same in small letters and large, and without a last slash. */
export function placeAt({ id, adapter }: Pick<Method, 'id'> & Partial<Method>, hostName: string): string {
  const isUrl = hostName.includes('://')
  const given = isUrl ? hostName.toLowerCase().replace(/\/$/, '') : hostName
  return `${id} ${adapter?.placeOf?.(hostName) ?? given}`
}
