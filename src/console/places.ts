import type { Bmc } from '../bmc/bmc.ts'
import type { DeviceFacts, ManagedDevice } from '../bmc/managed-device.ts'
import { type Method, methodOf } from './method.ts'

/** What makers leave in the place of a UUID: none, all of it, and what a well-known BIOS comes with. */
const NO_UUID = /^(?:[0-]*|[f-]*|03000200-0400-0500-0006-000700080009)$/i

/**
 * The devices of a console by how they are reached, and by who they say that they are: thousands tell of themselves, and
 * nobody is looked for among all.
 */
export class Places {
  readonly #bmc: Bmc
  readonly #keysOf: (device: ManagedDevice) => readonly string[]
  readonly #ids = new Map<string, string>()

  constructor(bmc: Bmc, methods: readonly Method[]) {
    this.#bmc = bmc
    this.#keysOf = (device) => {
      const { id = device.method, adapter } = methodOf(methods, device) ?? {}
      const identity = identityOf(id, device.facts)
      const place = placeAt({ id, ...(adapter && { adapter }) }, device.address.hostName)
      return identity === undefined ? [place] : [place, identity]
    }
    for (const device of bmc.state.devices.values()) this.#put(device)
    bmc.listeners.add(({ devices = [] }, before) => {
      for (const [, was] of before.devices ?? []) if (was !== undefined) this.#remove(was)
      for (const [, now] of devices) if (now !== undefined) this.#put(now)
    })
  }

  find(place: string): ManagedDevice | undefined {
    return this.#bmc.state.devices.get(this.#ids.get(place) ?? '')
  }

  /** Who says the same of itself, reached by the same way. */
  findSame(method: string, facts: DeviceFacts): ManagedDevice | undefined {
    return this.find(identityOf(method, facts) ?? '')
  }

  #put(device: ManagedDevice): void {
    for (const key of this.#keysOf(device)) this.#ids.set(key, device.id)
  }

  #remove(device: ManagedDevice): void {
    for (const key of this.#keysOf(device)) if (this.#ids.get(key) === device.id) this.#ids.delete(key)
  }
}

/** Where a device is: as the way to it knows; else URLs are the same in small letters and large, and without a last slash. */
export function placeAt({ id, adapter }: Pick<Method, 'id'> & Partial<Method>, hostName: string): string {
  const isUrl = hostName.includes('://')
  const given = isUrl ? hostName.toLowerCase().replace(/\/$/, '') : hostName
  return `${id} ${adapter?.placeOf?.(hostName) ?? given}`
}

/**
 * By what a device is known, wherever it is reached; `undefined`: it does not say. All of it has to be the same: some
 * services have their UUID from their maker, and others have theirs from who copied them.
 */
function identityOf(method: string, { serviceUuid, uuid, serialNumber }: DeviceFacts): string | undefined {
  const uuids = [serviceUuid ?? '', uuid ?? '']
  if (uuids.every((one) => NO_UUID.test(one))) return undefined
  return JSON.stringify([method, ...uuids.map((one) => one.toLowerCase()), serialNumber])
}
